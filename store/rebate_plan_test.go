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
