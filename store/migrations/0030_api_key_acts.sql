-- +goose Up

-- Who did what to an API key, and why: scopes came with time, and keys that were made before one lack it until it is granted. A key that was
-- rotated goes on for a while: its revoked_at lies ahead. The binary before this one takes it as revoked at once.
CREATE TABLE api_key_acts (
    book      book        NOT NULL,
    key_id    text        COLLATE "C" NOT NULL,
    sequence  int         NOT NULL CHECK (sequence >= 1),
    act       text        NOT NULL CHECK (act IN ('create', 'scopes', 'rotate', 'revoke')),
    scopes    text[]      NOT NULL, -- what the key has since
    successor text        COLLATE "C", -- of a rotation
    reason    text        NOT NULL CHECK (reason <> ''),
    by_kind   text        NOT NULL,
    by_id     text        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (book, key_id, sequence),
    FOREIGN KEY (book, key_id) REFERENCES api_keys (book, id)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api_key_acts FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
