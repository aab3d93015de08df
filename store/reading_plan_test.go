package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// large is a book of several months and many entries per account: one account stands in every journal, and is hot.
func large(journals int) (storetest.Past, ledger.Account, ledger.Account) {
	chart := ledger.Chart{Book: id.Test, Currency: "CNY"}
	p := storetest.Past{Book: id.Test, HotFrom: map[string]time.Time{chart.Fees().Code: {}}}
	for i := range 50 {
		p.Accounts = append(p.Accounts, chart.Clearing(fmt.Sprintf("c%02d", i)))
	}
	p.Accounts = append(p.Accounts, chart.Fees())
	span := 120 * 24 * time.Hour
	begin := time.Now().Add(-span - time.Hour).Truncate(time.Millisecond)
	for i := range journals {
		at := begin.Add(span / time.Duration(journals) * time.Duration(i))
		a, amount := p.Accounts[i*7%50], int64(i%90+10)
		p.Journals = append(p.Journals, &storetest.PastJournal{Booked: at, Effective: at.Add(-time.Second),
			Legs: []ledger.Entry{{Account: a, Amount: amount}, {Account: chart.Fees(), Amount: -amount}}})
	}
	return p, p.Accounts[7], chart.Fees()
}

// TestReadingTakesFewPages: however much a book holds, a balance and a page of a statement read a bounded number of pages, under
// the settings of our connections.
func TestReadingTakesFewPages(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	conn, err := pgx.Connect(t.Context(), db.OwnerURL)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for _, set := range []string{"enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "plan_cache_mode = force_generic_plan", "timezone = 'UTC'"} {
		_, err := conn.Exec(t.Context(), "SET "+set)
		require.NoError(t, err)
	}
	p, ordinary, hot := large(40_000)
	ask := func(name string, account int64, j *storetest.PastJournal) int {
		args := strings.NewReplacer("{account}", fmt.Sprint(account), "{number}", fmt.Sprint(int64(j.Number)), "{cause}", j.Cause,
			"{at}", j.Booked.Format(time.RFC3339Nano)).Replace(strings.Join(store.ReadingQueries[name].Example, ", "))
		return buffers(t, conn, "EXECUTE "+name+"("+args+")")
	}
	for name, q := range store.ReadingQueries {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("PREPARE %s AS %s", name, q.SQL))
		require.NoError(t, err, name)
	}
	ids := db.PlantPast(t, p)
	for more := true; more; {
		more, err = db.Store.Fold(t.Context(), id.Test, 1_000_000)
		require.NoError(t, err)
	}
	middle := p.Journals[len(p.Journals)/2]
	for name, most := range map[string]int{"balance": 120, "effective": 60, "page": 700, "accounts": 60, "journal": 60, "legs": 60} {
		for _, a := range []ledger.Account{ordinary, hot} {
			var no int64
			require.NoError(t, db.Owner.QueryRow(t.Context(), "SELECT no FROM accounts WHERE id = $1", ids[a.Code+" CNY"]).Scan(&no))
			require.LessOrEqual(t, ask(name, no, middle), most, "%s of %s", name, a.Code)
		}
	}
}

// buffers is how many pages a statement touches.
func buffers(t *testing.T, conn *pgx.Conn, sql string) int {
	t.Helper()
	var text []byte
	require.NoError(t, conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sql, pgx.QueryExecModeSimpleProtocol).Scan(&text))
	var plan []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
		Time float64 `json:"Execution Time"`
	}
	require.NoError(t, json.Unmarshal(text, &plan))
	t.Logf("%d pages, %.2f ms: %s", plan[0].Plan.Hit+plan[0].Plan.Read, plan[0].Time, sql)
	return plan[0].Plan.Hit + plan[0].Plan.Read
}
