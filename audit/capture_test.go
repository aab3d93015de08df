package audit_test

import "maps"

// aCapture is one of the payment that succeeded, in a state.
func aCapture(status, more string) string {
	return `INSERT INTO captures (book, id, payment_id, merchant_id, attempt, ordinal, amount, currency, final, channel, channel_account,
			request_hash, request_sealed, born_at, sequence, created_at, updated_at, status)
		SELECT a.book, 'cap_1', p.id, p.merchant_id, a.ordinal, 1, p.amount, p.currency, true, a.channel, a.channel_account,
			a.request_hash, a.request_sealed, now(), 1, now(), now(), '` + status + `'
		FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id AND a.verdict = 'succeeded' WHERE p.status = 'succeeded' LIMIT 1;` + more
}

func init() {
	const open = "processing"
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"captured beyond what is authorized":   {"I-09", aCapture(open, `UPDATE captures SET amount = amount * 2`)},
		"a capture that nobody counts":         {"I-09", aCapture(open, ``)},
		"a capture without its journal":        {"I-10", aCapture("succeeded", ``)},
		"a capture of no authorization":        {"I-13", aCapture(open, `UPDATE captures SET attempt = 7`)},
		"a capture sent before its intent":     {"I-13", aCapture(open, `INSERT INTO channel_calls SELECT book, payment_id, id || ':cp1', channel, channel_account, 'capture', born_at - interval '1 minute', 1 FROM captures`)},
		"a capture in doubt without a posting": {"I-14", aCapture(open, `UPDATE captures SET in_doubt = true`)},
		"a capture after the end":              {"I-15", aCapture(open, ``)},
		"an acknowledged capture lost":         {"I-19", `UPDATE idempotency SET object = 'cap_2'`},
		"a capture's event lost":               {"I-23", aCapture(open, ``)},
		"a capture of another merchant":        {"I-25", aCapture(open, `UPDATE captures SET merchant_id = 'mer_other'`)},
		"a capture's request in clear":         {"I-26", aCapture(open, `UPDATE captures SET request_sealed = convert_to('{"charge_key":"and more than thirty bytes"}', 'UTF8')`)},
	})
}
