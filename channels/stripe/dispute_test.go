package stripe_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// disputedEvents makes a payment, has its bank do what it does, and returns what Stripe tells of that.
func (b *bench) disputedEvents(acts ...string) (channels.Call, []fake.Event) {
	b.Helper()
	call := b.call(id.Charge)
	b.charge(call, card("pm_card_visa"))
	i, found := under(b.fake, call.Key)
	require.True(b, found)
	before := len(b.fake.Events())
	for _, act := range acts {
		require.True(b, b.fake.Dispute(i.ID, act))
	}
	return call, b.fake.Events()[before:]
}

// What counts is what Stripe has taken: a warning takes nothing, and a dispute that was won gives back its fee, too.
func TestDisputes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, events := b.disputedEvents("warn", "open", "lose", "win")
	i, _ := under(b.fake, call.Key)
	want := []struct {
		kind   string
		status dispute.Status
		fee    int64
		moves  time.Duration // balance transactions: the word that shows more is the later one of its second
	}{{"charge.dispute.created", "", 0, 0}, {"charge.dispute.created", dispute.Open, fake.DisputeFee, 1},
		{"charge.dispute.funds_withdrawn", dispute.Open, fake.DisputeFee, 1}, {"charge.dispute.closed", dispute.Lost, fake.DisputeFee, 1},
		{"charge.dispute.closed", dispute.Won, fake.DisputeFee, 1}, {"charge.dispute.funds_reinstated", dispute.Won, 0, 2}}
	require.Len(t, events, len(want))
	for n, w := range want {
		e := events[n]
		require.Equal(t, w.kind, e.Type)
		cb, err := b.parse(b.fake.Sign(e.Body, b.fake.Now()), e.Body)
		require.NoError(t, err)
		if w.status == "" {
			assert.Equal(t, channels.Callback{EventID: e.ID, Subject: channels.SubjectOther}, cb)
			continue
		}
		require.NotNil(t, cb.Dispute, "%s", e.Type)
		assert.Equal(t, channels.SubjectDispute, cb.Subject)
		assert.Equal(t, i.ID, cb.Outcome.ChannelID)
		assert.Empty(t, cb.Reference)
		assert.Equal(t, dispute.Word{ID: e.About, Status: w.status, AmountMinor: 1234, Currency: "EUR", FeeMinor: w.fee, Reason: "fraudulent",
			At: born.Add(w.moves * time.Microsecond)}, *cb.Dispute)
	}
}

// withDispute changes the dispute of an event.
func withDispute(t *testing.T, e fake.Event, change func(map[string]any)) []byte {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal(e.Body, &v))
	change(v["data"].(map[string]any)["object"].(map[string]any))
	body, err := json.Marshal(v)
	require.NoError(t, err)
	return body
}

func TestDisputesThatCantBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, events := b.disputedEvents("open")
	for name, change := range map[string]func(map[string]any){
		"status":   func(o map[string]any) { o["status"] = "in_space" },
		"currency": func(o map[string]any) { o["currency"] = "zzz" },
		"amount":   func(o map[string]any) { o["amount"] = -1 },
		"nothing":  func(o map[string]any) { o["amount"] = 0 },
		"object":   func(o map[string]any) { o["object"] = "charge" },
		"id":       func(o map[string]any) { o["id"] = "" },
	} {
		body := withDispute(t, events[0], change)
		_, err := b.parse(b.fake.Sign(body, b.fake.Now()), body)
		assert.Equal(t, fault.KindInvalid, fault.Of(err), name)
	}
	for name, change := range map[string]func(map[string]any){
		"no intent":       func(o map[string]any) { o["payment_intent"] = nil },
		"nothing was had": func(o map[string]any) { o["balance_transactions"] = []any{} },
	} {
		body := withDispute(t, events[0], change)
		cb, err := b.parse(b.fake.Sign(body, b.fake.Now()), body)
		require.NoError(t, err)
		assert.Equal(t, channels.SubjectOther, cb.Subject, name)
	}
	// A fee in another currency than the charge's is the statement's to tell.
	body := withDispute(t, events[0], func(o map[string]any) { o["balance_transactions"].([]any)[0].(map[string]any)["currency"] = "usd" })
	cb, err := b.parse(b.fake.Sign(body, b.fake.Now()), body)
	require.NoError(t, err)
	assert.Zero(t, cb.Dispute.FeeMinor)
}
