package store_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
	"paysaga/store"
)

// hook registers an endpoint of the shop's merchant.
func (h *shop) hook(path string, change ...func(*delivery.Endpoint)) delivery.Endpoint {
	h.t.Helper()
	schedule, err := delivery.Preset("")
	require.NoError(h.t, err)
	e := delivery.Endpoint{Book: h.Book, MerchantID: h.MerchantID, URL: "https://shop.example/" + path, APIVersion: trade.APIVersion, Schedule: schedule}
	for _, f := range change {
		f(&e)
	}
	require.NoError(h.t, e.Check())
	e, err = h.s.CreateEndpoint(h.t.Context(), e, hookSecret(h.t, 'a'), ledger.Service("test"))
	require.NoError(h.t, err)
	return e
}

func hookSecret(t testing.TB, fill byte) delivery.Secret {
	t.Helper()
	key := make([]byte, delivery.SecretBytes)
	for i := range key {
		key[i] = fill
	}
	s, err := delivery.SecretOf(key)
	require.NoError(t, err)
	return s
}

func (h *shop) claim(limit int, lease time.Duration) ([]delivery.Leaving, int) {
	h.t.Helper()
	list, n, err := h.s.ClaimEvents(h.t.Context(), limit, lease)
	require.NoError(h.t, err)
	return list, n
}

// outcomeOf makes what a first try came to at each endpoint.
func outcomeOf(l delivery.Leaving, r delivery.Result) delivery.Left {
	left := delivery.Left{Event: l.Event}
	for _, to := range l.To {
		body, _ := delivery.Body(l.Event, to.APIVersion)
		ref := delivery.Ref{Book: l.Event.Book, EventID: l.Event.ID, EndpointID: to.ID}
		t := delivery.Told{Ref: ref, MerchantID: to.MerchantID, Type: l.Event.Type, Object: l.Event.Object, APIVersion: to.APIVersion, Body: body,
			Tried: true, Result: r, At: time.Now(), Schedule: to.Schedule}
		if to.Status == delivery.Paused {
			t.Tried, t.Verdict = false, delivery.Verdict{State: delivery.StateHeld}
		} else {
			t.Verdict = to.Schedule.Judge(ref, 0, r, t.At)
			t.HandOver = t.Verdict.State.Open()
		}
		left.Told = append(left.Told, t)
	}
	return left
}

// leave lets everything leave, with one answer for all.
func (h *shop) leave(r delivery.Result) (all []store.Event) {
	h.t.Helper()
	for n := 1; n > 0; {
		var list []delivery.Leaving
		list, n = h.claim(100, time.Minute)
		var left []delivery.Left
		for _, l := range list {
			left, all = append(left, outcomeOf(l, r)), append(all, l.Event)
		}
		require.NoError(h.t, h.s.TellEvents(h.t.Context(), left))
	}
	return all
}

var (
	answered204 = delivery.Result{Outcome: delivery.Delivered, Status: 204, Duration: time.Millisecond}
	answered500 = delivery.Result{Outcome: delivery.Retry, Reason: "http_500", Status: 500, Duration: time.Millisecond, Excerpt: "oh no"}
)

func TestEventsLeaveInSequencePerObject(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.hook("all")
	for i := range 10 {
		h.paid(string(rune('A'+i)), cny(100))
	}
	var mu sync.Mutex
	sequences := map[string][]int64{}
	held := map[string]bool{}
	together(3, func(int) {
		for {
			list, n, err := h.s.ClaimEvents(t.Context(), 7, time.Minute)
			require.NoError(t, err)
			if n == 0 {
				return
			}
			var left []delivery.Left
			mu.Lock()
			for _, l := range list {
				require.False(t, held[l.Event.Object.ID], "an object has one event on its way")
				held[l.Event.Object.ID] = true
				sequences[l.Event.Object.ID] = append(sequences[l.Event.Object.ID], l.Event.Object.Sequence)
				left = append(left, outcomeOf(l, answered204))
			}
			mu.Unlock()
			mu.Lock()
			for _, l := range list {
				held[l.Event.Object.ID] = false
			}
			require.NoError(t, h.s.TellEvents(t.Context(), left))
			mu.Unlock()
		}
	})
	// A relay that found nothing may have ended while another held the last ones; nothing is left for sure only now.
	h.leave(answered204)
	require.GreaterOrEqual(t, len(sequences), 18, "ten orders, ten payments")
	for object, list := range sequences {
		for i, n := range list {
			require.Equal(t, int64(i+1), n, object)
		}
	}
}

// What another relay is about to take counts as waiting: what comes after it isn't taken.
func TestALaterEventWaitsForOneThatIsBeingTaken(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.hook("all")
	h.paid("A", cny(100))
	other, err := h.db.Owner.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	_, err = other.Exec(t.Context(), `SELECT FROM events WHERE sequence = 1 FOR UPDATE`)
	require.NoError(t, err)
	list, _ := h.claim(100, time.Minute)
	require.Empty(t, list)
	require.NoError(t, other.Rollback(t.Context()))
	list, _ = h.claim(100, time.Minute)
	require.NotEmpty(t, list)
	for _, l := range list {
		require.Equal(t, int64(1), l.Event.Object.Sequence, l.Event.Type)
		require.NotEmpty(t, l.Event.Data)
	}
}

func TestAnEventThatDidNotLeaveComesAgainWhole(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	h.hook("all")
	p := h.pay("A-1", cny(100))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Pending, Action: &payment.Action{Type: "qr_code", URL: "https://qr.example"}}))
	first, n := h.claim(10, time.Millisecond) // whoever claimed it died
	require.Equal(t, 2, n)
	require.Len(t, first, 2)
	require.Eventually(t, func() bool { list, _ := h.claim(10, time.Minute); return len(list) == 2 }, 5*time.Second, 5*time.Millisecond)
	list, n := h.claim(10, time.Minute)
	require.Empty(t, list, "leased")
	require.Zero(t, n)
	require.NoError(t, h.s.ReleaseEvents(t.Context(), first))
	var last store.Event
	for _, e := range h.leave(answered204) {
		if e.Object.ID == p {
			last = e
		}
	}
	require.Equal(t, "payment.requires_action", last.Type)
	require.Equal(t, h.MerchantID, last.MerchantID)
	require.Equal(t, p, last.BusinessID)
	var shown payment.Public
	require.NoError(t, json.Unmarshal(last.Data, &shown))
	require.Equal(t, "https://qr.example", shown.NextAction.URL)
	require.Equal(t, h.dossier(p).Payment.Public(), shown, "data is the object as the API shows it")

	// What was sent is kept byte for byte, and sealed.
	list2, _, err := h.s.Deliveries(t.Context(), delivery.RowFilter{Book: h.Book, MerchantID: h.MerchantID, EventID: last.ID, Limit: 10})
	require.NoError(t, err)
	require.Len(t, list2, 1)
	require.Equal(t, delivery.StateDelivered, list2[0].State)
	due, err := h.s.DueDelivery(t.Context(), list2[0].Ref)
	require.NoError(t, err)
	want, err := delivery.Body(last, trade.APIVersion)
	require.NoError(t, err)
	require.Equal(t, string(want), string(due.Body))
	require.Len(t, due.Target.Secrets, 1)
	var leaks int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM event_bodies b WHERE b::text ~ 'qr.example')
		+ (SELECT count(*) FROM webhook_secrets s WHERE s::text ~ 'whsec')`).Scan(&leaks))
	require.Zero(t, leaks, "I-26")
	_, err = h.db.Owner.Exec(t.Context(), `DELETE FROM event_bodies`)
	require.NoError(t, err)
	due, err = h.s.DueDelivery(t.Context(), list2[0].Ref)
	require.NoError(t, err)
	require.Equal(t, string(want), string(due.Body), "thinned out, it is written anew from its event")
}

func TestAnEndpointHearsItsMerchantAndWhatItAskedFor(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	other := &shop{t, h.s, h.db, h.Seed}
	parent, err := h.s.CreateMerchant(t.Context(), store.Merchant{Book: h.Book, Name: "Platform"})
	require.NoError(t, err)
	other.MerchantID, err = h.s.CreateMerchant(t.Context(), store.Merchant{Book: h.Book, Name: "Child", ParentID: parent})
	require.NoError(t, err)
	mine := h.hook("mine", func(e *delivery.Endpoint) { e.Events = []string{"payment.*"} })
	exact := h.hook("exact", func(e *delivery.Endpoint) { e.Events = []string{"order.created"} })
	deaf := h.hook("deaf", func(e *delivery.Endpoint) { e.Events = []string{"refund.*"} })
	above := h.hook("above", func(e *delivery.Endpoint) { e.MerchantID, e.IncludeChildren = parent, true })
	alone := h.hook("alone", func(e *delivery.Endpoint) { e.MerchantID = parent })
	h.paid("A-1", cny(100))
	other.paid("B-1", cny(100))
	h.leave(answered204)
	of := func(e delivery.Endpoint) (types []string) {
		list, _, err := h.s.Deliveries(t.Context(), delivery.RowFilter{Book: h.Book, MerchantID: e.MerchantID, EndpointID: e.ID, Limit: 100})
		require.NoError(t, err)
		for _, d := range list {
			types = append(types, d.Type)
		}
		return types
	}
	require.ElementsMatch(t, []string{"payment.created", "payment.succeeded"}, of(mine))
	require.Equal(t, []string{"order.created"}, of(exact))
	require.Empty(t, of(deaf))
	require.Empty(t, of(alone), "I-25")
	require.Len(t, of(above), 4, "the child's, and not the other merchant's")
	_, _, err = h.s.Delivery(t.Context(), h.MerchantID, delivery.Ref{Book: h.Book, EventID: h.s.Mint(id.Event), EndpointID: mine.ID})
	require.Error(t, err)
}

func TestTellingAgain(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	e := h.hook("all")
	h.paid("A-1", cny(100))
	h.leave(answered500)
	rows := func() []delivery.Row {
		list, _, err := h.s.Deliveries(t.Context(), delivery.RowFilter{Book: h.Book, MerchantID: h.MerchantID, Limit: 100})
		require.NoError(t, err)
		return list
	}
	starts := func() []delivery.Start {
		list, err := h.s.DeliveriesDue(t.Context(), 100)
		require.NoError(t, err)
		return list
	}
	require.Len(t, rows(), 4)
	c.forward(time.Second)
	due := starts()
	require.Len(t, due, 4)
	require.Empty(t, starts(), "claimed")
	require.Equal(t, e.Schedule, due[0].Schedule)
	require.False(t, due[0].Now)
	require.WithinDuration(t, time.Now().Add(5*time.Second), due[0].NextAt, 2*time.Second)
	for _, d := range due[1:] {
		require.NoError(t, h.s.DeliveryStarted(t.Context(), d))
	}
	c.forward(time.Minute)
	again := starts()
	require.Len(t, again, 1, "what wasn't started comes again")
	require.NoError(t, h.s.DeliveryStarted(t.Context(), due[0]), "too late")
	c.forward(2 * time.Minute)
	again = starts()
	require.Len(t, again, 1)
	require.NoError(t, h.s.DeliveryStarted(t.Context(), again[0]))

	// Its schedule ends; then it is told again.
	ref := due[0].Ref
	_, err := h.s.RecordTry(t.Context(), delivery.Told{Ref: ref, MerchantID: h.MerchantID, Tried: true, Result: answered500, At: time.Now(),
		APIVersion: trade.APIVersion, Verdict: delivery.Verdict{State: delivery.StateFailed, Failed: 10}})
	require.NoError(t, err)
	d, tries, err := h.s.Delivery(t.Context(), h.MerchantID, ref)
	require.NoError(t, err)
	require.Equal(t, delivery.StateFailed, d.State)
	require.Len(t, tries, 2)
	require.Equal(t, "oh no", tries[1].Result.Excerpt)
	n, err := h.s.RedeliverMany(t.Context(), delivery.RedeliverFilter{Book: h.Book, MerchantID: h.MerchantID, EndpointID: e.ID})
	require.NoError(t, err)
	require.Equal(t, 1, n, "the others are pending")
	n, err = h.s.RedeliverMany(t.Context(), delivery.RedeliverFilter{Book: h.Book, MerchantID: h.MerchantID, EndpointID: e.ID})
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = h.s.Redeliver(t.Context(), h.MerchantID, ref)
	require.NoError(t, err)
	c.forward(time.Second)
	again = starts()
	require.Len(t, again, 1)
	require.True(t, again[0].Now)
	_, err = h.s.Redeliver(t.Context(), "mer_other", ref)
	require.Error(t, err, "I-25")
}

func TestAnEndpointThatFailsForLongIsPausedAndHoldsWhatComes(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	bad, good := h.hook("bad"), h.hook("good")
	h.pay("A-1", cny(100))
	h.leave(answered500)
	read := func(e delivery.Endpoint) delivery.Endpoint {
		got, err := h.s.Endpoint(t.Context(), h.Book, h.MerchantID, e.ID)
		require.NoError(t, err)
		return got
	}
	require.Equal(t, delivery.Enabled, read(bad).Status)
	require.False(t, read(bad).FailingSince.IsZero())
	_, err := h.db.Owner.Exec(t.Context(), `UPDATE webhook_endpoints SET failing_since = now() - interval '4 days' WHERE id = $1`, bad.ID)
	require.NoError(t, err)
	h.pay("A-2", cny(100))
	h.leave(answered500)
	require.Equal(t, delivery.Paused, read(bad).Status)
	require.Equal(t, delivery.Enabled, read(good).Status)
	h.leave(answered204) // the event about it
	list, _, err := h.s.Events(t.Context(), delivery.EventFilter{Book: h.Book, MerchantID: h.MerchantID, Type: "endpoint.*", Limit: 10})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, delivery.EventEndpointPaused, list[0].Type)
	h.pay("A-3", cny(100))
	h.leave(answered204)
	held := func() []delivery.Row {
		list, _, err := h.s.Deliveries(t.Context(), delivery.RowFilter{Book: h.Book, MerchantID: h.MerchantID, EndpointID: bad.ID, State: delivery.StateHeld, Limit: 100})
		require.NoError(t, err)
		return list
	}
	require.Len(t, held(), 2, "the order's and the payment's; of itself it hears nothing")
	ref := held()[0].Ref
	after, err := h.s.ChangeEndpoint(t.Context(), bad.Ref(), ledger.Service("test"), func(e *delivery.Endpoint) error {
		e.Status = delivery.Enabled
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(2), after.Sequence)
	require.True(t, after.FailingSince.IsZero())
	require.Empty(t, held())
	state, err := h.s.RecordTry(t.Context(), delivery.Told{Ref: ref, MerchantID: h.MerchantID, At: time.Now(), APIVersion: trade.APIVersion,
		Verdict: delivery.Verdict{State: delivery.StateHeld}})
	require.NoError(t, err)
	require.Equal(t, delivery.StatePending, state, "nothing is held for an endpoint that is enabled")
	require.NoError(t, h.s.DeleteEndpoint(t.Context(), bad.Ref(), ledger.Service("test")))
	_, err = h.s.Endpoint(t.Context(), h.Book, h.MerchantID, bad.ID)
	require.Error(t, err)
	h.leave(answered204)
}

func TestASecretRotates(t *testing.T) {
	t.Parallel()
	h, c := clockedShop(t)
	e := h.hook("all")
	h.pay("A-1", cny(100))
	signing := func() int {
		list, _ := h.claim(1, time.Millisecond)
		require.Len(t, list, 1)
		return len(list[0].To[0].Secrets)
	}
	require.Equal(t, 1, signing())
	_, err := h.s.RotateSecret(t.Context(), e.Ref(), hookSecret(t, 'b'), time.Hour)
	require.NoError(t, err)
	require.Equal(t, 2, signing())
	c.forward(2 * time.Hour)
	require.Equal(t, 1, signing())
	for i := range delivery.MaxSecrets - 1 {
		_, err := h.s.RotateSecret(t.Context(), e.Ref(), hookSecret(t, byte('c'+i)), time.Hour)
		require.NoError(t, err)
	}
	_, err = h.s.RotateSecret(t.Context(), e.Ref(), hookSecret(t, 'z'), time.Hour)
	require.ErrorContains(t, err, "five secrets")
	_, err = h.s.RotateSecret(t.Context(), e.Ref(), hookSecret(t, 'z'), 0)
	require.NoError(t, err, "at once")
	require.Equal(t, 1, signing())
	_, err = h.s.CreateEndpoint(t.Context(), e, hookSecret(t, 'x'), ledger.Service("test"))
	require.Error(t, err)
}
