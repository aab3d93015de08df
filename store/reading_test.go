package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// history is a book as plain sums.
type history struct {
	storetest.Past
	db  *storetest.Database
	ids map[string]string
}

func (m history) id(a ledger.Account) string { return m.ids[a.Code+" "+string(a.Currency)] }

// instants are times around what happened, and a few others.
func (m history) instants() []time.Time {
	list := []time.Time{time.Now().AddDate(-3, 0, 0), time.Now().Add(-10 * time.Second)}
	for i, j := range m.Journals {
		if i%(1+len(m.Journals)/6) == 0 {
			at := j.Number.BookedAt()
			list = append(list, at, at.Add(-time.Millisecond), at.Add(300*time.Microsecond), j.Effective, j.Effective.Add(-time.Microsecond),
				time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).Add(-time.Millisecond))
		}
	}
	return list
}

// TestReadingAgreesWithPlainSums: balances by both dates, statements and trial balances of random books, before and after folding.
func TestReadingAgreesWithPlainSums(t *testing.T) {
	t.Parallel()
	past := rapid.Custom(func(rt *rapid.T) storetest.Past { return storetest.RandomPast(rt, id.Test) })
	for seed := range 6 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := history{Past: past.Example(seed), db: storetest.Open(t)}
			m.ids = m.db.PlantPast(t, m.Past)
			for _, limit := range []int{3, 100} {
				for _, at := range m.instants() {
					m.checkBalances(t, at)
					m.checkTrial(t, at)
				}
				m.checkStatements(t, limit)
				m.fold(t)
			}
		})
	}
}

func (m history) fold(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = m.db.Store.Fold(t.Context(), m.Book, 1000)
		require.NoError(t, err)
	}
}

func (m history) checkBalances(t *testing.T, at time.Time) {
	t.Helper()
	for _, a := range m.Accounts {
		b, err := m.db.Store.Balance(t.Context(), m.Book, "", m.id(a), at, ledger.ByBooking)
		require.NoError(t, err)
		require.Equal(t, m.Sum(a, storetest.BookedBy(at)), b.Minor, "%s %s booked by %s", a.Code, a.Currency, at)
		b, err = m.db.Store.Balance(t.Context(), m.Book, "", m.id(a), at, ledger.ByEffective)
		require.NoError(t, err)
		require.Equal(t, m.Sum(a, storetest.EffectiveBy(at)), b.Minor, "%s %s effective by %s", a.Code, a.Currency, at)
		b, err = m.db.Store.Balance(t.Context(), m.Book, "", m.id(a), time.Time{}, ledger.ByBooking)
		require.NoError(t, err)
		require.Equal(t, m.Sum(a, storetest.BookedBy(time.Now())), b.Minor, "%s now", a.Code)
	}
}

func (m history) checkTrial(t *testing.T, at time.Time) {
	t.Helper()
	tb, err := m.db.Store.TrialBalance(t.Context(), m.Book, at, "")
	require.NoError(t, err)
	got := map[string]int64{}
	for _, c := range tb.Currencies {
		require.Equal(t, c.Debit, c.Credit)
		for _, l := range append(c.Lines, c.Memo...) {
			require.Equal(t, l.Kind == ledger.Memo, l.Class[:4] == "memo")
			require.NotContains(t, l.Class, "_01kahxr3v0c9m6r5w2z8t4y7qe")
			got[string(c.Currency)+" "+l.Class] = l.Debit - l.Credit
		}
	}
	for _, a := range m.Accounts { // each is the one of its class
		if want := m.Sum(a, storetest.BookedBy(at)); want != 0 {
			class := map[string]string{"merc": "merchant/*/available", "chan": "channel/*/clearing", "inco": "income/fees", "bank": "bank/*/cash", "memo": "memo/noted/*"}[a.Code[:4]]
			if a.Kind == ledger.Memo && a.Normal == ledger.Credit {
				class += "/contra"
			}
			require.Equal(t, want, got[string(a.Currency)+" "+class], "%s at %s", a.Code, at)
		}
	}
}

func (m history) checkStatements(t *testing.T, limit int) {
	t.Helper()
	for _, a := range m.Accounts {
		for _, span := range [][2]time.Time{{}, {time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -20)}} {
			f := ledger.StatementFilter{Book: m.Book, Account: m.id(a), From: span[0], To: span[1], Limit: limit}
			var want []string
			running := m.Sum(a, storetest.BookedBy(span[0].Add(-time.Millisecond)))
			opening := running
			for _, j := range m.Journals {
				for _, e := range j.Legs {
					if at := j.Number.BookedAt(); e.Account == a && !at.Before(span[0]) && (span[1].IsZero() || !at.After(span[1])) {
						running += e.Amount
						want = append(want, fmt.Sprint(j.Cause, e.Amount, running))
					}
				}
			}
			var got []string
			for more := true; more; {
				s, err := m.db.Store.Statement(t.Context(), f)
				require.NoError(t, err)
				require.Equal(t, opening, s.Opening)
				require.Equal(t, running, s.Closing)
				require.LessOrEqual(t, len(s.Lines), limit)
				for _, l := range s.Lines {
					got = append(got, fmt.Sprint(l.Cause, l.Amount, l.Balance))
					f.After = l.Cause
				}
				more = s.More
			}
			require.Equal(t, want, got, a.Code)
		}
	}
}

func TestWhatIsNotFinalIsRefused(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	a := ledger.Chart{Book: id.Test, Currency: "CNY"}
	booked := time.Now().Add(-time.Hour)
	ids := db.PlantPast(t, storetest.Past{Book: id.Test, Accounts: []ledger.Account{a.Fees(), a.Clearing("cha_x")}, Journals: []*storetest.PastJournal{
		{Booked: booked, Legs: []ledger.Entry{{Account: a.Fees(), Amount: -5}, {Account: a.Clearing("cha_x"), Amount: 5}}}}})
	fees := ids["income/fees CNY"]
	ask := func(at time.Time) error {
		_, err := db.Store.Balance(t.Context(), id.Test, "", fees, at, ledger.ByBooking)
		_, also := db.Store.Statement(t.Context(), ledger.StatementFilter{Book: id.Test, Account: fees, To: at})
		_, third := db.Store.TrialBalance(t.Context(), id.Test, at, "")
		require.Equal(t, err == nil, also == nil)
		require.Equal(t, err == nil, third == nil)
		return err
	}
	require.True(t, fault.Is(ask(time.Now().Add(time.Hour)), fault.KindInvalid, "at_not_final"))
	final, err := db.Store.Horizon(t.Context(), id.Test)
	require.NoError(t, err)
	require.NoError(t, ask(final))

	// A transaction that runs may still book what it began with: the horizon waits for it.
	tx := beginAs(t, db.Config.URL)
	held, other := time.Now(), storetest.New(t)
	require.Eventually(t, func() bool {
		free, err := other.Horizon(t.Context(), id.Test)
		return err == nil && free.After(held)
	}, 10*time.Second, 20*time.Millisecond)
	final, err = db.Store.Horizon(t.Context(), id.Test)
	require.NoError(t, err)
	require.Less(t, final, held, "it lies before the transaction's start")
	err = ask(held)
	require.True(t, fault.Is(err, fault.KindInvalid, "at_not_final"), "%v", err)
	require.Equal(t, "at", fault.As(err).Param)
	require.NotEmpty(t, fault.As(err).Details["final_up_to"])
	_, err = tx.Exec(t.Context(), "SET application_name = '"+store.ReaderName+"'")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return ask(held) == nil }, 10*time.Second, 20*time.Millisecond, "readers are not waited for")
	require.NoError(t, tx.Rollback(t.Context()))
}

// beginAs opens a transaction of the application's role; it ends with the test.
func beginAs(t *testing.T, url string) pgx.Tx {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	return tx
}
