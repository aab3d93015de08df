package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

// clock is a clock that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time              { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) forward(d time.Duration)     { c.offset.Add(int64(d)) }
func (c *clock) config(config *store.Config) { config.Now = c.now }

func clockedShop(t *testing.T) (*shop, *clock) {
	c := &clock{}
	db := storetest.Open(t, c.config)
	return &shop{t, db.Store, db, storetest.Plant(t, db.Store, id.Test)}, c
}

func TestWhatWasReceivedIsClaimedUntilItIsOpened(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	p := h.pay("A-1", cny(100))
	claim := func() []payment.Payment {
		list, err := h.s.Unstarted(t.Context(), 5*time.Second, 10)
		require.NoError(t, err)
		return list
	}
	require.Empty(t, claim(), "too young")
	c.forward(6 * time.Second)
	list := claim()
	require.Len(t, list, 1)
	require.Equal(t, p, list[0].ID)
	require.Empty(t, claim(), "claimed by us")
	c.forward(3 * time.Second)
	require.Len(t, claim(), 1, "2 s later it is due again")
	c.forward(3 * time.Second)
	require.Empty(t, claim(), "and then after 4 s")
	c.forward(2 * time.Second)
	require.Len(t, claim(), 1)
	h.commit(h.open(p, 1))
	c.forward(time.Hour)
	require.Empty(t, claim())
}

func TestTwoRelaysShareTheWork(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	for i := range 40 {
		h.pay(string(rune('A'+i)), cny(100))
	}
	c.forward(time.Minute)
	var mu sync.Mutex
	seen := map[string]int{}
	together(2, func(int) {
		for {
			list, err := h.s.Unstarted(t.Context(), 5*time.Second, 7)
			require.NoError(t, err)
			if len(list) == 0 {
				return
			}
			mu.Lock()
			for _, p := range list {
				seen[p.ID]++
			}
			mu.Unlock()
		}
	})
	require.Len(t, seen, 40)
	for _, n := range seen {
		require.Equal(t, 1, n)
	}
}

func TestCancelsWaitUntilThePaymentEnds(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	p := h.pay("A-1", cny(100))
	h.commit(h.step(p, id.CancelRequested, 1, payment.RequestCancel{PaymentID: p, Idempotency: h.key("cancel", "k", "{}")}))
	waiting := func() int {
		list, err := h.s.CancelsWaiting(t.Context(), 10)
		require.NoError(t, err)
		return len(list)
	}
	require.Zero(t, waiting())
	c.forward(6 * time.Second)
	require.Equal(t, 1, waiting())
	require.Zero(t, waiting())
	c.forward(6 * time.Second)
	require.Equal(t, 1, waiting())
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Closed, Dead: true}))
	c.forward(time.Hour)
	require.Zero(t, waiting())
}

func (h *shop) callback(event, reference string) channels.Received {
	return channels.Received{Book: h.Book, Channel: "sandbox", ChannelAccount: h.ChannelAccount, EventID: event, Subject: channels.SubjectCharge,
		Reference: reference, Body: []byte(`{"card":"secret"}`), Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY",
			Action: &payment.Action{Type: "redirect", URL: "https://hidden"}}}
}

func TestACallbackIsStoredOnceAndOfferedUntilSeen(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	p := h.pay("A-1", cny(100))
	ref, err := id.Reference(id.Key(p, id.Step{Code: id.Charge, Ordinal: 1}))
	require.NoError(t, err)
	ids := make([]string, 10)
	var fresh atomic.Int32
	together(10, func(i int) {
		got, isFresh, err := h.s.ReceiveCallback(t.Context(), h.callback("evt-1", ref))
		require.NoError(t, err)
		if ids[i] = got; isFresh {
			fresh.Add(1)
		}
	})
	require.Equal(t, int32(1), fresh.Load(), "I-21")
	for _, got := range ids {
		require.Equal(t, ids[0], got)
	}
	back, err := h.s.Callback(t.Context(), h.Book, ids[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"card":"secret"}`, string(back.Body))
	require.Equal(t, "https://hidden", back.Outcome.Action.URL)
	var leaks int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM callbacks WHERE callbacks::text ~ 'secret|hidden'`).Scan(&leaks))
	require.Zero(t, leaks)

	waiting := func() []channels.Received {
		list, err := h.s.CallbacksWaiting(t.Context(), 10)
		require.NoError(t, err)
		return list
	}
	require.Len(t, waiting(), 1, "at once")
	require.Empty(t, waiting())
	c.forward(1100 * time.Millisecond)
	list := waiting()
	require.Len(t, list, 1)
	require.Equal(t, 2, list[0].Tries)
	c.forward(1100 * time.Millisecond)
	require.Empty(t, waiting(), "2 s now")
	require.NoError(t, h.s.AnswerCallback(t.Context(), h.Book, ids[0], payment.Outcome{Verdict: payment.Declined, ChannelID: "asked", Action: &payment.Action{URL: "https://leak"}}))
	back, err = h.s.Callback(t.Context(), h.Book, ids[0])
	require.NoError(t, err)
	require.Equal(t, "asked", back.Outcome.ChannelID)
	h.commit(h.step(ids[0], id.Case, 1, payment.SeeCallback{ID: ids[0], Disposition: "applied"}))
	require.NoError(t, h.s.AnswerCallback(t.Context(), h.Book, ids[0], payment.Outcome{Verdict: payment.Succeeded}))
	h.commit(h.step(ids[0], id.Case, 2, payment.SeeCallback{ID: ids[0], Disposition: "orphan"}))
	back, err = h.s.Callback(t.Context(), h.Book, ids[0])
	require.NoError(t, err)
	require.Equal(t, "applied", back.Disposition, "the first word stays")
	require.Equal(t, payment.Declined, back.Outcome.Verdict, "what was dealt with stays as it is")
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM callbacks WHERE callbacks::text ~ 'leak'`).Scan(&leaks))
	require.Zero(t, leaks)
	c.forward(time.Hour)
	require.Empty(t, waiting())
	h.refused(h.step(ids[0], id.Case, 3, payment.SeeCallback{ID: h.s.Mint(id.Callback), Disposition: "applied"}), "not_found", "")
}
