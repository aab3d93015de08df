package audit

// ownChecks are about channel accounts whose money is their merchant's own and never becomes ours.
var ownChecks = []invariant{
	{"I-16", "what comes over an account of own funds stands on memo accounts, and moves nothing of ours but the fee", sqlOwnMoney, false},
	{"I-10", "an account of own funds notes what its payments captured, less what their refunds took", sqlOwnSums, false},
}

// A journal is of own funds if its payment, capture or refund came over such an account; what of it isn't memo is the fee, owed or
// paid out of what the merchant has.
const sqlOwnMoney = `
	SELECT format('journal %s (%s, %s) moves %s', j.no, j.cause, j.kind, a.code)
	FROM channel_accounts c
	CROSS JOIN LATERAL (
		SELECT payment_id AS id FROM attempts WHERE book = c.book AND channel_account = c.id AND verdict IN ('succeeded', 'authorized')
		UNION SELECT id FROM captures WHERE book = c.book AND channel_account = c.id
		UNION SELECT id FROM refunds WHERE book = c.book AND channel_account = c.id
		UNION SELECT id FROM disputes WHERE book = c.book AND channel_account = c.id) o
	JOIN causes k ON k.book = c.book AND k.cause >= o.id || ':' AND k.cause < o.id || ';' AND k.journal IS NOT NULL
	JOIN journals j ON j.no = k.journal JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	WHERE c.own_funds AND a.kind <> 'memo' AND NOT (a.code = 'merchant/' || c.merchant_id || '/fees_due' OR a.code = 'income/fees'
		OR j.kind = 'debt_recovered')`

const sqlOwnSums = `
	SELECT format('%s %s: the memo says %s, payments and refunds %s', coalesce(m.account, s.account), coalesce(m.currency, s.currency),
		coalesce(m.total, 0), coalesce(s.total, 0))
	FROM (SELECT b.book, split_part(b.code, '/', 3) AS account, b.currency, -sum(b.balance) AS total FROM (` + balances + `) b
		WHERE b.code LIKE 'memo/own\_funds/%/merchant' GROUP BY b.book, split_part(b.code, '/', 3), b.currency) m
	FULL JOIN (
		SELECT o.book, o.account, o.currency, sum(o.amount) AS total FROM (
			SELECT c.book, c.id AS account, p.currency, p.captured AS amount
			FROM channel_accounts c JOIN attempts a ON a.book = c.book AND a.channel_account = c.id AND a.verdict IN ('succeeded', 'authorized')
			JOIN payments p ON p.book = a.book AND p.id = a.payment_id
			WHERE c.own_funds AND p.captured > 0
				AND NOT EXISTS (SELECT FROM attempts x WHERE x.book = a.book AND x.payment_id = a.payment_id AND x.ordinal < a.ordinal
					AND x.verdict IN ('succeeded', 'authorized'))
			UNION ALL SELECT c.book, c.id, r.currency, -r.amount FROM channel_accounts c
			JOIN refunds r ON r.book = c.book AND r.channel_account = c.id AND r.source = 'merchant' AND r.status <> 'failed'
			WHERE c.own_funds
			UNION ALL SELECT c.book, c.id, k.currency, k.amount FROM channel_accounts c
			JOIN cases k ON k.book = c.book AND k.channel_account = c.id AND k.kind = 'refund_returned' AND k.booked
			WHERE c.own_funds
			UNION ALL SELECT c.book, c.id, d.currency, -d.taken_merchant FROM channel_accounts c
			JOIN disputes d ON d.book = c.book AND d.channel_account = c.id
			WHERE c.own_funds) o
		GROUP BY o.book, o.account, o.currency) s ON s.book = m.book AND s.account = m.account AND s.currency = m.currency
	WHERE coalesce(m.total, 0) <> coalesce(s.total, 0)`
