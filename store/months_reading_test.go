package store_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// reading is what is read of an account, at an instant and of the time since.
type reading struct {
	booked, effective int64
	statement         ledger.Statement
}

func (b *months) read(account string, at time.Time) (r reading, err error) {
	b.t.Helper()
	ctx, s := b.t.Context(), b.db.Store
	booked, err := s.Balance(ctx, id.Test, "", account, at, ledger.ByBooking)
	if err != nil {
		return r, err
	}
	effective, err := s.Balance(ctx, id.Test, "", account, at, ledger.ByEffective)
	if err != nil {
		return r, err
	}
	r.booked, r.effective = booked.Minor, effective.Minor
	r.statement, err = s.Statement(ctx, ledger.StatementFilter{Book: id.Test, Account: account, From: at, To: b.month(3), Limit: 100})
	r.statement.FinalUpTo = time.Time{}
	return r, err
}

// However many of the oldest months are gone: what is read of the months that are here stays as it was, to the last entry, of an
// ordinary account and of a hot one; and what is asked of the others is refused.
func TestWhatIsReadOfOtherMonthsStaysAsItWas(t *testing.T) {
	t.Parallel()
	b := newMonths(t)
	accounts := map[string]string{}
	list, _, err := b.db.Store.LedgerAccounts(t.Context(), ledger.AccountFilter{Book: id.Test, Limit: 100})
	require.NoError(t, err)
	for _, a := range list {
		accounts[a.Code] = a.ID
	}
	require.Len(t, accounts, 3)
	instants := []time.Time{b.month(0).AddDate(0, 0, 10), b.month(1), b.month(1).AddDate(0, 0, 7).Add(time.Minute), b.month(2).AddDate(0, 0, 10), b.month(3)}
	type asked struct {
		code string
		at   time.Time
	}
	was, now := map[asked]reading{}, map[string]int64{}
	for code, account := range accounts {
		for _, at := range instants {
			was[asked{code, at}], err = b.read(account, at)
			require.NoError(t, err, "%s at %s", code, at)
		}
		balance, err := b.db.Store.Balance(t.Context(), id.Test, "", account, time.Time{}, ledger.ByBooking)
		require.NoError(t, err)
		now[code] = balance.Minor
	}
	same := func(gone int) {
		t.Helper()
		for code, account := range accounts {
			balance, err := b.db.Store.Balance(t.Context(), id.Test, "", account, time.Time{}, ledger.ByBooking)
			require.NoError(t, err)
			require.Equal(t, now[code], balance.Minor, code)
			for _, at := range instants {
				r, err := b.read(account, at)
				if at.Before(b.month(gone)) {
					require.Error(t, err, "%s at %s", code, at)
					require.Contains(t, fault.As(err).Code, "detached")
					continue
				}
				require.NoError(t, err, "%s at %s", code, at)
				require.Equal(t, was[asked{code, at}], r, "%s at %s", code, at)
			}
		}
	}
	same(0)
	for gone := range 3 {
		_, err := b.detach(gone)
		require.NoError(t, err)
		same(gone + 1)
	}
	for _, back := range []int{2, 1, 0} {
		_, err := b.attach(back)
		require.NoError(t, err)
		same(back)
	}
}

// Months leave and come back while others write: nobody's Step fails, and the books stay in order.
func TestMonthsMoveUnderWriters(t *testing.T) {
	t.Parallel()
	b := newMonths(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	var booked atomic.Int64
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				cause := id.Key(b.db.Store.Mint(id.Transfer), id.Step{Code: id.Act, Ordinal: 1})
				j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "moved"}, ledger.Dr(b.clearing, cny(5)), ledger.Cr(b.hot, cny(5)))
				if assert.NoError(t, err) {
					_, err = b.db.Store.Commit(t.Context(), ledger.Step{Book: id.Test, Cause: cause, Business: cause, By: ledger.Service("test"), Journals: []ledger.Journal{j}})
					assert.NoError(t, err)
					booked.Add(1)
				}
			}
		})
	}
	patiently := func(move func(int) (store.MonthProof, error)) {
		require.Eventually(t, func() bool {
			_, err := move(0)
			require.True(t, err == nil || fault.Of(err) == fault.KindUnavailable, "%v", err)
			return err == nil
		}, time.Minute, 10*time.Millisecond)
	}
	for range 3 {
		before := booked.Load()
		patiently(b.detach)
		patiently(b.attach)
		require.Eventually(t, func() bool { return booked.Load() > before }, time.Minute, time.Millisecond)
	}
	stop()
	wg.Wait()
	b.inOrder(0)
}
