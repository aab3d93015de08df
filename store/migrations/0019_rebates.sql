-- +goose Up

-- What shoppers were promised: one row per line of an order, campaign, rule and beneficiary, pinned to the version that was active when
-- the order was paid. paid + open + clawed back + released = accrued, to the cent (I-22), where paid = settled - from_wallet - debt and
-- open = accrued - from_pending while the row is pending.
--
-- No column that settling moves is indexed here, and pages have room, so a row moves in place; what can still be settled stands in
-- rebates_open, whose rows come and go.
CREATE TABLE rebates (
    book         book        NOT NULL,
    id           text        COLLATE "C" NOT NULL,
    merchant_id  text        COLLATE "C" NOT NULL,
    campaign_id  text        COLLATE "C" NOT NULL,
    version      integer     NOT NULL CHECK (version >= 1),
    rule         text        COLLATE "C" NOT NULL,
    order_id     text        COLLATE "C" NOT NULL,
    line         smallint    NOT NULL CHECK (line >= 0),          -- 0: the order as a whole
    beneficiary  text        COLLATE "C" NOT NULL,                -- a user
    level        smallint    NOT NULL CHECK (level BETWEEN 0 AND 2), -- 0 the buyer, 1 who referred them, 2 who referred that one
    currency     text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    why          text        NOT NULL DEFAULT '',
    vests_on     date        NOT NULL,
    receipt_days smallint    CHECK (receipt_days >= 0),           -- a confirmed receipt makes it vest so many days later, if that is sooner
    created_at   timestamptz NOT NULL,

    status       text        NOT NULL CHECK (status IN ('pending', 'settled', 'released')), -- I-15
    accrued      bigint      NOT NULL CHECK (accrued >= 0),
    settled      bigint      NOT NULL DEFAULT 0 CHECK (settled >= 0),      -- what was paid into the wallet
    released     bigint      NOT NULL DEFAULT 0 CHECK (released >= 0),     -- what went back to the budget: the wallet refused it
    from_pending bigint      NOT NULL DEFAULT 0 CHECK (from_pending >= 0), -- what was clawed back, by where it came from
    from_wallet  bigint      NOT NULL DEFAULT 0 CHECK (from_wallet >= 0),
    debt         bigint      NOT NULL DEFAULT 0 CHECK (debt >= 0),         -- clawed back, and still owed by the user
    run_id       text        COLLATE "C",
    settled_at   timestamptz,
    sequence     bigint      NOT NULL CHECK (sequence >= 1),
    updated_at   timestamptz NOT NULL,
    rated        smallint    NOT NULL DEFAULT 1,  -- the last ordinals of its steps
    clawed       smallint    NOT NULL DEFAULT 0,
    restored     smallint    NOT NULL DEFAULT 0,
    recovered    smallint    NOT NULL DEFAULT 0,

    PRIMARY KEY (book, id),
    CONSTRAINT rebates_once UNIQUE (book, order_id, line, campaign_id, rule, beneficiary),
    CONSTRAINT rebates_sums CHECK (CASE status                    -- I-22
        WHEN 'pending' THEN from_pending <= accrued AND settled = 0 AND released = 0 AND from_wallet = 0 AND debt = 0
        WHEN 'settled' THEN settled + from_pending = accrued AND from_wallet + debt <= settled AND released = 0
        ELSE released + from_pending = accrued AND settled = 0 AND from_wallet = 0 AND debt = 0 END)
) WITH (fillfactor = 60);
CREATE INDEX rebates_of_user ON rebates (beneficiary, book, id);

CREATE TABLE rebates_open (
    book        book NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    beneficiary text COLLATE "C" NOT NULL,
    rebate_id   text COLLATE "C" NOT NULL,
    vests_on    date NOT NULL,
    PRIMARY KEY (book, campaign_id, beneficiary, rebate_id)
);
CREATE INDEX rebates_open_vesting ON rebates_open (book, campaign_id, vests_on);

-- Who owes what of rebates whose goods came back: looked at before each payment to them.
CREATE TABLE rebate_debts (
    book        book   NOT NULL,
    beneficiary text   COLLATE "C" NOT NULL,
    rebate_id   text   COLLATE "C" NOT NULL,
    PRIMARY KEY (book, beneficiary, rebate_id)
);

-- Orders that a rebate may depend on. The Step that pays an order leaves a row, if its merchant has a campaign; what happens to the
-- order later makes it due again. What is done about it reads the order as it is then, so any number of moves come to one look.
CREATE TABLE rebate_orders (
    book       book        NOT NULL,
    order_id   text        COLLATE "C" NOT NULL,
    paid_at    timestamptz NOT NULL,
    rated_at   timestamptz,
    due_at     timestamptz,
    tries      smallint    NOT NULL DEFAULT 0,
    PRIMARY KEY (book, order_id)
) WITH (fillfactor = 80);
CREATE INDEX rebate_orders_due ON rebate_orders (due_at) WHERE due_at IS NOT NULL;

-- What a buyer did before is asked when an order is rated.
CREATE INDEX payments_of_customer ON payments (customer_id, book) WHERE customer_id IS NOT NULL;

-- Settlements: one open run per campaign. n counts those of one business date.
CREATE TABLE settlements (
    book          book        NOT NULL,
    id            text        COLLATE "C" NOT NULL,
    merchant_id   text        COLLATE "C" NOT NULL,
    campaign_id   text        COLLATE "C" NOT NULL,
    business_date date        NOT NULL,
    n             integer     NOT NULL CHECK (n >= 1),
    currency      text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status        text        NOT NULL CHECK (status IN ('running', 'paused', 'canceled', 'completed')), -- I-15
    total         bigint      NOT NULL CHECK (total >= 0),  -- what was vested when it began: rebates, and their sum
    total_amount  bigint      NOT NULL CHECK (total_amount >= 0),
    sequence      bigint      NOT NULL CHECK (sequence >= 1),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    start_due_at  timestamptz,
    start_tries   smallint    NOT NULL DEFAULT 0,
    PRIMARY KEY (book, id),
    CONSTRAINT settlements_n UNIQUE (book, campaign_id, business_date, n),
    CONSTRAINT settlements_ended CHECK ((ended_at IS NOT NULL) = (status IN ('canceled', 'completed')))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX settlements_open ON settlements (book, campaign_id) WHERE ended_at IS NULL;
CREATE INDEX settlements_of_merchant ON settlements (merchant_id, book, id);
CREATE INDEX settlements_to_start ON settlements (start_due_at) WHERE start_due_at IS NOT NULL;

-- What each Step of a settlement has paid, one user at a time. Insert-only: progress is their sum, and nobody waits for a counter.
CREATE TABLE settlement_lines (
    book            book        NOT NULL,
    settlement_id   text        COLLATE "C" NOT NULL,
    cause           text        COLLATE "C" NOT NULL,
    beneficiary     text        COLLATE "C" NOT NULL,
    rebates         integer     NOT NULL CHECK (rebates >= 1),
    paid            bigint      NOT NULL CHECK (paid >= 0),
    released        bigint      NOT NULL CHECK (released >= 0),
    recovered       bigint      NOT NULL CHECK (recovered >= 0), -- of paid, what went to the user's debts
    at              timestamptz NOT NULL,
    PRIMARY KEY (book, settlement_id, cause)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_lines FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
