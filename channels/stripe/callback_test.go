package stripe_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func (b *bench) parse(h http.Header, body []byte) (channels.Callback, error) {
	return b.ch.ParseCallback(b.account, channels.RawCallback{Header: h, Body: body, Now: b.fake.Now()})
}

// event is the last event of a type.
func (b *bench) event(kind string) fake.Event {
	b.Helper()
	events := b.fake.Events()
	for n := len(events) - 1; n >= 0; n-- {
		if events[n].Type == kind {
			return events[n]
		}
	}
	require.Fail(b, "no event "+kind)
	return fake.Event{}
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hold, redirect := card("pm_card_visa"), card("")
	hold.Capture, redirect.Method = false, payment.Method{Type: payment.MethodRedirect}
	auth, paid, no, shown, wait := b.call(id.Charge), b.call(id.Charge), b.call(id.Charge), b.call(id.Charge), b.call(id.RefundOut)
	b.charge(auth, hold)
	b.charge(no, card("pm_card_visa_chargeDeclinedStolenCard"))
	done := b.charge(paid, card("pm_card_pendingRefund"))
	pending := b.charge(shown, redirect)
	b.refund(wait, channels.RefundRequest{ChannelID: done.ChannelID, AmountMinor: 34, Currency: "EUR"})

	check := func(kind string, subject channels.Subject, call channels.Call, want payment.Outcome) {
		t.Helper()
		e := b.event(kind)
		cb, err := b.parse(b.fake.Sign(e.Body, b.fake.Now()), e.Body)
		require.NoError(t, err)
		want.ChannelID = cb.Outcome.ChannelID
		assert.NotEmpty(t, want.ChannelID)
		assert.Equal(t, channels.Callback{EventID: e.ID, Subject: subject, Reference: call.Key.Reference, Outcome: want}, cb)
	}
	check("payment_intent.succeeded", channels.SubjectCharge, paid,
		payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "EUR", EffectiveAt: born})
	check("payment_intent.amount_capturable_updated", channels.SubjectCharge, auth,
		payment.Outcome{Verdict: payment.Authorized, AmountMinor: 1234, Currency: "EUR", EffectiveAt: born, ExpiresAt: born.Add(7 * 24 * time.Hour)})
	check("payment_intent.payment_failed", channels.SubjectCharge, no, payment.Outcome{Verdict: payment.Declined,
		Decline: &payment.Decline{Code: "stolen_card", Channel: "stolen_card", Hard: true}})
	check("payment_intent.requires_action", channels.SubjectCharge, shown, payment.Outcome{Verdict: payment.Pending, Action: pending.Action})
	check("refund.created", channels.SubjectRefund, wait, payment.Outcome{Verdict: payment.Pending})
	b.cancel(shown, redirect)
	check("payment_intent.canceled", channels.SubjectCharge, shown, payment.Outcome{Verdict: payment.Closed, Dead: true})
	refund := b.fake.Refunds()[0].ID
	b.fake.FinishRefund(refund, "succeeded", "")
	check("refund.updated", channels.SubjectRefund, wait,
		payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 34, Currency: "EUR", EffectiveAt: born})
	b.fake.FinishRefund(refund, "failed", "")
	check("refund.failed", channels.SubjectRefund, wait,
		payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "refund_failed"}})
}

// edited changes an event before it is signed.
func edited(t *testing.T, body []byte, edit func(event, object map[string]any)) []byte {
	t.Helper()
	var e map[string]any
	require.NoError(t, json.Unmarshal(body, &e))
	edit(e, e["data"].(map[string]any)["object"].(map[string]any))
	out, err := json.Marshal(e)
	require.NoError(t, err)
	return out
}

func TestForgedAndStaleCallbacksAreDenied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.account.Credentials[stripe.PreviousWebhookSecret] = "whsec_old"
	b.charge(b.call(id.Charge), card("pm_card_visa"))
	body, now := b.event("payment_intent.succeeded").Body, b.fake.Now()
	other := bytes.Replace(body, []byte("1234"), []byte("9234"), 1)
	good := b.fake.Sign(body, now).Get("Stripe-Signature")
	cases := map[string]struct {
		header http.Header
		body   []byte
		code   string // empty: taken
	}{
		"good":                       {b.fake.Sign(body, now), body, ""},
		"299 s old":                  {b.fake.Sign(body, now.Add(-299*time.Second)), body, ""},
		"301 s old":                  {b.fake.Sign(body, now.Add(-301*time.Second)), body, "callback_stale"},
		"299 s ahead":                {b.fake.Sign(body, now.Add(299*time.Second)), body, ""},
		"301 s ahead":                {b.fake.Sign(body, now.Add(301*time.Second)), body, "callback_stale"},
		"a second signature":         {b.fake.Sign(body, now, "whsec_new", "whsec_fake"), body, ""},
		"the secret before":          {b.fake.Sign(body, now, "whsec_old"), body, ""},
		"another secret":             {b.fake.Sign(body, now, "whsec_other"), body, "callback_forged"},
		"an empty secret":            {b.fake.Sign(body, now, ""), body, "callback_forged"},
		"another body":               {b.fake.Sign(body, now), other, "callback_forged"},
		"a byte more":                {b.fake.Sign(body, now), append(bytes.Clone(body), '\n'), "callback_forged"},
		"no header":                  {http.Header{}, body, "callback_forged"},
		"two headers":                {http.Header{"Stripe-Signature": {good, good}}, body, "callback_forged"},
		"another stamp":              {http.Header{"Stripe-Signature": {"t=1," + good[2:]}}, body, "callback_forged"},
		"a later stamp appended":     {http.Header{"Stripe-Signature": {good + ",t=1"}}, body, "callback_forged"},
		"only the test scheme":       {http.Header{"Stripe-Signature": {bytesReplace(good, "v1=", "v0=")}}, body, "callback_forged"},
		"signed but not JSON":        {b.fake.Sign([]byte("hello"), now), []byte("hello"), "callback_unreadable"},
		"signed but empty":           {b.fake.Sign(nil, now), nil, "callback_unreadable"},
		"signed but no event":        {b.fake.Sign([]byte(`{"object":"v2.core.event"}`), now), []byte(`{"object":"v2.core.event"}`), "callback_unreadable"},
		"signed but without content": {b.fake.Sign([]byte(`{"object":"event","id":"evt_1"}`), now), []byte(`{"object":"event","id":"evt_1"}`), "callback_unreadable"},
	}
	for name, c := range cases {
		cb, err := b.parse(c.header, c.body)
		if c.code == "" {
			assert.NoError(t, err, name)
			continue
		}
		assert.Zero(t, cb, name)
		kind := fault.KindDenied
		if c.code == "callback_unreadable" {
			kind = fault.KindInvalid
		}
		assert.True(t, fault.Is(err, kind, c.code), "%s: %v", name, err)
	}
}

func bytesReplace(s, old, with string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte(old), []byte(with)))
}

func TestWhatASignedEventMayHold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.charge(b.call(id.Charge), card("pm_card_visa"))
	body := b.event("payment_intent.succeeded").Body
	cases := map[string]struct {
		edit    func(event, object map[string]any)
		subject channels.Subject
		code    string
	}{
		"of another release":     {func(e, _ map[string]any) { e["api_version"] = "2031-01-01.iris" }, channels.SubjectCharge, ""},
		"of an ancient release":  {func(e, _ map[string]any) { e["api_version"] = "2019-12-03" }, channels.SubjectCharge, ""},
		"of live mode":           {func(e, _ map[string]any) { e["livemode"] = true }, "", "callback_wrong_mode"},
		"of someone else":        {func(_, o map[string]any) { o["metadata"] = map[string]any{"order": "7"} }, channels.SubjectOther, ""},
		"without metadata":       {func(_, o map[string]any) { o["metadata"] = nil }, channels.SubjectOther, ""},
		"of a customer":          {func(e, _ map[string]any) { e["type"] = "customer.created" }, channels.SubjectOther, ""},
		"of the creation":        {func(e, _ map[string]any) { e["type"] = "payment_intent.created" }, channels.SubjectOther, ""},
		"with another object":    {func(_, o map[string]any) { o["object"] = "charge" }, "", "callback_unreadable"},
		"with a new status":      {func(_, o map[string]any) { o["status"] = "partially_funded" }, "", "callback_unreadable"},
		"with a broken amount":   {func(_, o map[string]any) { o["amount_received"] = -3 }, "", "callback_unreadable"},
		"with text for amount":   {func(_, o map[string]any) { o["amount_received"] = "3" }, "", "callback_unreadable"},
		"without an id":          {func(e, _ map[string]any) { e["id"] = "" }, "", "callback_unreadable"},
		"a refund that is none":  {func(e, _ map[string]any) { e["type"] = "refund.updated" }, "", "callback_unreadable"},
		"a dispute that is none": {func(e, _ map[string]any) { e["type"] = "charge.dispute.created" }, "", "callback_unreadable"},
		"in an unknown currency": {func(_, o map[string]any) { o["currency"] = "xxx" }, "", "callback_unreadable"},
	}
	for name, c := range cases {
		changed := edited(t, body, c.edit)
		cb, err := b.parse(b.fake.Sign(changed, b.fake.Now()), changed)
		if c.code != "" {
			assert.Error(t, err, name)
			assert.Equal(t, c.code, fault.As(err).Code, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, c.subject, cb.Subject, name)
		assert.NotEmpty(t, cb.EventID, name)
	}
}
