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

-- A top-up is a payment that goes to the wallet of its customer. It has no order, no fee, and nothing that a merchant waits for. The
-- binary before this one would take it for a merchant's sale: its relay may start a saga of its own, which this keeps from the first step
-- on; what such a saga can't do it tries again, and a newer worker does.
ALTER TABLE payments
    ADD COLUMN topup_known boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT payments_topup CHECK ((order_id = '') = (left(id, 4) = 'top_')) NOT VALID,
    ADD CONSTRAINT payments_topup_known CHECK (order_id <> '' OR opened_at IS NULL OR topup_known) NOT VALID,
    ADD CONSTRAINT payments_topup_whole CHECK (order_id <> '' OR (customer_id IS NOT NULL AND fee = 0 AND mature_due_at IS NULL AND capture_method = 'automatic')) NOT VALID;
-- NOT VALID: rows from before hold them, and nobody waits while a large table is read.
CREATE INDEX payments_of_wallet ON payments (customer_id, book, id) WHERE order_id = ''; -- lists

-- What a refund of a top-up has taken: it comes out of the wallet that was topped up.
ALTER TABLE refunds
    ADD COLUMN taken_wallet bigint NOT NULL DEFAULT 0 CHECK (taken_wallet >= 0),
    DROP CONSTRAINT refunds_taken,
    ADD CONSTRAINT refunds_taken CHECK (taken_fee + taken_pending + taken_available + taken_debt + taken_wallet
        = CASE source WHEN 'merchant' THEN amount ELSE 0 END) NOT VALID; -- I-08
