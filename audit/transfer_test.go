package audit_test

import "maps"

// aTransfer is one of two users, in a state, and with its events.
func aTransfer(status, more string) string {
	return `INSERT INTO users (book, id, merchant_id, created_at) SELECT book, u, id, now() FROM merchants, unnest(ARRAY['usr_1', 'usr_2']) u LIMIT 2;
		INSERT INTO transfers (book, id, merchant_id, from_user, to_user, amount, currency, created_at, status, sequence, updated_at)
		SELECT book, 'trf_1', id, 'usr_1', 'usr_2', 100, 'CNY', now(), '` + status + `', 1, now() FROM merchants LIMIT 1;
		INSERT INTO events (book, id, type, api_version, created_at, merchant_id, business_id, object_type, object_id, sequence, data)
		SELECT book, 'evt_t', 'transfer.created', '1', now(), id, 'trf_1', 'transfer', 'trf_1', 1, '{}' FROM merchants LIMIT 1;` + more
}

func init() {
	const open = "processing"
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a transfer that moved nothing":      {"I-16", aTransfer("succeeded", ``)},
		"a transfer's journal without one":   {"I-16", `UPDATE journals SET kind = 'transferred' WHERE no = pg_temp.j(1)`},
		"a transfer to a stranger":           {"I-25", aTransfer(open, `UPDATE users SET merchant_id = 'mer_other' WHERE id = 'usr_2'`)},
		"an acknowledged transfer lost":      {"I-19", `UPDATE idempotency SET object = 'trf_2'`},
		"a transfer's event lost":            {"I-23", aTransfer(open, `DELETE FROM events WHERE id = 'evt_t'`)},
		"a transfer's event told to another": {"I-23", aTransfer(open, `UPDATE events SET merchant_id = 'mer_other' WHERE id = 'evt_t'`)},
	})
}
