package audit

var statementChecks = []invariant{
	{"I-24", "a statement's lines, with those that had been there before, come to its control total", sqlStatementSums, false},
	{"I-24", "an imported statement is whole, and of a refused one nothing was kept", sqlStatementWhole, false},
	{"I-25", "each line of a statement is of its file's book, account and kind", sqlStatementLines, true},
}

const movedStatement = `(@since_at::timestamptz IS NULL OR f.updated_at >= @since_at)`

// A month of lines may have been taken away for its age; of files that reach into it nothing can be said any more.
const statementHere = `NOT EXISTS (SELECT FROM generate_series(date_trunc('month', f.first_day), f.last_day, interval '1 month') m
	WHERE to_regclass('statement_lines_' || to_char(m, 'YYYY_MM')) IS NULL)`

const sqlStatementSums = `
	SELECT format('statement %s of %s, %s %s: %s lines and %s before, of %s; net %s and %s, of %s', coalesce(s.no, k.no), coalesce(s.channel_account, k.channel_account),
		coalesce(s.currency, k.currency), coalesce(s.kind, k.kind), coalesce(k.lines, 0), s.again_lines, s.lines, coalesce(k.net, 0), s.again_net, s.net)
	FROM (SELECT f.book, f.no, f.channel_account, s.currency, s.kind, s.lines, s.gross, s.fee, s.net, s.again_lines, s.again_gross, s.again_fee, s.again_net
		FROM statement_files f CROSS JOIN LATERAL (SELECT * FROM statement_sums s WHERE s.book = f.book AND s.file = f.no OFFSET 0) s
		WHERE f.status = 'imported' AND ` + movedStatement + ` AND ` + statementHere + `) s
	FULL JOIN (SELECT f.book, f.no, f.channel_account, l.currency, l.kind, l.lines, l.gross, l.fee, l.net
		FROM statement_files f CROSS JOIN LATERAL (
			SELECT currency, kind, count(*) AS lines, sum(gross) AS gross, sum(fee) AS fee, sum(net) AS net FROM statement_lines l
			WHERE l.book = f.book AND l.channel_account = f.channel_account AND l.file_kind = f.kind AND l.day BETWEEN f.first_day AND f.last_day
				AND l.file = f.no
			GROUP BY currency, kind OFFSET 0) l
		WHERE f.status = 'imported' AND ` + movedStatement + ` AND ` + statementHere + `) k
	ON k.book = s.book AND k.no = s.no AND k.currency = s.currency AND k.kind = s.kind
	WHERE (coalesce(k.lines, 0) + s.again_lines, coalesce(k.gross, 0) + s.again_gross, coalesce(k.fee, 0) + s.again_fee, coalesce(k.net, 0) + s.again_net)
		IS DISTINCT FROM (s.lines, s.gross, s.fee, s.net)`

const sqlStatementWhole = `
	SELECT format('statement %s of %s is %s: %s of %s lines done, %s new; its sums are of %s', f.no, f.channel_account, f.status, f.done, f.lines, f.kept,
		coalesce(s.lines, 0))
	FROM statement_files f CROSS JOIN LATERAL (
		SELECT sum(lines) AS lines, sum(lines - again_lines) AS new FROM statement_sums s WHERE s.book = f.book AND s.file = f.no OFFSET 0) s
	WHERE ` + movedStatement + ` AND CASE f.status WHEN 'refused' THEN f.done <> 0 OR f.kept <> 0
		WHEN 'imported' THEN f.done <> f.lines OR f.lines <> coalesce(s.lines, 0) OR f.kept <> coalesce(s.new, 0) END`

const sqlStatementLines = `
	SELECT format('line %s of %s', l.identity, l.file)
	FROM statement_lines l LEFT JOIN statement_files f ON f.book = l.book AND f.no = l.file AND f.channel_account = l.channel_account AND f.kind = l.file_kind
	LEFT JOIN channel_accounts c ON c.book = l.book AND c.id = l.channel_account
	WHERE f.no IS NULL OR c.id IS NULL OR f.channel <> c.channel`
