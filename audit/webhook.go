package audit

var webhookChecks = []invariant{
	{"I-23", "what has left was told, or is being told, to each endpoint that asked for it", sqlTold, true},
	{"I-23", "a delivery that is due is tried", sqlTried, false},
	{"I-23", "an endpoint's events count up to its sequence", sqlEndpointSequences, true},
	{"I-25", "an endpoint hears its merchant's events, and those of merchants below if it asked for them", sqlHeard, true},
	{"I-26", "secrets that sign, and bodies, are sealed", sqlWebhooksSealed, true},
}

// An endpoint that was changed is read a moment before or after an event: the first minute judges nobody.
const sqlTold = `
	SELECT format('%s %s: not told to %s', e.id, e.type, w.id)
	FROM webhook_endpoints w
	JOIN events e ON e.book = w.book AND e.delivered_at IS NOT NULL AND e.created_at > w.hears_since + interval '1 minute'
	LEFT JOIN merchants m ON m.book = e.book AND m.id = e.merchant_id
	LEFT JOIN deliveries d ON d.book = e.book AND d.event_id = e.id AND d.endpoint_id = w.id
	WHERE w.deleted_at IS NULL AND w.status <> 'disabled' AND d.event_id IS NULL
		AND (e.merchant_id = w.merchant_id OR (w.include_children AND m.parent_id = w.merchant_id))
		AND CASE WHEN e.object_id = w.id OR e.type = 'endpoint.ping' THEN e.object_id = w.id AND e.type = 'endpoint.ping'
			ELSE w.events = '{}' OR e.type = ANY(w.events) OR split_part(e.type, '.', 1) || '.*' = ANY(w.events) END`

const sqlTried = `
	SELECT format('%s to %s is due since %s', d.event_id, d.endpoint_id, coalesce(d.start_due_at, d.next_at))
	FROM deliveries d
	WHERE d.status = 'pending' AND @undelivered::float8 >= 0
		AND coalesce(d.start_due_at, d.next_at, d.created_at) < now() - make_interval(secs => @undelivered) - interval '1 hour'`

const sqlEndpointSequences = `
	SELECT format('%s: at %s, its events at %s', w.id, w.sequence, coalesce(e.last, 0))
	FROM webhook_endpoints w
	LEFT JOIN (SELECT book, object_id, max(sequence) AS last FROM events WHERE object_type = 'webhook_endpoint' GROUP BY book, object_id) e
		ON e.book = w.book AND e.object_id = w.id
	WHERE w.sequence <> coalesce(e.last, 0)`

const sqlHeard = `
	SELECT format('%s to %s', d.event_id, d.endpoint_id)
	FROM deliveries d
	LEFT JOIN events e ON e.book = d.book AND e.object_id = d.object_id AND e.sequence = d.sequence AND e.id = d.event_id AND e.type = d.type
	LEFT JOIN merchants m ON m.book = e.book AND m.id = e.merchant_id
	LEFT JOIN webhook_endpoints w ON w.book = d.book AND w.id = d.endpoint_id AND w.merchant_id = d.merchant_id
	WHERE e.id IS NULL OR w.id IS NULL OR (e.merchant_id IS DISTINCT FROM w.merchant_id AND m.parent_id IS DISTINCT FROM w.merchant_id)`

const sqlWebhooksSealed = `
	SELECT format('%s %s', s.kind, s.id)
	FROM (
		SELECT 'secret of endpoint' AS kind, endpoint_id AS id, secret_sealed AS sealed FROM webhook_secrets
		UNION ALL SELECT 'body of event', event_id, body_sealed FROM event_bodies) s
	WHERE length(s.sealed) < 30 OR get_byte(s.sealed, 0) NOT IN (1, 2) OR get_byte(s.sealed, 1) = 0`
