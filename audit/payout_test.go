package audit_test

import "maps"

// aPayout is one of a merchant of the book, in a state, and with a try.
func aPayout(status, more string) string {
	return `INSERT INTO payouts (book, id, merchant_id, channel, channel_account, lane, amount, currency, destination_type, destination_last,
			created_at, status, failure_code, sequence, updated_at)
		SELECT p.book, 'pyt_1', p.merchant_id, a.channel, a.channel_account, 'express', 100, p.currency, 'iban', '3000',
			now(), '` + status + `', CASE '` + status + `' WHEN 'failed' THEN 'account_closed' END, 1, now()
		FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id AND a.verdict = 'succeeded' WHERE p.status = 'succeeded' LIMIT 1;
		INSERT INTO payout_details SELECT y.book, y.id, a.request_sealed FROM payouts y, attempts a LIMIT 1;
		INSERT INTO payout_attempts (book, payout_id, ordinal, channel, channel_account, request_hash, request_sealed, born_at)
		SELECT y.book, y.id, 1, y.channel, y.channel_account, a.request_hash, a.request_sealed, now() FROM payouts y, attempts a LIMIT 1;` + more
}

func init() {
	const open = "processing"
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a payout that sets nothing aside":         {"I-11", aPayout(open, ``)},
		"a payout done without a journal":          {"I-11", aPayout("succeeded", ``)},
		"a payout failed and not reversed":         {"I-11", aPayout("failed", ``)},
		"a journal of no payout":                   {"I-11", `UPDATE journals SET kind = 'payout_done' WHERE no = pg_temp.j(1)`},
		"a payout made twice":                      {"I-11", aPayout("succeeded", `UPDATE payout_attempts SET verdict = 'succeeded'; INSERT INTO payout_attempts SELECT book, payout_id, 2, channel, channel_account, request_hash, request_sealed, born_at, verdict FROM payout_attempts`)},
		"a payout failed that may still be made":   {"I-11", aPayout("failed", ``)},
		"an intent of no payout":                   {"I-13", aPayout(open, `UPDATE payout_attempts SET payout_id = 'pyt_2'`)},
		"a payout under way without a destination": {"I-13", aPayout(open, `DELETE FROM payout_details`)},
		"a payout sent before its intent":          {"I-13", aPayout(open, `INSERT INTO channel_calls SELECT book, payout_id, payout_id || ':po1', channel, channel_account, 'payout', born_at - interval '1 minute', 1 FROM payout_attempts`)},
		"a payout that isn't in transit":           {"I-16", aPayout(open, ``)},
		"an acknowledged payout lost":              {"I-19", `UPDATE idempotency SET object = 'pyt_2'`},
		"two keys for one payout":                  {"I-20", `UPDATE idempotency SET object = 'pyt_2'`},
		"a payout of nobody's user":                {"I-25", aPayout(open, `UPDATE payouts SET user_id = 'usr_other'`)},
		"a payout over another account":            {"I-25", aPayout(open, `UPDATE payouts SET channel_account = 'cha_other'`)},
		"another's money for a payout":             {"I-25", aPayout(open, `UPDATE causes SET cause = 'pyt_1:po1' WHERE journal = pg_temp.j(1); UPDATE payouts SET merchant_id = 'mer_other'`)},
		"a destination in clear":                   {"I-26", aPayout(open, `UPDATE payout_details SET destination_sealed = convert_to('{"account":"DE89370400440532013000"}', 'UTF8')`)},
	})
}
