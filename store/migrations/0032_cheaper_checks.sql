-- +goose Up

-- The same checks as before, for less: they were a third of what PostgreSQL does for a journal. What made them dear was a look-up per
-- row through all months of journals, and a look-up of the book's closed dates per journal. Bounds that are known when the query
-- begins leave the other months out, so the cost doesn't grow with their number either.

-- I-01, I-25, I-06, as in 0006: a statement that leaves a journal unbalanced, short of a leg, in two books or currencies, on an account
-- that is unknown or closed, or that takes an account below its floor, fails. Journals stand beside their entries as rows of one
-- sum: one counts a leg, and takes back as many as the journal promises. Journals between them that have no new entry don't matter.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    low_no  bigint;
    high_no bigint;
    bad     record;
BEGIN
    SELECT min(journal), max(journal) INTO low_no, high_no FROM new_entries;
    SELECT e.journal, bool_or(e.low) AS low, bool_or(e.closed) AS closed INTO bad
    FROM (
        SELECT n.journal, n.account, n.amount, n.leg, 1 AS one, a.book, a.currency, a.memo, a.low, a.closed,
            coalesce(a.hot <> (n.balance_after IS NULL), true) AS odd
        FROM new_entries n
        LEFT JOIN LATERAL (SELECT currency, book, hot, kind = 'memo' AS memo, closed_at IS NOT NULL AS closed,
                coalesce(floor > CASE normal WHEN 'debit' THEN n.balance_after ELSE -n.balance_after END, false) AS low
            FROM accounts WHERE no = n.account OFFSET 0) a ON true
        UNION ALL
        SELECT j.no, NULL, 0, NULL, -j.legs, j.book, NULL, NULL, NULL, NULL, NULL
        FROM journals j WHERE j.no >= low_no AND j.no <= high_no) e
    GROUP BY e.journal
    HAVING count(e.account) > 0 AND (sum(e.amount) <> 0 OR sum(e.one) <> 0 OR max(e.leg) <> count(e.account)
        OR min(e.currency) <> max(e.currency) OR min(e.book) <> max(e.book) OR bool_or(e.memo) <> bool_and(e.memo)
        OR bool_or(e.odd) OR bool_or(e.low) OR bool_or(e.closed))
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

-- The dates that domain/ledger admits, as in 0006: at most five minutes ahead of us, 366 days behind, and in no closed period. Of each
-- book the earliest date tells whether any falls into a closed period.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION journals_dated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad record;
BEGIN
    IF NOT EXISTS (
        SELECT FROM (
            SELECT book, min(effective_at) AS earliest,
                bool_and(effective_at BETWEEN booked_at(no) - interval '366 days' AND booked_at(no) + interval '5 minutes') AS fits
            FROM new_journals GROUP BY book) n
        LEFT JOIN LATERAL (SELECT through FROM closings WHERE book = n.book ORDER BY through DESC LIMIT 1) c ON true
        WHERE NOT n.fits OR (n.earliest AT TIME ZONE 'UTC')::date <= c.through) THEN
        RETURN NULL;
    END IF;
    SELECT n.no, n.fits INTO bad -- which one it is
    FROM (
        SELECT no, book, effective_at,
            effective_at BETWEEN booked_at(no) - interval '366 days' AND booked_at(no) + interval '5 minutes' AS fits
        FROM new_journals) n
    LEFT JOIN LATERAL (SELECT through FROM closings WHERE book = n.book ORDER BY through DESC LIMIT 1) c ON true
    WHERE NOT n.fits OR (n.effective_at AT TIME ZONE 'UTC')::date <= c.through
    LIMIT 1;
    IF bad.fits THEN
        RAISE EXCEPTION 'journal % falls into a closed period', bad.no
            USING ERRCODE = 'check_violation', CONSTRAINT = 'period_closed';
    END IF;
    RAISE EXCEPTION 'journal % is dated too far from its booking', bad.no
        USING ERRCODE = 'check_violation', CONSTRAINT = 'journals_dated';
END $$;
-- +goose StatementEnd

-- I-01, as in 0007: a block comes last, and every journal of it has to be there with all its legs.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION blocks_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    b record;
BEGIN
    FOR b IN SELECT first AS low_no, first + journals AS end_no, journals FROM new_blocks LOOP
        PERFORM
        FROM (SELECT count(*) AS journals, coalesce(sum(legs), 0) AS legs FROM journals WHERE no >= b.low_no AND no < b.end_no) j,
            (SELECT count(*) AS legs FROM entries WHERE journal >= b.low_no AND journal < b.end_no) e
        WHERE j.journals <> b.journals OR j.legs <> e.legs;
        IF FOUND THEN
            RAISE EXCEPTION 'a block without all of its journals and their entries'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'blocks_whole';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
-- +goose StatementEnd
