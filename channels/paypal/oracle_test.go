package paypal_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"paysaga/channels/oracletest"
	"paysaga/channels/paypal/fake"
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
