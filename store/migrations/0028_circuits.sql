-- +goose Up

-- What all processes together have lately seen of a channel account: a window of results, and whether its circuit is open. Each process folds
-- its results in about once a second, and a half-open circuit's probe is claimed here. Nothing of it is money's: a lost second only means
-- that a circuit opens a second later.
CREATE TABLE circuits (
    book            book        NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    breaker         jsonb       NOT NULL, -- routing.Breaker
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (book, channel_account),
    FOREIGN KEY (book, channel_account) REFERENCES channel_accounts (book, id)
) WITH (fillfactor = 50);
