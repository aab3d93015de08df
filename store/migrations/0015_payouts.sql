-- +goose Up

-- Money that its owner takes out: a user of their wallet, a merchant of what it has available. What it leaves is under lock while it is
-- received, and from then on the money stands in transit: so no payout is beyond a balance, however many are asked for at once. New
-- tables only: the binary before this one doesn't know them.
CREATE TABLE payouts (
    book             book        NOT NULL,
    id               text        COLLATE "C" NOT NULL,
    merchant_id      text        COLLATE "C" NOT NULL,
    user_id          text        COLLATE "C",              -- whose wallet it leaves; NULL: it leaves what the merchant has available
    channel          text        COLLATE "C" NOT NULL,
    channel_account  text        COLLATE "C" NOT NULL,
    lane             text        NOT NULL,
    amount           bigint      NOT NULL CHECK (amount > 0),
    currency         text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    destination_type text        NOT NULL,
    destination_last text        NOT NULL CHECK (length(destination_last) <= 4), -- what of the destination may be shown
    note             text,
    metadata         jsonb       NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL,

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
    start_due_at     timestamptz,
    start_tries      smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT payouts_ended CHECK (status = 'processing' OR NOT in_doubt AND parked IS NULL), -- I-14
    CONSTRAINT payouts_failed CHECK ((status = 'failed') = (failure_code IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX payouts_of_merchant ON payouts (merchant_id, book, id); -- lists; ids sort by time
CREATE INDEX payouts_of_user ON payouts (user_id, book, id) WHERE user_id IS NOT NULL;
CREATE INDEX payouts_to_start ON payouts (start_due_at) WHERE start_due_at IS NOT NULL;
-- Of a user who leaves: what is still under way comes back to their wallet if it fails.
CREATE INDEX payouts_under_way ON payouts (user_id, book) WHERE status = 'processing' AND user_id IS NOT NULL;

-- Where to: sealed, and erasable once the payout has ended. An intent's frozen request only refers to it.
CREATE TABLE payout_details (
    book               book  NOT NULL,
    payout_id          text  COLLATE "C" NOT NULL,
    destination_sealed bytea NOT NULL,
    PRIMARY KEY (book, payout_id)
);

-- Intents (I-13), as attempts are for charges. Rows are written by who holds the payout's row.
CREATE TABLE payout_attempts (
    book            book        NOT NULL,
    payout_id       text        COLLATE "C" NOT NULL,
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
    amount          bigint,     -- what the channel says it paid
    amount_currency text        COLLATE "C",
    effective_at    timestamptz,
    PRIMARY KEY (book, payout_id, ordinal)
) WITH (fillfactor = 70);
