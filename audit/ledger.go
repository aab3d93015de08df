package audit

import "slices"

// checks are all that SQL can judge so far.
var checks = slices.Concat(rebateChecks, ledgerChecks, chainChecks, paymentChecks, captureChecks, partChecks, refundChecks, payoutChecks, topUpChecks, ownChecks, disputeChecks, transferChecks, campaignChecks, webhookChecks, caseChecks, userChecks, statementChecks)

var ledgerChecks = []invariant{
	{"I-01", "every journal is whole, in one book and currency, and sums to zero", sqlJournalsBalance, false},
	{"I-01", "every entry belongs to a journal", sqlEntriesBelong, true},
	{"I-02", "each book sums to zero per currency, memo accounts apart", sqlBooksBalance, false},
	{"I-03", "each entry's balance follows from the one before it", sqlBalancesFollow, false},
	{"I-03", "an entry tells the balance unless its account was hot", sqlBalancesTold, false},
	{"I-03", "an account's balance is that of its last entry", sqlBalanceIsLast, false},
	{"I-03", "an account's balance is the sum of its entries", sqlBalanceIsSum, true},
	{"I-03", "a hot account's folds are the sums of its entries", sqlFolds, false},
	{"I-03", "entries dated far from their booking, and no others, can be found by their date", sqlDisplaced, false},
	{"I-05", "each journal has one cause, and each cause at most one journal", sqlOneCause, false},
	{"I-05", "each cause that names a journal has it", sqlCauseHasJournal, true},
	{"I-06", "no account is, or ever was, below its floor", sqlFloors, false},
	{"I-06", "a closed account is empty, and nothing came after its closing", sqlClosedAccounts, false},
	{"I-07", "a reversal is equal and opposite, and happens once", sqlReversals, false},
}

// balances are all accounts with what they hold: a hot one's is its last fold and what came since.
const balances = `
	SELECT a.no, a.book, a.currency, a.code, a.kind, a.normal, a.hot, a.floor, a.closed_at, CASE WHEN a.hot THEN coalesce(f.balance, 0) + coalesce(
		(SELECT sum(e.amount) FROM entries e WHERE e.account = a.no AND e.journal >= coalesce(f.upto, 0)), 0) ELSE a.balance END AS balance
	FROM accounts a LEFT JOIN LATERAL (
		SELECT balance, upto FROM folds WHERE a.hot AND account = a.no ORDER BY upto DESC LIMIT 1) f ON true`

const sqlJournalsBalance = `
	SELECT format('journal %s (%s): sum %s, %s of %s legs', j.no, j.cause, coalesce(e.total, 0), coalesce(e.legs, 0), j.legs)
	FROM journals j LEFT JOIN (
		SELECT e.journal, sum(e.amount) AS total, count(*) AS legs, count(a.no) AS known, min(a.currency) AS currency,
			max(a.currency) AS other_currency, min(a.book) AS book, max(a.book) AS other_book
		FROM entries e LEFT JOIN accounts a ON a.no = e.account WHERE e.journal >= @since GROUP BY e.journal) e ON e.journal = j.no
	WHERE j.no >= @since AND (e.journal IS NULL OR e.total <> 0 OR e.legs <> j.legs OR e.known <> j.legs
		OR e.currency <> e.other_currency OR e.book <> j.book OR e.other_book <> j.book)`

const sqlEntriesBelong = `
	SELECT format('entry %s/%s', e.journal, e.leg) FROM entries e
	WHERE NOT EXISTS (SELECT FROM journals j WHERE j.no = e.journal)`

const sqlBooksBalance = `
	SELECT format('%s %s%s: %s', b.book, b.currency, CASE WHEN b.kind = 'memo' THEN ' memo' ELSE '' END, sum(b.balance))
	FROM (` + balances + `) b
	GROUP BY b.book, b.currency, b.kind = 'memo', CASE WHEN b.kind = 'memo' THEN ' memo' ELSE '' END HAVING sum(b.balance) <> 0`

// away is what each account did in months that are kept elsewhere.
const away = `month_balances b JOIN months m ON m.month = b.month AND m.attached_at IS NULL`

// inAway begins the question whether a number is of a month that is kept elsewhere. Those months are read once, not for each row.
const inAway = `coalesce((SELECT range_agg(int8range(low, high)) FROM months WHERE attached_at IS NULL) @> `

// told are the entries that tell a balance, and for months that are kept elsewhere what each account had at their end.
const told = `
	SELECT account, journal, leg, amount, balance_after FROM entries WHERE balance_after IS NOT NULL
	UNION ALL SELECT b.account, b.last, 0, b.total, b.balance FROM ` + away + ` WHERE b.balance IS NOT NULL`

// Only an account's first entry asks for the one before it.
const sqlBalancesFollow = `
	SELECT format('entry %s/%s of account %s: %s after %s', e.journal, e.leg, e.account, e.balance_after, e.before)
	FROM (
		SELECT t.account, t.journal, t.leg, t.amount, t.balance_after, CASE WHEN t.nth > 1 THEN t.before ELSE coalesce((
			SELECT b.balance_after FROM (
				(SELECT balance_after, journal FROM entries WHERE account = t.account AND journal < @since ORDER BY journal DESC LIMIT 1)
				UNION ALL (SELECT b.balance, b.last FROM ` + away + ` WHERE b.account = t.account AND b.last < @since ORDER BY b.last DESC LIMIT 1)) b
			ORDER BY b.journal DESC LIMIT 1), 0) END AS before
		FROM (SELECT account, journal, leg, amount, balance_after, lag(balance_after) OVER w AS before, row_number() OVER w AS nth
			FROM (` + told + `) t WHERE journal >= @since WINDOW w AS (PARTITION BY account ORDER BY journal)) t) e
	WHERE e.balance_after <> e.before + e.amount`

// The first fold of an account that was made hot later stands at that moment.
const sqlBalancesTold = `
	SELECT format('entry %s/%s of account %s: balance %s', e.journal, e.leg, e.account, e.balance_after)
	FROM entries e JOIN accounts a ON a.no = e.account
	WHERE e.journal >= @since AND (e.balance_after IS NULL) <> (a.hot AND e.journal >= coalesce(
		(SELECT min(upto) FROM folds WHERE account = a.no), 0))`

const sqlBalanceIsLast = `
	SELECT format('account %s (%s): %s after journal %s, its last entry says %s after %s', a.no, a.code, a.balance, a.last,
		coalesce(e.balance_after, 0), coalesce(e.journal, 0))
	FROM accounts a LEFT JOIN LATERAL (SELECT * FROM (
		(SELECT balance_after, journal FROM entries WHERE account = a.no ORDER BY journal DESC LIMIT 1)
		UNION ALL (SELECT b.balance, b.last FROM ` + away + ` WHERE b.account = a.no ORDER BY b.last DESC LIMIT 1)) t
		ORDER BY journal DESC LIMIT 1) e ON true
	WHERE NOT a.hot AND (a.balance <> coalesce(e.balance_after, 0) OR a.last <> coalesce(e.journal, 0))`

const sqlBalanceIsSum = `
	SELECT format('account %s (%s): %s, its entries sum to %s', b.no, b.code, b.balance, coalesce(e.total, 0))
	FROM (` + balances + `) b LEFT JOIN (
		SELECT account, sum(total) AS total FROM (
			SELECT account, sum(amount) AS total FROM entries GROUP BY account UNION ALL SELECT b.account, b.total FROM ` + away + `) t
		GROUP BY account) e ON e.account = b.no
	WHERE b.balance <> coalesce(e.total, 0)`

// An account has folds at both ends of a month that is kept elsewhere: between those its total stands for its entries, and
// the folds within can't be judged. The first fold counts no entries.
const sqlFolds = `
	SELECT format('account %s up to %s: %s in %s entries, not %s in %s', f.account, f.upto, f.balance, f.entries, f.before + s.total, f.behind + s.n)
	FROM (
		SELECT f.account, f.upto, f.balance, f.entries, lag(f.balance, 1, 0::bigint) OVER w AS before, lag(f.entries) OVER w AS behind,
			lag(f.upto, 1, 0::bigint) OVER w AS after
		FROM folds f LEFT JOIN months m ON m.attached_at IS NULL AND f.upto > m.low AND f.upto < m.high
		WHERE m.month IS NULL WINDOW w AS (PARTITION BY f.account ORDER BY f.upto)) f
	CROSS JOIN LATERAL (
		SELECT coalesce(sum(t.total), 0) AS total, coalesce(sum(t.n), 0) AS n FROM (
			SELECT sum(amount) AS total, count(*) AS n FROM entries e WHERE e.account = f.account AND e.journal >= f.after AND e.journal < f.upto
			UNION ALL SELECT b.total, b.entries FROM ` + away + ` WHERE b.account = f.account AND b.last >= f.after AND b.last < f.upto) t) s
	WHERE f.upto > @since AND (f.balance <> f.before + s.total OR f.entries <> f.behind + s.n)`

const sqlDisplaced = `
	SELECT format('entry %s/%s of account %s is dated %s and not found by it', e.journal, e.leg, e.account, j.effective_at)
	FROM journals j JOIN entries e ON e.journal = j.no
	WHERE j.no >= @since AND j.effective_at NOT BETWEEN booked_at(j.no) - interval '1 minute' AND booked_at(j.no)
		AND NOT EXISTS (SELECT FROM displaced d
			WHERE d.account = e.account AND d.effective_at = j.effective_at AND d.journal = e.journal AND d.amount = e.amount)
	UNION ALL
	SELECT format('journal %s of account %s can be found by %s', d.journal, d.account, d.effective_at)
	FROM displaced d LEFT JOIN journals j ON j.no = d.journal LEFT JOIN entries e ON e.journal = d.journal AND e.account = d.account
	WHERE d.journal >= @since AND NOT ` + inAway + `d.journal, false) AND (j.effective_at IS DISTINCT FROM d.effective_at OR e.amount IS DISTINCT FROM d.amount
		OR (j.effective_at > booked_at(j.no) - interval '1 minute' AND j.effective_at <= booked_at(j.no)))`

const sqlOneCause = `
	SELECT format('journal %s: cause %s', j.no, j.cause)
	FROM journals j LEFT JOIN causes c ON c.book = j.book AND c.cause = j.cause
	WHERE j.no >= @since AND c.journal IS DISTINCT FROM j.no`

const sqlCauseHasJournal = `
	SELECT format('cause %s: journal %s', c.cause, c.journal)
	FROM causes c LEFT JOIN journals j ON j.no = c.journal AND j.book = c.book AND j.cause = c.cause
	WHERE c.journal IS NOT NULL AND j.no IS NULL AND NOT ` + inAway + `c.journal, false)`

const sqlFloors = `
	SELECT format('account %s (%s): %s below %s', no, code, balance, floor)
	FROM accounts WHERE floor IS NOT NULL AND CASE normal WHEN 'debit' THEN balance ELSE -balance END < floor
	UNION ALL
	SELECT format('account %s (%s): %s below %s after journal %s', a.no, a.code, e.balance_after, a.floor, e.journal)
	FROM entries e JOIN accounts a ON a.no = e.account
	WHERE e.journal >= @since AND a.floor IS NOT NULL AND CASE a.normal WHEN 'debit' THEN e.balance_after ELSE -e.balance_after END < a.floor`

// closed_at is the time under the lock that keeps batches out, and not before any number that was booked until then.
const sqlClosedAccounts = `
	SELECT format('account %s (%s): %s', b.no, b.code, b.balance) FROM (` + balances + `) b WHERE b.closed_at IS NOT NULL AND b.balance <> 0
	UNION ALL
	SELECT format('account %s (%s) closed at %s: journal %s', a.no, a.code, a.closed_at, e.journal)
	FROM accounts a JOIN LATERAL (SELECT journal FROM entries WHERE a.closed_at IS NOT NULL AND account = a.no ORDER BY journal DESC LIMIT 1) e ON true
	WHERE booked_at(e.journal) > a.closed_at`

const sqlReversals = `
	SELECT format('journal %s reverses %s', r.no, r.reverses)
	FROM journals r LEFT JOIN journals o ON o.no = r.reverses LEFT JOIN causes c ON c.book = r.book AND c.cause = r.cause
	WHERE r.no >= @since AND (c.reverses IS DISTINCT FROM r.reverses OR r.reverses IS NOT NULL AND (
		CASE WHEN o.no IS NULL THEN NOT ` + inAway + `r.reverses, false) ELSE o.book <> r.book OR o.legs <> r.legs
		OR EXISTS (SELECT account, -amount FROM entries WHERE journal = r.no EXCEPT SELECT account, amount FROM entries WHERE journal = o.no) END))
	UNION ALL
	SELECT format('journal %s is reversed %s times', reverses, count(*))
	FROM causes WHERE reverses IS NOT NULL GROUP BY reverses HAVING count(*) > 1`
