-- +goose Up

-- When an order's goods were received, as its buyer or its merchant has confirmed: what vests after receipt goes by it. Older binaries know
-- nothing of it, and leave it as it is.
ALTER TABLE orders ADD COLUMN received_at timestamptz;

-- A corrected rule changes what was promised of what isn't paid. What was taken back of it keeps its share: retaken is by how much that moved
-- in corrections' own journals, and not in those of claw-backs.
ALTER TABLE rebates ADD COLUMN retaken bigint NOT NULL DEFAULT 0;

-- rated is the last ordinal of the order's ratings. past is, by campaign, what was counted of the buyer when the order was first rated: a
-- later rating has to begin there. NULL: nothing was counted, or the order was rated before this was kept.
ALTER TABLE rebate_orders
    ADD COLUMN rated smallint NOT NULL DEFAULT 1,
    ADD COLUMN past  jsonb;

-- Runs that rate orders again by a corrected version: one open run per campaign. after is how far it has come; what was left alone is counted
-- by reason together with it, so a page that is done twice counts once.
CREATE TABLE reratings (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    campaign_id text        COLLATE "C" NOT NULL,
    version     integer     NOT NULL CHECK (version >= 1),
    corrects    integer     NOT NULL CHECK (corrects >= 0), -- only orders that went by this version; 0: all
    currency    text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status      text        NOT NULL CHECK (status IN ('running', 'canceled', 'completed')), -- I-15
    reason      text        NOT NULL,
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    after       text        COLLATE "C" NOT NULL DEFAULT '',
    looked      bigint      NOT NULL DEFAULT 0,
    left_alone  jsonb       NOT NULL DEFAULT '{}',
    sequence    bigint      NOT NULL CHECK (sequence >= 1),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    due_at      timestamptz,
    PRIMARY KEY (book, id),
    CONSTRAINT reratings_ended CHECK ((ended_at IS NOT NULL) = (status IN ('canceled', 'completed')))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX reratings_open ON reratings (book, campaign_id) WHERE ended_at IS NULL;
CREATE INDEX reratings_of_campaign ON reratings (campaign_id, id, book);
CREATE INDEX reratings_due ON reratings (due_at) WHERE due_at IS NOT NULL;

-- What each Step of a run has changed, an order at a time. Insert-only: progress is their sum.
CREATE TABLE rerating_lines (
    book        book        NOT NULL,
    rerating_id text        COLLATE "C" NOT NULL,
    cause       text        COLLATE "C" NOT NULL,
    order_id    text        COLLATE "C" NOT NULL,
    changed     integer     NOT NULL CHECK (changed >= 0), -- promises that stood
    made        integer     NOT NULL CHECK (made >= 0),    -- promises that are new
    more        bigint      NOT NULL CHECK (more >= 0),    -- what is promised more than before, and less
    less        bigint      NOT NULL CHECK (less >= 0),
    at          timestamptz NOT NULL,
    PRIMARY KEY (book, rerating_id, cause)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rerating_lines FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- What a user wants to be paid out by itself after a settlement: {"destination_id", "currency", "at_least_minor"}; NULL: as the merchant says.
ALTER TABLE users ADD COLUMN auto_withdraw jsonb;

-- Who has frozen a user: a merchant doesn't undo what an operator did. NULL: nobody, or it isn't known.
ALTER TABLE users ADD COLUMN frozen_by text;
