package audit

var payoutChecks = []invariant{
	{"I-11", "a payout is set aside once, and done or reversed once, as its status says", sqlPayoutJournals, false},
	{"I-11", "each journal of a payout has its payout", sqlPayoutOfJournal, false},
	{"I-11", "at most one try of a payout succeeded, and one that failed has no try that may still", sqlPayoutTries, false},
	{"I-13", "an intent of a payout holds its request, the hash and the time of birth", sqlPayoutIntents, false},
	{"I-13", "no payout was sent before its intent was committed", sqlPayoutCalls, true},
	{"I-16", "what is in transit over a channel account is the sum of the payouts that are open", sqlTransitAgrees, false},
	{"I-25", "a payout is of its merchant's money, or of its merchant's user's, and nobody else's moves for it", sqlPayoutOwners, false},
}

const movedPayout = `(@since_at::timestamptz IS NULL OR p.updated_at >= @since_at)`

// ofPayouts are the journals of payouts, as ofPayments are those of payments.
const ofPayouts = `(
	SELECT j.book, split_part(j.cause, ':', 1) AS id, split_part(j.cause, ':', 2) AS step, j.no, j.kind
	FROM journals j WHERE @since_at::timestamptz IS NULL AND j.cause LIKE 'pyt\_%'
	UNION ALL
	SELECT p.book, p.id, split_part(c.cause, ':', 2), j.no, j.kind FROM payouts p
	CROSS JOIN LATERAL (SELECT cause, journal FROM causes c WHERE ` + ofPayout + ` AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, kind FROM journals WHERE no = c.journal OFFSET 0) j
	WHERE p.updated_at >= @since_at)`

const ofPayout = `c.book = p.book AND c.cause >= p.id || ':' AND c.cause < p.id || ';'`

const payoutHere = `NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofPayout + `), false)`

// What differs from what was meant, steps rt and cs, is its case's own.
const sqlPayoutJournals = `
	SELECT format('%s is %s: set aside %s, done %s, reversed %s, of %s', p.id, p.status, coalesce(t.opened, 0), coalesce(t.done, 0),
		coalesce(t.reversed, 0), coalesce(t.amount, 0))
	FROM payouts p LEFT JOIN (
		SELECT t.book, t.id, count(*) FILTER (WHERE t.kind = 'payout_opened') AS opened,
			count(*) FILTER (WHERE t.kind IN ('payout_done', 'payout_paid_elsewhere')) AS done,
			count(*) FILTER (WHERE t.kind = 'payout_opened_reversed') AS reversed, max(e.amount) AS amount, min(e.amount) AS least
		FROM ` + ofPayouts + ` t
		LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM entries WHERE journal = t.no AND amount > 0) e ON true
		WHERE t.step !~ '^(rt|cs|dr)' GROUP BY t.book, t.id) t ON t.book = p.book AND t.id = p.id
	WHERE ` + movedPayout + ` AND CASE WHEN coalesce(t.opened, 0) <> 1 OR coalesce(t.done, 0) <> (p.status = 'succeeded')::int
		OR coalesce(t.reversed, 0) <> (p.status = 'failed')::int OR t.amount <> p.amount OR t.least <> p.amount THEN ` + payoutHere + ` END`

const sqlPayoutOfJournal = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN payouts p ON p.book = j.book AND p.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND (j.cause LIKE 'pyt\_%' OR j.kind LIKE 'payout\_%') AND p.id IS NULL`

// An operator may decide about a try whose outcome nobody learned; the acts say so.
const sqlPayoutTries = `
	SELECT format('%s is %s: %s', p.id, p.status, string_agg('po' || a.ordinal || ' ' || coalesce(a.verdict, 'open'), ', '))
	FROM payouts p JOIN payout_attempts a ON a.book = p.book AND a.payout_id = p.id
	WHERE ` + movedPayout + `
	GROUP BY p.book, p.id, p.status, p.failure_code
	HAVING count(*) FILTER (WHERE a.verdict = 'succeeded') > 1
		OR (p.status = 'failed' AND p.failure_code <> 'given_back' AND bool_or(NOT a.dead))`

const sqlPayoutIntents = `
	SELECT format('%s:po%s', a.payout_id, a.ordinal)
	FROM payout_attempts a LEFT JOIN payouts p ON p.book = a.book AND p.id = a.payout_id
	WHERE p.id IS NULL OR length(a.request_hash) <> 32 OR length(a.request_sealed) < 30 OR a.born_at < p.created_at - interval '1 minute'
		OR a.channel_account <> p.channel_account
	UNION ALL
	SELECT format('%s has no destination', p.id)
	FROM payouts p LEFT JOIN payout_details d ON d.book = p.book AND d.payout_id = p.id
	WHERE d.payout_id IS NULL AND p.status = 'processing'`

const sqlPayoutCalls = `
	SELECT format('%s %s at %s', k.operation, k.key, k.started_at)
	FROM channel_calls k
	LEFT JOIN payout_attempts a ON a.book = k.book AND a.payout_id = split_part(k.key, ':', 1)
		AND a.ordinal = substring(k.key FROM ':po([0-9]+)$')::smallint
	WHERE k.key ~ '^pyt_.*:po[0-9]+$' AND (a.payout_id IS NULL OR a.born_at > k.started_at + interval '1 second'
		OR a.channel_account <> k.channel_account)`

const sqlTransitAgrees = `
	SELECT format('%s %s %s: account %s, open payouts %s', coalesce(a.book, s.book), coalesce(a.account, s.channel_account),
		coalesce(a.currency, s.currency), coalesce(a.total, 0), coalesce(s.open, 0))
	FROM (SELECT b.book, split_part(b.code, '/', 2) AS account, b.currency, -sum(b.balance) AS total FROM (` + balances + `) b
		WHERE b.code LIKE 'payout/%/in\_transit' GROUP BY b.book, b.code, b.currency) a
	FULL JOIN (SELECT book, channel_account, currency, sum(amount) AS open FROM payouts WHERE status = 'processing'
		GROUP BY book, channel_account, currency) s ON s.book = a.book AND s.channel_account = a.account AND s.currency = a.currency
	WHERE coalesce(a.total, 0) <> coalesce(s.open, 0)`

const sqlPayoutOwners = `
	SELECT format('%s of %s: user %s, over %s', p.id, p.merchant_id, p.user_id, p.channel_account)
	FROM payouts p LEFT JOIN users u ON u.book = p.book AND u.id = p.user_id
	LEFT JOIN channel_accounts c ON c.book = p.book AND c.id = p.channel_account
	WHERE ` + movedPayout + ` AND ((p.user_id IS NOT NULL AND u.merchant_id IS DISTINCT FROM p.merchant_id)
		OR c.id IS NULL OR c.merchant_id <> p.merchant_id)
	UNION ALL
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM payouts p CROSS JOIN LATERAL (SELECT cause, journal FROM causes c WHERE ` + ofPayout + ` AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, cause FROM journals WHERE no = c.journal OFFSET 0) j
	JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	WHERE ` + movedPayout + ` AND (a.code LIKE 'merchant/%' AND (split_part(a.code, '/', 2) <> p.merchant_id OR p.user_id IS NOT NULL)
		OR a.code LIKE 'user/%' AND split_part(a.code, '/', 2) IS DISTINCT FROM p.user_id)`
