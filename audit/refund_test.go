package audit_test

import "maps"

// aRefund is one of a payment that succeeded, in a state, and with a try.
func aRefund(status, more string) string {
	return `INSERT INTO refunds (book, id, payment_id, order_id, merchant_id, part, charge, channel, channel_account, amount, currency, source,
			created_at, taken_fee, taken_pending, taken_available, taken_debt, status, failure_code, sequence, updated_at)
		SELECT p.book, 'rfd_1', p.id, p.order_id, p.merchant_id, 1, a.ordinal, a.channel, a.channel_account, 100, p.currency, 'merchant',
			now(), 1, 0, 99, 0, '` + status + `', CASE '` + status + `' WHEN 'failed' THEN 'account_closed' END, 1, now()
		FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id AND a.verdict = 'succeeded' WHERE p.status = 'succeeded' LIMIT 1;
		INSERT INTO refund_attempts (book, refund_id, ordinal, channel, channel_account, request_hash, request_sealed, born_at)
		SELECT r.book, r.id, 1, r.channel, r.channel_account, a.request_hash, a.request_sealed, now()
		FROM refunds r JOIN attempts a ON a.book = r.book AND a.payment_id = r.payment_id;` + more
}

func init() {
	const open = "processing"
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a refund that sets nothing aside":        {"I-11", aRefund(open, ``)},
		"a refund done without a journal":         {"I-11", aRefund("succeeded", ``)},
		"a refund failed and not reversed":        {"I-11", aRefund("failed", ``)},
		"a journal of no refund":                  {"I-11", `UPDATE journals SET kind = 'refund_done' WHERE no = pg_temp.j(1)`},
		"a refund given twice":                    {"I-11", aRefund("succeeded", `UPDATE refund_attempts SET verdict = 'succeeded'; INSERT INTO refund_attempts SELECT book, refund_id, 2, channel, channel_account, request_hash, request_sealed, born_at, verdict FROM refund_attempts`)},
		"a refund failed that may still be given": {"I-11", aRefund("failed", ``)},
		"a refund that nobody counts":             {"I-12", aRefund(open, ``)},
		"refunding without a refund":              {"I-12", `UPDATE payments SET refunding = 1 WHERE status = 'succeeded'`},
		"a fee given back to nobody":              {"I-12", `UPDATE payments SET fee_returned = 1 WHERE status = 'succeeded'`},
		"an intent of no refund":                  {"I-13", aRefund(open, `UPDATE refund_attempts SET refund_id = 'rfd_2'`)},
		"a refund sent before its intent":         {"I-13", aRefund(open, `INSERT INTO channel_calls SELECT book, refund_id, refund_id || ':rf1', channel, channel_account, 'refund', born_at - interval '1 minute', 1 FROM refund_attempts`)},
		"a refund that isn't set aside":           {"I-16", aRefund(open, ``)},
		"pending that isn't there":                {"I-16", `UPDATE payments SET mature_due_at = now() WHERE status = 'succeeded'`},
		"an acknowledged refund lost":             {"I-19", `UPDATE idempotency SET object = 'rfd_2'`},
		"two keys for one refund":                 {"I-20", `UPDATE idempotency SET object = 'rfd_2'`},
		"a refund of another merchant":            {"I-25", aRefund(open, `UPDATE refunds SET merchant_id = 'mer_other'`)},
		"a refund over another account":           {"I-25", aRefund(open, `UPDATE refunds SET channel_account = 'cha_other'`)},
		"a refund's request in clear":             {"I-26", aRefund(open, `UPDATE refund_attempts SET request_sealed = convert_to('{"charge_key":"and more than thirty bytes"}', 'UTF8')`)},
	})
}
