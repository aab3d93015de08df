package paypal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"paysaga/channels"
	"paysaga/channels/oracletest"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

// PayPal's own server SDK makes the whole tour against the fake: what it sends is taken, and what it reads is as it should be.
func TestPayPalsOwnClientIsServedByTheFake(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	f, _ := open(t)
	f.Watch(func(e fake.Exchange) { judged(t, e) })
	type question struct {
		Base         string `json:"base"`
		ClientID     string `json:"clientId"`
		ClientSecret string `json:"clientSecret"`
	}
	got := oracletest.Run[question, map[string]any](t, o, "tour.mjs", []question{{f.URL(), fake.ClientID, fake.ClientSecret}})
	assert.Equal(t, map[string]any{
		"status": "CREATED", "again": true, "unapproved": "ORDER_NOT_APPROVED", "captured": []any{"COMPLETED", "COMPLETED", "12.34"},
		"twice": "ORDER_ALREADY_CAPTURED", "refund": []any{"COMPLETED", "2.34"}, "refundAgain": true, "refundAsked": "COMPLETED",
		"tooMuch": "REFUND_AMOUNT_EXCEEDED", "asked": "PARTIALLY_REFUNDED", "authorized": "CREATED", "part": []any{"COMPLETED", "10.00"},
		"voided": "VOIDED", "voidAgain": "PREVIOUSLY_VOIDED", "closed": "ACTION_DOES_NOT_MATCH_INTENT", "missing": "INVALID_RESOURCE_ID",
	}, got[0])
	orders := f.Orders()
	assert.Len(t, orders, 4)
	assert.Equal(t, int64(1234+1000), orders[0].Captured+orders[1].Captured)
	assert.Equal(t, int64(234), orders[0].Refunded)
}

// Deliveries are signed and verified as another implementation does it: a thousand each way, and one in ten damaged.
func TestDeliveriesAgreeWithAnotherImplementation(t *testing.T) {
	t.Parallel()
	o, ok := oracletest.Open(t, "oracle")
	if !ok {
		return
	}
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	key, certificate := f.Signer()
	type question struct {
		Body        []byte `json:"body"`
		ID          string `json:"id"`
		At          string `json:"at"`
		Webhook     string `json:"webhook"`
		Key         string `json:"key"`
		Certificate string `json:"certificate"`
		Signature   string `json:"signature"`
	}
	type verdict struct {
		Signed   string `json:"signed"`
		Believed bool   `json:"believed"`
	}
	random, now := rand.New(rand.NewPCG(7, 1)), f.Now()
	var ask []question
	var headers []http.Header
	for n := range 1000 {
		body := fmt.Appendf(nil, `{"id":"WH-%d","event_type":"CUSTOMER.NOTE","resource":{"note":%q}}`, n, strings.Repeat("é漢\n", random.IntN(50)))
		h := f.Sign(body, now)
		q := question{body, h.Get("Paypal-Transmission-Id"), h.Get("Paypal-Transmission-Time"), fake.WebhookID, key, certificate, h.Get("Paypal-Transmission-Sig")}
		if n%10 == 9 {
			q.Body = bytes.Clone(body)
			q.Body[random.IntN(len(body))] ^= byte(1 + random.IntN(255))
		}
		ask, headers = append(ask, q), append(headers, h)
	}
	for n, got := range oracletest.Run[question, verdict](t, o, "judge.mjs", ask) {
		assert.Equal(t, n%10 != 9, got.Believed)
		theirs := headers[n].Clone()
		theirs.Set("Paypal-Transmission-Sig", got.Signed)
		_, err := ch.ParseCallback(account(f), channels.RawCallback{Header: theirs, Body: ask[n].Body, Now: now})
		if n%10 != 9 {
			assert.NoError(t, err)
		} else { // they signed the damaged body, so it is believed, and then read; under the first signature it isn't
			_, err = ch.ParseCallback(account(f), channels.RawCallback{Header: headers[n], Body: ask[n].Body, Now: now})
			assert.Equal(t, fault.KindDenied, fault.Of(err))
		}
	}
}
