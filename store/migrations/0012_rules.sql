-- +goose Up

-- Rule sets are data: what merchants (or, with an empty merchant, the platform) have written about routing and risk. A version
-- never changes, so that the plan and the verdict of a payment can be understood for as long as they stand.
CREATE TABLE rule_sets (
    book        book        NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,   -- '': the platform's, for merchants without one of their own
    kind        text        COLLATE "C" NOT NULL CHECK (kind IN ('routing', 'risk')),
    version     int         NOT NULL CHECK (version >= 1),
    definition  jsonb       NOT NULL,
    note        text        NOT NULL,
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    request_id  text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, merchant_id, kind, version)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_sets FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- Which version holds. It is moved by compare-and-swap on the version; a payment reads it with its dossier, so that the next one
-- after an activation already goes by it. sequence counts the events about the set (I-23).
CREATE TABLE active_rules (
    book           book        NOT NULL,
    merchant_id    text        COLLATE "C" NOT NULL,
    kind           text        COLLATE "C" NOT NULL CHECK (kind IN ('routing', 'risk')),
    version        int         NOT NULL,
    sequence       bigint      NOT NULL DEFAULT 0,
    failed_rule    text,        -- the last failure that was told, so that a broken rule doesn't tell each payment
    failed_version int,
    failed_at      timestamptz,
    PRIMARY KEY (book, merchant_id, kind),
    FOREIGN KEY (book, merchant_id, kind, version) REFERENCES rule_sets (book, merchant_id, kind, version)
) WITH (fillfactor = 70);

-- Who activated what, when and why.
CREATE TABLE rule_activations (
    book        book        NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    kind        text        COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    version     int         NOT NULL,
    previous    int,                                -- NULL: the first
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    request_id  text,
    reason      text        NOT NULL
);
CREATE INDEX rule_activations_of_set ON rule_activations (merchant_id, kind, at, book);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_activations FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- What velocities and daily limits count. The key is the counter's whole name; a counter means nothing after ends_at, and is
-- swept some time later.
CREATE TABLE risk_counters (
    book      book        NOT NULL,
    key       text        COLLATE "C" NOT NULL,
    count     bigint      NOT NULL CHECK (count >= 0),
    sum_minor bigint      NOT NULL CHECK (sum_minor >= 0),
    ends_at   timestamptz NOT NULL,
    CONSTRAINT risk_counters_pkey PRIMARY KEY (book, key)
) WITH (fillfactor = 70);
CREATE INDEX risk_counters_ended ON risk_counters (ends_at);

-- Blocked and allowed customers, countries, cards, mail addresses, phones and addresses on the net. What names a person is a
-- digest under the book's secret (I-26). Taken off a list, an entry stays with who took it off.
CREATE TABLE risk_lists (
    book           book        NOT NULL,
    id             text        COLLATE "C" NOT NULL,
    merchant_id    text        COLLATE "C" NOT NULL, -- '': the platform's, it holds for all merchants
    kind           text        COLLATE "C" NOT NULL CHECK (kind IN ('customer', 'country', 'card', 'email', 'phone', 'ip')),
    value          text        COLLATE "C" NOT NULL,
    block          boolean     NOT NULL,
    hard           boolean     NOT NULL CHECK (block OR NOT hard),
    over_hard      boolean     NOT NULL CHECK (NOT (block AND over_hard)),
    reason         text        NOT NULL,
    by_kind        text        NOT NULL,
    by_id          text        NOT NULL,
    created_at     timestamptz NOT NULL,
    until          timestamptz,                      -- NULL: for good
    removed_at     timestamptz,
    removed_by     text,
    removed_reason text,
    PRIMARY KEY (book, id),
    CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
CREATE UNIQUE INDEX risk_lists_standing ON risk_lists (merchant_id, kind, value, block, book) WHERE removed_at IS NULL;
CREATE INDEX risk_lists_of_merchant ON risk_lists (merchant_id, id, book);

-- The secret under which a book's personal values are digested. It outlives every seal key: with another one, no list would
-- find anything.
CREATE TABLE risk_secrets (
    book          book  NOT NULL PRIMARY KEY,
    secret_sealed bytea NOT NULL
);

-- review_due_at: risk holds the payment for a person until then. risk_flag: it was let through blind, and wouldn't have been.
-- recheck_due_at is a relay's queue, as start_due_at is.
ALTER TABLE payments
    ADD COLUMN review_due_at  timestamptz,
    ADD COLUMN risk_flag      text,
    ADD COLUMN decline_class  text,
    ADD COLUMN recheck_due_at timestamptz;
CREATE INDEX payments_to_recheck ON payments (recheck_due_at) WHERE recheck_due_at IS NOT NULL;

-- What the channel takes of a payment; the cheapest account may come first.
ALTER TABLE channel_accounts
    ADD COLUMN cost_basis_points bigint NOT NULL DEFAULT 0 CHECK (cost_basis_points BETWEEN 0 AND 10000),
    ADD COLUMN cost_fixed        jsonb  NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(cost_fixed) = 'object'); -- currency → minor units
