-- +goose Up

-- Who has asked for messages to be told again, and how many that came to. A binary from before knows nothing of it.
CREATE TABLE notice_resends (
    book        book        NOT NULL,
    id          text        COLLATE "C" NOT NULL, -- what the request's idempotency key stands for
    merchant_id text        COLLATE "C" NOT NULL,
    chosen      jsonb       NOT NULL,             -- one notification, or what the filter was
    count       int         NOT NULL CHECK (count >= 0),
    by_kind     text        NOT NULL,
    by_id       text        NOT NULL,
    request_id  text,
    at          timestamptz NOT NULL,
    PRIMARY KEY (book, id)
);
CREATE INDEX notice_resends_of_merchant ON notice_resends (merchant_id, at, book);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON notice_resends FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
