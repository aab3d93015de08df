package audit

// chainChecks are about what keeps the book as it was written: rights, triggers, months, closed dates, and the blocks around the
// journals. Whether the hashes are right is Chain's to say.
var chainChecks = []invariant{
	{"I-04", "nobody but the owner may change or remove what was booked", sqlNobodyMayChange, false},
	{"I-04", "the triggers that refuse changes and unbalanced journals stand and are on", sqlTriggersStand, false},
	{"I-04", "this month and the next have their partitions", sqlMonthsStand, false},
	{"I-04", "nothing was booked into a period after its closing", sqlClosedPeriods, false},
	{"I-04", "each journal stands in its lane's block, and each block has its journals", sqlBlocksHold, false},
	{"I-04", "a lane's blocks follow each other up to its head", sqlBlocksFollow, false},
}

// insertOnly are the tables whose rows never change.
const insertOnly = `(c.relname IN ('journals', 'entries', 'causes', 'acts', 'channel_calls', 'blocks', 'folds', 'displaced', 'closings',
	'months', 'month_balances')
	OR c.relname ~ '^(journals|entries)_[0-9]{4}_[0-9]{2}$')`

const sqlNobodyMayChange = `
	SELECT format('%s may %s %s', CASE WHEN a.grantee = 0 THEN 'everybody' ELSE a.grantee::regrole::text END, a.privilege_type, c.relname)
	FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = 'public'::regnamespace AND ` + insertOnly + `
		AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE') AND a.grantee <> c.relowner
	UNION ALL
	SELECT format('%s may update %s.%s', a.grantee::regrole, c.relname, t.attname)
	FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
	WHERE c.relnamespace = 'public'::regnamespace AND ` + insertOnly + ` AND a.privilege_type = 'UPDATE' AND a.grantee <> c.relowner
	UNION ALL
	SELECT format('%s may %s %s, past the checks', CASE WHEN a.grantee = 0 THEN 'everybody' ELSE a.grantee::regrole::text END, a.privilege_type, c.relname)
	FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(journals|entries)_[0-9]{4}_[0-9]{2}$'
		AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner`

const sqlTriggersStand = `
	SELECT format('%s on %s', want.trigger, want.relation)
	FROM (SELECT c.relname, 'insert_only' FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
			AND c.relname NOT IN ('channel_calls', 'months', 'month_balances') AND ` + insertOnly + `
		UNION ALL VALUES ('entries', 'entries_balance'), ('journals', 'journals_dated'), ('blocks', 'blocks_whole'), ('lanes', 'lane_moves')) AS want(relation, trigger)
	WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relname = want.relation AND t.tgname = want.trigger AND t.tgenabled IN ('O', 'A'))`

const sqlMonthsStand = `
	SELECT format('%s has no partition for %s', p.parent, m.name)
	FROM (VALUES ('journals'), ('entries')) AS p(parent)
	CROSS JOIN (SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i), 'YYYY_MM') FROM generate_series(0, 1) i) AS m(name)
	WHERE NOT EXISTS (SELECT FROM pg_inherits i
		WHERE i.inhparent = to_regclass(p.parent) AND i.inhrelid = to_regclass(p.parent || '_' || m.name))`

const sqlClosedPeriods = `
	SELECT format('journal %s (%s) is dated %s: closed through %s at %s', j.no, j.cause, j.effective_at, c.through, c.at)
	FROM journals j JOIN closings c ON c.book = j.book AND c.through >= (j.effective_at AT TIME ZONE 'UTC')::date AND c.at < booked_at(j.no)
	WHERE j.no >= @since`

// recent are the blocks from @since on and one before, per lane: walked from the heads down, for there is no index by time. From
// the beginning on they are all.
const recent = `
	WITH RECURSIVE walked AS (
		SELECT b.lane, b.number, b.first, b.journals FROM lanes l
		CROSS JOIN LATERAL (SELECT * FROM blocks WHERE lane = l.lane AND number = l.number OFFSET 0) b WHERE @since > 0::bigint
		UNION ALL
		SELECT b.lane, b.number, b.first, b.journals FROM walked r
		CROSS JOIN LATERAL (SELECT * FROM blocks WHERE lane = r.lane AND number = r.number - 1 OFFSET 0) b
		WHERE r.first >= @since),
	recent AS (
		SELECT lane, number, first, journals FROM walked WHERE @since > 0::bigint
		UNION ALL SELECT lane, number, first, journals FROM blocks WHERE @since = 0::bigint)`

// A block's first journal has place 0, so a journal's number tells its block's. Lane 255 is what was booked before there were lanes.
const sqlBlocksHold = `
	SELECT what FROM (` + recent + `
	SELECT format('block %s/%s: %s of %s journals', b.lane, b.number, coalesce(j.n, 0), b.journals) AS what
	FROM recent b LEFT JOIN (SELECT no & -4096 AS first, count(*) AS n, max(no) AS last FROM journals WHERE no >= @since GROUP BY 1) j
		ON j.first = b.first
	WHERE b.first >= @since AND NOT ` + inAway + `b.first, false) AND (j.n IS DISTINCT FROM b.journals OR j.last <> b.first + b.journals - 1
		OR (b.first >> 12) & 255 <> b.lane OR b.first & 4095 <> 0)
	UNION ALL
	SELECT format('journal %s (%s) stands in no block', j.no, j.cause)
	FROM journals j LEFT JOIN recent b ON b.first = j.no & -4096 AND j.no < b.first + b.journals
	LEFT JOIN lanes l ON l.lane = (j.no >> 12) & 255
	WHERE j.no >= @since AND (j.no >> 12) & 255 <> 255 AND (b.first IS NULL OR l.book IS DISTINCT FROM j.book)) AS b`

const sqlBlocksFollow = `
	SELECT what FROM (` + recent + `
	SELECT format('block %s/%s begins at %s, the one before ends at %s', b.lane, b.number, b.first, p.first + p.journals - 1) AS what
	FROM recent b LEFT JOIN blocks p ON p.lane = b.lane AND p.number = b.number - 1
	WHERE b.first >= @since AND b.number > 1 AND (p.number IS NULL OR p.first + p.journals > b.first)
	UNION ALL
	SELECT format('lane %s ends at block %s with journal %s, its head says %s and %s', l.lane, b.number, b.first + b.journals - 1, l.number, l.last)
	FROM lanes l LEFT JOIN LATERAL (SELECT number, first, journals FROM blocks WHERE lane = l.lane ORDER BY number DESC LIMIT 1) b ON true
	WHERE l.number <> coalesce(b.number, 0) OR l.last <> coalesce(b.first + b.journals - 1, 0)
	UNION ALL
	SELECT format('blocks of lane %s, which isn''t one', b.lane) FROM (SELECT DISTINCT lane FROM blocks) b
	WHERE NOT EXISTS (SELECT FROM lanes l WHERE l.lane = b.lane)) AS b`
