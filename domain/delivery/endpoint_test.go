package delivery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/trade"
)

func endpoint(events ...string) delivery.Endpoint {
	s, _ := delivery.Preset("")
	return delivery.Endpoint{Book: id.Test, ID: "whk_1", MerchantID: "mer_1", Events: events, APIVersion: trade.APIVersion, Schedule: s}
}

func TestWhatAnEndpointHears(t *testing.T) {
	t.Parallel()
	event := func(kind string, change ...func(*trade.Event)) trade.Event {
		e := trade.Event{Type: kind, Book: id.Test, MerchantID: "mer_1", Object: trade.EventObject{ID: "pay_1"}}
		for _, f := range change {
			f(&e)
		}
		return e
	}
	of := func(object string) func(*trade.Event) { return func(e *trade.Event) { e.Object.ID = object } }
	merchant := func(m string) func(*trade.Event) { return func(e *trade.Event) { e.MerchantID = m } }
	live := func(e *trade.Event) { e.Book = id.Live }
	parent := endpoint()
	parent.IncludeChildren = true
	for _, c := range []struct {
		name  string
		e     delivery.Endpoint
		of    trade.Event
		hears bool
	}{
		{"everything", endpoint(), event("payment.succeeded"), true},
		{"what it asked for", endpoint("payment.succeeded"), event("payment.succeeded"), true},
		{"all of an object's", endpoint("payment.*"), event("payment.parked"), true},
		{"nothing else", endpoint("payment.succeeded"), event("payment.parked"), false},
		{"no object that begins alike", endpoint("pay.*"), event("payment.parked"), false},
		{"no other merchant's (I-25)", endpoint(), event("payment.succeeded", merchant("mer_2")), false},
		{"no other book's (I-25)", endpoint(), event("payment.succeeded", live), false},
		{"not the platform's own", parent, event("routing.rule_failed", merchant("")), false},
		{"children's, if asked for", parent, event("payment.succeeded", merchant("mer_2")), true},
		{"nothing of itself", endpoint(), event(delivery.EventEndpointPaused, of("whk_1")), false},
		{"another endpoint's pause", endpoint(), event(delivery.EventEndpointPaused, of("whk_2")), true},
		{"its ping, whatever it asked for", endpoint("payment.*"), event(delivery.EventPing, of("whk_1")), true},
		{"nobody else's ping", endpoint(), event(delivery.EventPing, of("whk_2")), false},
	} {
		assert.Equal(t, c.hears, c.e.Hears(c.of), c.name)
	}
}

func TestEndpointsThatCantWorkAreRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, endpoint("payment.*", "refund.succeeded").Check())
	for _, events := range [][]string{{"*"}, {"payment"}, {"payment."}, {"payment.*", "payment.*"}, {"Payment.x"}, {"payment.x.y"}, {"nothing.x"}, make([]string, 51)} {
		require.Error(t, endpoint(events...).Check(), "%q", events)
	}
	e := endpoint()
	e.Description = strings.Repeat("é", 501)
	require.Error(t, e.Check())
	e = endpoint()
	e.APIVersion = "x"
	require.Error(t, e.Check())
	e = endpoint()
	e.Schedule.Waits = nil
	require.Error(t, e.Check())
}

func TestWhatATryMakesOfItsDelivery(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	s := delivery.Schedule{Waits: []delivery.Wait{delivery.Wait(5 * time.Second), delivery.Wait(time.Minute)}}
	ref := delivery.Ref{Book: id.Test, EventID: "evt_1", EndpointID: "whk_1"}
	retry := delivery.Result{Outcome: delivery.Retry, Reason: "http_500"}
	for _, c := range []struct {
		failed int
		r      delivery.Result
		want   delivery.Verdict
	}{
		{0, delivery.Result{Outcome: delivery.Delivered}, delivery.Verdict{State: delivery.StateDelivered}},
		{1, delivery.Result{Outcome: delivery.Gone}, delivery.Verdict{State: delivery.StateGone, Failed: 1}},
		{0, retry, delivery.Verdict{State: delivery.StatePending, Failed: 1, NextAt: at.Add(5 * time.Second)}},
		{1, retry, delivery.Verdict{State: delivery.StatePending, Failed: 2, NextAt: at.Add(time.Minute)}},
		{2, retry, delivery.Verdict{State: delivery.StateFailed, Failed: 3}},
		{0, delivery.Result{Outcome: delivery.Refused}, delivery.Verdict{State: delivery.StatePending, Failed: 1, NextAt: at.Add(5 * time.Second)}},
		{0, delivery.Result{Outcome: delivery.Retry, RetryAfter: time.Hour}, delivery.Verdict{State: delivery.StatePending, Failed: 1, NextAt: at.Add(time.Hour)}},
		{1, delivery.Result{Outcome: delivery.Retry, RetryAfter: time.Second}, delivery.Verdict{State: delivery.StatePending, Failed: 2, NextAt: at.Add(time.Minute)}},
	} {
		assert.Equal(t, c.want, s.Judge(ref, c.failed, c.r, at))
	}
	assert.Equal(t, delivery.MinFailing, s.PauseAfter())
	long, _ := delivery.Preset("")
	assert.Equal(t, long.Span(), long.PauseAfter())
}

func TestADeliverysNameHasOneSpelling(t *testing.T) {
	t.Parallel()
	ref := delivery.Ref{EventID: id.New(id.Event, 1, [10]byte{}), EndpointID: id.New(id.Endpoint, 2, [10]byte{})}
	got, err := delivery.ParseID(ref.ID())
	require.NoError(t, err)
	require.Equal(t, ref, got)
	for _, text := range []string{"", "/", ref.EventID, ref.EventID + "/", ref.EndpointID + "/" + ref.EventID, ref.ID() + "x", strings.ToUpper(ref.ID()), ref.EventID + ":" + ref.EndpointID} {
		_, err := delivery.ParseID(text)
		require.Error(t, err, text)
	}
}
