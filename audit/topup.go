package audit

var topUpChecks = []invariant{
	{"I-16", "what a top-up has brought is in its user's wallet, and no sale is", sqlTopUpJournals, false},
	{"I-16", "a refund of a top-up is taken from the wallet, and of a sale from the merchant", sqlTopUpRefunds, false},
	{"I-16", "what a refund has set aside of a wallet, and what came back to one, is what its row says", sqlTopUpRefundJournals, false},
}

const sqlTopUpJournals = `
	SELECT format('%s (%s) of %s: %s to %s', j.no, j.kind, p.id, -e.amount, a.code)
	FROM journals j JOIN payments p ON p.book = j.book AND p.id = split_part(j.cause, ':', 1)
	JOIN entries e ON e.journal = j.no AND e.amount < 0 JOIN accounts a ON a.no = e.account
	WHERE j.no >= @since AND (j.kind = 'topped_up' AND (p.order_id <> '' OR a.code <> 'user/' || p.customer_id || '/wallet')
		OR j.kind IN ('captured', 'matured') AND p.order_id = '')`

const sqlTopUpRefunds = `
	SELECT format('%s of %s: %s from the wallet of %s', r.id, r.payment_id, r.taken_wallet, r.amount)
	FROM refunds r JOIN payments p ON p.book = r.book AND p.id = r.payment_id
	WHERE ` + movedRefund + ` AND r.source = 'merchant' AND r.taken_wallet <> CASE WHEN p.order_id = '' THEN r.amount ELSE 0 END`

const sqlTopUpRefundJournals = `
	SELECT format('%s (%s) of %s: %s of wallets, its row says %s', j.no, j.kind, r.id, e.wallets, r.taken_wallet)
	FROM journals j JOIN refunds r ON r.book = j.book AND r.id = split_part(j.cause, ':', 1)
	CROSS JOIN LATERAL (SELECT coalesce(sum(abs(e.amount)) FILTER (WHERE a.code = 'user/' || r.user_id || '/wallet'), 0) AS wallets
		FROM entries e JOIN accounts a ON a.no = e.account WHERE e.journal = j.no OFFSET 0) e
	WHERE j.no >= @since AND r.source = 'merchant' AND j.kind IN ('refund_opened', 'refund_opened_reversed', 'refund_returned')
		AND e.wallets <> r.taken_wallet`
