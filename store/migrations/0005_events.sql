-- +goose Up

-- The outbox: every move leaves its event in its own Step (I-23). The primary key gives each object one event per sequence;
-- no orders what relays take.
CREATE TABLE events (
    book          book        NOT NULL,
    object_id     text        COLLATE "C" NOT NULL,
    sequence      bigint      NOT NULL CHECK (sequence >= 1),
    no            bigint      GENERATED ALWAYS AS IDENTITY,
    id            text        COLLATE "C" NOT NULL,
    type          text        NOT NULL,
    api_version   text        NOT NULL,
    created_at    timestamptz NOT NULL,
    merchant_id   text        COLLATE "C",            -- NULL: concerns the platform alone
    business_id   text        COLLATE "C" NOT NULL,
    object_type   text        NOT NULL,
    data          jsonb       NOT NULL,               -- the object as the API shows it, without its secret
    secret_sealed bytea,                              -- next_action, put back on delivery
    delivered_at  timestamptz,
    PRIMARY KEY (book, object_id, sequence)
);
CREATE INDEX events_undelivered ON events (no) WHERE delivered_at IS NULL;

-- Exceptions that a person or a policy has to settle.
CREATE TABLE cases (
    book            book        NOT NULL,
    id              text        COLLATE "C" NOT NULL,
    merchant_id     text        COLLATE "C",
    payment_id      text        COLLATE "C",          -- NULL: an orphan
    channel_account text        COLLATE "C",
    kind            text        NOT NULL,
    amount          bigint      NOT NULL,
    currency        text        COLLATE "C",
    reason          text        NOT NULL,
    opened_at       timestamptz NOT NULL,
    decision        text,
    actor           text,
    decision_reason text,
    closed_at       timestamptz,
    PRIMARY KEY (book, id),
    CHECK ((closed_at IS NULL) = (decision IS NULL))
);
CREATE INDEX cases_of_payment ON cases (payment_id, book) WHERE payment_id IS NOT NULL;
CREATE INDEX cases_open ON cases (opened_at) WHERE closed_at IS NULL;

-- What operators did, who and why. Insert-only, as the journals are.
CREATE TABLE acts (
    book       book        NOT NULL,
    payment_id text        COLLATE "C" NOT NULL,
    act        text        NOT NULL,
    decision   text,
    actor      text        NOT NULL,
    verified   boolean     NOT NULL,
    reason     text        NOT NULL,
    cause      text        COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX acts_of_payment ON acts (payment_id, book);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON acts FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
