package paypal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// specs are PayPal's published specifications, reduced to what the adapter uses; see testdata/openapi.
var specs = sync.OnceValues(func() (list []routers.Router, err error) {
	for _, name := range []string{"checkout_orders_v2", "payments_payment_v2"} {
		doc, err := openapi3.NewLoader().LoadFromFile("testdata/openapi/" + name + ".json")
		if err != nil {
			return nil, err
		}
		r, err := legacy.NewRouter(doc, openapi3.DisableSchemaPatternValidation(), openapi3.DisableExamplesValidation(), openapi3.DisableSchemaFormatValidation())
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
})

// issues are the texts of the specifications, which list every issue.
var issues = sync.OnceValue(func() (text string) {
	for _, name := range []string{"checkout_orders_v2", "payments_payment_v2"} {
		raw, err := os.ReadFile("testdata/openapi/" + name + ".json")
		if err != nil {
			panic(err)
		}
		text += string(raw)
	}
	return text
})

// judged holds an exchange against PayPal's specification, and says whether it is in there.
func judged(t *testing.T, e fake.Exchange) bool {
	t.Helper()
	list, err := specs()
	require.NoError(t, err)
	for _, router := range list {
		req, err := http.NewRequestWithContext(context.Background(), e.Method, e.Path, bytes.NewReader(e.Body))
		require.NoError(t, err)
		req.Header = e.Header
		route, params, err := router.FindRoute(req)
		if err != nil {
			continue
		}
		options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
		in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
		assert.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), "the adapter's request: %s %s %s", e.Method, e.Path, e.Body)
		if e.Status >= 400 { // PayPal's texts are its own; the issue has to be one that it lists
			var no struct {
				Details []struct {
					Issue string `json:"issue"`
				} `json:"details"`
			}
			assert.NoError(t, json.Unmarshal(e.Answer, &no))
			if assert.Len(t, no.Details, 1) {
				assert.Contains(t, issues(), `"`+no.Details[0].Issue+`"`)
			}
			return true
		}
		if e.Status == http.StatusOK && route.Operation.Responses.Status(http.StatusOK) == nil {
			e.Status = http.StatusCreated // the text says that a repeat is answered 200; the list of answers doesn't
		}
		header := http.Header{"Content-Type": {"application/json"}}
		answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: e.Status, Header: header,
			Body: io.NopCloser(bytes.NewReader(e.Answer)), Options: options}
		assert.NoError(t, openapi3filter.ValidateResponse(context.Background(), answer), "the fake's answer: %s %s: %d %s", e.Method, e.Path, e.Status, e.Answer)
		return true
	}
	return false
}

// What the adapter sends and what the fake answers is as PayPal's own specification has it.
func TestRequestsAndAnswersAreAsPayPalSpecifiesThem(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	seen := map[string]bool{}
	f.Watch(func(e fake.Exchange) {
		if judged(t, e) {
			parts := strings.Split(e.Path, "/")
			for i, p := range parts {
				if len(p) == 17 {
					parts[i] = "*"
				}
			}
			seen[e.Method+" "+strings.Join(parts, "/")] = true
		}
	})
	charge := func(r channels.ChargeRequest, want payment.Verdict) (channels.Call, payment.Outcome) {
		c := newCall(t, f, r)
		out, err := ch.Charge(t.Context(), c, r)
		require.NoError(t, err)
		require.Equal(t, want, out.Verdict)
		return c, out
	}
	must := func(want payment.Verdict) func(payment.Outcome, error) {
		return func(out payment.Outcome, err error) {
			t.Helper()
			require.NoError(t, err)
			require.Equal(t, want, out.Verdict)
		}
	}
	r := redirect()
	r.Description = strings.Repeat("ü", 100)
	c, out := charge(r, payment.Pending)
	require.True(t, f.Approve(out.ChannelID))
	must(payment.Succeeded)(ch.Confirm(t.Context(), c, r))
	q := channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: out.ChannelID, AmountMinor: 100, TotalMinor: 2500, Currency: "EUR", Reason: "The customer sent it back"}
	back := newRefund(t, f, q)
	must(payment.Succeeded)(ch.Refund(t.Context(), back, q))
	must(payment.Succeeded)(ch.AskRefund(t.Context(), back, q))

	c, _ = charge(r, payment.Pending)
	must(payment.Closed)(ch.Cancel(t.Context(), c, r))
	charge(token("vault-poor"), payment.Declined)
	charge(token("vault-refused"), payment.Declined)

	hold := token("paypal:vault-ok")
	hold.Capture = false
	c, out = charge(hold, payment.Authorized)
	must(payment.Closed)(ch.Cancel(t.Context(), c, hold))
	c, out = charge(hold, payment.Authorized)
	f.Advance(5 * 24 * time.Hour)
	take := channels.CaptureRequest{ChargeKey: c.Key.ID, ChannelID: out.ChannelID, AmountMinor: 345, Currency: "USD", Final: true}
	must(payment.Succeeded)(ch.Capture(t.Context(), channels.Call{Account: c.Account, Key: newKey(t, f, id.Payment, id.CaptureOut, take), Now: f.Now()}, take))
	c.Now = f.Now() // and the way back from a transaction to its order
	must(payment.Succeeded)(ch.Ask(t.Context(), c, hold))

	for _, want := range []string{"POST /v2/checkout/orders", "GET /v2/checkout/orders/*", "PATCH /v2/checkout/orders/*", "POST /v2/checkout/orders/*/capture",
		"POST /v2/checkout/orders/*/authorize", "POST /v2/payments/authorizations/*/void", "POST /v2/payments/authorizations/*/capture",
		"POST /v2/payments/authorizations/*/reauthorize", "POST /v2/payments/captures/*/refund", "GET /v2/payments/captures/*"} {
		assert.True(t, seen[want], "%s wasn't judged: %v", want, seen)
	}
}

// A judge that can't fail proves nothing.
func TestTheSpecificationRefusesAnInventedIntent(t *testing.T) {
	t.Parallel()
	list, err := specs()
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/checkout/orders", strings.NewReader(`{"intent":"TAKE","purchase_units":[{"amount":{"currency_code":"USD","value":"1.00"}}]}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	route, params, err := list[0].FindRoute(req)
	require.NoError(t, err)
	assert.Error(t, openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}))
}
