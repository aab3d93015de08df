package audit

var refundChecks = []invariant{
	{"I-11", "a refund is set aside once, and done or reversed once, as its status says", sqlRefundJournals, false},
	{"I-11", "each journal of a refund has its refund", sqlRefundOfJournal, false},
	{"I-11", "at most one try of a refund succeeded, and one that failed has no try that may still", sqlRefundTries, false},
	{"I-12", "a payment's refunded and refunding are the sums of its refunds, and so is the fee that went back", sqlRefundSums, false},
	{"I-13", "an intent of a refund holds its request, the hash and the time of birth", sqlRefundIntents, false},
	{"I-13", "no refund was sent before its intent was committed", sqlRefundCalls, true},
	{"I-16", "what is set aside for a merchant's refunds is the sum of those that are open", sqlRefundingAgrees, false},
	{"I-16", "what is pending for a merchant is the sum of what its payments say", sqlPendingAgrees, false},
	{"I-25", "a refund is of its merchant's payment, and over that one's channel account", sqlRefundReferences, false},
}

const movedRefund = `(@since_at::timestamptz IS NULL OR r.updated_at >= @since_at)`

// ofRefunds are the journals of refunds, as ofPayments are those of payments.
const ofRefunds = `(
	SELECT j.book, split_part(j.cause, ':', 1) AS id, split_part(j.cause, ':', 2) AS step, j.no, j.kind
	FROM journals j WHERE @since_at::timestamptz IS NULL AND j.cause LIKE 'rfd\_%'
	UNION ALL
	SELECT r.book, r.id, split_part(c.cause, ':', 2), j.no, j.kind FROM refunds r
	CROSS JOIN LATERAL (SELECT cause, journal FROM causes c WHERE ` + ofRefund + ` AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, kind FROM journals WHERE no = c.journal OFFSET 0) j
	WHERE r.updated_at >= @since_at)`

const ofRefund = `c.book = r.book AND c.cause >= r.id || ':' AND c.cause < r.id || ';'`

const refundHere = `NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofRefund + `), false)`

// What differs from what was meant, steps rt and cs, is its case's own.
const sqlRefundJournals = `
	SELECT format('%s is %s: set aside %s, done %s, reversed %s, of %s', r.id, r.status, coalesce(t.opened, 0), coalesce(t.done, 0),
		coalesce(t.reversed, 0), coalesce(t.amount, 0))
	FROM refunds r LEFT JOIN (
		SELECT t.book, t.id, count(*) FILTER (WHERE t.kind = 'refund_opened') AS opened,
			count(*) FILTER (WHERE t.kind IN ('refund_done', 'refund_paid_elsewhere', 'refund_to_wallet', 'suspense_returned')) AS done,
			count(*) FILTER (WHERE t.kind = 'refund_opened_reversed') AS reversed,
			max(e.amount) FILTER (WHERE t.kind IN ('refund_done', 'refund_paid_elsewhere', 'refund_to_wallet', 'suspense_returned')) AS amount
		FROM ` + ofRefunds + ` t
		LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM entries WHERE journal = t.no AND amount > 0) e ON true
		WHERE t.step !~ '^(rt|cs)' GROUP BY t.book, t.id) t ON t.book = r.book AND t.id = r.id
	WHERE ` + movedRefund + ` AND CASE WHEN coalesce(t.opened, 0) <> (r.source = 'merchant')::int
		OR coalesce(t.done, 0) <> (r.status = 'succeeded')::int
		OR coalesce(t.reversed, 0) <> (r.status = 'failed' AND r.source = 'merchant')::int
		OR coalesce(t.amount, r.amount) <> r.amount THEN ` + refundHere + ` END`

const sqlRefundOfJournal = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN refunds r ON r.book = j.book AND r.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND (j.cause LIKE 'rfd\_%' OR j.kind LIKE 'refund\_%') AND r.id IS NULL`

// An operator may decide about a try whose outcome nobody learned; the acts say so.
const sqlRefundTries = `
	SELECT format('%s is %s: %s', r.id, r.status, string_agg('rf' || a.ordinal || ' ' || coalesce(a.verdict, 'open'), ', '))
	FROM refunds r JOIN refund_attempts a ON a.book = r.book AND a.refund_id = r.id
	WHERE ` + movedRefund + `
	GROUP BY r.book, r.id, r.status, r.failure_code
	HAVING count(*) FILTER (WHERE a.verdict = 'succeeded') > 1
		OR (r.status = 'failed' AND r.failure_code <> 'written_off' AND bool_or(NOT a.dead))`

const sqlRefundSums = `
	SELECT format('%s: refunded %s of %s, refunding %s of %s, fee %s of %s', p.id, p.refunded, coalesce(s.done, 0), p.refunding,
		coalesce(s.open, 0), p.fee_returned, coalesce(s.fee, 0))
	FROM payments p LEFT JOIN (
		SELECT book, payment_id, sum(amount) FILTER (WHERE status = 'succeeded') AS done, sum(amount) FILTER (WHERE status = 'processing') AS open,
			sum(taken_fee) FILTER (WHERE status <> 'failed') AS fee
		FROM refunds WHERE source = 'merchant' GROUP BY book, payment_id) s ON s.book = p.book AND s.payment_id = p.id
	WHERE p.refunded <> coalesce(s.done, 0) OR p.refunding <> coalesce(s.open, 0) OR p.fee_returned <> coalesce(s.fee, 0)
		OR p.refunded + p.refunding > p.captured`

const sqlRefundIntents = `
	SELECT format('%s:rf%s', a.refund_id, a.ordinal)
	FROM refund_attempts a LEFT JOIN refunds r ON r.book = a.book AND r.id = a.refund_id
	WHERE r.id IS NULL OR length(a.request_hash) <> 32 OR length(a.request_sealed) < 30 OR a.born_at < r.created_at - interval '1 minute'
		OR a.channel_account <> r.channel_account`

const sqlRefundCalls = `
	SELECT format('%s %s at %s', k.operation, k.key, k.started_at)
	FROM channel_calls k
	LEFT JOIN refund_attempts a ON a.book = k.book AND a.refund_id = split_part(k.key, ':', 1)
		AND a.ordinal = substring(k.key FROM ':rf([0-9]+)$')::smallint
	WHERE k.key ~ '^rfd_.*:rf[0-9]+$' AND (a.refund_id IS NULL OR a.born_at > k.started_at + interval '1 second'
		OR a.channel_account <> k.channel_account)`

const sqlRefundingAgrees = `
	SELECT format('%s %s %s: account %s, open refunds %s', coalesce(a.book, s.book), coalesce(a.owner, s.merchant_id),
		coalesce(a.currency, s.currency), -coalesce(a.balance, 0), coalesce(s.open, 0))
	FROM (SELECT book, owner, currency, sum(balance) AS balance FROM accounts
		WHERE code LIKE 'merchant/%/refunding' OR code LIKE 'memo/own\_funds/%/refunding' GROUP BY book, owner, currency) a
	FULL JOIN (SELECT book, merchant_id, currency, sum(amount) AS open FROM refunds WHERE status = 'processing' AND source = 'merchant'
		GROUP BY book, merchant_id, currency) s ON s.book = a.book AND s.merchant_id = a.owner AND s.currency = a.currency
	WHERE -coalesce(a.balance, 0) <> coalesce(s.open, 0)`

const sqlPendingAgrees = `
	SELECT format('%s %s %s: account %s, payments %s', coalesce(a.book, s.book), coalesce(a.owner, s.merchant_id),
		coalesce(a.currency, s.currency), -coalesce(a.balance, 0), coalesce(s.pending, 0))
	FROM (SELECT book, owner, currency, balance FROM accounts WHERE code LIKE 'merchant/%/pending') a
	FULL JOIN (SELECT book, merchant_id, currency, sum(coalesce(pending, captured - fee)) AS pending FROM payments
		WHERE mature_due_at IS NOT NULL GROUP BY book, merchant_id, currency) s
		ON s.book = a.book AND s.merchant_id = a.owner AND s.currency = a.currency
	WHERE -coalesce(a.balance, 0) <> coalesce(s.pending, 0)`

const sqlRefundReferences = `
	SELECT format('%s of %s over %s', r.id, r.payment_id, r.channel_account)
	FROM refunds r LEFT JOIN payments p ON p.book = r.book AND p.id = r.payment_id
	LEFT JOIN attempts a ON a.book = r.book AND a.payment_id = r.payment_id AND a.ordinal = r.charge
	WHERE ` + movedRefund + ` AND (p.merchant_id IS DISTINCT FROM r.merchant_id OR p.order_id IS DISTINCT FROM r.order_id
		OR (r.charge > 0 AND a.channel_account IS DISTINCT FROM r.channel_account) OR (r.source = 'merchant' AND p.currency <> r.currency))`
