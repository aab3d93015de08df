package audit

// partChecks are about payments that come, whole or in part, from their customer's wallet.
var partChecks = []invariant{
	{"I-12", "a part's refunds, done and under way, are those of its payment, and never more than it brought", sqlPartRefunds, false},
	{"I-16", "what is held of a user's wallet is what payments under way have set aside", sqlHeldAgrees, false},
	{"I-17", "a wallet's part is set aside once, and taken with its payment's success or given back with its end", sqlHeldOnce, false},
	{"I-25", "a payment and its refunds move no wallet but their customer's", sqlForeignWallets, false},
}

const sqlPartRefunds = `
	SELECT format('%s: the wallet''s part %s, refunded %s of %s, refunding %s of %s', p.id, t.captured, t.refunded, coalesce(r.done, 0),
		t.refunding, coalesce(r.open, 0))
	FROM payments p JOIN payment_parts t ON t.book = p.book AND t.payment_id = p.id AND t.source = 'wallet'
	LEFT JOIN (SELECT book, payment_id, sum(wallet) FILTER (WHERE status = 'succeeded') AS done,
			sum(wallet) FILTER (WHERE status = 'processing') AS open
		FROM refunds WHERE combined AND source = 'merchant' GROUP BY book, payment_id) r ON r.book = p.book AND r.payment_id = p.id
	WHERE t.refunded <> coalesce(r.done, 0) OR t.refunding <> coalesce(r.open, 0) OR t.refunded + t.refunding > t.captured
		OR p.refunded + p.refunding - t.refunded - t.refunding > p.captured - t.captured`

const sqlHeldAgrees = `
	SELECT format('%s %s %s: account %s, payments %s', coalesce(a.book, s.book), coalesce(a.owner, s.customer_id),
		coalesce(a.currency, s.currency), -coalesce(a.balance, 0), coalesce(s.held, 0))
	FROM (SELECT book, owner, currency, balance FROM accounts WHERE code LIKE 'user/%/held') a
	FULL JOIN (SELECT book, customer_id, currency, sum(wallet) AS held FROM payments
		WHERE wallet > 0 AND status NOT IN ('succeeded', 'failed', 'canceled', 'expired') GROUP BY book, customer_id, currency) s
		ON s.book = a.book AND s.customer_id = a.owner AND s.currency = a.currency
	WHERE -coalesce(a.balance, 0) <> coalesce(s.held, 0)`

// A payment whose money came after its end is taken by a case: by then the wallet's part was given back.
const sqlHeldOnce = `
	SELECT format('%s is %s: of %s set aside %s times, taken %s times, given back %s times', p.id, p.status, p.wallet, j.held, j.taken, j.freed)
	FROM payments p
	CROSS JOIN LATERAL (SELECT amount, captured FROM payment_parts
		WHERE book = p.book AND payment_id = p.id AND source = 'wallet' OFFSET 0) t
	CROSS JOIN LATERAL (
		SELECT count(*) FILTER (WHERE j.kind = 'wallet_held') AS held, count(*) FILTER (WHERE j.kind = 'captured') AS taken,
			count(*) FILTER (WHERE j.kind = 'wallet_held_reversed') AS freed
		FROM causes c JOIN journals j ON j.no = c.journal
		WHERE c.book = p.book AND c.cause IN (p.id || ':wh1', p.id || ':wh2', p.id || ':wh3') OFFSET 0) j
	WHERE p.wallet > 0 AND ` + moved + ` AND CASE WHEN p.wallet <> t.amount OR t.captured NOT IN (0, t.amount)
		OR j.held <> 1 OR j.taken <> (t.captured > 0)::int
		OR j.freed <> (p.status IN ('succeeded', 'failed', 'canceled', 'expired') AND t.captured = 0)::int THEN ` + here + ` END`

const sqlForeignWallets = `
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM journals j JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	JOIN payments p ON p.book = j.book AND p.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND j.cause LIKE 'pay\_%' AND a.code LIKE 'user/%' AND split_part(a.code, '/', 2) IS DISTINCT FROM p.customer_id
	UNION ALL
	SELECT format('journal %s (%s) moves %s', j.no, j.cause, a.code)
	FROM journals j JOIN entries e ON e.journal = j.no JOIN accounts a ON a.no = e.account
	JOIN refunds r ON r.book = j.book AND r.id = split_part(j.cause, ':', 1)
	JOIN payments p ON p.book = r.book AND p.id = r.payment_id
	WHERE j.no >= @since AND j.cause LIKE 'rfd\_%' AND a.code LIKE 'user/%' AND split_part(a.code, '/', 2) IS DISTINCT FROM p.customer_id`
