package audit_test

import "maps"

func init() {
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a wallet's part refunded to nobody":       {"I-12", `UPDATE payment_parts SET source = 'wallet', refunded = 1 WHERE captured > 0`},
		"a part that nobody set aside":             {"I-16", `UPDATE payments SET wallet = amount WHERE status = 'processing' AND opened_at IS NULL`},
		"money set aside for no payment":           {"I-16", `UPDATE accounts SET code = 'user/usr_other/held', owner = 'usr_other' WHERE code LIKE '%/available'`},
		"a part that was never taken from anybody": {"I-17", `UPDATE payments SET wallet = amount WHERE opened_at IS NULL; UPDATE payment_parts SET source = 'wallet'`},
		"a wallet of somebody else":                {"I-25", `UPDATE accounts SET code = 'user/usr_other/wallet', owner = 'usr_other' WHERE code LIKE '%/available'`},
	})
}
