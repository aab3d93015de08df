package stripe_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/oracletest"
	"paysaga/channels/stripe"
	"paysaga/domain/fault"
)

// Stripe's own client makes the whole tour against the fake.
func TestStripesOwnClientIsServedByTheFake(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	b := newBench(t)
	control := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { b.fake.Advance(36 * time.Hour) }))
	t.Cleanup(control.Close)
	type question struct {
		Base    string `json:"base"`
		Secret  string `json:"secret"`
		Control string `json:"control"`
		From    int64  `json:"from"`
		Till    int64  `json:"till"`
	}
	day := born.Truncate(24 * time.Hour)
	got := oracletest.Run[question, map[string]any](t, o, "tour.mjs",
		[]question{{b.fake.URL(), "sk_test_tour", control.URL, day.Unix(), day.Add(24 * time.Hour).Unix()}})
	assert.Equal(t, map[string]any{
		"paid": []any{"succeeded", 1234.0}, "again": true, "reused": "StripeIdempotencyError", "declined": "card_declined", "unknown": "parameter_unknown",
		"missing": "resource_missing", "held": []any{"requires_capture", 1234.0}, "taken": 1000.0, "canceled": "canceled",
		"captureCanceled": "payment_intent_unexpected_state", "refund": []any{"succeeded", 234.0, "succeeded"}, "listed": 1.0,
		"type": stripe.StatementBalance, "pending": "pending", "done": "succeeded", "rows": []any{"charge 10.00", "charge 12.34", "refund -2.34"},
	}, got[0])
}

// A thousand messages each way: what Stripe's client signs we believe, what our fake signs it believes, and neither believes
// what was changed.
func TestSignaturesAgreeWithStripesOwnClient(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	type question struct {
		Payload string `json:"payload"`
		Secret  string `json:"secret"`
		At      int64  `json:"at"`
		Header  string `json:"header"`
	}
	type verdict struct {
		Signed   string `json:"signed"`
		Believed string `json:"believed"`
	}
	b := newBench(t)
	random := rand.New(rand.NewPCG(23, 1))
	var ask []question
	for n := range 1000 {
		text, err := json.Marshal(map[string]any{"id": fmt.Sprintf("evt_%d", n), "object": "event", "api_version": "2026-03-25.dahlia", "livemode": false,
			"type": "customer.created", "data": map[string]any{"object": map[string]any{"id": "cus_1", "object": "customer", "name": anyText(random)}}})
		require.NoError(t, err)
		at, secret := time.Unix(1_700_000_000+random.Int64N(200_000_000), 0), fmt.Sprintf("whsec_%x", random.Uint64())
		q := question{string(text), secret, at.Unix(), b.fake.Sign(text, at, secret).Get("Stripe-Signature")}
		if n%10 == 9 {
			q.Header = b.fake.Sign(text, at, secret+"x").Get("Stripe-Signature")
		}
		ask = append(ask, q)
	}
	for n, got := range oracletest.Run[question, verdict](t, o, "judge.mjs", ask) {
		q, at := ask[n], time.Unix(ask[n].At, 0)
		a := b.account
		a.Credentials = map[string]string{stripe.SecretKey: "sk_test_bench", stripe.WebhookSecret: q.Secret}
		raw := channels.RawCallback{Header: map[string][]string{"Stripe-Signature": {got.Signed}}, Body: []byte(q.Payload), Now: at}
		cb, err := b.ch.ParseCallback(a, raw)
		require.NoError(t, err, q.Payload)
		assert.Equal(t, fmt.Sprintf("evt_%d", n), cb.EventID)
		raw.Body = []byte(strings.Replace(q.Payload, "customer", "kustomer", 1))
		_, err = b.ch.ParseCallback(a, raw)
		assert.Equal(t, fault.KindDenied, fault.Of(err))
		if n%10 == 9 {
			assert.Equal(t, "StripeSignatureVerificationError", got.Believed)
		} else {
			assert.Equal(t, cb.EventID, got.Believed)
		}
	}
}

// anyText is text of any script, with what JSON escapes.
func anyText(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(40) {
		b.WriteRune([]rune("aZ0 \"\\/\n\t<>&é漢字😀\u2028")[random.IntN(17)])
	}
	return b.String()
}
