package audit

var rebateChecks = []invariant{
	{"I-22", "each rebate is accrued once, and paid or released once, as its status says", sqlRebateJournals, false},
	{"I-22", "each journal of a rebate has its rebate", sqlRebateOfJournal, false},
	{"I-22", "paid + open + clawed back + released = accrued", sqlRebateSums, false},
	{"I-22", "what is pending for a user is the sum of their open rebates", sqlRebatePending, false},
	{"I-22", "what a user owes of rebates is the sum of what their rebates say, and so is what their campaigns wait for", sqlRebateDebt, false},
	{"I-22", "a campaign's budget is what it was funded with, less what stands promised and paid of it", sqlRebateBudget, false},
	{"I-22", "what can be settled, and what is owed, is listed, and nothing else", sqlRebateLists, false},
	{"I-22", "a settlement's lines are what its rebates say", sqlSettlementLines, false},
	{"I-22", "what a re-rating has changed is what its orders' corrections say", sqlReratingLines, false},
	{"I-25", "a rebate is of an order and a user of its merchant", sqlRebateReferences, false},
}

const movedRebate = `(@since_at::timestamptz IS NULL OR r.updated_at >= @since_at)`

// ofRebates are the journals of rebates, as ofRefunds are those of refunds.
const ofRebates = `(
	SELECT j.book, split_part(j.cause, ':', 1) AS id, j.no, j.kind
	FROM journals j WHERE @since_at::timestamptz IS NULL AND j.cause LIKE 'reb\_%'
	UNION ALL
	SELECT r.book, r.id, j.no, j.kind FROM rebates r
	CROSS JOIN LATERAL (SELECT cause, journal FROM causes c WHERE ` + ofRebate + ` AND c.journal IS NOT NULL OFFSET 0) c
	CROSS JOIN LATERAL (SELECT no, kind FROM journals WHERE no = c.journal OFFSET 0) j
	WHERE r.updated_at >= @since_at)`

const ofRebate = `c.book = r.book AND c.cause >= r.id || ':' AND c.cause < r.id || ';'`

const rebateHere = `NOT coalesce((SELECT bool_or(detached(c.journal)) FROM causes c WHERE ` + ofRebate + `), false)`

// Each kind's sum is what went through the user's side of its journals, on the side that the row counts. A correction's journal is net of what
// it leaves taken back: retaken says by how much both sums differ from the row's.
const sqlRebateJournals = `
	SELECT format('%s is %s: accrued %s of %s, settled %s in %s of %s, released %s in %s of %s, taken %s of %s', r.id, r.status,
		coalesce(t.accrued, 0), r.accrued, coalesce(t.settled, 0), coalesce(t.pays, 0), r.settled, coalesce(t.released, 0),
		coalesce(t.releases, 0), r.released, coalesce(t.taken, 0), r.from_pending + r.from_wallet + r.debt)
	FROM rebates r LEFT JOIN (
		SELECT t.book, t.id, count(*) FILTER (WHERE t.kind = 'rebate_accrued') AS accruals,
			sum(CASE WHEN t.kind IN ('rebate_accrued', 'rebate_corrected') THEN -e.pending END) AS accrued,
			count(*) FILTER (WHERE t.kind = 'rebate_settled') AS pays,
			sum(e.pending) FILTER (WHERE t.kind = 'rebate_settled') AS settled,
			count(*) FILTER (WHERE t.kind = 'rebate_released') AS releases,
			sum(e.pending) FILTER (WHERE t.kind = 'rebate_released') AS released,
			sum(e.pending + e.wallet + e.debt) FILTER (WHERE t.kind IN ('rebate_clawed_back', 'rebate_restored')) AS taken
		FROM ` + ofRebates + ` t
		CROSS JOIN LATERAL (
			SELECT coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'user/%/rebate\_pending'), 0) AS pending,
				coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'user/%/wallet'), 0) AS wallet,
				coalesce(sum(e.amount) FILTER (WHERE a.code LIKE 'user/%/rebate\_debt'), 0) AS debt
			FROM entries e CROSS JOIN LATERAL (SELECT code FROM accounts WHERE no = e.account OFFSET 0) a WHERE e.journal = t.no) e
		GROUP BY t.book, t.id) t ON t.book = r.book AND t.id = r.id
	WHERE ` + movedRebate + ` AND CASE WHEN coalesce(t.accruals, 0) <> 1 OR coalesce(t.accrued, 0) + r.retaken <> r.accrued
		OR coalesce(t.pays, 0) <> (r.status = 'settled')::int OR coalesce(t.releases, 0) <> (r.status = 'released')::int
		OR coalesce(t.released, 0) <> r.released
		OR coalesce(t.settled, 0) > r.settled
		OR coalesce(t.taken, 0) + r.retaken <> r.from_pending + r.from_wallet + r.debt THEN ` + rebateHere + ` END`

const sqlRebateOfJournal = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN rebates r ON r.book = j.book AND r.id = split_part(j.cause, ':', 1)
	WHERE j.no >= @since AND (j.cause LIKE 'reb\_%' OR j.kind LIKE 'rebate\_%') AND r.id IS NULL`

const sqlRebateSums = `
	SELECT format('%s is %s: accrued %s, settled %s, released %s, from pending %s, from wallet %s, debt %s', r.id, r.status, r.accrued,
		r.settled, r.released, r.from_pending, r.from_wallet, r.debt)
	FROM rebates r
	WHERE ` + movedRebate + ` AND r.accrued <> (r.settled - r.from_wallet - r.debt) + (r.from_pending + r.from_wallet + r.debt) + r.released
		+ CASE r.status WHEN 'pending' THEN r.accrued - r.from_pending ELSE 0 END`

const sqlRebatePending = `
	SELECT format('%s %s %s: account %s, rebates %s', coalesce(a.book, s.book), coalesce(a.owner, s.beneficiary),
		coalesce(a.currency, s.currency), -coalesce(a.balance, 0), coalesce(s.open, 0))
	FROM (SELECT book, owner, currency, balance FROM accounts WHERE code LIKE 'user/%/rebate\_pending') a
	FULL JOIN (SELECT book, beneficiary, currency, sum(accrued - from_pending) AS open FROM rebates WHERE status = 'pending'
		GROUP BY book, beneficiary, currency) s ON s.book = a.book AND s.beneficiary = a.owner AND s.currency = a.currency
	WHERE -coalesce(a.balance, 0) <> coalesce(s.open, 0)`

const sqlRebateDebt = `
	SELECT format('%s %s %s: account %s, rebates %s', coalesce(a.book, s.book), coalesce(a.owner, s.owner),
		coalesce(a.currency, s.currency), coalesce(a.amount, 0), coalesce(s.debt, 0))
	FROM (SELECT book, owner, currency, CASE normal WHEN 'debit' THEN balance ELSE -balance END AS amount
		FROM accounts WHERE code LIKE 'user/%/rebate\_debt' OR code LIKE 'campaign/%/recoverable') a
	FULL JOIN (
		SELECT book, beneficiary AS owner, currency, sum(debt) AS debt FROM rebates GROUP BY book, beneficiary, currency
		UNION ALL SELECT book, campaign_id, currency, sum(debt) FROM rebates GROUP BY book, campaign_id, currency) s
		ON s.book = a.book AND s.owner = a.owner AND s.currency = a.currency
	WHERE coalesce(a.amount, 0) <> coalesce(s.debt, 0)`

const sqlRebateBudget = `
	SELECT format('%s %s %s: account %s, funded %s, promised and paid %s', a.book, a.owner, a.currency, -a.balance, coalesce(f.funded, 0),
		coalesce(s.out, 0))
	FROM (SELECT no, book, owner, currency, balance FROM accounts WHERE code LIKE 'campaign/%/budget') a
	LEFT JOIN LATERAL (SELECT -sum(e.amount) AS funded, bool_or(j.no IS NULL) AS away FROM entries e LEFT JOIN journals j ON j.no = e.journal
		WHERE e.account = a.no AND coalesce(j.kind, '') = 'budget_funded') f ON true
	LEFT JOIN (SELECT book, campaign_id, currency, sum(accrued - released - from_pending - from_wallet) AS out FROM rebates
		GROUP BY book, campaign_id, currency) s ON s.book = a.book AND s.campaign_id = a.owner AND s.currency = a.currency
	WHERE -a.balance <> coalesce(f.funded, 0) - coalesce(s.out, 0) AND NOT EXISTS (SELECT FROM months WHERE attached_at IS NULL)`

const sqlRebateLists = `
	SELECT format('%s: listed as open %s, open %s', coalesce(r.id, o.rebate_id), o.rebate_id IS NOT NULL, r.accrued - r.from_pending)
	FROM (SELECT * FROM rebates WHERE status = 'pending' AND accrued > from_pending) r
	FULL JOIN rebates_open o ON o.book = r.book AND o.rebate_id = r.id
	WHERE r.id IS NULL OR o.rebate_id IS NULL OR o.campaign_id <> r.campaign_id OR o.beneficiary <> r.beneficiary OR o.vests_on <> r.vests_on
	UNION ALL
	SELECT format('%s: listed as owed %s, owed %s', coalesce(r.id, o.rebate_id), o.rebate_id IS NOT NULL, r.debt)
	FROM (SELECT * FROM rebates WHERE debt > 0) r
	FULL JOIN rebate_debts o ON o.book = r.book AND o.rebate_id = r.id
	WHERE r.id IS NULL OR o.rebate_id IS NULL OR o.beneficiary <> r.beneficiary`

// What is restored after it was settled adds to what was paid, and not to the settlement.
const sqlSettlementLines = `
	SELECT format('%s: lines of %s rebates, %s of them say so', coalesce(l.settlement_id, r.run_id), coalesce(l.rebates, 0), coalesce(r.rebates, 0))
	FROM (SELECT book, settlement_id, sum(rebates) AS rebates, sum(paid) AS paid, sum(released) AS released FROM settlement_lines
		GROUP BY book, settlement_id) l
	FULL JOIN (SELECT book, run_id, count(*) AS rebates, sum(settled) AS settled, sum(released) AS released FROM rebates
		WHERE run_id IS NOT NULL GROUP BY book, run_id) r ON r.book = l.book AND r.run_id = l.settlement_id
	WHERE coalesce(l.rebates, 0) <> coalesce(r.rebates, 0) OR coalesce(l.paid, 0) > coalesce(r.settled, 0)
		OR coalesce(l.released, 0) <> coalesce(r.released, 0)`

const sqlRebateReferences = `
	SELECT format('%s of %s for %s', r.id, r.order_id, r.beneficiary)
	FROM rebates r LEFT JOIN orders o ON o.book = r.book AND o.id = r.order_id
	LEFT JOIN users u ON u.book = r.book AND u.id = r.beneficiary
	WHERE ` + movedRebate + ` AND (o.merchant_id IS DISTINCT FROM r.merchant_id OR o.currency IS DISTINCT FROM r.currency
		OR u.merchant_id IS DISTINCT FROM r.merchant_id)`

// A line stands with its cause, and each promise that was rated more than once has been in a line of its campaign.
const sqlReratingLines = `
	SELECT format('%s of %s: no Step', l.cause, l.rerating_id)
	FROM rerating_lines l LEFT JOIN causes c ON c.book = l.book AND c.cause = l.cause
	WHERE c.cause IS NULL OR l.cause NOT LIKE l.order_id || ':ra%'
	UNION ALL
	SELECT format('%s was rated %s times, and no re-rating says so', r.id, r.rated)
	FROM rebates r WHERE ` + movedRebate + ` AND r.rated > 1 AND NOT EXISTS (SELECT FROM rerating_lines l JOIN reratings t ON t.book = l.book
		AND t.id = l.rerating_id WHERE l.book = r.book AND l.order_id = r.order_id AND t.campaign_id = r.campaign_id)`
