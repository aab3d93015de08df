-- +goose Up

-- Channels' own accounts of what happened, as reconciliation reads them. A file is read twice: first whole, so that nothing of a broken
-- one gets in, then line by line into the months. Its lines count once its status says 'imported'. An old binary beside this one knows
-- nothing of these tables.
CREATE TABLE statement_files (
    book            book        NOT NULL,
    no              bigint      GENERATED ALWAYS AS IDENTITY,
    channel         text        COLLATE "C" NOT NULL,
    channel_account text        COLLATE "C" NOT NULL,
    kind            text        COLLATE "C" NOT NULL,              -- the channel's own: "trade", "fundflow", "moves"
    day             date,                                          -- that it was asked for; NULL: nobody said
    name            text        NOT NULL,
    sha256          bytea       NOT NULL CHECK (length(sha256) = 32),
    bytes           bigint      NOT NULL CHECK (bytes >= 0),
    status          text        NOT NULL CHECK (status IN ('importing', 'imported', 'refused')),
    reason          text        NOT NULL DEFAULT '',               -- of a refusal: file, line, what is wrong with it
    declared        boolean     NOT NULL DEFAULT false,            -- it states sums or counts of its own, and they agree
    lines           bigint      NOT NULL DEFAULT 0,                -- that it has
    done            bigint      NOT NULL DEFAULT 0,                -- of them, from the first on: where an import goes on
    kept            bigint      NOT NULL DEFAULT 0,                -- of those done, the ones that no other row had been before
    first_day       date,                                          -- of its lines
    last_day        date,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (book, no),
    CONSTRAINT statement_files_once UNIQUE (channel_account, kind, sha256, book), -- the same file again is the same file
    CHECK (status <> 'refused' OR reason <> ''),
    CHECK (status <> 'imported' OR done = lines),
    CHECK (kept <= done AND done <= lines)
);

-- The control total of a file, apart by kind of line, and what of it other rows had been before.
CREATE TABLE statement_sums (
    book        book   NOT NULL,
    file        bigint NOT NULL,
    currency    text   COLLATE "C" NOT NULL,
    kind        text   COLLATE "C" NOT NULL,
    lines       bigint NOT NULL,
    gross       bigint NOT NULL,
    fee         bigint NOT NULL,
    net         bigint NOT NULL,
    again_lines bigint NOT NULL DEFAULT 0,
    again_gross bigint NOT NULL DEFAULT 0,
    again_fee   bigint NOT NULL DEFAULT 0,
    again_net   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (book, file, currency, kind)
);

-- A row per line, once, whichever file it came with first. Ten million a day are three hundred million a month: months are partitions, so
-- that old ones go as tables, and what is written today stays in indexes that fit into memory. day is of the line itself (when it counts at
-- the channel, else when it happened, in UTC), so the same row of another file falls into the same month.
CREATE TABLE statement_lines (
    book             book        NOT NULL,
    channel_account  text        COLLATE "C" NOT NULL,
    file_kind        text        COLLATE "C" NOT NULL,
    day              date        NOT NULL,
    identity         text        COLLATE "C" NOT NULL,
    file             bigint      NOT NULL,
    n                bigint      NOT NULL,   -- among the lines of the file, from 1
    row              bigint      NOT NULL,   -- of the file
    kind             text        COLLATE "C" NOT NULL,
    detail           text        NOT NULL,
    currency         text        COLLATE "C" NOT NULL,
    gross            bigint      NOT NULL,
    fee              bigint      NOT NULL,
    net              bigint      NOT NULL,
    reference        text        COLLATE "C" NOT NULL,
    channel_id       text        COLLATE "C" NOT NULL,
    original_id      text        COLLATE "C" NOT NULL,
    settled_currency text        COLLATE "C",
    settled          bigint,
    rate             text,
    occurred_at      timestamptz,
    settled_on       date,
    batch            text        COLLATE "C" NOT NULL,
    PRIMARY KEY (book, channel_account, file_kind, day, identity),
    CHECK (gross - fee = net),
    CHECK ((settled_currency IS NULL) = (settled IS NULL))
) PARTITION BY RANGE (day);
CREATE INDEX statement_lines_of_reference ON statement_lines (reference) WHERE reference <> '';
CREATE INDEX statement_lines_of_file ON statement_lines USING brin (file); -- lines of a file lie together

-- Rows that were there before: twice in one file, or in another one with other amounts. A row that another file has as well is counted
-- (statement_sums) and needs no line here: that is what overlapping files are for.
CREATE TABLE statement_findings (
    book       book   NOT NULL,
    file       bigint NOT NULL,
    n          bigint NOT NULL,
    row        bigint NOT NULL,
    what       text   NOT NULL CHECK (what IN ('twice', 'changed')),
    identity   text   COLLATE "C" NOT NULL,
    first_file bigint NOT NULL,
    first_row  bigint NOT NULL,
    currency   text   COLLATE "C" NOT NULL,
    gross      bigint NOT NULL,
    fee        bigint NOT NULL,
    net        bigint NOT NULL,
    PRIMARY KEY (book, file, n)
);

-- When what was moved counted at the channel, and what it was paid out with: set once, by the first statement that says so. Not indexed:
-- each update stays in its page.
ALTER TABLE attempts ADD COLUMN settled_on date, ADD COLUMN batch text;
ALTER TABLE captures ADD COLUMN settled_on date, ADD COLUMN batch text;
ALTER TABLE refund_attempts ADD COLUMN settled_on date, ADD COLUMN batch text;
ALTER TABLE payout_attempts ADD COLUMN settled_on date, ADD COLUMN batch text;

-- +goose StatementBegin
CREATE FUNCTION make_statement_month(of date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', of)::date;
    name  text := 'statement_lines_' || to_char(first, 'YYYY_MM');
BEGIN
    IF first NOT BETWEEN '2000-01-01' AND (now() + interval '1 year')::date THEN
        RAISE EXCEPTION 'no statement is of that month' USING ERRCODE = 'check_violation', CONSTRAINT = 'statement_month';
    END IF;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('paysaga statement months'));
    IF to_regclass(name) IS NOT NULL THEN -- made beside us
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF statement_lines FOR VALUES FROM (%L) TO (%L)', name, first, first + interval '1 month');
    RETURN true;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION make_statement_month(date) FROM PUBLIC;
