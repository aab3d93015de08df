-- +goose Up

-- Money from one wallet to another. A row is received, and settled once, by the Step that moves the money or says why not; start_due_at
-- is the relay's queue until then.
CREATE TABLE transfers (
    book             book        NOT NULL,
    id               text        COLLATE "C" NOT NULL,
    merchant_id      text        COLLATE "C" NOT NULL,
    from_user        text        COLLATE "C" NOT NULL,
    to_user          text        COLLATE "C" NOT NULL,
    amount           bigint      NOT NULL CHECK (amount > 0),
    currency         text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    description      text,
    metadata         jsonb       NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL,

    status           text        NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')), -- I-15
    failure_code     text,
    sequence         bigint      NOT NULL CHECK (sequence >= 1),
    updated_at       timestamptz NOT NULL,
    start_due_at     timestamptz,
    start_tries      smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT transfers_two CHECK (from_user <> to_user),
    CONSTRAINT transfers_failed CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT transfers_started CHECK (status = 'processing' OR start_due_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX transfers_of_merchant ON transfers (merchant_id, book, id); -- lists; ids sort by time
CREATE INDEX transfers_of_sender ON transfers (from_user, book, id);
CREATE INDEX transfers_of_recipient ON transfers (to_user, book, id);
CREATE INDEX transfers_to_start ON transfers (start_due_at) WHERE start_due_at IS NOT NULL;
