package audit

var transferChecks = []invariant{
	{"I-16", "a transfer moved its amount once from sender to recipient, or nothing, as its status says", sqlTransferJournals, false},
	{"I-16", "each journal of a transfer has its transfer", sqlTransferOfJournal, false},
	{"I-19", "each acknowledged transfer is there, under one key (I-20)", sqlTransfersAcknowledged, true},
	{"I-23", "a transfer's events are its merchant's, and count from one to its sequence", sqlTransferEvents, true},
	{"I-25", "a transfer is between two users of its merchant", sqlTransferReferences, false},
}

const movedTransfer = `(@since_at::timestamptz IS NULL OR t.updated_at >= @since_at)`

const transferCause = `c.book = t.book AND c.cause = t.id || ':tf1'`

const sqlTransferJournals = `
	SELECT format('%s is %s: %s journals, %s from the sender, %s to the recipient, of %s', t.id, t.status, coalesce(x.n, 0), x.taken, x.given, t.amount)
	FROM transfers t LEFT JOIN LATERAL (
		SELECT count(DISTINCT c.journal) AS n, sum(e.amount) FILTER (WHERE a.code = 'user/' || t.from_user || '/wallet') AS taken,
			-sum(e.amount) FILTER (WHERE a.code = 'user/' || t.to_user || '/wallet') AS given, bool_or(detached(c.journal)) AS away
		FROM causes c JOIN entries e ON e.journal = c.journal JOIN accounts a ON a.no = e.account
		WHERE ` + transferCause + ` AND c.journal IS NOT NULL) x ON true
	WHERE ` + movedTransfer + ` AND NOT coalesce(x.away, false) AND (coalesce(x.n, 0) <> (t.status = 'succeeded')::int
		OR t.status = 'succeeded' AND (x.taken IS DISTINCT FROM t.amount OR x.given IS DISTINCT FROM t.amount))`

// What goes into a campaign's budget bears a transfer's id, and is the campaign's.
const sqlTransferOfJournal = `
	SELECT format('journal %s (%s)', j.no, j.cause)
	FROM journals j LEFT JOIN transfers t ON t.book = j.book AND t.id = split_part(j.cause, ':', 1) AND t.status = 'succeeded'
	WHERE j.no >= @since AND (j.cause LIKE 'trf\_%:tf%' AND j.kind <> 'budget_funded' OR j.kind = 'transferred') AND t.id IS NULL`

const sqlTransferReferences = `
	SELECT format('%s from %s to %s', t.id, t.from_user, t.to_user)
	FROM transfers t LEFT JOIN users f ON f.book = t.book AND f.id = t.from_user LEFT JOIN users o ON o.book = t.book AND o.id = t.to_user
	WHERE ` + movedTransfer + ` AND (f.merchant_id IS DISTINCT FROM t.merchant_id OR o.merchant_id IS DISTINCT FROM t.merchant_id)`

const sqlTransfersAcknowledged = `
	SELECT format('%s: %s', i.operation, i.object)
	FROM (SELECT book, object, min(operation) AS operation, min(merchant_id) AS merchant_id, count(*) AS n FROM idempotency
		WHERE object LIKE 'trf\_%' GROUP BY book, object) i
	LEFT JOIN transfers t ON t.book = i.book AND t.id = i.object AND i.merchant_id IN (t.merchant_id, t.from_user)
	WHERE t.id IS NULL AND NOT EXISTS (SELECT FROM campaign_fundings f WHERE f.book = i.book AND f.id = i.object) OR i.n > 1`

const sqlTransferEvents = `
	SELECT format('%s: at %s, its %s events up to %s', coalesce(t.id, e.object_id), t.sequence, coalesce(e.n, 0), coalesce(e.last, 0))
	FROM transfers t FULL JOIN (
		SELECT book, object_id, count(*) AS n, max(sequence) AS last, min(merchant_id) AS merchant_id, max(merchant_id) AS other
		FROM events WHERE object_type = 'transfer' GROUP BY book, object_id) e ON e.book = t.book AND e.object_id = t.id
	WHERE e.n IS DISTINCT FROM t.sequence OR e.last IS DISTINCT FROM t.sequence OR e.merchant_id IS DISTINCT FROM t.merchant_id
		OR e.other IS DISTINCT FROM t.merchant_id`
