-- +goose Up

-- A line's category is the merchant's own word; rebates give by it. Older lines have none.
ALTER TABLE order_lines ADD COLUMN category text NOT NULL DEFAULT '';

-- What merchants promise to those who buy. The row is what holds now; campaign_terms tells what held when. latest_version numbers the
-- versions under this row's lock; sequence counts the events (I-23).
CREATE TABLE campaigns (
    book           book        NOT NULL,
    id             text        COLLATE "C" NOT NULL,
    merchant_id    text        COLLATE "C" NOT NULL,
    name           text        NOT NULL,
    currency       text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status         text        NOT NULL CHECK (status IN ('draft', 'active', 'paused', 'ended')),
    version        int         NOT NULL DEFAULT 0 CHECK (version BETWEEN 0 AND latest_version), -- 0: none was activated
    latest_version int         NOT NULL DEFAULT 0,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL CHECK (ends_at > starts_at),
    priority       int         NOT NULL DEFAULT 0,
    exclusive      boolean     NOT NULL DEFAULT false,
    funded         bigint      NOT NULL DEFAULT 0 CHECK (funded >= 0), -- Σ campaign_fundings
    sequence       bigint      NOT NULL CHECK (sequence >= 1),
    by_kind        text        NOT NULL,
    by_id          text        NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    CHECK (status NOT IN ('active', 'paused') OR version > 0)
) WITH (fillfactor = 80);
CREATE INDEX campaigns_of_merchant ON campaigns (merchant_id, id, book);

-- A version never changes: an accrual is pinned to the one that was active when its order was paid.
CREATE TABLE campaign_versions (
    book        book        NOT NULL,
    campaign_id text        COLLATE "C" NOT NULL,
    version     int         NOT NULL CHECK (version >= 1),
    definition  jsonb       NOT NULL,
    note        text        NOT NULL,
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, campaign_id, version),
    FOREIGN KEY (book, campaign_id) REFERENCES campaigns (book, id)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON campaign_versions FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- The terms since when: an order goes by the newest that are not later than its payment, however late it is rated.
CREATE TABLE campaign_terms (
    book        book        NOT NULL,
    campaign_id text        COLLATE "C" NOT NULL,
    sequence    bigint      NOT NULL CHECK (sequence >= 1),
    at          timestamptz NOT NULL,
    status      text        NOT NULL,
    version     int         NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    priority    int         NOT NULL,
    exclusive   boolean     NOT NULL,
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    reason      text        NOT NULL,
    PRIMARY KEY (book, campaign_id, sequence),
    FOREIGN KEY (book, campaign_id) REFERENCES campaigns (book, id)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON campaign_terms FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- Money put into a budget, or (negative) taken out of it again. The journal's cause is <id>:tf1.
CREATE TABLE campaign_fundings (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    campaign_id text        COLLATE "C" NOT NULL,
    amount      bigint      NOT NULL CHECK (amount <> 0),
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    reason      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    FOREIGN KEY (book, campaign_id) REFERENCES campaigns (book, id)
);
CREATE INDEX campaign_fundings_of ON campaign_fundings (campaign_id, id, book);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON campaign_fundings FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- What caps count, and what users have spent in campaigns. The key is the counter's whole name and begins with its campaign's id.
CREATE TABLE rebate_counters (
    book  book   NOT NULL,
    key   text   COLLATE "C" NOT NULL,
    minor bigint NOT NULL CHECK (minor >= 0),
    CONSTRAINT rebate_counters_pkey PRIMARY KEY (book, key)
) WITH (fillfactor = 70);
