package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/store"
	"paysaga/store/storetest"
)

// generic prepares a statement as our connections plan it: once, whatever its tables hold.
func generic(t *testing.T, db *storetest.Database, name, sql string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.OwnerURL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	for _, set := range []string{"enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "plan_cache_mode = force_generic_plan"} {
		_, err := conn.Exec(t.Context(), "SET "+set)
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), "PREPARE "+name+" AS "+sql)
	require.NoError(t, err)
	return conn
}

const sqlPlantEvents = `
	INSERT INTO events (book, object_id, sequence, id, type, api_version, created_at, business_id, object_type, data)
	SELECT 'test', 'reb_' || n, s, 'evt_' || n || '_' || s, 'rebate.settled', '2026-01-01', now(), 'stl_1', 'rebate', '{}'
	FROM generate_series(1, $1) n, generate_series(1, 2) s`

// Events leave in pages, however many wait, and also where the statistics say that none does: a claim reads about as much as it takes.
func TestEventsLeaveInFewPages(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	_, err := db.Owner.Exec(t.Context(), sqlPlantEvents, 5000)
	require.NoError(t, err)
	for _, sql := range []string{"UPDATE events SET delivered_at = now()", "ANALYZE events", "UPDATE events SET delivered_at = NULL"} {
		_, err := db.Owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	claim, mark := generic(t, db, "claim", store.SQLClaimEvents), generic(t, db, "mark", store.SQLEventsDelivered)
	require.LessOrEqual(t, buffers(t, claim, "EXECUTE claim('{test}', 100)"), 3000)
	require.LessOrEqual(t, buffers(t, mark, "EXECUTE mark(now(), '{test,test}', '{reb_1,reb_2}', '{1,1}')"), 100)
	_, err = db.Owner.Exec(t.Context(), "DELETE FROM events")
	require.NoError(t, err)
}
