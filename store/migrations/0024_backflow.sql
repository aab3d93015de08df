-- +goose Up

-- Who closes a user asks whether a refund is under way that was taken out of the wallet: one that fails is there again.
CREATE INDEX refunds_out_of_wallets ON refunds (user_id, book) WHERE status = 'processing' AND taken_wallet > 0;

-- A channel's word about a dispute. A binary that knows none would set it aside as nothing to do: it can't, and a newer one does it.
ALTER TABLE callbacks
    ADD COLUMN dispute jsonb,
    ADD CONSTRAINT callbacks_disputes CHECK (subject <> 'dispute' OR disposition IS DISTINCT FROM 'ignored') NOT VALID;

-- What of a payment a channel has taken back in disputes that aren't won: no refund can give it back. A binary from before doesn't see
-- it, and is refused the refund that goes beyond.
ALTER TABLE payments
    ADD COLUMN disputed bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_disputed CHECK (disputed >= 0 AND refunded + refunding + disputed <= captured) NOT VALID; -- I-12
-- NOT VALID: rows from before hold it by the default, and nobody waits while a large table is read.

-- A dispute is what its channel said last of it, by the channel's time. taken_* is who bears what the channel has now.
CREATE TABLE disputes (
    book            book        NOT NULL,
    id              text        COLLATE "C" NOT NULL,
    payment_id      text        COLLATE "C" NOT NULL,
    order_id        text        COLLATE "C" NOT NULL,      -- '': of a top-up
    merchant_id     text        COLLATE "C" NOT NULL,
    user_id         text        COLLATE "C",               -- whose top-up it is
    charge          smallint    NOT NULL CHECK (charge BETWEEN 1 AND 99),
    channel         text        COLLATE "C" NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    channel_id      text        COLLATE "C" NOT NULL,      -- the channel's own id of it
    amount          bigint      NOT NULL CHECK (amount > 0),
    currency        text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    fee             bigint      NOT NULL CHECK (fee >= 0),
    reason          text,
    status          text        NOT NULL CHECK (status IN ('open', 'lost', 'won')), -- I-15
    taken_merchant  bigint      NOT NULL CHECK (taken_merchant >= 0),
    taken_wallet    bigint      NOT NULL CHECK (taken_wallet >= 0),
    taken_suspense  bigint      NOT NULL CHECK (taken_suspense >= 0),
    taken_fee       bigint      NOT NULL,
    sequence        bigint      NOT NULL CHECK (sequence >= 1),
    opened_at       timestamptz NOT NULL,
    said_at         timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    CONSTRAINT disputes_once UNIQUE (channel_account, channel_id, payment_id, book), -- I-21
    CONSTRAINT disputes_taken CHECK (taken_merchant + taken_wallet + taken_suspense = CASE status WHEN 'won' THEN 0 ELSE amount END AND taken_fee = fee) -- I-16
) WITH (fillfactor = 80);
CREATE INDEX disputes_of_payment ON disputes (payment_id, book);
CREATE INDEX disputes_of_merchant ON disputes (merchant_id, book, opened_at, id); -- lists
CREATE INDEX disputes_listed ON disputes (opened_at, id, book);
