package audit

var userChecks = []invariant{
	{"I-23", "a user's events count from one to its sequence, and each is an act", sqlUserSequences, true},
	{"I-25", "a user, who brought them, their events, sessions and credentials are one merchant's", sqlUserMerchants, true},
	{"I-26", "of an erased user nothing personal is left", sqlErased, true},
}

const sqlUserSequences = `
	SELECT format('%s: at %s, %s events up to %s, %s acts', u.id, u.sequence, coalesce(e.n, 0), coalesce(e.last, 0), coalesce(a.n, 0))
	FROM users u
	LEFT JOIN (SELECT book, object_id, count(*) AS n, max(sequence) AS last FROM events WHERE object_type = 'user' GROUP BY book, object_id) e
		ON e.book = u.book AND e.object_id = u.id
	LEFT JOIN (SELECT book, user_id, count(*) AS n FROM user_acts GROUP BY book, user_id) a ON a.book = u.book AND a.user_id = u.id
	WHERE u.sequence <> coalesce(e.n, 0) OR u.sequence <> coalesce(e.last, 0) OR u.sequence <> coalesce(a.n, 0)`

const sqlUserMerchants = `
	SELECT format('%s of %s was brought by %s of %s', u.id, u.merchant_id, u.referrer_id, coalesce(r.merchant_id, 'nobody'))
	FROM users u LEFT JOIN users r ON r.book = u.book AND r.id = u.referrer_id
	WHERE u.referrer_id IS NOT NULL AND r.merchant_id IS DISTINCT FROM u.merchant_id
	UNION ALL
	SELECT format('%s of %s names %s', e.id, e.object_id, e.merchant_id)
	FROM events e LEFT JOIN users u ON u.book = e.book AND u.id = e.object_id
	WHERE e.object_type = 'user' AND u.merchant_id IS DISTINCT FROM e.merchant_id
	UNION ALL
	SELECT format('session %s of %s is of %s', s.id, s.user_id, s.merchant_id)
	FROM user_sessions s LEFT JOIN users u ON u.book = s.book AND u.id = s.user_id
	WHERE u.merchant_id IS DISTINCT FROM s.merchant_id
	UNION ALL
	SELECT format('credentials of %s are of %s', c.user_id, c.merchant_id)
	FROM user_credentials c LEFT JOIN users u ON u.book = c.book AND u.id = c.user_id
	WHERE u.merchant_id IS DISTINCT FROM c.merchant_id`

const sqlErased = `
	SELECT format('%s: %s', u.id, x.kind)
	FROM users u JOIN (
		SELECT book, user_id, 'details' AS kind FROM user_details
		UNION ALL SELECT book, user_id, 'profile' FROM user_profiles
		UNION ALL SELECT book, user_id, 'credentials' FROM user_credentials
		UNION ALL SELECT p.book, p.customer_id, 'secrets of ' || p.id FROM payments p JOIN payment_details d ON d.book = p.book AND d.payment_id = p.id
			WHERE p.customer_id IN (SELECT id FROM users WHERE status = 'erased') AND p.status IN ('succeeded', 'failed', 'canceled', 'expired')
		UNION ALL SELECT p.book, p.customer_id, 'request of ' || p.id FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id
			WHERE p.customer_id IN (SELECT id FROM users WHERE status = 'erased') AND p.status IN ('succeeded', 'failed', 'canceled', 'expired')
				AND a.request_erased_at IS NULL
		UNION ALL SELECT p.book, p.user_id, 'destination of ' || p.id FROM payouts p JOIN payout_details d ON d.book = p.book AND d.payout_id = p.id
			WHERE p.user_id IN (SELECT id FROM users WHERE status = 'erased') AND p.status IN ('succeeded', 'failed')
		UNION ALL SELECT book, user_id, 'open session' FROM user_sessions WHERE ended_at IS NULL
		UNION ALL SELECT book, user_id, 'destination' FROM user_destinations WHERE destination_sealed IS NOT NULL) x
		ON x.book = u.book AND x.user_id = u.id
	WHERE u.status = 'erased'
	UNION ALL
	SELECT format('%s: reference or metadata', id) FROM users WHERE status = 'erased' AND (reference IS NOT NULL OR metadata <> '{}')`
