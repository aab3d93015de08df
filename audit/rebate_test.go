package audit_test

import "maps"

// aRebate is one that nothing was posted for.
func aRebate(more string) string {
	return `INSERT INTO users (book, id, merchant_id, created_at) SELECT book, 'usr_1', id, now() FROM merchants LIMIT 1;
		INSERT INTO rebates (book, id, merchant_id, campaign_id, version, rule, order_id, line, beneficiary, level, currency, vests_on, created_at,
			status, accrued, sequence, updated_at)
		SELECT m.book, 'reb_1', m.id, 'cmp_1', 1, 'all', o.id, 1, 'usr_1', 0, 'CNY', current_date, now(), 'pending', 100, 1, now()
		FROM merchants m, orders o LIMIT 1;` + more
}

func init() {
	const listed = `INSERT INTO rebates_open (book, campaign_id, beneficiary, rebate_id, vests_on)
		SELECT book, campaign_id, beneficiary, id, vests_on FROM rebates;`
	maps.Copy(plants, map[string]struct{ id, sql string }{
		"a rebate without its journal":      {"I-22", aRebate(listed)},
		"an open rebate that isn't listed":  {"I-22", aRebate(``)},
		"a rebate's journal without one":    {"I-22", `UPDATE journals SET kind = 'rebate_settled' WHERE no = pg_temp.j(1)`},
		"a rebate for a stranger":           {"I-25", aRebate(listed + `UPDATE users SET merchant_id = 'mer_other' WHERE id = 'usr_1'`)},
		"a rebate's sums that don't add up": {"I-22", aRebate(listed + `ALTER TABLE rebates DROP CONSTRAINT rebates_sums; UPDATE rebates SET settled = 7`)},
		"a debt that nobody owes": {"I-22", aRebate(listed + `ALTER TABLE rebates DROP CONSTRAINT rebates_sums; UPDATE rebates SET debt = 7;
			INSERT INTO rebate_debts (book, beneficiary, rebate_id) SELECT book, beneficiary, id FROM rebates`)},
		"a budget that nobody funded":      {"I-22", `UPDATE accounts SET code = 'campaign/cmp_1/budget', owner = 'cmp_1' WHERE no = (SELECT max(no) FROM accounts WHERE balance <> 0)`},
		"a rebate that nobody rated again": {"I-22", aRebate(listed + `UPDATE rebates SET rated = 2`)},
		"a correction without its Step": {"I-22", `INSERT INTO rerating_lines (book, rerating_id, cause, order_id, changed, made, more, less, at)
			SELECT book, 'rrt_1', 'ord_1:ra2', 'ord_1', 1, 0, 5, 0, now() FROM merchants LIMIT 1`},
		"a settlement's line of nothing": {"I-22", `INSERT INTO settlement_lines (book, settlement_id, cause, beneficiary, rebates, paid, released, recovered, at)
			SELECT book, 'stl_1', 'reb_1:rs1', 'usr_1', 1, 100, 0, 0, now() FROM merchants LIMIT 1`},
	})
}
