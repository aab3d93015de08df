-- +goose Up

-- Whom payments brought as customers can also be made, changed and closed by their merchant, and can act for themselves. What is personal
-- stands sealed in tables of its own (I-26): user_details holds what came with payments, user_profiles what was said about the user
-- themselves, so that the next payment doesn't take it away, nor an older binary.
ALTER TABLE users
    ADD sequence    bigint NOT NULL DEFAULT 0, -- counts the user's events (I-23); 0: a payment brought them, and nothing was said since
    ADD language    text   COLLATE "C",
    ADD preferences jsonb  NOT NULL DEFAULT '{}',
    ADD metadata    jsonb  NOT NULL DEFAULT '{}',
    ADD referrer_id text   COLLATE "C",
    ADD updated_at  timestamptz,
    ADD CONSTRAINT users_referrer CHECK (referrer_id <> id);
CREATE INDEX users_of_merchant ON users (merchant_id, id, book);
CREATE INDEX users_by_referrer ON users (referrer_id, book) WHERE referrer_id IS NOT NULL;

CREATE TABLE user_profiles (
    book           book        NOT NULL,
    user_id        text        COLLATE "C" NOT NULL,
    profile_sealed bytea       NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (book, user_id)
);

-- Who did what to a user, and why.
CREATE TABLE user_acts (
    book       book        NOT NULL,
    user_id    text        COLLATE "C" NOT NULL,
    sequence   bigint      NOT NULL,
    kind       text        NOT NULL,
    by_kind    text        NOT NULL,
    by_id      text        NOT NULL,
    request_id text,
    reason     text,
    at         timestamptz NOT NULL,
    PRIMARY KEY (book, user_id, sequence)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON user_acts FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- Where a user can be paid out to: a bank account, a card, a wallet at a channel.
CREATE TABLE user_destinations (
    book               book        NOT NULL,
    id                 text        COLLATE "C" NOT NULL,
    user_id            text        COLLATE "C" NOT NULL,
    kind               text        NOT NULL,
    hint               text        NOT NULL, -- the last characters, for people to tell one from another
    destination_sealed bytea,                -- NULL: it was removed
    created_at         timestamptz NOT NULL,
    removed_at         timestamptz,
    PRIMARY KEY (book, id),
    CHECK ((destination_sealed IS NULL) = (removed_at IS NOT NULL))
);
CREATE INDEX user_destinations_of_user ON user_destinations (user_id, id, book);

-- How a user proves who they are: a login, of which only a keyed digest is kept, and a password, of which only its argon2id hash is.
CREATE TABLE user_credentials (
    book         book        NOT NULL,
    user_id      text        COLLATE "C" NOT NULL,
    merchant_id  text        COLLATE "C" NOT NULL,
    login_digest bytea       NOT NULL CHECK (length(login_digest) = 32),
    password     text        NOT NULL,
    changed_at   timestamptz NOT NULL,
    PRIMARY KEY (book, user_id),
    CONSTRAINT user_credentials_login UNIQUE (merchant_id, login_digest, book)
);

-- A session begins with a log-in and ends with a log-out, at its expiry, or when a refresh token came a second time: then one of the two
-- who have it has stolen it.
CREATE TABLE user_sessions (
    book         book        NOT NULL,
    id           text        COLLATE "C" NOT NULL,
    user_id      text        COLLATE "C" NOT NULL,
    merchant_id  text        COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    ended_why    text,
    PRIMARY KEY (book, id),
    CHECK ((ended_at IS NULL) = (ended_why IS NULL))
);
CREATE INDEX user_sessions_of_user ON user_sessions (user_id, book) WHERE ended_at IS NULL;

CREATE TABLE user_refreshes (
    book       book        NOT NULL,
    hash       bytea       NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the token; the token itself is nowhere
    session_id text        COLLATE "C" NOT NULL,
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (book, hash)
);
CREATE INDEX user_refreshes_of_session ON user_refreshes (session_id, book);

-- Wrong passwords, by login whether or not there is one: so a refusal doesn't tell which logins exist.
CREATE TABLE login_throttles (
    book    book        NOT NULL,
    digest  bytea       NOT NULL CHECK (length(digest) = 32),
    failed  int         NOT NULL CHECK (failed >= 1),
    last_at timestamptz NOT NULL,
    PRIMARY KEY (book, digest)
);
CREATE INDEX login_throttles_old ON login_throttles (last_at);

-- What signs users' tokens: an Ed25519 seed for each period, made by whoever needs it first.
CREATE TABLE user_token_keys (
    book        book        NOT NULL,
    period      int         NOT NULL,
    seed_sealed bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (book, period)
);
