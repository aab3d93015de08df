package audit

// disputeChecks are about money that channels took back because customers asked their banks for it.
var disputeChecks = []invariant{
	{"I-10", "what a dispute's journals took from a channel's clearing is what its row says", sqlDisputeJournals, false},
	{"I-10", "each journal of a dispute has its dispute", sqlDisputeOfJournal, false},
	{"I-12", "a payment's disputed is the sum of what its disputes have taken, and with its refunds never more than was captured", sqlDisputed, false},
	{"I-16", "who bears a dispute is who its journals say", sqlDisputeBearers, false},
	{"I-16", "what stands on suspense of disputes is what they say", sqlDisputeSuspense, false},
	{"I-25", "a dispute is of its merchant's payment, and over that one's channel account", sqlDisputeReferences, false},
}

const movedDispute = `(@since_at::timestamptz IS NULL OR d.updated_at >= @since_at)`

const ofDispute = `c.book = d.book AND c.cause >= d.id || ':' AND c.cause < d.id || ';'`

const disputeHere = `NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofDispute + `), false)`

// disputeLegs sums the legs of a dispute's journals, but for debts that were paid back.
const disputeLegs = `
	CROSS JOIN LATERAL (
		SELECT coalesce(-sum(e.amount) FILTER (WHERE a.code LIKE 'channel/%/clearing' OR a.code ~ '^memo/own_funds/[^/]+$'), 0) AS clearing,
			coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'merchant/%' OR a.code LIKE 'memo/own\_funds/%/merchant'), 0) AS merchant,
			coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'user/%/wallet'), 0) AS wallet,
			coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'suspense/%' OR a.code LIKE 'memo/own\_funds/%/suspense/%'), 0) AS suspense,
			coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'expense/%' OR a.code LIKE 'memo/own\_funds/%/channel\_fees'), 0) AS fee
		FROM causes c JOIN journals j ON j.no = c.journal JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
		WHERE ` + ofDispute + ` OFFSET 0) t`

const sqlDisputeJournals = `
	SELECT format('%s is %s: %s of the clearing, its row says %s', d.id, d.status, t.clearing,
		d.taken_merchant + d.taken_wallet + d.taken_suspense + d.taken_fee)
	FROM disputes d` + disputeLegs + `
	WHERE ` + movedDispute + ` AND CASE WHEN t.clearing <> d.taken_merchant + d.taken_wallet + d.taken_suspense + d.taken_fee THEN ` + disputeHere + ` END`

const sqlDisputeOfJournal = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN disputes d ON d.book = j.book AND d.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND (j.cause LIKE 'dsp\_%' OR j.kind LIKE 'chargeback%') AND d.id IS NULL`

const sqlDisputed = `
	SELECT format('%s: disputed %s of %s, refunded %s, refunding %s, captured %s', p.id, p.disputed, coalesce(s.taken, 0), p.refunded, p.refunding, p.captured)
	FROM payments p LEFT JOIN (SELECT book, payment_id, sum(taken_merchant + taken_wallet) AS taken FROM disputes GROUP BY book, payment_id) s
		ON s.book = p.book AND s.payment_id = p.id
	WHERE p.disputed <> coalesce(s.taken, 0) OR p.refunded + p.refunding + p.disputed > p.captured`

const sqlDisputeBearers = `
	SELECT format('%s is %s: merchant %s of %s, wallet %s of %s, suspense %s of %s, fee %s of %s', d.id, d.status, t.merchant, d.taken_merchant,
		t.wallet, d.taken_wallet, t.suspense, d.taken_suspense, t.fee, d.taken_fee)
	FROM disputes d` + disputeLegs + `
	WHERE ` + movedDispute + ` AND CASE WHEN t.merchant <> d.taken_merchant OR t.wallet <> d.taken_wallet OR t.suspense <> d.taken_suspense
		OR t.fee <> d.taken_fee OR d.taken_merchant + d.taken_wallet + d.taken_suspense <> CASE d.status WHEN 'won' THEN 0 ELSE d.amount END
		THEN ` + disputeHere + ` END`

const sqlDisputeSuspense = `
	SELECT format('%s %s %s: holds %s, disputes say %s', coalesce(s.book, k.book), coalesce(s.code, k.code), coalesce(s.currency, k.currency),
		coalesce(s.total, 0), coalesce(k.total, 0))
	FROM (SELECT b.book, b.code, b.currency, sum(b.balance) AS total
		FROM (SELECT b.book, regexp_replace(b.code, '^memo/own_funds/([^/]+)/suspense/', 'suspense/\1/') AS code, b.currency, b.balance FROM (` + balances + `) b) b
		WHERE b.code LIKE 'suspense/%/chargeback' GROUP BY b.book, b.code, b.currency) s
	FULL JOIN (SELECT book, 'suspense/' || channel_account || '/chargeback' AS code, currency, sum(taken_suspense) AS total
		FROM disputes GROUP BY book, channel_account, currency) k ON k.book = s.book AND k.code = s.code AND k.currency = s.currency
	WHERE coalesce(s.total, 0) <> coalesce(k.total, 0)`

const sqlDisputeReferences = `
	SELECT format('%s of %s over %s', d.id, d.payment_id, d.channel_account)
	FROM disputes d LEFT JOIN payments p ON p.book = d.book AND p.id = d.payment_id
	LEFT JOIN attempts a ON a.book = d.book AND a.payment_id = d.payment_id AND a.ordinal = d.charge
	WHERE ` + movedDispute + ` AND (p.merchant_id IS DISTINCT FROM d.merchant_id OR p.order_id IS DISTINCT FROM d.order_id
		OR a.channel_account IS DISTINCT FROM d.channel_account OR (d.user_id IS NOT NULL AND d.user_id IS DISTINCT FROM p.customer_id))`
