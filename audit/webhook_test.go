package audit_test

import "maps"

// anEndpoint is one that hears everything since yesterday, of the merchant whose payments stand in the book.
const anEndpoint = `INSERT INTO webhook_endpoints (book, id, merchant_id, url, api_version, schedule, status, hears_since, created_at, updated_at, changed_by)
	SELECT book, 'whk_1', merchant_id, 'https://shop.example', '1', '{}', 'enabled', now() - interval '1 day', now(), now(), 'x' FROM payments LIMIT 1;
	UPDATE events SET merchant_id = NULL WHERE merchant_id = '';`

// aDelivery is of the first event of a payment, to that endpoint.
const aDelivery = anEndpoint + `INSERT INTO deliveries (book, event_id, endpoint_id, merchant_id, type, object_type, object_id, sequence, api_version, status, next_at, created_at)
	SELECT e.book, e.id, 'whk_1', w.merchant_id, e.type, e.object_type, e.object_id, e.sequence, '1', 'pending', now() - interval '1 day', now()
	FROM events e JOIN webhook_endpoints w ON w.merchant_id = e.merchant_id WHERE e.object_type = 'payment' AND e.sequence = 1 LIMIT 1;`

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"an event that nobody was told of": {"I-23", anEndpoint + `UPDATE events SET delivered_at = now()`},
		"a delivery that nobody tries":     {"I-23", aDelivery},
		"an endpoint's event lost":         {"I-23", anEndpoint + `UPDATE webhook_endpoints SET sequence = 3`},
		"told to another merchant":         {"I-25", aDelivery + `UPDATE webhook_endpoints SET merchant_id = 'mer_other'; UPDATE deliveries SET merchant_id = 'mer_other'`},
		"told of an event that isn't":      {"I-25", aDelivery + `UPDATE deliveries SET event_id = 'evt_1'`},
		"a secret that signs in clear": {"I-26", anEndpoint + `INSERT INTO webhook_secrets (book, endpoint_id, secret_sealed, created_at)
			SELECT book, id, convert_to('whsec_in_clear_and_more_than_thirty_bytes', 'UTF8'), now() FROM webhook_endpoints`},
	})
}
