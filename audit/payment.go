package audit

var paymentChecks = []invariant{
	{"I-08", "a payment's parts sum to its amount", sqlPartsSum, false},
	{"I-09", "at most one charge per part succeeded or is authorized", sqlOneSuccess, false},
	{"I-09", "a part's captures never exceed what was authorized for it", sqlPartsCaptured, false},
	{"I-10", "each captured payment has one capture journal of its amount and fee, or one per capture, and one of a wallet's part", sqlCaptureJournal, false},
	{"I-10", "each capture journal has its captured payment", sqlJournalCaptured, false},
	{"I-10", "what is captured and not available yet will be", sqlMature, false},
	{"I-12", "refunds never exceed what was captured", sqlRefunds, false},
	{"I-13", "an intent holds its request, the hash and the time of birth", sqlIntents, false},
	{"I-13", "no channel was called before the intent was committed", sqlCallsFollowIntents, true},
	{"I-14", "a payment is in doubt exactly while its memo posting stands", sqlDoubts, false},
	{"I-14", "the memo accounts hold what is in doubt", sqlDoubtSums, false},
	{"I-15", "a payment that has ended has no attempt that may still succeed, unless a case says so", sqlEnded, false},
	{"I-15", "a payment's status fits its figures", sqlStatuses, false},
	{"I-16", "a payment's figures are those of its parts", sqlPartsAgree, false},
	{"I-16", "an order's sums are those of its payments", sqlOrderSums, false},
	{"I-19", "each acknowledged request has its object", sqlAcknowledged, true},
	{"I-20", "one payment stands for one idempotency key", sqlOneKey, true},
	{"I-23", "an object's events count from one to its sequence, without a gap", sqlEventSequences, true},
	{"I-23", "events leave in time", sqlEventsLeave, false},
	{"I-25", "a payment's order, customer and accounts are its merchant's and its book's", sqlReferences, false},
	{"I-25", "a merchant's money moves for that merchant's payments only", sqlForeignMoney, false},
	{"I-25", "events and cases name their object's merchant", sqlEventMerchants, true},
	{"I-26", "what is to be sealed is sealed", sqlSealed, true},
}

// moved is true of a payment that may have changed since the last audit. It reads every row, but follows only those.
const moved = `(@since_at::timestamptz IS NULL OR p.updated_at >= @since_at)`

const sqlPartsSum = `
	SELECT format('%s: %s, parts %s', p.id, p.amount, coalesce(sum(t.amount), 0))
	FROM payments p LEFT JOIN payment_parts t ON t.book = p.book AND t.payment_id = p.id
	WHERE ` + moved + ` GROUP BY p.book, p.id, p.amount HAVING coalesce(sum(t.amount), 0) <> p.amount`

const sqlOneSuccess = `
	SELECT format('%s part %s: %s', a.payment_id, a.part, string_agg('ch' || a.ordinal || ' ' || a.verdict, ', '))
	FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id AND a.verdict IN ('succeeded', 'authorized')
	WHERE ` + moved + ` GROUP BY a.book, a.payment_id, a.part HAVING count(*) > 1`

const sqlPartsCaptured = `
	SELECT format('%s part %s: captured %s of %s', t.payment_id, t.part, t.captured, t.authorized)
	FROM payment_parts t WHERE t.captured > t.authorized`

// A cause begins with its business id, so a payment's journals are one range of the causes' key; ';' follows ':'.
const ofPayment = `c.book = p.book AND c.cause >= p.id || ':' AND c.cause < p.id || ';'`

const ofCapture = `c.book = k.book AND c.cause >= k.id || ':' AND c.cause < k.id || ';'`

// ofPayments are the journals of payments, of their captures too: for all payments those that stand, read once; else those of the payments that may
// have changed, looked up. Which of the two is known before it begins.
const ofPayments = `(
	SELECT j.book, coalesce(k.payment_id, split_part(j.cause, ':', 1)) AS id, j.no, j.kind
	FROM journals j LEFT JOIN captures k ON j.cause LIKE 'cap\_%' AND k.book = j.book AND k.id = split_part(j.cause, ':', 1)
	WHERE @since_at::timestamptz IS NULL
	UNION ALL
	SELECT p.book, p.id, j.no, j.kind FROM payments p
	CROSS JOIN LATERAL (SELECT c.journal FROM captures k JOIN causes c ON ` + ofCapture + `
		WHERE k.payment_id = p.id AND k.book = p.book AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, kind FROM journals WHERE no = c.journal OFFSET 0) j
	WHERE p.updated_at >= @since_at
	UNION ALL
	SELECT p.book, p.id, j.no, j.kind FROM payments p
	CROSS JOIN LATERAL (SELECT c.journal FROM causes c WHERE ` + ofPayment + ` AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, kind FROM journals WHERE no = c.journal OFFSET 0) j
	WHERE p.updated_at >= @since_at)`

// here: none of a payment's journals is kept elsewhere. It is asked last, of the few that seem wrong.
const here = `NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofPayment + `), false)
	AND NOT coalesce((SELECT bool_or(detached(c.journal)) FROM captures k JOIN causes c ON ` + ofCapture + `
		WHERE k.payment_id = p.id AND k.book = p.book), false)`

const sqlCaptureJournal = `
	SELECT format('%s: captured %s, fee %s; journals %s of %s, fee %s', p.id, p.captured, p.fee, coalesce(t.journals, 0),
		coalesce(t.captured, 0), coalesce(t.fee, 0))
	FROM payments p LEFT JOIN (
		SELECT t.book, t.id, count(DISTINCT t.no) FILTER (WHERE t.kind <> 'fee_charged') AS journals,
			sum(e.amount) FILTER (WHERE e.amount > 0 AND t.kind <> 'fee_charged') AS captured,
			-sum(e.amount) FILTER (WHERE a.code = 'income/fees') AS fee
		FROM ` + ofPayments + ` t LEFT JOIN entries e ON e.journal = t.no LEFT JOIN accounts a ON a.no = e.account
		WHERE t.kind IN ('captured', 'topped_up', 'fee_charged') GROUP BY t.book, t.id) t ON t.book = p.book AND t.id = p.id
	LEFT JOIN LATERAL (SELECT captured FROM payment_parts
		WHERE p.wallet > 0 AND book = p.book AND payment_id = p.id AND source = 'wallet' OFFSET 0) w ON true
	WHERE ` + moved + ` AND CASE WHEN (p.captured > 0 AND coalesce(t.journals, 0) <> coalesce(w.captured > 0, false)::int
			+ CASE WHEN p.captured > coalesce(w.captured, 0) THEN greatest(1, (
		SELECT count(*) FROM captures k WHERE k.payment_id = p.id AND k.book = p.book AND k.status = 'succeeded')) ELSE 0 END) OR coalesce(t.captured, 0) <> p.captured
		OR coalesce(t.fee, 0) <> p.fee THEN ` + here + ` END`

const sqlJournalCaptured = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN captures k ON j.cause LIKE 'cap\_%' AND k.book = j.book AND k.id = split_part(j.cause, ':', 1)
	LEFT JOIN payments p ON p.book = j.book AND p.id = coalesce(k.payment_id, split_part(j.cause, ':', 1))
	WHERE j.no >= @since AND j.kind IN ('captured', 'topped_up') AND coalesce(p.captured, 0) = 0`

// What a fee eats whole never matures, nor what refunds take before.
const sqlMature = `
	SELECT format('%s: captured %s, never to mature', p.id, p.captured)
	FROM payments p LEFT JOIN (SELECT DISTINCT t.book, t.id FROM ` + ofPayments + ` t WHERE t.kind = 'matured') m ON m.book = p.book AND m.id = p.id
	WHERE ` + moved + ` AND p.order_id <> '' AND NOT ` + overOwn + ` AND CASE WHEN p.mature_due_at IS NULL AND m.id IS NULL AND p.captured - p.fee >
		(SELECT coalesce(sum(r.taken_pending), 0) FROM refunds r WHERE r.book = p.book AND r.payment_id = p.id) THEN ` + here + ` END`

// overOwn: a payment came over an account of own funds.
const overOwn = `EXISTS (SELECT FROM attempts x JOIN channel_accounts y ON y.book = x.book AND y.id = x.channel_account
	WHERE x.book = p.book AND x.payment_id = p.id AND y.own_funds AND x.verdict = 'succeeded')`

const sqlRefunds = `
	SELECT format('%s: refunded %s of %s', id, refunded, captured) FROM payments WHERE refunded > captured
	UNION ALL SELECT format('%s: refunded %s of %s', id, refunded, paid) FROM orders WHERE refunded > paid`

const sqlIntents = `
	SELECT format('%s:ch%s', a.payment_id, a.ordinal)
	FROM attempts a LEFT JOIN payments p ON p.book = a.book AND p.id = a.payment_id
	WHERE p.id IS NULL OR length(a.request_hash) <> 32 OR length(a.request_sealed) < 30 OR a.born_at < p.created_at - interval '1 minute'
		OR NOT EXISTS (SELECT FROM payment_parts t WHERE t.book = a.book AND t.payment_id = a.payment_id AND t.part = a.part)`

// Clocks of two machines may differ by a little.
const sqlCallsFollowIntents = `
	SELECT format('%s %s at %s', k.operation, k.key, k.started_at)
	FROM channel_calls k
	LEFT JOIN attempts a ON a.book = k.book AND a.payment_id = split_part(k.key, ':', 1)
		AND a.ordinal = substring(k.key FROM ':ch([0-9]+)$')::smallint
	WHERE k.key ~ '^(pay|top)_.*:ch[0-9]+$' AND (a.payment_id IS NULL OR a.born_at > k.started_at + interval '1 second'
		OR a.channel_account <> k.channel_account)`

const sqlDoubts = `
	SELECT format('%s: in doubt %s, memo postings %s', p.id, p.in_doubt, coalesce(t.postings, 0))
	FROM payments p LEFT JOIN (
		SELECT t.book, t.id, sum(CASE t.kind WHEN 'unknown' THEN 1 ELSE -1 END) AS postings
		FROM ` + ofPayments + ` t WHERE t.kind IN ('unknown', 'unknown_reversed') GROUP BY t.book, t.id) t ON t.book = p.book AND t.id = p.id
	WHERE ` + moved + ` AND CASE WHEN coalesce(t.postings, 0) <> p.in_doubt::int + (
		SELECT count(*) FROM captures k WHERE k.payment_id = p.id AND k.book = p.book AND k.in_doubt) THEN ` + here + ` END`

const sqlDoubtSums = `
	SELECT format('%s %s: memo %s, in doubt %s', coalesce(m.book, d.book), coalesce(m.currency, d.currency), m.total, d.total)
	FROM (SELECT b.book, b.currency, sum(b.balance) AS total FROM (` + balances + `) b
		WHERE b.code LIKE 'memo/in\_doubt/%' AND b.normal = 'debit' GROUP BY b.book, b.currency) m
	FULL JOIN (SELECT o.book, o.currency, sum(o.amount) AS total FROM (
		SELECT book, currency, amount - wallet AS amount FROM payments WHERE in_doubt
		UNION ALL SELECT book, currency, amount FROM captures WHERE in_doubt) o GROUP BY o.book, o.currency) d
		ON d.book = m.book AND d.currency = m.currency
	WHERE coalesce(m.total, 0) <> coalesce(d.total, 0)`

const sqlEnded = `
	SELECT format('%s is %s, ch%s is %s', p.id, p.status, a.ordinal, coalesce(a.verdict, 'open'))
	FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id
	WHERE p.status IN ('succeeded', 'failed', 'canceled', 'expired') AND ` + moved + ` AND NOT a.dead
		AND (a.verdict IS NULL OR a.verdict IN ('pending', 'unknown', 'absent', 'authorized')
			OR (a.verdict = 'succeeded' AND p.status <> 'succeeded'))
		AND NOT EXISTS (SELECT FROM cases k WHERE k.book = p.book AND k.payment_id = p.id)`

const sqlStatuses = `
	SELECT format('%s is %s: captured %s, in doubt %s', p.id, p.status, p.captured, p.in_doubt)
	FROM payments p
	WHERE p.status NOT IN ('processing', 'requires_action', 'authorized', 'succeeded', 'failed', 'canceled', 'expired')
		OR CASE p.status WHEN 'succeeded' THEN p.captured = 0 WHEN 'authorized' THEN false ELSE p.captured > 0 END OR (p.captured > 0) <> (p.business_date IS NOT NULL)
		OR (p.in_doubt AND p.status NOT IN ('processing', 'requires_action'))
		OR (p.status = 'authorized' AND NOT EXISTS (SELECT FROM attempts a
			WHERE a.book = p.book AND a.payment_id = p.id AND a.verdict = 'authorized'))`

const sqlPartsAgree = `
	SELECT format('%s: captured %s, parts %s', p.id, p.captured, sum(t.captured))
	FROM payments p JOIN payment_parts t ON t.book = p.book AND t.payment_id = p.id
	WHERE ` + moved + ` GROUP BY p.book, p.id, p.captured, p.refunded
	HAVING sum(t.captured) <> p.captured OR sum(t.refunded) <> p.refunded`

const sqlOrderSums = `
	SELECT format('%s: paid %s of payments %s, authorized %s of %s, refunded %s of %s, disputed %s of %s', o.id, o.paid, s.paid, o.authorized,
		s.authorized, o.refunded, s.refunded, o.disputed, s.disputed)
	FROM orders o CROSS JOIN LATERAL (
		SELECT coalesce(sum(p.captured), 0) AS paid, coalesce(sum(p.refunded), 0) AS refunded, coalesce(sum(p.disputed), 0) AS disputed,
			coalesce(sum((SELECT sum(t.authorized - t.captured) FROM payment_parts t WHERE t.book = p.book AND t.payment_id = p.id))
				FILTER (WHERE p.status = 'authorized'), 0) AS authorized
		FROM payments p WHERE p.book = o.book AND p.order_id = o.id) s
	WHERE (@since_at::timestamptz IS NULL OR EXISTS (
			SELECT FROM payments p WHERE p.book = o.book AND p.order_id = o.id AND p.updated_at >= @since_at))
		AND (o.paid <> s.paid OR o.authorized <> s.authorized OR o.refunded <> s.refunded OR o.disputed <> s.disputed)`

const sqlAcknowledged = `
	SELECT format('%s: %s', i.operation, i.object)
	FROM idempotency i
	LEFT JOIN payments p ON p.book = i.book AND p.id = i.object AND (p.merchant_id = i.merchant_id OR p.order_id = '' AND p.customer_id = i.merchant_id)
	LEFT JOIN orders o ON o.book = i.book AND o.id = i.object AND o.merchant_id = i.merchant_id
	LEFT JOIN refunds r ON r.book = i.book AND r.id = i.object AND r.merchant_id = i.merchant_id
	LEFT JOIN payouts y ON y.book = i.book AND y.id = i.object AND i.merchant_id IN (y.merchant_id, y.user_id)
	WHERE (i.object LIKE 'pyt\_%' AND y.id IS NULL) OR (i.object ~ '^(pay|top)_' AND p.id IS NULL) OR (i.object LIKE 'rfd\_%' AND r.id IS NULL) OR (i.object LIKE 'ord\_%' AND o.id IS NULL)`

const sqlOneKey = `
	SELECT format('%s: %s keys', i.object, count(*)) FROM idempotency i
	WHERE i.operation IN ('POST /v1/payments', 'POST /v1/topups') OR i.object LIKE 'rfd\_%' OR i.object LIKE 'pyt\_%' GROUP BY i.book, i.object HAVING count(*) > 1`

const sqlEventSequences = `
	SELECT format('%s: %s events up to %s, the object is at %s', e.object_id, e.n, e.last, coalesce(p.sequence, o.sequence, r.sequence, y.sequence, d.sequence, e.last))
	FROM (SELECT book, object_id, count(*) AS n, min(sequence) AS first, max(sequence) AS last FROM events GROUP BY book, object_id) e
	LEFT JOIN payments p ON p.book = e.book AND p.id = e.object_id
	LEFT JOIN orders o ON o.book = e.book AND o.id = e.object_id
	LEFT JOIN refunds r ON r.book = e.book AND r.id = e.object_id
	LEFT JOIN payouts y ON y.book = e.book AND y.id = e.object_id
	LEFT JOIN disputes d ON d.book = e.book AND d.id = e.object_id
	WHERE e.first <> 1 OR e.n <> e.last OR e.last <> coalesce(p.sequence, o.sequence, r.sequence, y.sequence, d.sequence, e.last)
	UNION ALL
	SELECT format('%s: no events', p.id) FROM payments p
	WHERE NOT EXISTS (SELECT FROM events e WHERE e.book = p.book AND e.object_id = p.id)`

const sqlEventsLeave = `
	SELECT format('%s %s of %s waits since %s', e.id, e.type, e.object_id, e.created_at)
	FROM events e
	WHERE e.delivered_at IS NULL AND @undelivered::float8 >= 0 AND e.created_at < now() - make_interval(secs => @undelivered)`

const sqlReferences = `
	SELECT format('%s: order %s', p.id, p.order_id)
	FROM payments p LEFT JOIN orders o ON o.book = p.book AND o.id = p.order_id
	WHERE ` + moved + ` AND p.order_id <> '' AND (o.merchant_id IS DISTINCT FROM p.merchant_id OR o.currency IS DISTINCT FROM p.currency)
	UNION ALL
	SELECT format('%s: customer %s', p.id, p.customer_id)
	FROM payments p LEFT JOIN users u ON u.book = p.book AND u.id = p.customer_id
	WHERE ` + moved + ` AND p.customer_id IS NOT NULL AND u.merchant_id IS DISTINCT FROM p.merchant_id
	UNION ALL
	SELECT format('%s: merchant %s', p.id, p.merchant_id)
	FROM payments p LEFT JOIN merchants m ON m.book = p.book AND m.id = p.merchant_id
	WHERE ` + moved + ` AND m.id IS NULL
	UNION ALL
	SELECT format('%s:ch%s: channel account %s', p.id, a.ordinal, a.channel_account)
	FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id
	LEFT JOIN channel_accounts c ON c.book = a.book AND c.id = a.channel_account
	WHERE ` + moved + ` AND (c.id IS NULL OR c.merchant_id <> p.merchant_id)`

const sqlForeignMoney = `
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM journals j JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	JOIN payments p ON p.book = j.book AND p.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND a.code LIKE 'merchant/%' AND split_part(a.code, '/', 2) <> p.merchant_id
	UNION ALL
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM journals j JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	JOIN refunds r ON r.book = j.book AND r.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND a.code LIKE 'merchant/%' AND split_part(a.code, '/', 2) <> r.merchant_id`

// judgedApart are the objects whose own checks hold the merchant of their events.
const judgedApart = `'transfer', 'user'`

const sqlEventMerchants = `
	SELECT format('%s of %s names %s', e.id, e.object_id, e.merchant_id)
	FROM events e
	LEFT JOIN payments p ON p.book = e.book AND p.id = e.object_id
	LEFT JOIN orders o ON o.book = e.book AND o.id = e.object_id
	LEFT JOIN cases k ON k.book = e.book AND k.id = e.object_id
	LEFT JOIN captures x ON x.book = e.book AND x.id = e.object_id
	LEFT JOIN webhook_endpoints w ON w.book = e.book AND w.id = e.object_id
	LEFT JOIN refunds r ON r.book = e.book AND r.id = e.object_id
	LEFT JOIN payouts y ON y.book = e.book AND y.id = e.object_id
	LEFT JOIN campaigns cm ON cm.book = e.book AND cm.id = e.object_id
	LEFT JOIN rebates b ON b.book = e.book AND b.id = e.object_id
	LEFT JOIN settlements s ON s.book = e.book AND s.id = e.object_id
	LEFT JOIN disputes d ON d.book = e.book AND d.id = e.object_id
	LEFT JOIN reratings rr ON rr.book = e.book AND rr.id = e.object_id
	WHERE e.object_type NOT IN (` + judgedApart + `) AND e.merchant_id IS DISTINCT FROM coalesce(p.merchant_id, x.merchant_id, o.merchant_id, r.merchant_id, y.merchant_id, k.merchant_id, w.merchant_id, cm.merchant_id,
		b.merchant_id, s.merchant_id, rr.merchant_id, d.merchant_id,
		CASE WHEN e.object_type = 'rule_set' THEN nullif(split_part(e.object_id, '/', 2), 'platform') END)
	UNION ALL
	SELECT format('%s names %s', k.id, k.merchant_id)
	FROM cases k LEFT JOIN payments p ON p.book = k.book AND p.id = k.payment_id
	WHERE k.payment_id IS NOT NULL AND k.merchant_id IS DISTINCT FROM p.merchant_id`

// Ciphertext begins with its version and the length of its key's id; 30 bytes are the least that a header, a nonce and a tag
// take.
const sqlSealed = `
	SELECT format('%s %s', s.kind, s.id)
	FROM (
		SELECT 'channel account' AS kind, id, credentials_sealed AS sealed FROM channel_accounts
		UNION ALL SELECT 'customer', user_id, details_sealed FROM user_details
		UNION ALL SELECT 'user', user_id, profile_sealed FROM user_profiles
		UNION ALL SELECT 'destination', id, destination_sealed FROM user_destinations WHERE destination_sealed IS NOT NULL
		UNION ALL SELECT 'key of users'' tokens', period::text, seed_sealed FROM user_token_keys
		UNION ALL SELECT 'secrets of payment', payment_id, secrets_sealed FROM payment_details
		UNION ALL SELECT 'request of', payment_id, request_sealed FROM attempts
		UNION ALL SELECT 'request of', refund_id, request_sealed FROM refund_attempts
		UNION ALL SELECT 'request of', payout_id, request_sealed FROM payout_attempts
		UNION ALL SELECT 'destination of', payout_id, destination_sealed FROM payout_details
		UNION ALL SELECT 'action of', id, next_action_sealed FROM payments WHERE next_action_sealed IS NOT NULL
		UNION ALL SELECT 'callback', id, body_sealed FROM callbacks
		UNION ALL SELECT 'secret of event', id, secret_sealed FROM events WHERE secret_sealed IS NOT NULL) s
	WHERE length(s.sealed) < 30 OR get_byte(s.sealed, 0) NOT IN (1, 2) OR get_byte(s.sealed, 1) = 0`
