-- +goose Up

-- An account at a channel is halted by an operator: paused, or drained until nothing is open there any more. Both are the status
-- 'suspended', which every older binary leaves out of its plans too; halt says which of the two, and the reason is shown with each plan.
-- own_funds: what the channel takes is the merchant's own money and never becomes ours, so it is booked on memo accounts. It is fixed when
-- an account is opened: accounts that were opened before have been booked as ours, and stay so. An old binary would book an account of own
-- funds as ours as well: open the first one only when the last old process has gone.
-- limits: calls at once, calls per second and time-outs, of the account and of single operations.
ALTER TABLE channel_accounts
    ADD COLUMN halt        text    CHECK (halt IN ('paused', 'draining')),
    ADD COLUMN halt_reason text,
    ADD COLUMN acts        int     NOT NULL DEFAULT 0, -- numbers the acts under this row's lock
    ADD COLUMN own_funds   boolean NOT NULL DEFAULT false,
    ADD COLUMN limits      jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    ADD CONSTRAINT channel_accounts_halt CHECK (halt IS NULL OR (status = 'suspended' AND halt_reason IS NOT NULL)),
    ADD CONSTRAINT channel_accounts_own CHECK (NOT own_funds OR (funds_holder = 'merchant' AND merchant_id IS NOT NULL));

-- Who did what to an account, and why.
CREATE TABLE channel_account_acts (
    book            book        NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    sequence        int         NOT NULL CHECK (sequence >= 1),
    act             text        NOT NULL CHECK (act IN ('pause', 'resume', 'drain', 'disable', 'enable', 'limits')),
    reason          text        NOT NULL CHECK (reason <> ''),
    by_kind         text        NOT NULL,
    by_id           text        NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (book, channel_account, sequence),
    FOREIGN KEY (book, channel_account) REFERENCES channel_accounts (book, id)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON channel_account_acts FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
