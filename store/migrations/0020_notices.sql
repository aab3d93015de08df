-- +goose Up

-- People are told of what happened to their orders and their money. What concerns them is picked out of the outbox in the transaction
-- in which an event is taken to leave, so that none is forgotten and there is no second outbox. An old binary beside this one picks
-- nothing out: let merchants switch this on only when the last old worker has gone.

-- Without a row here, a merchant's people are told nothing.
CREATE TABLE notice_settings (
    book        book        NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    media       text[]      NOT NULL,                  -- that the merchant uses at all
    language    text        NOT NULL CHECK (language IN ('en', 'zh')),
    sender      text        NOT NULL,                  -- the merchant's name, as people know it
    quiet       jsonb,                                 -- {"from": "22:00", "to": "08:00"}; NULL: it rings at any hour
    updated_at  timestamptz NOT NULL,
    changed_by  text        NOT NULL,
    request_id  text        NOT NULL DEFAULT '',
    PRIMARY KEY (book, merchant_id),
    FOREIGN KEY (book, merchant_id) REFERENCES merchants (book, id)
);

-- Events that were picked out, until somebody has looked whom they concern. Rows go as soon as that is done.
CREATE TABLE notice_events (
    book        book        NOT NULL,
    event_id    text        COLLATE "C" NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    type        text        NOT NULL,
    object_type text        NOT NULL,
    object_id   text        COLLATE "C" NOT NULL,
    sequence    bigint      NOT NULL,
    due_at      timestamptz NOT NULL,
    tries       int         NOT NULL DEFAULT 0,
    PRIMARY KEY (book, event_id)
);
CREATE INDEX notice_events_due ON notice_events (due_at);

-- One message: an event, to a person, by a medium, once. Ids only: what is personal is read when it is sent.
CREATE TABLE notifications (
    book        book        NOT NULL,
    event_id    text        COLLATE "C" NOT NULL,
    user_id     text        COLLATE "C" NOT NULL,
    medium      text        NOT NULL CHECK (medium IN ('mail', 'sms', 'push')),
    id          text        COLLATE "C" NOT NULL,
    merchant_id text        COLLATE "C" NOT NULL,
    type        text        NOT NULL,
    object_type text        NOT NULL,
    object_id   text        COLLATE "C" NOT NULL,
    sequence    bigint      NOT NULL,
    language    text        NOT NULL,
    digest      text        COLLATE "C" NOT NULL DEFAULT '', -- of many events that are told by one message; '': of this one alone
    status      text        NOT NULL CHECK (status IN ('pending', 'sent', 'failed', 'skipped')),
    reason      text        NOT NULL DEFAULT '',
    tries       int         NOT NULL DEFAULT 0,
    due_at      timestamptz,                           -- of the next try, or when whoever makes one is given up
    created_at  timestamptz NOT NULL,
    tried_at    timestamptz,
    sent_at     timestamptz,
    PRIMARY KEY (book, event_id, user_id, medium),
    CONSTRAINT notifications_due CHECK ((status = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT notifications_sent CHECK ((status = 'sent') = (sent_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX notifications_of_user ON notifications (user_id, id, book);
CREATE UNIQUE INDEX notifications_digest ON notifications (user_id, digest, medium, book) WHERE digest <> '';
CREATE INDEX notifications_of_merchant ON notifications (merchant_id, id, book);
CREATE INDEX notifications_due_now ON notifications (medium, due_at) WHERE due_at IS NOT NULL;
