package audit_test

import "maps"

// aCase is one of the payment that succeeded: not of money, so that nothing has to stand on suspense.
func aCase(more string) string {
	return `INSERT INTO cases (book, id, merchant_id, payment_id, channel_account, kind, amount, currency, reason, opened_at)
		SELECT book, 'case/' || id || '/contradiction/ct1', merchant_id, id, 'cha_1', 'contradiction', amount, currency, 'x', now() FROM payments
		WHERE status = 'succeeded' LIMIT 1;` + more
}

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a case without its money":     {"I-17", aCase(`UPDATE cases SET kind = 'late_success'`)},
		"money without its case":       {"I-17", `UPDATE accounts SET code = 'suspense/cha_1/late_success' WHERE code LIKE '%/clearing'`},
		"suspense for no reason":       {"I-17", `UPDATE accounts SET code = 'suspense/cha_1/forgotten' WHERE code LIKE '%/clearing'`},
		"a return without a refund":    {"I-16", aCase(`UPDATE cases SET decision = 'return', decided_at = now()`)},
		"decided, and nothing to wait": {"I-16", aCase(`UPDATE cases SET decision = 'accept', decided_at = now()`)},
		"accepted, and not paid": {"I-16", aCase(`UPDATE cases c SET decision = 'accept', decided_at = now(), closed_at = now(), kind = 'late_success',
			payment_id = p.id, id = 'case/' || p.id || '/late_success/cs1' FROM payments p WHERE p.status = 'processing'`)},
		"returned, and still open": {"I-16", aCase(`UPDATE cases c SET decision = 'write_off', decided_at = now(), closed_at = now(), kind = 'amount_mismatch',
			payment_id = p.id, id = 'case/' || p.id || '/amount_mismatch/1' FROM payments p WHERE p.status = 'processing'`)},
		"a case that tells nobody": {"I-23", aCase(``)},
	})
}
