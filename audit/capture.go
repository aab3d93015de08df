package audit

var captureChecks = []invariant{
	{"I-09", "a payment's captures, done and under way, are its figures, and never exceed what it is of", sqlCaptureSums, false},
	{"I-10", "each capture that succeeded has one capture journal of its amount and fee, and no other has one", sqlCaptureJournals, true},
	{"I-13", "a capture's intent holds its request, the hash and the attempt that authorized", sqlCaptureIntents, false},
	{"I-13", "no capture was sent before its intent was committed", sqlCaptureCalls, true},
	{"I-14", "a capture is in doubt exactly while its memo posting stands", sqlCaptureDoubts, true},
	{"I-15", "a payment that has ended has no capture under way", sqlCapturesEnded, false},
	{"I-19", "a capture that an idempotency key stands for is there", sqlCapturesAcknowledged, true},
	{"I-23", "a capture's events count from one to its sequence", sqlCaptureSequences, true},
	{"I-25", "a capture, its payment and its events are one merchant's", sqlCaptureMerchants, true},
	{"I-26", "a capture's request is sealed", sqlCapturesSealed, true},
}

const sqlCaptureSums = `
	SELECT format('%s: captured %s, under way %s of %s, %s captures; they are %s, %s, %s', p.id, p.captured, p.capturing, p.amount, p.capture_count,
		coalesce(k.done, 0), coalesce(k.open, 0), coalesce(k.n, 0))
	FROM payments p LEFT JOIN (
		SELECT book, payment_id, sum(amount) FILTER (WHERE status = 'succeeded') AS done, sum(amount) FILTER (WHERE status = 'processing') AS open,
			count(*) AS n, bool_or(final AND status = 'processing') AS final
		FROM captures GROUP BY book, payment_id) k ON k.book = p.book AND k.payment_id = p.id
	WHERE coalesce(k.open, 0) <> p.capturing OR coalesce(k.n, 0) <> p.capture_count OR coalesce(k.final, false) <> p.capture_final
		OR (k.done IS NOT NULL AND k.done <> p.captured - CASE WHEN p.wallet = 0 THEN 0 ELSE (SELECT t.captured FROM payment_parts t
			WHERE t.book = p.book AND t.payment_id = p.id AND t.source = 'wallet') END)
		OR coalesce(k.done, 0) + coalesce(k.open, 0) > p.amount - p.wallet`

const sqlCaptureJournals = `
	SELECT format('%s is %s: %s, fee %s; journals %s of %s, fee %s', k.id, k.status, k.amount, k.fee, j.n, j.amount, j.fee)
	FROM captures k CROSS JOIN LATERAL (
		SELECT count(DISTINCT j.no) FILTER (WHERE j.kind = 'captured') AS n,
			coalesce(sum(e.amount) FILTER (WHERE e.amount > 0 AND j.kind = 'captured'), 0) AS amount,
			coalesce(-sum(e.amount) FILTER (WHERE a.code = 'income/fees'), 0) AS fee
		FROM causes c JOIN journals j ON j.no = c.journal AND j.kind IN ('captured', 'fee_charged') JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
		WHERE ` + ofCapture + `) j
	WHERE CASE WHEN j.n <> (k.status = 'succeeded')::int OR (k.status = 'succeeded' AND (j.amount <> k.amount OR j.fee <> k.fee))
		THEN NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofCapture + `), false) END`

const sqlCaptureIntents = `
	SELECT format('%s of %s', k.id, k.payment_id)
	FROM captures k LEFT JOIN attempts a ON a.book = k.book AND a.payment_id = k.payment_id AND a.ordinal = k.attempt
	WHERE a.payment_id IS NULL OR a.channel_account <> k.channel_account OR length(k.request_hash) <> 32 OR length(k.request_sealed) < 30
		OR k.born_at < a.born_at - interval '1 minute'`

// Clocks of two machines may differ by a little.
const sqlCaptureCalls = `
	SELECT format('%s %s at %s', c.operation, c.key, c.started_at)
	FROM channel_calls c LEFT JOIN captures k ON k.book = c.book AND k.id = split_part(c.key, ':', 1)
	WHERE c.key LIKE 'cap\_%' AND (k.id IS NULL OR k.born_at > c.started_at + interval '1 second' OR k.channel_account <> c.channel_account)`

const sqlCaptureDoubts = `
	SELECT format('%s: in doubt %s, memo postings %s', k.id, k.in_doubt, j.postings)
	FROM captures k CROSS JOIN LATERAL (
		SELECT coalesce(sum(CASE j.kind WHEN 'unknown' THEN 1 ELSE -1 END), 0) AS postings
		FROM causes c JOIN journals j ON j.no = c.journal AND j.kind IN ('unknown', 'unknown_reversed') WHERE ` + ofCapture + `) j
	WHERE CASE WHEN j.postings <> k.in_doubt::int
		THEN NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofCapture + `), false) END`

const sqlCapturesEnded = `
	SELECT format('%s of %s, which is %s', k.id, k.payment_id, p.status)
	FROM captures k LEFT JOIN payments p ON p.book = k.book AND p.id = k.payment_id
	WHERE k.status = 'processing' AND p.status IS DISTINCT FROM 'authorized'`

const sqlCapturesAcknowledged = `
	SELECT format('%s: %s', i.operation, i.object)
	FROM idempotency i LEFT JOIN captures k ON k.book = i.book AND k.id = i.object AND k.merchant_id = i.merchant_id
	WHERE i.object LIKE 'cap\_%' AND k.id IS NULL`

const sqlCaptureSequences = `
	SELECT format('%s: at %s, its %s events up to %s', k.id, k.sequence, coalesce(e.n, 0), coalesce(e.last, 0))
	FROM captures k LEFT JOIN (
		SELECT book, object_id, count(*) AS n, max(sequence) AS last FROM events WHERE object_type = 'capture' GROUP BY book, object_id) e
		ON e.book = k.book AND e.object_id = k.id
	WHERE coalesce(e.n, 0) <> k.sequence OR coalesce(e.last, 0) <> k.sequence`

const sqlCaptureMerchants = `
	SELECT format('%s names %s', k.id, k.merchant_id)
	FROM captures k LEFT JOIN payments p ON p.book = k.book AND p.id = k.payment_id
	WHERE k.merchant_id IS DISTINCT FROM p.merchant_id OR k.currency IS DISTINCT FROM p.currency
	UNION ALL
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM journals j JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	JOIN captures k ON k.book = j.book AND k.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND j.cause LIKE 'cap\_%' AND a.code LIKE 'merchant/%' AND split_part(a.code, '/', 2) <> k.merchant_id`

const sqlCapturesSealed = `
	SELECT format('request of %s', id) FROM captures
	WHERE length(request_sealed) < 30 OR get_byte(request_sealed, 0) NOT IN (1, 2) OR get_byte(request_sealed, 1) = 0`
