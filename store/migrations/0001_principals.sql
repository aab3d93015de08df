-- +goose Up

-- Conventions of all tables:
--  * Every primary business key starts with the book (I-25): a query that forgets it can't use it, and a book can move to a
--    database of its own. All other indexes lead with what selects and hold the book behind it: plans are made once per
--    connection, perhaps while a table is empty, and must not then prefer an index for the sake of the book alone.
--  * Keys are COLLATE "C": they are ASCII, compare fast, and sort by time as their ids do, whatever the database's locale.
--  * Statuses and kinds are text with a CHECK: a new value is a new CHECK beside an old binary, not a rewritten enum.
--  * Tables that each payment writes carry no foreign keys: what they point to is locked or made in the same Step, and a
--    key-share lock per row on merchants and accounts would cost more than audit.Check, which follows each reference.
--  * Columns named *_sealed hold AES-256-GCM ciphertext, made and opened by the application only (I-26).

CREATE TYPE book AS ENUM ('live', 'test', 'shadow');

-- Merchants have terms per book: what is tried out in test must not change what is booked in live.
CREATE TABLE merchants (
    book             book        NOT NULL,
    id               text        COLLATE "C" NOT NULL,
    parent_id        text        COLLATE "C",
    name             text        NOT NULL,
    fee_basis_points bigint      NOT NULL DEFAULT 0 CHECK (fee_basis_points BETWEEN 0 AND 10000),
    fee_fixed        jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(fee_fixed) = 'object'), -- currency → minor units
    fee_on_refund    text        NOT NULL DEFAULT 'return' CHECK (fee_on_refund IN ('return', 'keep')),
    settlement_days  int         NOT NULL DEFAULT 0 CHECK (settlement_days BETWEEN 0 AND 365),
    debt_limit       bigint      NOT NULL DEFAULT 0 CHECK (debt_limit >= 0),
    time_zone        text        NOT NULL DEFAULT 'UTC',
    day_cut_seconds  int         NOT NULL DEFAULT 0 CHECK (day_cut_seconds BETWEEN 0 AND 86399),
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    FOREIGN KEY (book, parent_id) REFERENCES merchants (book, id),
    CHECK (parent_id <> id)
);
CREATE INDEX merchants_by_parent ON merchants (parent_id, book) WHERE parent_id IS NOT NULL;

-- People who decide about money. They belong to no book.
CREATE TABLE operators (
    id         text        COLLATE "C" PRIMARY KEY,
    name       text        NOT NULL,
    public_key bytea       NOT NULL CHECK (length(public_key) = 32), -- Ed25519
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- The secret itself is shown once and never stored. The unique index on its SHA-256 is the look-up: the time it takes says
-- nothing about how many characters of a guess were right.
CREATE TABLE api_keys (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    hash        bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    merchant_id text        COLLATE "C",
    operator_id text        COLLATE "C",
    scopes      text[]      NOT NULL,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz,
    PRIMARY KEY (book, id),
    FOREIGN KEY (book, merchant_id) REFERENCES merchants (book, id),
    CHECK ((merchant_id IS NULL) <> (operator_id IS NULL))
);

CREATE TABLE channel_accounts (
    book               book        NOT NULL,
    id                 text        COLLATE "C" NOT NULL,
    channel            text        COLLATE "C" NOT NULL,
    merchant_id        text        COLLATE "C", -- NULL: the platform's own account
    funds_holder       text        NOT NULL CHECK (funds_holder IN ('platform', 'merchant', 'channel')),
    currencies         text[],                  -- NULL: all that the channel takes
    statement_zone     text        NOT NULL DEFAULT 'UTC',
    base_url           text        NOT NULL DEFAULT '',
    credentials_sealed bytea       NOT NULL,
    lane               text        NOT NULL CHECK (lane IN ('express', 'standard')),
    priority           int         NOT NULL DEFAULT 100,
    status             text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'closed')),
    created_at         timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    UNIQUE (id), -- callbacks name the account only; its book follows
    FOREIGN KEY (book, merchant_id) REFERENCES merchants (book, id)
);

-- Customers. What is personal stands in user_details alone, sealed, and can be erased without touching money.
CREATE TABLE users (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    reference   text        COLLATE "C", -- the merchant's own name for the customer
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, id),
    UNIQUE (merchant_id, reference, book)
);
CREATE TABLE user_details (
    book           book        NOT NULL,
    user_id        text        COLLATE "C" NOT NULL,
    details_sealed bytea       NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (book, user_id)
);
