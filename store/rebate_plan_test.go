package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/store"
	"paysaga/store/storetest"
)

const sqlPlantOpenRebates = `
	WITH made AS (
		INSERT INTO rebates (book, id, merchant_id, campaign_id, version, rule, order_id, line, beneficiary, level, currency, vests_on, created_at, status,
			accrued, sequence, updated_at)
		SELECT 'test', 'reb_' || lpad(n::text, 6, '0'), 'mer_1', 'cmp_1', 1, 'r' || n, 'ord_1', 1, 'usr_' || lpad((n % 10000)::text, 5, '0'), 0, 'CNY',
			'2026-01-01', now(), 'pending', 1, 1, now()
		FROM generate_series(1, $1) n
		RETURNING book, campaign_id, beneficiary, id, vests_on)
	INSERT INTO rebates_open (book, campaign_id, beneficiary, rebate_id, vests_on) SELECT * FROM made`

// A page of a settlement reads what it pays, however many rebates are open before and after it.
func TestAPageOfVestedRebatesTakesFewPages(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	conn := generic(t, db, "page", store.SQLVestedPage.SQL)
	_, err := db.Owner.Exec(t.Context(), sqlPlantOpenRebates, 30_000)
	require.NoError(t, err)
	require.LessOrEqual(t, buffers(t, conn, "EXECUTE page("+strings.Join(store.SQLVestedPage.Example, ", ")+")"), 2000)
	_, err = db.Owner.Exec(t.Context(), "DELETE FROM rebates_open; DELETE FROM rebates")
	require.NoError(t, err)
}

const sqlPlantLines = `
	INSERT INTO rebates (book, id, merchant_id, campaign_id, version, rule, order_id, line, beneficiary, level, currency, vests_on, created_at, status,
		accrued, sequence, updated_at)
	SELECT 'test', 'reb_' || $2 || lpad(n::text, 6, '0'), 'mer_1', 'cmp_1', 1, 'r' || n % 3, $2, n / 3, 'usr_1', 0, 'CNY', '2026-01-01', now(), 'pending', 1, 1, now()
	FROM generate_series(0, $1 - 1) n`

const sqlPlantCases = `
	INSERT INTO cases (book, id, merchant_id, payment_id, kind, amount, currency, reason, opened_at)
	SELECT 'test', 'case/' || $2 || '/' || n, 'mer_1', $2, 'refund_returned', 1, 'CNY', 'planted', now() FROM generate_series(1, $1) n`

// What an order's rebates are judged by is read in as many pages as the order has, whatever others have beside it: three times the lines are three
// times the pages.
func TestAnOrderOfManyLinesIsReadOnce(t *testing.T) {
	t.Parallel()
	p := newPromises(t, 1000)
	_, err := p.db.Owner.Exec(t.Context(), `INSERT INTO rebate_orders (book, order_id, paid_at) VALUES ('test', $1, now()) ON CONFLICT DO NOTHING`, p.order)
	require.NoError(t, err)
	file, list := generic(t, p.db, "file", store.SQLOrderFile), generic(t, p.db, "list", store.SQLRebatesOfOrder)
	for _, plant := range []struct {
		sql string
		n   int
		of  string
	}{{sqlPlantLines, 1000, "ord_small"}, {sqlPlantLines, 3000, p.order}, {sqlPlantLines, 3000, "ord_beside"}, {sqlPlantCases, 3000, "pay_beside"}} {
		_, err := p.db.Owner.Exec(t.Context(), plant.sql, plant.n, plant.of)
		require.NoError(t, err)
	}
	small, large := buffers(t, list, "EXECUTE list('test', 'ord_small')"), buffers(t, list, "EXECUTE list('test', '"+p.order+"')")
	require.LessOrEqual(t, large, 4*small)
	require.LessOrEqual(t, small, 1500)
	require.LessOrEqual(t, buffers(t, file, "EXECUTE file('test', '"+p.order+"')"), 60)
	_, err = p.db.Owner.Exec(t.Context(), "DELETE FROM cases WHERE reason = 'planted'; DELETE FROM rebates WHERE merchant_id = 'mer_1'; DELETE FROM rebate_orders")
	require.NoError(t, err)
}
