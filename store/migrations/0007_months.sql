-- +goose Up

-- Months whose journals and entries are kept elsewhere, one row for each time: what is needed to go on without them, and to
-- know them again. Only the owner detaches and attaches. Causes, blocks, folds and displaced entries stay.
CREATE TABLE months (
    month       date        NOT NULL CHECK (extract(day FROM month) = 1),
    detached_at timestamptz NOT NULL DEFAULT now(),
    attached_at timestamptz,                     -- NULL: it is away
    low         bigint      NOT NULL,            -- its numbers: from low on, below high
    high        bigint      NOT NULL,
    journals    bigint      NOT NULL,
    entries     bigint      NOT NULL,
    digest      bytea       NOT NULL CHECK (length(digest) = 32), -- over the hashes of its journals, in the order of their numbers
    PRIMARY KEY (month, detached_at),
    CHECK (low < high)
);
CREATE UNIQUE INDEX months_away ON months (month) WHERE attached_at IS NULL;

-- What each account did in such a month: the audit's sums go on across the gap.
CREATE TABLE month_balances (
    month   date   NOT NULL,
    account bigint NOT NULL,
    entries bigint NOT NULL,
    total   bigint NOT NULL,                     -- of their amounts
    last    bigint NOT NULL,                     -- the number of the last journal
    balance bigint,                              -- after it; NULL on hot accounts
    PRIMARY KEY (month, account)
);

-- Of journals that are kept elsewhere.
-- +goose StatementBegin
CREATE FUNCTION detached(no bigint) RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT EXISTS (SELECT FROM months WHERE attached_at IS NULL AND no >= low AND no < high) $$;
-- +goose StatementEnd

-- I-01: a journal without entries leaves no statement that entries_balance would see. Its block does: it comes last, and every
-- journal of it has to be there with all its legs. Two ranges of keys that were written just now.
-- +goose StatementBegin
CREATE FUNCTION blocks_whole() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_blocks b
        CROSS JOIN LATERAL (SELECT count(*) AS journals, coalesce(sum(legs), 0) AS legs FROM journals
            WHERE no >= b.first AND no < b.first + b.journals OFFSET 0) j
        CROSS JOIN LATERAL (SELECT count(*) AS legs FROM entries
            WHERE journal >= b.first AND journal < b.first + b.journals OFFSET 0) e
        WHERE j.journals <> b.journals OR j.legs <> e.legs) THEN
        RAISE EXCEPTION 'a block without all of its journals and their entries'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'blocks_whole';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER blocks_whole AFTER INSERT ON blocks
    REFERENCING NEW TABLE AS new_blocks FOR EACH STATEMENT EXECUTE FUNCTION blocks_whole();
