-- +goose Up

-- Journals get numbers that tell when they were booked: milliseconds since 1970, then 8 bits of lane, then 12 bits of place in
-- the block. So numbers sort by time, a month is a range of numbers, and neither journals nor entries store the time again.
-- +goose StatementBegin
CREATE FUNCTION booked_at(no bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT to_timestamp((no >> 20) / 1000::double precision) $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION first_number(at timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT ceil(extract(epoch FROM at) * 1000)::bigint << 20 $$; -- of what is booked at that instant or later
-- +goose StatementEnd

-- Who writes a book. A lane is held by one process at a time, through a session's advisory lock, and is the one writer of a hash
-- chain: a batch of Steps is a block, and moves the lane's head in its own transaction, last. epoch counts the holders.
CREATE TABLE lanes (
    lane   smallint PRIMARY KEY CHECK (lane BETWEEN 0 AND 254), -- 255: what was booked before there were lanes
    book   book     NOT NULL,
    epoch  bigint   NOT NULL DEFAULT 0,
    number bigint   NOT NULL DEFAULT 0,          -- of the last block; 0: none yet
    hash   bytea    NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(hash) = 32), -- of the last block
    last   bigint   NOT NULL DEFAULT 0           -- the number of the last journal
) WITH (fillfactor = 10);

-- Fences a holder that lost its lane without knowing: only the newest epoch moves the head, one block at a time.
-- +goose StatementBegin
CREATE FUNCTION lane_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lane = OLD.lane AND NEW.book = OLD.book AND (
        (NEW.epoch = OLD.epoch AND NEW.number = OLD.number + 1 AND NEW.last > OLD.last) OR
        (NEW.epoch = OLD.epoch + 1 AND NEW.number = OLD.number AND NEW.hash = OLD.hash AND NEW.last = OLD.last)) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'lane % has another holder', OLD.lane USING ERRCODE = 'serialization_failure', CONSTRAINT = 'lane_fenced';
END $$;
-- +goose StatementEnd
CREATE TRIGGER lane_moves BEFORE UPDATE ON lanes FOR EACH ROW EXECUTE FUNCTION lane_moves();

-- The chain. Blocks stay for ever, also those of months whose journals are kept elsewhere. leaves are the first 8 bytes of each
-- journal's hash: root proves, leaves tell which journal it was.
CREATE TABLE blocks (
    lane     smallint NOT NULL,
    number   bigint   NOT NULL CHECK (number >= 1),
    first    bigint   NOT NULL,                  -- the number of its first journal; the others follow without a gap
    journals int      NOT NULL CHECK (journals BETWEEN 1 AND 4096),
    previous bytea    NOT NULL CHECK (length(previous) = 32),
    root     bytea    NOT NULL CHECK (length(root) = 32),
    leaves   bytea    NOT NULL CHECK (length(leaves) = 8 * journals),
    PRIMARY KEY (lane, number)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON blocks FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- A cause is the one place that can say for ever that a journal was reversed: journals have partitions, and go.
ALTER TABLE causes ADD reverses bigint;
CREATE UNIQUE INDEX causes_reversed_once ON causes (reverses) WHERE reverses IS NOT NULL; -- I-07

ALTER TABLE accounts ADD last bigint NOT NULL DEFAULT 0;   -- the number of the last journal; not kept on hot accounts
ALTER TABLE accounts ADD closed_at timestamptz;
ALTER TABLE accounts ADD CONSTRAINT accounts_closed CHECK (closed_at IS NULL OR hot OR balance = 0);
CREATE INDEX accounts_in_book ON accounts (book, code, currency);               -- lists, trial balance, export
CREATE INDEX accounts_of_owner ON accounts (owner, book, code, currency) WHERE owner IS NOT NULL;
CREATE INDEX accounts_hot ON accounts (book, no) WHERE hot;                      -- what is to be folded

-- Dates that are closed: the newest row of a book says through which date, in UTC, nothing is booked any more.
CREATE TABLE closings (
    book       book        NOT NULL,
    through    date        NOT NULL,
    at         timestamptz NOT NULL,
    by_kind    text        NOT NULL CHECK (by_kind IN ('operator', 'service')),
    by_id      text        NOT NULL,
    reason     text        NOT NULL CHECK (reason <> ''),
    PRIMARY KEY (book, through)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closings FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

ALTER TABLE journals RENAME TO old_journals;
ALTER TABLE entries RENAME TO old_entries;
ALTER INDEX journals_pkey RENAME TO old_journals_pkey;
ALTER INDEX entries_pkey RENAME TO old_entries_pkey;

CREATE TABLE journals (
    no           bigint      PRIMARY KEY,
    effective_at timestamptz NOT NULL,           -- the world's time
    reverses     bigint,
    book         book        NOT NULL,
    legs         smallint    NOT NULL CHECK (legs >= 2),
    cause        text        COLLATE "C" NOT NULL,
    kind         text        COLLATE "C" NOT NULL
) PARTITION BY RANGE (no);

-- An account stands once in a journal, so its entries in order are those of its journals. balance_after makes each entry prove
-- the one before it: a page of a statement needs no sum over the past.
CREATE TABLE entries (
    journal       bigint   NOT NULL,
    account       bigint   NOT NULL,
    amount        bigint   NOT NULL CHECK (amount <> 0),
    balance_after bigint,                        -- NULL on hot accounts
    leg           smallint NOT NULL CHECK (leg >= 1),
    PRIMARY KEY (account, journal)
) PARTITION BY RANGE (journal);
CREATE INDEX entries_of_journal ON entries (journal);

-- A hot account has no row that everybody updates: its balance is its last fold and what came since.
CREATE TABLE folds (
    account bigint NOT NULL,
    upto    bigint NOT NULL,                     -- journals below this number are in it
    balance bigint NOT NULL,
    entries bigint NOT NULL,                     -- how many, since the account was opened or made hot
    PRIMARY KEY (account, upto)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON folds FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- Entries whose world's time is more than a minute before we booked them, or after: the few that a balance by effective time
-- has to look for. All others lie within the minute before their journal.
CREATE TABLE displaced (
    account      bigint      NOT NULL,
    effective_at timestamptz NOT NULL,
    journal      bigint      NOT NULL,
    amount       bigint      NOT NULL,
    PRIMARY KEY (account, effective_at, journal)
);
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON displaced FOR EACH STATEMENT EXECUTE FUNCTION insert_only();

-- I-01, I-25, I-06: whatever the application believes, a statement that leaves a journal unbalanced, short of a leg, in two
-- books or currencies, on an account that is unknown or closed, or that takes an account below its floor, if only for a moment,
-- fails. It runs once per statement over the new rows only; legs makes sure that a journal comes whole and that nothing is
-- added to it later. OFFSET 0 keeps the look-ups by key, whatever the tables' sizes when the plan was made.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT e.journal, e.low, e.closed INTO bad
    FROM (
        SELECT n.journal, sum(n.amount) AS total, count(*) AS legs, max(n.leg) AS last_leg, count(a.book) AS known,
            min(a.currency) AS currency, max(a.currency) AS other_currency, min(a.book) AS book, max(a.book) AS other_book,
            bool_or(a.memo) AS memo, bool_and(a.memo) AS all_memo, bool_or(a.hot <> (n.balance_after IS NULL)) AS untold,
            bool_or(a.low) AS low, bool_or(a.closed) AS closed
        FROM new_entries n
        LEFT JOIN LATERAL (SELECT currency, book, hot, kind = 'memo' AS memo, closed_at IS NOT NULL AS closed,
                coalesce(floor > CASE normal WHEN 'debit' THEN n.balance_after ELSE -n.balance_after END, false) AS low
            FROM accounts WHERE no = n.account OFFSET 0) a ON true
        GROUP BY n.journal) e
    LEFT JOIN LATERAL (SELECT legs, book FROM journals WHERE no = e.journal OFFSET 0) j ON true
    WHERE e.total <> 0 OR e.legs IS DISTINCT FROM j.legs::bigint OR e.last_leg <> e.legs OR e.known <> e.legs
        OR e.currency <> e.other_currency OR e.book <> e.other_book OR e.book IS DISTINCT FROM j.book
        OR e.memo <> e.all_memo OR e.untold OR e.low OR e.closed
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF bad.low THEN
        RAISE EXCEPTION 'journal % takes an account below its floor', bad.journal
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_floor';
    ELSIF bad.closed THEN
        RAISE EXCEPTION 'journal % posts to a closed account', bad.journal
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_closed';
    END IF;
    RAISE EXCEPTION 'journal % is not balanced and whole in one book and currency', bad.journal
        USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_balance';
END $$;
-- +goose StatementEnd

-- The dates that domain/ledger admits: at most five minutes ahead of us, 366 days behind, and in no closed period.
-- +goose StatementBegin
CREATE FUNCTION journals_dated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    SELECT n.no, n.effective_at BETWEEN booked_at(n.no) - interval '366 days' AND booked_at(n.no) + interval '5 minutes' AS fits INTO bad
    FROM new_journals n
    LEFT JOIN LATERAL (SELECT through FROM closings WHERE book = n.book ORDER BY through DESC LIMIT 1) c ON true
    WHERE n.effective_at NOT BETWEEN booked_at(n.no) - interval '366 days' AND booked_at(n.no) + interval '5 minutes'
        OR (n.effective_at AT TIME ZONE 'UTC')::date <= c.through
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF bad.fits THEN
        RAISE EXCEPTION 'journal % falls into a closed period', bad.no
            USING ERRCODE = 'check_violation', CONSTRAINT = 'period_closed';
    END IF;
    RAISE EXCEPTION 'journal % is dated too far from its booking', bad.no
        USING ERRCODE = 'check_violation', CONSTRAINT = 'journals_dated';
END $$;
-- +goose StatementEnd

-- A batch that was judged on balances it believed, not on locked ones, ends here if one of them has moved.
-- +goose StatementBegin
CREATE FUNCTION all_moved(moved bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF moved <> wanted THEN
        RAISE EXCEPTION 'an account has moved' USING ERRCODE = 'serialization_failure', CONSTRAINT = 'all_moved';
    END IF;
END $$;
-- +goose StatementEnd

-- Months. A partition is made before its month begins; the application may ask for that, and for nothing else of an owner's.
-- +goose StatementBegin
CREATE FUNCTION make_month(month date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name  text := to_char(first, 'YYYY_MM');
    low   bigint := first_number(first::timestamp AT TIME ZONE 'UTC');
    high  bigint := first_number((first + interval '1 month') AT TIME ZONE 'UTC');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('paysaga months'));
    IF to_regclass('journals_' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE journals_%s PARTITION OF journals FOR VALUES FROM (%s) TO (%s)', name, low, high);
    EXECUTE format('CREATE TABLE entries_%s PARTITION OF entries FOR VALUES FROM (%s) TO (%s)', name, low, high);
    EXECUTE format('CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals_%s FOR EACH STATEMENT EXECUTE FUNCTION insert_only()', name);
    EXECUTE format('CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries_%s FOR EACH STATEMENT EXECUTE FUNCTION insert_only()', name);
    RETURN true;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION make_months(ahead int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    made int := 0;
BEGIN
    FOR i IN 0..least(greatest(ahead, 0), 24) LOOP
        IF make_month((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i))::date) THEN
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION make_month(date), make_months(int) FROM PUBLIC;

SELECT make_month(m::date) FROM generate_series(
    (SELECT coalesce(min(booked_at), now()) FROM old_journals) - interval '1 month', now(), interval '1 month') m;
SELECT make_months(3);

-- What was booked before keeps its order; it has no lane and no block.
CREATE TEMP TABLE renumbered ON COMMIT DROP AS
    SELECT no, (extract(epoch FROM date_trunc('milliseconds', booked_at)) * 1000)::bigint << 20 | 255 << 12
        | (row_number() OVER (PARTITION BY date_trunc('milliseconds', booked_at) ORDER BY no) - 1) AS number
    FROM old_journals;
CREATE UNIQUE INDEX ON renumbered (no);
ANALYZE renumbered;
INSERT INTO journals (no, effective_at, reverses, book, legs, cause, kind)
    SELECT r.number, o.effective_at, b.number, o.book, o.legs, o.cause, o.kind
    FROM old_journals o JOIN renumbered r USING (no) LEFT JOIN renumbered b ON b.no = o.reverses;
INSERT INTO entries (journal, account, amount, balance_after, leg)
    SELECT r.number, o.account, o.amount, o.balance_after, o.leg FROM old_entries o JOIN renumbered r ON r.no = o.journal;
INSERT INTO displaced (account, effective_at, journal, amount)
    SELECT e.account, j.effective_at, j.no, e.amount FROM entries e JOIN journals j ON j.no = e.journal
    WHERE j.effective_at NOT BETWEEN booked_at(j.no) - interval '1 minute' AND booked_at(j.no);
UPDATE accounts a SET last = e.last FROM (SELECT account, max(journal) AS last FROM entries GROUP BY account) e WHERE e.account = a.no;
ALTER TABLE causes DISABLE TRIGGER insert_only;
UPDATE causes c SET journal = r.number, reverses = j.reverses
    FROM renumbered r JOIN journals j ON j.no = r.number WHERE r.no = c.journal;
ALTER TABLE causes ENABLE TRIGGER insert_only;
DROP TABLE old_entries;
DROP TABLE old_journals; -- and the sequence of its numbers
ALTER TABLE accounts DROP COLUMN version;
ALTER TABLE audit_checkpoints RENAME COLUMN journal TO upto; -- journals below this number were looked at
TRUNCATE audit_checkpoints;

CREATE TRIGGER entries_balance AFTER INSERT ON entries
    REFERENCING NEW TABLE AS new_entries FOR EACH STATEMENT EXECUTE FUNCTION entries_balance();
CREATE TRIGGER journals_dated AFTER INSERT ON journals
    REFERENCING NEW TABLE AS new_journals FOR EACH STATEMENT EXECUTE FUNCTION journals_dated();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
