-- +goose Up

-- One row per Step, and one more per journal of a Step whose cause isn't the Step's own. The primary key is what makes a
-- cause happen once (I-05). It must outlive every partition of everything else, so it is small, has no partitions, and
-- nobody may change or remove a row.
CREATE TABLE causes (
    book       book        NOT NULL,
    cause      text        COLLATE "C" NOT NULL,
    step       text        COLLATE "C",      -- the Step that this journal's cause belongs to; NULL: it is the Step itself
    hash       bytea       NOT NULL CHECK (length(hash) = 32), -- of the Step's content: a repeat must bring the same
    journal    bigint,                       -- NULL: the cause moved no money
    at         timestamptz NOT NULL,
    -- Who made it, here and nowhere else: every row that a Step writes is found through its cause.
    by_kind    text        NOT NULL CHECK (by_kind IN ('merchant', 'operator', 'user', 'service')),
    by_id      text        NOT NULL,
    request_id text,
    reason     text,
    PRIMARY KEY (book, cause)
);

-- First request wins (I-20). Keys of money objects never expire.
CREATE TABLE idempotency (
    book         book        NOT NULL,
    merchant_id  text        COLLATE "C" NOT NULL,
    operation    text        COLLATE "C" NOT NULL,
    key          text        COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea       NOT NULL CHECK (length(request_hash) = 32),
    object       text        COLLATE "C" NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (book, merchant_id, operation, key)
);

-- Amounts are signed minor units: a debit is positive. no is what entries carry, eight bytes instead of thirty.
CREATE TABLE accounts (
    no        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book      book        NOT NULL,
    id        text        COLLATE "C" NOT NULL UNIQUE,
    code      text        COLLATE "C" NOT NULL CHECK (code ~ '^[a-z0-9_]+(/[a-z0-9_]+)*$'),
    currency  text        COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    owner     text        COLLATE "C",       -- NULL: the platform
    kind      text        NOT NULL CHECK (kind IN ('asset', 'liability', 'income', 'expense', 'equity', 'memo')),
    normal    text        NOT NULL CHECK (normal IN ('debit', 'credit')),
    floor     bigint,                        -- on the normal side; NULL: none
    hot       boolean     NOT NULL DEFAULT false,
    balance   bigint      NOT NULL DEFAULT 0,
    version   bigint      NOT NULL DEFAULT 0, -- how many entries it has: the position of the last one
    opened_at timestamptz NOT NULL,
    UNIQUE (code, currency, book),
    CONSTRAINT accounts_hot CHECK (NOT hot OR floor IS NULL),
    CONSTRAINT accounts_floor CHECK (floor IS NULL OR CASE normal WHEN 'debit' THEN balance ELSE -balance END >= floor) -- I-06
) WITH (fillfactor = 50); -- room for the next balance in the page: no index has to learn of it

CREATE TABLE journals (
    no           bigint      PRIMARY KEY,    -- from journals_no, drawn with its cause
    book         book        NOT NULL,
    cause        text        COLLATE "C" NOT NULL,
    kind         text        COLLATE "C" NOT NULL,
    legs         smallint    NOT NULL CHECK (legs >= 2),
    reverses     bigint,
    effective_at timestamptz NOT NULL,       -- the world's time
    booked_at    timestamptz NOT NULL,       -- ours
    CHECK (reverses < no)
);
CREATE SEQUENCE journals_no OWNED BY journals.no;
CREATE UNIQUE INDEX journals_reversed_once ON journals (reverses) WHERE reverses IS NOT NULL; -- I-07

-- balance_after and seq make each entry prove the one before it: a page of a statement needs no sum over the past.
CREATE TABLE entries (
    journal       bigint   NOT NULL,
    leg           smallint NOT NULL CHECK (leg >= 1),
    account       bigint   NOT NULL,
    amount        bigint   NOT NULL CHECK (amount <> 0),
    balance_after bigint,                    -- NULL on hot accounts
    seq           bigint,                    -- position in the account from 1; NULL on hot accounts
    PRIMARY KEY (journal, leg),
    CHECK ((seq IS NULL) = (balance_after IS NULL))
);
CREATE UNIQUE INDEX entries_of_account ON entries (account, seq);

-- I-01, I-25: whatever the application believes, a statement that leaves a journal unbalanced, short of a leg, or in two
-- books or currencies fails, and one that takes an account below its floor, if only for a moment (I-06). It runs once per statement over the new rows only, which is cheaper than a deferred
-- trigger per row; legs makes sure that a journal comes whole and that nothing is added to it later.
-- +goose StatementBegin
CREATE FUNCTION entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad bigint;
    low boolean;
BEGIN
    -- OFFSET 0 keeps these look-ups by key: a plan made while the tables were small must not read them whole later.
    SELECT e.journal, coalesce(bool_or(a.low), false) INTO bad, low
    FROM new_entries e
    LEFT JOIN LATERAL (SELECT legs, book FROM journals WHERE no = e.journal OFFSET 0) j ON true
    LEFT JOIN LATERAL (SELECT currency, book, floor > CASE normal WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END AS low
        FROM accounts WHERE no = e.account OFFSET 0) a ON true
    GROUP BY e.journal
    HAVING sum(e.amount) <> 0
        OR count(*) IS DISTINCT FROM min(j.legs)::bigint
        OR max(e.leg) IS DISTINCT FROM min(j.legs)
        OR count(a.book) <> count(*)
        OR min(a.currency) <> max(a.currency)
        OR min(a.book) <> max(a.book)
        OR min(a.book) IS DISTINCT FROM min(j.book)
        OR bool_or(a.low)
    LIMIT 1;
    IF FOUND AND low THEN
        RAISE EXCEPTION 'journal % takes an account below its floor', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_floor';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'journal % is not balanced and whole in one book and currency', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_balance';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER entries_balance AFTER INSERT ON entries
    REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION entries_balance();

-- I-04: the application's role has no UPDATE or DELETE on these tables; this refuses it to everybody else, too.
-- +goose StatementBegin
CREATE FUNCTION insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation', CONSTRAINT = 'insert_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON causes FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- How far audit.Check has looked, and what it found. Journals up to a checkpoint can't change any more.
CREATE TABLE audit_checkpoints (
    no         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    journal    bigint      NOT NULL,
    violations bigint      NOT NULL,
    complete   boolean     NOT NULL  -- it looked from the first journal on
);
