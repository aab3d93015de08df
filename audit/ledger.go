package audit

// checks are all that SQL can judge so far.
var checks = append(append([]invariant{}, ledgerChecks...), paymentChecks...)

var ledgerChecks = []invariant{
	{"I-01", "every journal is whole, in one book and currency, and sums to zero", sqlJournalsBalance, false},
	{"I-01", "every entry belongs to a journal", sqlEntriesBelong, true},
	{"I-02", "each book sums to zero per currency, memo accounts apart", sqlBooksBalance, false},
	{"I-03", "each entry's balance follows from the one before it", sqlBalancesFollow, false},
	{"I-03", "an account's balance is that of its last entry", sqlBalanceIsLast, false},
	{"I-03", "an account's balance is the sum of its entries", sqlBalanceIsSum, true},
	{"I-04", "nobody but the owner may change or remove what was booked", sqlNobodyMayChange, false},
	{"I-04", "the triggers that refuse changes and unbalanced journals stand and are on", sqlTriggersStand, false},
	{"I-05", "each journal has one cause, and each cause at most one journal", sqlOneCause, false},
	{"I-05", "each cause that names a journal has it", sqlCauseHasJournal, true},
	{"I-06", "no account is, or ever was, below its floor", sqlFloors, false},
	{"I-07", "a reversal is equal and opposite, and happens once", sqlReversals, false},
}

const sqlJournalsBalance = `
	SELECT format('journal %s (%s): sum %s, %s of %s legs', j.no, j.cause, coalesce(sum(e.amount), 0), count(e.leg), j.legs)
	FROM journals j LEFT JOIN entries e ON e.journal = j.no LEFT JOIN accounts a ON a.no = e.account
	WHERE j.no > @since
	GROUP BY j.no, j.book, j.cause, j.legs
	HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.leg) <> j.legs OR count(a.no) <> j.legs
		OR min(a.currency) <> max(a.currency) OR min(a.book) <> j.book OR max(a.book) <> j.book`

const sqlEntriesBelong = `
	SELECT format('entry %s/%s', e.journal, e.leg) FROM entries e
	WHERE NOT EXISTS (SELECT FROM journals j WHERE j.no = e.journal)`

const sqlBooksBalance = `
	SELECT format('%s %s%s: %s', book, currency, CASE WHEN kind = 'memo' THEN ' memo' ELSE '' END, sum(balance))
	FROM accounts GROUP BY book, currency, kind = 'memo', CASE WHEN kind = 'memo' THEN ' memo' ELSE '' END HAVING sum(balance) <> 0`

const sqlBalancesFollow = `
	SELECT format('entry %s/%s of account %s: %s after %s', e.journal, e.leg, e.account, e.balance_after, b.balance_after)
	FROM entries e JOIN accounts a ON a.no = e.account AND NOT a.hot
	LEFT JOIN entries b ON b.account = e.account AND b.seq = e.seq - 1
	WHERE e.journal > @since
		AND (e.seq IS NULL OR e.balance_after <> coalesce(b.balance_after, 0) + e.amount OR (b.seq IS NULL AND e.seq <> 1))`

const sqlBalanceIsLast = `
	SELECT format('account %s (%s): %s, its last entry says %s', a.no, a.code, a.balance, coalesce(e.balance_after, 0))
	FROM accounts a LEFT JOIN LATERAL (
		SELECT balance_after, seq FROM entries e WHERE e.account = a.no ORDER BY seq DESC LIMIT 1) e ON true
	WHERE NOT a.hot AND (a.balance <> coalesce(e.balance_after, 0) OR a.version <> coalesce(e.seq, 0))`

const sqlBalanceIsSum = `
	SELECT format('account %s (%s): %s, its %s entries sum to %s', a.no, a.code, a.balance, coalesce(e.n, 0), coalesce(e.total, 0))
	FROM accounts a LEFT JOIN (SELECT account, sum(amount) AS total, count(*) AS n FROM entries GROUP BY account) e ON e.account = a.no
	WHERE NOT a.hot AND (a.balance <> coalesce(e.total, 0) OR a.version <> coalesce(e.n, 0))`

const sqlNobodyMayChange = `
	SELECT format('%s may %s %s', CASE WHEN a.grantee = 0 THEN 'everybody' ELSE a.grantee::regrole::text END, a.privilege_type, c.relname)
	FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('journals', 'entries', 'causes', 'acts', 'channel_calls')
		AND a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE') AND a.grantee <> c.relowner
	UNION ALL
	SELECT format('%s may update %s.%s', a.grantee::regrole, c.relname, t.attname)
	FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
	WHERE c.relnamespace = 'public'::regnamespace AND c.relname IN ('journals', 'entries', 'causes', 'acts', 'channel_calls')
		AND a.privilege_type = 'UPDATE' AND a.grantee <> c.relowner`

const sqlTriggersStand = `
	SELECT format('%s on %s', want.trigger, want.relation)
	FROM (VALUES ('journals', 'insert_only'), ('entries', 'insert_only'), ('causes', 'insert_only'), ('acts', 'insert_only'),
		('entries', 'entries_balance')) AS want(relation, trigger)
	WHERE NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relname = want.relation AND t.tgname = want.trigger AND t.tgenabled IN ('O', 'A'))`

const sqlOneCause = `
	SELECT format('journal %s: cause %s', j.no, j.cause)
	FROM journals j LEFT JOIN causes c ON c.book = j.book AND c.cause = j.cause
	WHERE j.no > @since AND c.journal IS DISTINCT FROM j.no`

const sqlCauseHasJournal = `
	SELECT format('cause %s: journal %s', c.cause, c.journal)
	FROM causes c LEFT JOIN journals j ON j.no = c.journal AND j.book = c.book AND j.cause = c.cause
	WHERE c.journal IS NOT NULL AND j.no IS NULL`

const sqlFloors = `
	SELECT format('account %s (%s): %s below %s', no, code, balance, floor)
	FROM accounts WHERE floor IS NOT NULL AND CASE normal WHEN 'debit' THEN balance ELSE -balance END < floor
	UNION ALL
	SELECT format('account %s (%s): %s below %s after journal %s', a.no, a.code, e.balance_after, a.floor, e.journal)
	FROM entries e JOIN accounts a ON a.no = e.account
	WHERE e.journal > @since AND a.floor IS NOT NULL AND CASE a.normal WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END < a.floor`

const sqlReversals = `
	SELECT format('journal %s reverses %s', r.no, r.reverses)
	FROM journals r LEFT JOIN journals o ON o.no = r.reverses
	WHERE r.no > @since AND r.reverses IS NOT NULL AND (o.no IS NULL OR o.book <> r.book OR o.legs <> r.legs
		OR EXISTS (SELECT account, -amount FROM entries WHERE journal = r.no EXCEPT SELECT account, amount FROM entries WHERE journal = o.no)
		OR EXISTS (SELECT FROM journals again WHERE again.reverses = r.reverses AND again.no <> r.no))`
