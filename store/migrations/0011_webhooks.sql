-- +goose Up

-- Merchants are told of events. A relay used to hold a transaction open while it handed events on; now it takes an object on a
-- lease, which ends by itself if the relay dies, and its event leaves again (I-23: at least once). Leases stand beside the
-- events, whose rows are wide, and unlogged: after a crash there are none, and what was under way leaves again. An old binary
-- beside this one knows no leases: it would mark events as delivered that nobody was told of. There were no endpoints to tell
-- before this migration, so let endpoints be registered only when the last old worker has gone.
CREATE UNLOGGED TABLE event_leases (
    book      book        NOT NULL,
    object_id text        COLLATE "C" NOT NULL,
    until     timestamptz NOT NULL,
    PRIMARY KEY (book, object_id)
);

-- A merchant's events, newest first, and one of them by its id. Operators name the merchant, so that one index will do.
CREATE INDEX events_of_merchant ON events (merchant_id, id, book);

CREATE TABLE webhook_endpoints (
    book             book        NOT NULL,
    id               text        COLLATE "C" NOT NULL,
    merchant_id      text        COLLATE "C" NOT NULL,
    url              text        NOT NULL,
    description      text        NOT NULL DEFAULT '',
    events           text[]      NOT NULL DEFAULT '{}',   -- exact types, or payment.*; empty: all
    include_children boolean     NOT NULL DEFAULT false,
    api_version      text        NOT NULL,
    schedule         jsonb       NOT NULL CHECK (jsonb_typeof(schedule) = 'object'),
    status           text        NOT NULL CHECK (status IN ('enabled', 'paused', 'disabled')),
    reason           text        NOT NULL DEFAULT '',
    failing_since    timestamptz,                         -- no try has succeeded since
    last_success_at  timestamptz,                         -- to within ten seconds
    sequence         bigint      NOT NULL DEFAULT 0,      -- of the events about itself
    hears_since      timestamptz NOT NULL,                -- what happened from then on it is told of, as it stands now
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    deleted_at       timestamptz,                         -- kept for the log of its deliveries
    changed_by       text        NOT NULL,
    request_id       text        NOT NULL DEFAULT '',
    PRIMARY KEY (book, id),
    FOREIGN KEY (book, merchant_id) REFERENCES merchants (book, id)
);
CREATE UNIQUE INDEX webhook_endpoints_once ON webhook_endpoints (merchant_id, url, book) WHERE deleted_at IS NULL;

-- The newest signs for ever, those before it until their time is over.
CREATE TABLE webhook_secrets (
    book          book        NOT NULL,
    endpoint_id   text        COLLATE "C" NOT NULL,
    no            bigint      GENERATED ALWAYS AS IDENTITY,
    secret_sealed bytea       NOT NULL,
    created_at    timestamptz NOT NULL,
    until         timestamptz,
    PRIMARY KEY (book, endpoint_id, no)
);

-- What was signed, byte for byte: no later release, and no JSON of the database's own, may change what a receiver has
-- seen. May be removed once no schedule can want it any more (31 days): it can be written anew from its event.
CREATE TABLE event_bodies (
    book        book        NOT NULL,
    event_id    text        COLLATE "C" NOT NULL,
    api_version text        NOT NULL,
    body_sealed bytea       NOT NULL,                     -- it may hold what a customer can pay by
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, event_id, api_version)
);

CREATE TABLE deliveries (
    book         book        NOT NULL,
    event_id     text        COLLATE "C" NOT NULL,
    endpoint_id  text        COLLATE "C" NOT NULL,
    merchant_id  text        COLLATE "C" NOT NULL,        -- the endpoint's
    type         text        NOT NULL,
    object_type  text        NOT NULL,
    object_id    text        COLLATE "C" NOT NULL,
    sequence     bigint      NOT NULL,
    api_version  text        NOT NULL,
    status       text        NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'gone', 'held')),
    tries        int         NOT NULL DEFAULT 0,
    failed       int         NOT NULL DEFAULT 0,          -- since its schedule began
    last         jsonb,                                   -- what the last try came to
    next_at      timestamptz,
    created_at   timestamptz NOT NULL,
    tried_at     timestamptz,
    delivered_at timestamptz,
    start_due_at timestamptz,                             -- a saga is to be started, or told not to wait
    start_tries  int         NOT NULL DEFAULT 0,
    start_now    boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (book, event_id, endpoint_id)
);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_id, event_id, book);
CREATE INDEX deliveries_undelivered ON deliveries (endpoint_id, status, event_id, book) WHERE status <> 'delivered';
CREATE INDEX deliveries_start_due ON deliveries (start_due_at) WHERE start_due_at IS NOT NULL;

-- The log. May be thinned out by age as it likes: nothing decides by it.
CREATE TABLE delivery_tries (
    book        book        NOT NULL,
    event_id    text        COLLATE "C" NOT NULL,
    endpoint_id text        COLLATE "C" NOT NULL,
    no          int         NOT NULL,
    at          timestamptz NOT NULL,
    result      jsonb       NOT NULL,
    PRIMARY KEY (book, event_id, endpoint_id, no)
);
