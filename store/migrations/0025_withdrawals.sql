-- +goose Up

-- Users whom a settlement has paid, and whose wallets may be paid out by themselves once it has ended: a row per settlement and user, left by
-- the Step that pays. The payout's id is a function of both, so it is ordered once. outcome says what came of it.
CREATE TABLE settlement_withdrawals (
    book          book        NOT NULL,
    settlement_id text        COLLATE "C" NOT NULL,
    user_id       text        COLLATE "C" NOT NULL,
    due_at        timestamptz,
    tries         smallint    NOT NULL DEFAULT 0,
    outcome       text,
    payout_id     text        COLLATE "C",
    PRIMARY KEY (book, settlement_id, user_id),
    CHECK ((due_at IS NULL) = (outcome IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX settlement_withdrawals_due ON settlement_withdrawals (due_at) WHERE due_at IS NOT NULL;
