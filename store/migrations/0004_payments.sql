-- +goose Up

-- start_due_at, cancel_due_at and mature_due_at are the relays' queues: set while a payment is to be looked after, NULL otherwise, so that
-- their indexes hold only the few rows in question. No other column that moves is indexed: most updates stay in the page.
CREATE TABLE payments (
    book                book        NOT NULL,
    id                  text        COLLATE "C" NOT NULL,
    merchant_id         text        COLLATE "C" NOT NULL,
    order_id            text        COLLATE "C" NOT NULL,
    order_reference     text        COLLATE "C" NOT NULL,
    customer_id         text        COLLATE "C",
    amount              bigint      NOT NULL CHECK (amount > 0),
    currency            text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    method              text        NOT NULL,
    capture_method      text        NOT NULL CHECK (capture_method IN ('automatic', 'manual')),
    channel             text,
    metadata            jsonb       NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,

    status              text        NOT NULL,
    in_doubt            boolean     NOT NULL DEFAULT false,
    parked              text,
    sequence            bigint      NOT NULL CHECK (sequence >= 1),
    captured            bigint      NOT NULL DEFAULT 0 CHECK (captured >= 0),
    refunded            bigint      NOT NULL DEFAULT 0,
    fee                 bigint      NOT NULL DEFAULT 0,
    decline_code        text,
    business_date       date,
    effective_at        timestamptz,
    updated_at          timestamptz NOT NULL,
    next_action_sealed  bytea,
    cancel_requested_at timestamptz,

    opened_at           timestamptz,          -- the saga has taken it over
    plan                jsonb,                -- the routes and why
    risk                jsonb,                -- the verdict and why
    start_due_at        timestamptz,
    start_tries         smallint    NOT NULL DEFAULT 0,
    cancel_due_at       timestamptz,
    mature_due_at       timestamptz,          -- of captured money that isn't available yet
    cancel_tries        smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT payments_status CHECK (status IN
        ('processing', 'requires_action', 'authorized', 'succeeded', 'failed', 'canceled', 'expired')), -- I-15
    CONSTRAINT payments_captured CHECK ((status = 'succeeded') = (captured > 0) AND (captured > 0) = (business_date IS NOT NULL)), -- I-16
    CONSTRAINT payments_refunded CHECK (refunded BETWEEN 0 AND captured), -- I-12
    CONSTRAINT payments_fee CHECK (fee BETWEEN 0 AND captured),
    CONSTRAINT payments_failed CHECK (status <> 'failed' OR decline_code IS NOT NULL),
    CONSTRAINT payments_in_doubt CHECK (NOT in_doubt OR status IN ('processing', 'requires_action')), -- I-14
    CONSTRAINT payments_action CHECK (next_action_sealed IS NULL OR status = 'requires_action')
) WITH (fillfactor = 80);
CREATE INDEX payments_of_merchant ON payments (merchant_id, book, id); -- lists; ids sort by time
CREATE INDEX payments_of_order ON payments (order_id, book);
CREATE INDEX payments_to_start ON payments (start_due_at) WHERE start_due_at IS NOT NULL;
CREATE INDEX payments_to_mature ON payments (mature_due_at) WHERE mature_due_at IS NOT NULL;
CREATE INDEX payments_to_cancel ON payments (cancel_due_at) WHERE cancel_due_at IS NOT NULL;

-- Where a payment's money comes from. Attempts, captures and refunds belong to a part.
CREATE TABLE payment_parts (
    book       book     NOT NULL,
    payment_id text     COLLATE "C" NOT NULL,
    part       smallint NOT NULL CHECK (part >= 1),
    source     text     NOT NULL CHECK (source IN ('channel', 'wallet')),
    amount     bigint   NOT NULL CHECK (amount > 0),
    authorized bigint   NOT NULL DEFAULT 0 CHECK (authorized >= 0),
    captured   bigint   NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND authorized), -- I-09
    refunded   bigint   NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),   -- I-12
    PRIMARY KEY (book, payment_id, part)
) WITH (fillfactor = 80);

-- What the saga needs of the request and nobody else may see: token, return URL, description. Erasable.
CREATE TABLE payment_details (
    book           book NOT NULL,
    payment_id     text COLLATE "C" NOT NULL,
    secrets_sealed bytea NOT NULL,
    PRIMARY KEY (book, payment_id)
);

-- Intents (I-13): the row is committed before the channel hears of it. Its primary key is the step's key,
-- "<payment_id>:ch<ordinal>", and the channel's reference is made from it, so neither is stored again.
CREATE TABLE attempts (
    book            book        NOT NULL,
    payment_id      text        COLLATE "C" NOT NULL,
    ordinal         smallint    NOT NULL CHECK (ordinal BETWEEN 1 AND 99),
    part            smallint    NOT NULL CHECK (part >= 1),
    channel         text        COLLATE "C" NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    lane            text        NOT NULL CHECK (lane IN ('express', 'standard')),
    request_hash    bytea       NOT NULL CHECK (length(request_hash) = 32),
    request_sealed  bytea       NOT NULL,
    born_at         timestamptz NOT NULL,

    verdict         text        CHECK (verdict IN ('succeeded', 'authorized', 'declined', 'pending', 'unknown', 'absent', 'closed')),
    dead            boolean     NOT NULL DEFAULT false,
    channel_id      text,
    decline_code    text,
    hard_decline    boolean     NOT NULL DEFAULT false,
    amount          bigint,     -- what the channel says it took or reserved
    amount_currency text        COLLATE "C",
    expires_at      timestamptz,
    effective_at    timestamptz,
    PRIMARY KEY (book, payment_id, ordinal)
) WITH (fillfactor = 70);

-- One scrubbed line per call, for people; never read for a decision.
CREATE TABLE channel_calls (
    book            book        NOT NULL,
    business_id     text        COLLATE "C" NOT NULL,
    key             text        COLLATE "C" NOT NULL,
    channel         text        NOT NULL,
    channel_account text        NOT NULL,
    operation       text        NOT NULL,
    started_at      timestamptz NOT NULL,
    duration_us     bigint      NOT NULL CHECK (duration_us >= 0),
    verdict         text,
    fault           text,
    note            text
);
CREATE INDEX channel_calls_of_business ON channel_calls (business_id, book);

-- Verified callbacks, stored before the channel is answered. due_at is the relay's queue.
CREATE TABLE callbacks (
    book            book        NOT NULL,
    id              text        COLLATE "C" NOT NULL,
    channel         text        NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    event_id        text        COLLATE "C" NOT NULL, -- or the hash of the body
    subject         text        NOT NULL,
    reference       text        COLLATE "C" NOT NULL,
    business_id     text        COLLATE "C",          -- read from the reference; NULL: it isn't one of ours
    outcome         jsonb       NOT NULL,             -- without the action, which is a secret
    body_sealed     bytea       NOT NULL,
    received_at     timestamptz NOT NULL,
    tries           int         NOT NULL DEFAULT 0,
    due_at          timestamptz,
    disposition     text,
    disposed_at     timestamptz,
    PRIMARY KEY (book, id),
    CONSTRAINT callbacks_once UNIQUE (channel_account, event_id, book), -- I-21
    CHECK ((disposition IS NULL) = (disposed_at IS NULL)),
    CHECK (disposition IS NULL OR due_at IS NULL)
);
CREATE INDEX callbacks_of_business ON callbacks (business_id, book) WHERE business_id IS NOT NULL;
CREATE INDEX callbacks_to_place ON callbacks (due_at) WHERE due_at IS NOT NULL;
