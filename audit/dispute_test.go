package audit_test

import "maps"

// aDispute is one of a payment that succeeded, without its journals.
func aDispute(more string) string {
	return `INSERT INTO disputes (book, id, payment_id, order_id, merchant_id, charge, channel, channel_account, channel_id, amount, currency, fee,
			status, taken_merchant, taken_wallet, taken_suspense, taken_fee, sequence, opened_at, said_at, updated_at)
		SELECT p.book, 'dsp_1', p.id, p.order_id, p.merchant_id, a.ordinal, a.channel, a.channel_account, 'd1', 100, p.currency, 0,
			'open', 100, 0, 0, 0, 1, now(), now(), now()
		FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id AND a.verdict = 'succeeded' WHERE p.status = 'succeeded' LIMIT 1;` + more
}

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a dispute that took nothing":            {"I-10", aDispute(``)},
		"a journal of no dispute":                {"I-10", `UPDATE journals SET kind = 'chargeback' WHERE no = pg_temp.j(1)`},
		"a dispute that no payment counts":       {"I-12", aDispute(``)},
		"disputed without a dispute":             {"I-12", `UPDATE payments SET disputed = 1 WHERE status = 'succeeded'`},
		"disputed beyond what is left":           {"I-12", aDispute(`UPDATE payments SET disputed = 100, refunded = captured WHERE status = 'succeeded'`)},
		"a dispute that nobody bears":            {"I-16", aDispute(``)},
		"a dispute on suspense that isn't there": {"I-16", aDispute(`UPDATE disputes SET taken_merchant = 0, taken_suspense = 100`)},
		"a dispute of another merchant":          {"I-25", aDispute(`UPDATE disputes SET merchant_id = 'mer_other'`)},
		"a dispute over another account":         {"I-25", aDispute(`UPDATE disputes SET channel_account = 'cha_other'`)},
		"a dispute that told another merchant":   {"I-25", aDispute(`UPDATE events SET object_type = 'dispute', object_id = 'dsp_1', merchant_id = 'mer_other' WHERE no = (SELECT min(no) FROM events WHERE type = 'order.created')`)},
		"a dispute's event lost":                 {"I-23", aDispute(`UPDATE disputes SET sequence = 2; UPDATE events SET object_type = 'dispute', object_id = 'dsp_1' WHERE no = (SELECT min(no) FROM events WHERE type = 'payment.succeeded')`)},
	})
}
