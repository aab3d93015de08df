-- +goose Up

-- Captures take authorized money, all of it or in parts. A row is received and is an intent at once (I-13): its channel's key is
-- "<id>:cp1". due_at is the relay's queue: set while the saga may not have heard of it.
CREATE TABLE captures (
    book            book        NOT NULL,
    id              text        COLLATE "C" NOT NULL,
    payment_id      text        COLLATE "C" NOT NULL,
    merchant_id     text        COLLATE "C" NOT NULL,
    attempt         smallint    NOT NULL CHECK (attempt BETWEEN 1 AND 99),
    ordinal         smallint    NOT NULL CHECK (ordinal BETWEEN 1 AND 99), -- of the payment, in order of receipt
    amount          bigint      NOT NULL CHECK (amount > 0),
    currency        text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    final           boolean     NOT NULL,             -- releases what stays uncaptured
    channel         text        COLLATE "C" NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    request_hash    bytea       NOT NULL CHECK (length(request_hash) = 32),
    request_sealed  bytea       NOT NULL,
    born_at         timestamptz NOT NULL,

    status          text        NOT NULL DEFAULT 'processing',
    in_doubt        boolean     NOT NULL DEFAULT false,
    channel_id      text,
    failure_code    text,
    strayed         bigint      NOT NULL DEFAULT 0,   -- what the channel took instead: on suspense, under a case
    fee             bigint      NOT NULL DEFAULT 0,
    sequence        bigint      NOT NULL CHECK (sequence >= 1),
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    effective_at    timestamptz,
    matures_at      timestamptz,                      -- of money that isn't available yet
    due_at          timestamptz,
    tries           smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT captures_status CHECK (status IN ('processing', 'succeeded', 'failed')),
    CONSTRAINT captures_failed CHECK ((status = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT captures_in_doubt CHECK (NOT in_doubt OR status = 'processing'), -- I-14
    CONSTRAINT captures_fee CHECK (fee BETWEEN 0 AND amount AND (fee = 0 OR status = 'succeeded')),
    CONSTRAINT captures_due CHECK (due_at IS NULL OR status = 'processing')
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX captures_of_payment ON captures (payment_id, ordinal, book);
CREATE INDEX captures_due ON captures (due_at) WHERE due_at IS NOT NULL;

-- What is under way counts against the authorization, under the payment's lock (I-09). The old binary writes none of these
-- columns, and leaves them as they are.
ALTER TABLE payments
    ADD COLUMN capturing     bigint   NOT NULL DEFAULT 0,     -- of captures under way
    ADD COLUMN capture_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN capture_final boolean  NOT NULL DEFAULT false, -- a final one is under way
    ADD CONSTRAINT payments_capturing CHECK (capturing >= 0
        AND (capturing = 0 OR (status = 'authorized' AND captured + capturing <= amount)));

-- An authorized payment may have been captured in part; it succeeds with the last capture, or when the rest is given back.
ALTER TABLE payments DROP CONSTRAINT payments_captured;
ALTER TABLE payments ADD CONSTRAINT payments_captured CHECK (
    CASE status WHEN 'succeeded' THEN captured > 0 WHEN 'authorized' THEN true ELSE captured = 0 END
    AND (captured > 0) = (business_date IS NOT NULL)); -- I-16
