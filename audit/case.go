package audit

var caseChecks = []invariant{
	{"I-17", "what stands on suspense is what the cases say that stand there, and a settled case leaves nothing", sqlSuspense, false},
	{"I-16", "a case that goes back has its refund, of its amount, and closes when that has succeeded", sqlCaseRefunds, false},
	{"I-16", "what a case decided about a payment that waited for it is what became of the payment", sqlCasePayments, false},
	{"I-23", "a case's events count up to its sequence", sqlCaseSequences, true},
}

// The money of a case stands on suspense while nobody has decided, or its refund isn't done, or for good where it was written off. What an
// operator paid out another way waits under a reason of its own. What went out against our book stands on the other side.
const sqlSuspense = `
	SELECT format('%s %s %s: holds %s, cases say %s', coalesce(s.book, k.book), coalesce(s.code, k.code), coalesce(s.currency, k.currency),
		coalesce(s.total, 0), coalesce(k.total, 0))
	FROM (SELECT b.book, b.code, b.currency, -sum(b.balance) AS total
		FROM (SELECT b.book, regexp_replace(b.code, '^memo/own_funds/([^/]+)/suspense/', 'suspense/\1/') AS code, b.currency, b.balance FROM (` + balances + `) b) b
		WHERE b.code LIKE 'suspense/%' AND split_part(b.code, '/', 3) NOT IN ('paid_elsewhere', 'chargeback') GROUP BY b.book, b.code, b.currency) s
	FULL JOIN (
		SELECT c.book, 'suspense/' || c.channel_account || '/' || c.kind AS code, c.currency,
			sum(CASE WHEN c.kind IN ('refund_paid_after_all', 'payout_paid_after_all') THEN -c.amount ELSE c.amount END) AS total
		FROM cases c LEFT JOIN refunds r ON r.book = c.book AND r.id = c.refund_id
		WHERE c.kind IN ('partial_payment', 'amount_mismatch', 'late_success', 'duplicate_payment', 'refund_returned', 'refund_paid_after_all',
				'payout_returned', 'payout_paid_after_all')
			AND NOT c.booked AND c.currency IS NOT NULL AND c.amount BETWEEN 1 AND 1000000000000000
			AND CASE c.state WHEN 'closed' THEN c.decision = 'write_off' ELSE r.status IS DISTINCT FROM 'succeeded' END
		GROUP BY c.book, c.channel_account, c.kind, c.currency) k
		ON k.book = s.book AND k.code = s.code AND k.currency = s.currency
	WHERE coalesce(s.total, 0) <> coalesce(k.total, 0)`

const sqlCaseRefunds = `
	SELECT format('%s is %s, its refund %s is %s of %s %s', c.id, c.state, coalesce(c.refund_id, 'missing'), coalesce(r.status, 'missing'), r.amount, r.currency)
	FROM cases c LEFT JOIN refunds r ON r.book = c.book AND r.id = c.refund_id
	WHERE (c.decision = 'return' AND (r.id IS NULL OR r.case_id IS DISTINCT FROM c.id OR r.amount <> c.amount OR r.currency <> c.currency
			OR r.source <> CASE WHEN c.booked THEN 'merchant' ELSE 'suspense' END OR (c.state = 'closed' AND r.status <> 'succeeded')))
		OR (c.state = 'decided' AND c.decision <> 'return')
	UNION ALL
	SELECT format('%s is of %s, which has %s', r.id, r.case_id, coalesce(c.refund_id, 'none'))
	FROM refunds r LEFT JOIN cases c ON c.book = r.book AND c.id = r.case_id
	WHERE r.case_id IS NOT NULL AND c.refund_id IS DISTINCT FROM r.id`

const sqlCasePayments = `
	SELECT format('%s: %s, its payment is %s', c.id, c.decision, coalesce(p.status, 'missing'))
	FROM cases c LEFT JOIN payments p ON p.book = c.book AND p.id = c.payment_id
	WHERE c.decision IS NOT NULL AND CASE
		WHEN c.kind IN ('partial_payment', 'amount_mismatch') AND c.id LIKE '%/1' THEN CASE c.decision WHEN 'accept' THEN p.status IS DISTINCT FROM 'succeeded'
			ELSE p.status IS NULL OR p.status IN ('processing', 'requires_action', 'authorized') END
		WHEN c.kind = 'late_success' AND c.decision = 'accept' THEN p.status IS DISTINCT FROM 'succeeded' END`

// The binary that knew no sequences closed a case without counting it.
const sqlCaseSequences = `
	SELECT format('%s: at %s, its events at %s', c.id, c.sequence, coalesce(e.last, 0))
	FROM cases c
	LEFT JOIN (SELECT book, object_id, max(sequence) AS last FROM events WHERE object_type = 'case' GROUP BY book, object_id) e
		ON e.book = c.book AND e.object_id = c.id
	WHERE c.sequence <> coalesce(e.last, 0) AND NOT (c.closed_at IS NOT NULL AND c.decided_at IS NULL AND e.last = c.sequence + 1)`
