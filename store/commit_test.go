package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/store/storetest"
)

func TestTheSameCauseHappensOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	step := h.receive("k1", "A-1", cny(100))
	first := h.commit(step)
	require.False(t, first.Replayed)
	rows := h.rows()
	again := h.commit(step)
	require.True(t, again.Replayed)
	require.Equal(t, first.Object, again.Object)
	require.Equal(t, first.BookedAt, again.BookedAt)
	require.Equal(t, rows, h.rows())
}

func TestTheSameCauseWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	no := h.settle(p, 1, payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "stolen_card", Hard: true}, Dead: true})
	yes := h.settle(p, 1, h.succeeded(p))
	h.commit(yes)
	h.refused(no, fault.KindConflict, "cause_conflict")

	// A journal's cause is as unique as a Step's own (I-05).
	other := h.step(p, id.Case, 1)
	other.Journals = yes.Journals[:1]
	h.refused(other, fault.KindConflict, "cause_conflict")
}

func TestAnIdempotencyKeyStandsForOneRequest(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	first := h.commit(h.receive("k1", "A-1", cny(100)))
	again := h.commit(h.receive("k1", "A-1", cny(100))) // another payment id, another cause
	require.True(t, again.Replayed)
	require.Equal(t, first.Object, again.Object)
	h.refused(h.receive("k1", "A-1", cny(101)), fault.KindInvalid, "idempotency_key_reused")

	object, found, err := h.s.Replayed(t.Context(), h.Book, h.receive("k1", "A-1", cny(100)).Changes[0].(payment.Receive).Idempotency)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, first.Object, object)
	_, _, err = h.s.Replayed(t.Context(), h.Book, h.key("POST /v1/payments", "k1", "other"))
	require.True(t, fault.Is(err, fault.KindInvalid, "idempotency_key_reused"))
	_, found, err = h.s.Replayed(t.Context(), h.Book, h.key("POST /v1/payments", "k2", "other"))
	require.NoError(t, err)
	require.False(t, found)
}

func TestFiftyEqualRequestsMakeOnePayment(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	receipts := make([]ledger.Receipt, 50)
	together(50, func(i int) {
		var err error
		receipts[i], err = h.s.Commit(t.Context(), h.receive("k1", "A-1", cny(100)))
		require.NoError(t, err)
	})
	fresh := 0
	for _, r := range receipts {
		require.Equal(t, receipts[0].Object, r.Object)
		if !r.Replayed {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	list, more, err := h.s.Payments(t.Context(), payment.Filter{Book: h.Book, MerchantID: h.MerchantID, Limit: 100})
	require.NoError(t, err)
	require.False(t, more)
	require.Len(t, list, 1)
}

// together runs f n times at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func TestAMoveIsCompareAndSwap(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	before := h.dossier(p).Payment
	won := make(chan string, 10)
	together(10, func(i int) {
		after := before
		after.Parked, after.Sequence = fmt.Sprintf("reason %d", i), before.Sequence+1
		_, err := h.s.Commit(t.Context(), h.step(p, id.Case, i+1, payment.Update{Before: before, After: after, Event: "payment.parked"}))
		if err == nil {
			won <- after.Parked
			return
		}
		require.True(t, fault.Is(err, fault.KindConflict, "stale_state"), "%v", err)
	})
	require.Len(t, won, 1)
	require.Equal(t, <-won, h.dossier(p).Payment.Parked)
}

func TestOnlyEdgesOfTheTable(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.paid("A-1", cny(100))
	before := h.dossier(p).Payment
	after := before
	after.Status, after.Sequence = payment.Processing, before.Sequence+1
	h.refused(h.step(p, id.Case, 1, payment.Update{Before: before, After: after, Event: "payment.updated"}), fault.KindConflict, "edge_refused")
	after.Status = before.Status
	h.refused(h.step(p, id.Case, 1, payment.Update{Before: before, After: after}), fault.KindInternal, "")
}

func TestAnIntentComesOnlyAfterTheOneBeforeIsDead(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	h.refused(h.open(p, 2), fault.KindConflict, "attempt_alive")
	again := h.open(p, 1)
	again.Cause = id.Key(p, id.Step{Code: id.Open, Ordinal: 7})
	h.refused(again, fault.KindConflict, "intent_exists")

	d := h.dossier(p)
	dead := *d.Attempt(1)
	dead.Verdict, dead.Dead = payment.Declined, true
	h.refused(h.step(p, id.Charge, 1, payment.AttemptUpdate{Before: payment.Pending, After: dead}), fault.KindConflict, "stale_state")
	h.commit(h.step(p, id.Charge, 1, payment.AttemptUpdate{Before: "", After: dead}))
	h.commit(h.open(p, 2))
	h.commit(h.settle(p, 2, h.succeeded(p)))
	late := h.open(p, 1)
	intent := late.Changes[0].(payment.Intend)
	intent.Attempt.Ordinal, intent.Attempt.Key = 3, id.Key(p, id.Step{Code: id.Charge, Ordinal: 3})
	late.Cause, late.Changes = id.Key(p, id.Step{Code: id.Open, Ordinal: 3}), []ledger.Change{intent}
	h.refused(late, fault.KindConflict, "payment_ended")
}

func TestNoAccountFallsBelowItsFloor(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.paid("A-1", cny(100))
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	take := func(n int, minor int64) ledger.Step {
		step := h.step(p, id.Act, n)
		j, err := ledger.Post(ledger.Posting{Cause: step.Cause, Kind: "taken", EffectiveAt: time.Now()},
			ledger.Dr(chart.Available(h.MerchantID), cny(minor)), ledger.Cr(chart.Clearing(h.ChannelAccount), cny(minor)))
		require.NoError(t, err)
		step.Journals = []ledger.Journal{j}
		return step
	}
	h.refused(take(1, 101), fault.KindConflict, "insufficient_balance")
	// 20 debits of 10 on 100, at once: ten pass.
	var mu sync.Mutex
	passed := 0
	together(20, func(i int) {
		_, err := h.s.Commit(t.Context(), take(i+1, 10))
		if err != nil {
			require.True(t, fault.Is(err, fault.KindConflict, "insufficient_balance"), "%v", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		passed++
	})
	require.Equal(t, 10, passed)
	require.Zero(t, h.balance("merchant/"+h.MerchantID+"/available"))
}

func TestBalancesDontOverflow(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	step := func(n int) ledger.Step {
		s := h.step(p, id.InDoubt, n)
		j, err := ledger.InDoubt(s.Cause, chart, h.ChannelAccount, cny(1<<62), time.Now())
		require.NoError(t, err)
		s.Journals = []ledger.Journal{j}
		return s
	}
	_, err := h.s.Commit(t.Context(), step(1))
	require.NoError(t, err)
	h.refused(step(2), fault.KindInvalid, "balance_overflow")
	undo := h.step(p, id.Undo, 1)
	j, err := step(1).Journals[0].Reverse(undo.Cause, time.Now())
	require.NoError(t, err)
	undo.Journals = []ledger.Journal{j}
	h.commit(undo)
}

func TestAReversalIsExactAndHappensOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	chart := ledger.Chart{Book: h.Book, Currency: "CNY"}
	doubt := func(minor int64) ledger.Journal {
		j, err := ledger.InDoubt(id.Key(p, id.Step{Code: id.InDoubt, Ordinal: 1}), chart, h.ChannelAccount, cny(minor), time.Now())
		require.NoError(t, err)
		return j
	}
	undo := func(n int, of ledger.Journal) ledger.Step {
		s := h.step(p, id.Undo, n)
		j, err := of.Reverse(s.Cause, time.Now())
		require.NoError(t, err)
		s.Journals = []ledger.Journal{j}
		return s
	}
	h.refused(undo(1, doubt(100)), fault.KindConflict, "reversal_of_nothing")
	first := h.step(p, id.InDoubt, 1)
	first.Journals = []ledger.Journal{doubt(100)}
	h.commit(first)
	h.refused(undo(1, doubt(99)), fault.KindConflict, "reversal_differs")
	done := make(chan int, 5)
	together(5, func(i int) {
		if _, err := h.s.Commit(t.Context(), undo(i+1, doubt(100))); err == nil {
			done <- i
		} else {
			require.True(t, fault.Is(err, fault.KindConflict, "already_reversed"), "%v", err)
		}
	})
	require.Len(t, done, 1)
}

func TestBooksDontMix(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(100))
	_, err := h.s.Payment(t.Context(), id.Live, "", p)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "I-25")
	step := h.step(p, id.InDoubt, 1)
	j, err := ledger.InDoubt(step.Cause, ledger.Chart{Book: id.Live, Currency: "CNY"}, h.ChannelAccount, cny(1), time.Now())
	require.NoError(t, err)
	step.Journals = []ledger.Journal{j}
	h.refused(step, fault.KindInvalid, "journal_spans_books")

	other := storetest.Plant(t, h.s, id.Live)
	r := h.receive("k", "B-1", money.Amount{})
	c := r.Changes[0].(payment.Receive)
	c.Order, c.Payment.OrderID, c.Idempotency.MerchantID = nil, h.dossier(p).Payment.OrderID, other.MerchantID
	r.Book, r.Changes = id.Live, []ledger.Change{c}
	h.refused(r, fault.KindNotFound, "")
	r.Book = id.Test // the right book, and still another merchant's order
	h.refused(r, fault.KindNotFound, "")
}

func TestAnEmptyOrForeignStepIsRefused(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.refused(ledger.Step{Book: "prod", Cause: "x:rc1", By: ledger.Service("test")}, fault.KindInvalid, "book_invalid")
	h.refused(ledger.Step{Book: id.Test, Cause: "x:rc1"}, fault.KindInternal, "")
	h.refused(ledger.Step{Book: id.Test, Cause: "x:rc1", By: ledger.Service("test"), Journals: make([]ledger.Journal, 1)}, fault.KindInvalid, "journal_empty")
	h.refused(ledger.Step{Book: id.Test, Cause: "x:rc1", By: ledger.Service("test"), Changes: []ledger.Change{nonsense{}}}, fault.KindInternal, "")
}

type nonsense struct{}

func (nonsense) Content() any { return "nonsense" }
