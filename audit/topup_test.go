package audit_test

import "maps"

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a top-up that is a sale":         {"I-16", `UPDATE journals SET kind = 'topped_up' WHERE kind = 'captured'`},
		"a sale's refund out of a wallet": {"I-16", aRefund("processing", `UPDATE refunds SET taken_wallet = 100, taken_fee = 0, taken_available = 0`)},
		"a top-up's refund out of the merchant's money": {"I-16", aRefund("processing", `UPDATE refunds SET taken_wallet = 100, taken_fee = 0, taken_available = 0, user_id = 'usr_1';
			UPDATE journals SET kind = 'refund_opened', cause = 'rfd_1:rc1' WHERE no = pg_temp.j(1)`)},
		"an acknowledged top-up lost": {"I-19", `UPDATE idempotency SET object = 'top_2' WHERE object LIKE 'pay%'`},
		"a top-up's money in another's hands": {"I-16", `ALTER TABLE payments DROP CONSTRAINT payments_topup, DROP CONSTRAINT payments_topup_known, DROP CONSTRAINT payments_topup_whole;
			UPDATE payments SET order_id = '' WHERE status = 'succeeded'`},
	})
}
