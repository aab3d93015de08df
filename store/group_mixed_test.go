package store_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

// till of another book.
func tillIn(book id.Book, n int) ledger.Account {
	a := till(n)
	a.Book = book
	return a
}

func TestAHotAccountThatWasClosedRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.commit(d.move("x:a1", till(1), till(2), 1))
	d.commit(d.move("x:a2", till(2), till(1), 1))
	require.NoError(t, d.s.MarkHot(t.Context(), d.account(till(1)), ledger.Service("test")))
	d.commit(d.move("x:a3", till(1), till(2), 1)) // it is known to be hot now
	d.commit(d.move("x:a4", till(2), till(1), 1))
	require.NoError(t, d.s.CloseAccount(t.Context(), d.account(till(1)), ledger.Service("test")))
	answers := d.batch(d.move("x:b1", till(3), till(2), 1), d.move("x:b2", till(1), till(2), 1), d.move("x:b3", till(3), till(2), 1))
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindConflict, "account_closed")
	d.fresh(answers[2])
	require.Zero(t, d.causes("x:b2"))
}

// An account becomes hot while two processes post to it, and a period and other accounts are closed beside that: nothing is
// lost, nobody waits in a circle.
func TestAnAccountBecomesHotUnderLoad(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes, c.MaxBatch = 2, 16 })
	other, err := store.Open(t.Context(), d.db.Config)
	require.NoError(t, err)
	defer other.Close()
	const callers, each, accounts = 16, 40, 4
	for i := range accounts {
		d.commit(d.move(fmt.Sprintf("x:open%d", i), till(i), till(9), 1))
	}
	together(callers+1, func(caller int) {
		if caller == callers {
			for i := range accounts {
				require.NoError(t, []*store.Store{d.s, other}[i%2].MarkHot(context.Background(), d.account(till(i)), ledger.Service("test")))
				d.commit(d.move(fmt.Sprintf("x:open_purse%d", i), till(8), till(20+i), 1))
				d.commit(d.move(fmt.Sprintf("x:empty_purse%d", i), till(20+i), till(8), 1))
				require.NoError(t, other.CloseAccount(context.Background(), d.account(till(20+i)), ledger.Service("test")))
				_, err := other.Fold(context.Background(), id.Test, 1000)
				require.NoError(t, err)
			}
			return
		}
		for i := range each {
			s := []*store.Store{d.s, other}[i%2]
			_, err := s.Commit(context.Background(), d.move(fmt.Sprintf("x:c%d_%d", caller, i), till(i%accounts), till((i+1)%accounts), int64(1+caller)))
			require.NoError(t, err)
		}
	})
	for i := range accounts {
		got, err := d.s.Balance(t.Context(), id.Test, "", d.account(till(i)), time.Time{}, ledger.ByBooking)
		require.NoError(t, err)
		require.Equal(t, d.holds(till(i)), got.Minor)
		require.Equal(t, int64(1), got.Minor, "what came went on")
	}
	require.Zero(t, d.number(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`))
	d.chain()
}

func TestBalancesInABatchDontOverflow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const most = math.MaxInt64
	answers := d.batch(d.move("x:a1", till(1), till(2), most), d.move("x:a2", till(1), till(2), 1), d.move("x:a3", till(3), till(4), 1),
		d.move("x:a4", till(2), till(1), most), d.move("x:a5", till(1), till(2), 1))
	d.fresh(answers[0])
	d.refused(answers[1], fault.KindInvalid, "balance_overflow")
	d.fresh(answers[2])
	d.fresh(answers[3])
	d.fresh(answers[4])
	require.Equal(t, int64(1), d.holds(till(1)))
}

// The widest Steps there may be, side by side: a block holds them, or they wait for the next one.
func TestLargeStepsShareABatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	large := func(cause string, journals int) ledger.Step {
		s := ledger.Step{Book: id.Test, Cause: cause, By: ledger.Service("test")}
		for i := range journals {
			s.Journals = append(s.Journals, posting(t, ledger.Posting{Cause: fmt.Sprintf("%s_%d", cause, i), Kind: "test"},
				ledger.Dr(till(1), cny(1)), ledger.Cr(till(2), cny(1))))
		}
		return s
	}
	half := ledger.MaxBlock / 2
	answers := d.batch(large("x:a1", half-1), large("x:a2", half), large("x:a3", half), large("x:a4", 3))
	for _, a := range answers {
		d.fresh(a)
	}
	require.Equal(t, int64(3*half+2), d.holds(till(1)))
	_, err := d.s.Commit(t.Context(), large("x:a5", half+1))
	require.True(t, fault.Is(err, fault.KindInvalid, "step_too_large"), "%v", err)
	d.chain()
}

// Books share nothing: each has lanes of its own, in every process.
func TestBooksAreWrittenSideBySide(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes = 2 })
	other, err := store.Open(t.Context(), d.db.Config)
	require.NoError(t, err)
	defer other.Close()
	together(120, func(i int) {
		book := id.Books()[i%3]
		cause := fmt.Sprintf("x:a%d", i/2)
		j, err := ledger.Post(ledger.Posting{Cause: cause, Kind: "test"}, ledger.Dr(tillIn(book, 1), cny(1)), ledger.Cr(tillIn(book, 2), cny(1)))
		require.NoError(t, err)
		s := []*store.Store{d.s, other}[i/3%2]
		_, err = s.Commit(context.Background(), ledger.Step{Book: book, Cause: cause, By: ledger.Service("test"), Journals: []ledger.Journal{j}})
		require.NoError(t, err)
	})
	require.Zero(t, d.number(`SELECT count(*) FROM journals j JOIN lanes l ON l.lane = (j.no >> 12 & 255) WHERE l.book <> j.book`))
	require.Equal(t, int64(3), d.number(`SELECT count(DISTINCT book) FROM lanes`))
	d.chain()
}

// shopOf is a merchant on the desk's database.
func (d *desk) shop() *shop {
	d.t.Helper()
	return &shop{d.t, d.s, d.db, storetest.Plant(d.t, d.s, id.Test)}
}

// A payment that moves several times in one batch ends as the last move says, with an event for each.
func TestAPaymentMovesSeveralTimesInABatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	h := d.shop()
	p, q := h.pay("A-1", cny(100)), h.pay("A-2", cny(100))
	step := func(of string, n int, sequence int64, parked string) ledger.Step {
		before := h.dossier(of).Payment
		before.Sequence = sequence
		after := before
		after.Sequence, after.Parked = sequence+1, parked
		s := h.step(of, id.Case, n, payment.Update{Before: before, After: after, Event: "payment.parked"})
		s.Journals = d.move(s.Cause, till(1), purse(1), 1).Journals
		return s
	}
	first := h.dossier(p).Payment.Sequence
	answers := d.batch(step(p, 1, first, "a"), step(q, 1, first, "q"), step(p, 2, first, "late"), step(p, 3, first+1, "b"), step(p, 4, first+3, "early"), step(p, 5, first+2, "c"))
	for _, i := range []int{0, 1, 3, 5} {
		d.fresh(answers[i])
	}
	d.refused(answers[2], fault.KindConflict, "stale_state")
	d.refused(answers[4], fault.KindConflict, "stale_state")
	got := h.dossier(p).Payment
	require.Equal(t, "c", got.Parked)
	require.Equal(t, first+3, got.Sequence)
	require.Equal(t, "q", h.dossier(q).Payment.Parked)
	require.Equal(t, int64(4), d.holds(purse(1)))
	require.Equal(t, int64(3), d.number(`SELECT count(*) FROM events WHERE object_id = $1 AND type = 'payment.parked'`, p))
}

// What one Step of a batch brings into being is there for those after it: keys, orders, customers.
func TestRequestsInABatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	h := d.shop()
	receive := func(key, reference string, minor int64) ledger.Step {
		s := h.receive(key, reference, cny(minor))
		s.Journals = d.move(s.Cause, till(1), till(2), 1).Journals // so that the book's lock holds it up
		return s
	}
	answers := d.batch(receive("k1", "A-1", 100), receive("k1", "A-1", 100), receive("k1", "A-1", 101), receive("k2", "A-2", 100), receive("k3", "A-1", 100))
	d.fresh(answers[0])
	require.NoError(t, answers[1].err)
	require.True(t, answers[1].receipt.Replayed)
	require.Equal(t, answers[0].receipt.Object, answers[1].receipt.Object)
	d.refused(answers[2], fault.KindInvalid, "idempotency_key_reused")
	d.fresh(answers[3])
	d.fresh(answers[4])
	require.Equal(t, int64(3), d.number(`SELECT count(*) FROM payments`))
	require.Equal(t, int64(2), d.number(`SELECT count(*) FROM orders`), "what is paid in two payments is one order")
	require.Equal(t, int64(1), d.number(`SELECT count(*) FROM users`), "one customer")
	require.Equal(t, int64(3), d.holds(till(1)))
}

// Callers that leave, at any time, while others stay: what each was told is so.
func TestLeavingCallersAreToldTheTruth(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(c *store.Config) { c.Lanes, c.MaxBatch = 2, 8 })
	d.commit(d.move("x:warm", till(1), till(2), 1))
	var mu sync.Mutex
	want := int64(1)
	together(16, func(caller int) {
		for i := range 30 {
			ctx, leave := context.WithTimeout(context.Background(), time.Duration((caller*7+i*13)%40)*100*time.Microsecond)
			s := d.move(fmt.Sprintf("x:c%d_%d", caller, i), till(1), till(2), 1)
			_, err := d.s.Commit(ctx, s)
			leave()
			if err == nil {
				mu.Lock()
				want++
				mu.Unlock()
				continue
			}
			require.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
			require.Zero(t, d.causes(s.Cause), "%v", err)
		}
	})
	require.Equal(t, want, d.holds(till(1)), "and nothing happened later")
	d.chain()
}
