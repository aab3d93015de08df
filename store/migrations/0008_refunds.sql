-- +goose Up

-- What a payment's refunds make of its sums. Nobody but the Step that holds the payment's row moves them, so any number of refunds at
-- once is judged one after the other, and the constraint says it again (I-12).
--
-- pending is what of the payment isn't available to its merchant yet. NULL, as it is for every payment that no refund has touched: all
-- of captured - fee while mature_due_at is set, nothing once it isn't. The second constraint keeps a binary from before right, beside us:
-- it would make the whole available and leave pending as it was, which is refused, and we do it.
ALTER TABLE payments
    ADD COLUMN refunding    bigint NOT NULL DEFAULT 0,
    ADD COLUMN fee_returned bigint NOT NULL DEFAULT 0,
    ADD COLUMN pending      bigint,
    ADD CONSTRAINT payments_refunding CHECK (refunding >= 0 AND refunded + refunding <= captured) NOT VALID, -- I-12
    ADD CONSTRAINT payments_fee_returned CHECK (fee_returned BETWEEN 0 AND fee) NOT VALID,
    ADD CONSTRAINT payments_pending CHECK (pending IS NULL OR (pending BETWEEN 0 AND captured - fee AND mature_due_at IS NOT NULL)) NOT VALID;
-- NOT VALID: rows from before hold them by their defaults, and nobody waits while a large table is read.

-- For channels that want refunds of one charge apart: slot is the next time that nobody has taken yet, sent when the last one left.
ALTER TABLE attempts
    ADD COLUMN refund_slot_at timestamptz,
    ADD COLUMN refund_sent_at timestamptz;

CREATE TABLE refunds (
    book             book        NOT NULL,
    id               text        COLLATE "C" NOT NULL,
    payment_id       text        COLLATE "C" NOT NULL,
    order_id         text        COLLATE "C" NOT NULL,
    merchant_id      text        COLLATE "C" NOT NULL,
    part             smallint    NOT NULL CHECK (part >= 1),
    charge           smallint    NOT NULL CHECK (charge BETWEEN 1 AND 99), -- the attempt whose charge goes back
    channel          text        COLLATE "C" NOT NULL,
    channel_account  text        COLLATE "C" NOT NULL,
    charge_id        text,                                                 -- the channel's own id of that charge
    amount           bigint      NOT NULL CHECK (amount > 0),
    currency         text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason           text,
    metadata         jsonb       NOT NULL DEFAULT '{}',
    source           text        NOT NULL CHECK (source IN ('merchant', 'suspense')),
    case_id          text        COLLATE "C",
    created_at       timestamptz NOT NULL,
    taken_fee        bigint      NOT NULL CHECK (taken_fee >= 0),
    taken_pending    bigint      NOT NULL CHECK (taken_pending >= 0),
    taken_available  bigint      NOT NULL CHECK (taken_available >= 0),
    taken_debt       bigint      NOT NULL CHECK (taken_debt >= 0),

    status           text        NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')), -- I-15
    in_doubt         boolean     NOT NULL DEFAULT false,
    parked           text,
    failure_code     text,
    paid_elsewhere   boolean     NOT NULL DEFAULT false,
    sequence         bigint      NOT NULL CHECK (sequence >= 1),
    channel_id       text,
    effective_at     timestamptz,
    updated_at       timestamptz NOT NULL,
    opened_at        timestamptz,             -- the saga has taken it over
    not_before       timestamptz,             -- the slot it has taken, where its channel wants refunds apart
    start_due_at     timestamptz,
    start_tries      smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT refunds_taken CHECK (taken_fee + taken_pending + taken_available + taken_debt = CASE source WHEN 'merchant' THEN amount ELSE 0 END), -- I-08
    CONSTRAINT refunds_case UNIQUE (case_id, book),
    CONSTRAINT refunds_source CHECK (source = 'merchant' OR case_id IS NOT NULL),
    CONSTRAINT refunds_ended CHECK (status = 'processing' OR NOT in_doubt AND parked IS NULL), -- I-14
    CONSTRAINT refunds_failed CHECK ((status = 'failed') = (failure_code IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX refunds_of_payment ON refunds (payment_id, book, id);
CREATE INDEX refunds_of_merchant ON refunds (merchant_id, book, id); -- lists; ids sort by time
CREATE INDEX refunds_to_start ON refunds (start_due_at) WHERE start_due_at IS NOT NULL;

-- Intents (I-13), as attempts are for charges. Rows are written by who holds the refund's row.
CREATE TABLE refund_attempts (
    book            book        NOT NULL,
    refund_id       text        COLLATE "C" NOT NULL,
    ordinal         smallint    NOT NULL CHECK (ordinal BETWEEN 1 AND 99),
    channel         text        COLLATE "C" NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    request_hash    bytea       NOT NULL CHECK (length(request_hash) = 32),
    request_sealed  bytea       NOT NULL,
    born_at         timestamptz NOT NULL,

    verdict         text        CHECK (verdict IN ('succeeded', 'authorized', 'declined', 'pending', 'unknown', 'absent', 'closed')),
    dead            boolean     NOT NULL DEFAULT false,
    channel_id      text,
    decline_code    text,
    amount          bigint,     -- what the channel says it gave back
    amount_currency text        COLLATE "C",
    effective_at    timestamptz,
    PRIMARY KEY (book, refund_id, ordinal)
) WITH (fillfactor = 70);
