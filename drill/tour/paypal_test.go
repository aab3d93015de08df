package tour_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/paypal"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
)

// teller is a stage whose only channel is PayPal, and whoever sends webhooks there.
type teller struct {
	*stage.Merchant
	t       *testing.T
	paypal  *fake.Server
	address string
}

func openTeller(t *testing.T) *teller {
	f := fake.New()
	t.Cleanup(f.Close)
	certs := wire.New(wire.Config{TLS: &tls.Config{RootCAs: f.TLS()}})
	t.Cleanup(certs.CloseIdle)
	adapter := paypal.Trusting(client(t), paypal.Trust{Hosts: []string{f.CertHost()}, Roots: f.Roots(), Client: certs})
	s := stage.New(t, stage.Options{Wire: stage.Wire{Steps: func(c *activities.Config) { c.Channels = channels.NewRegistry(adapter) }}})
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Channel: paypal.Name, URL: f.URL(), Lane: payment.Standard, Credentials: map[string]string{
		paypal.ClientID: fake.ClientID, paypal.ClientSecret: fake.ClientSecret, paypal.WebhookID: fake.WebhookID}})
	return &teller{m, t, f, fmt.Sprintf("%s/v1/callbacks/%s/%s", s.API.URL, paypal.Name, m.Sandboxes[0].Account)}
}

// opens makes a payment by redirect, and returns it with its order at PayPal.
func (o *teller) opens() (paymentID string, order func() fake.Order) {
	o.t.Helper()
	a := o.Pay(o.t, stage.Redirect, map[string]any{"amount": "50.00", "currency": "USD", "return_url": "https://shop.example/back"})
	o.UntilStatus(o.t, a.ID, payment.RequiresAction)
	reference, err := id.Reference(id.Key(a.ID, id.Step{Code: id.Charge, Ordinal: 1}))
	require.NoError(o.t, err)
	return a.ID, func() fake.Order {
		for _, each := range o.paypal.Orders() {
			if each.Custom == reference {
				return each
			}
		}
		o.t.Fatal("PayPal has no such order")
		return fake.Order{}
	}
}

// genuine is the newest delivery that PayPal makes, with a signature of its own.
func (o *teller) genuine() (header http.Header, body []byte) {
	list := o.paypal.Events()
	body = list[len(list)-1].Body
	return o.paypal.Sign(body, o.paypal.Now()), body
}

// heard waits until every callback of a payment or refund is dealt with, and returns how many there are and what was made of the last.
func (o *teller) heard(business string, n int64) (verdict string) {
	o.t.Helper()
	stage.Eventually(o.t, "the callbacks about "+business+" are dealt with", func() bool {
		return o.Stage.Count(o.t, `SELECT count(*) FROM callbacks WHERE business_id = $1 AND disposition IS NOT NULL`, business) == n
	})
	for _, verdict := range []string{"pending", "succeeded", "declined", "closed", "unknown"} {
		if o.Stage.Count(o.t, `SELECT count(*) FROM (SELECT outcome FROM callbacks WHERE business_id = $1 ORDER BY received_at DESC, id DESC LIMIT 1) c
			WHERE outcome->>'verdict' = $2`, business, verdict) == 1 {
			return verdict
		}
	}
	return ""
}

// PayPal signs a CRC-32 of a webhook's body, so one genuine delivery is enough to write others. What they say changes nothing: each
// makes us ask PayPal, once, and PayPal's answer is what counts. A genuine one ends the payment the same way (I-21).
func TestAForgedWebhookOnlyMakesUsAskPayPal(t *testing.T) {
	t.Parallel()
	o := openTeller(t)
	bought, order := o.opens()
	_, other := o.opens()
	require.True(t, o.paypal.Approve(other().ID)) // its webhook is what the forger has seen
	forge := func(text string, args ...any) (http.Header, []byte) {
		header, body := o.genuine()
		return header, fake.Forge(body, fmt.Appendf(nil, text, args...))
	}
	events := o.Stage.Count(t, `SELECT count(*) FROM events WHERE business_id = $1`, bought)
	for n, text := range []string{
		`{"id":"WH-F1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"4F","status":"COMPLETED","create_time":"2026-11-22T00:00:00Z","amount":{"currency_code":"USD","value":"50.00"},"custom_id":%q,"supplementary_data":{"related_ids":{"order_id":"THEIRS"}}}}`,
		`{"id":"WH-F2","event_type":"CHECKOUT.ORDER.APPROVED","resource":{"id":"THEIRS","status":"APPROVED","purchase_units":[{"custom_id":%q}]}}`,
		`{"id":"WH-F3","event_type":"PAYMENT.CAPTURE.DENIED","resource":{"id":"4F","status":"DECLINED","amount":{"currency_code":"USD","value":"50.00"},"custom_id":%q}}`,
		`{"id":"WH-F4","event_type":"PAYMENT.AUTHORIZATION.VOIDED","resource":{"id":"4F","status":"VOIDED","amount":{"currency_code":"USD","value":"50.00"},"custom_id":%q}}`,
	} {
		header, body := forge(text, order().Custom)
		post(t, o.address, header, body)
		assert.Equal(t, "pending", o.heard(bought, int64(n+1)), "what PayPal said is kept, not what the body said")
		post(t, o.address, header, fake.Forge(body, []byte(`{"id":"WH-F9","event_type":"X","resource":{"a":1}}`)))
	}
	assert.EqualValues(t, 4, o.Stage.Count(t, `SELECT count(*) FROM callbacks`), "a signature is good for one delivery, whatever its body")
	assert.EqualValues(t, payment.RequiresAction, o.Get(t, bought).Status)
	assert.Equal(t, events, o.Stage.Count(t, `SELECT count(*) FROM events WHERE business_id = $1`, bought))
	assert.Zero(t, o.Stage.Count(t, `SELECT captured FROM payments WHERE id = $1`, bought)) // the other one is paid meanwhile, since its customer approved
	assert.Zero(t, o.Stage.Count(t, `SELECT count(*) FROM causes WHERE cause LIKE $1 || ':ch%'`, bought))
	assert.Zero(t, o.Stage.Count(t, `SELECT count(*) FROM cases`))
	assert.Zero(t, order().Captured)

	require.True(t, o.paypal.Approve(order().ID))
	header, body := o.genuine()
	post(t, o.address, header, body)
	o.UntilStatus(t, bought, payment.Paid)
	assert.Equal(t, int64(5000), order().Captured)

	r := o.Refund(t, bought, "back", "20.00")
	require.Less(t, r.Code, 300, "%s", r.Raw)
	o.UntilRefund(t, r.ID, "succeeded", func(r stage.RefundAnswer) bool { return r.Status == refund.Succeeded })
	back, err := id.Reference(id.Key(r.ID, id.Step{Code: id.RefundOut, Ordinal: 1}))
	require.NoError(t, err)
	header, body = forge(`{"id":"WH-F5","event_type":"PAYMENT.REFUND.FAILED","resource":{"id":"4F","status":"FAILED","custom_id":%q}}`, back)
	post(t, o.address, header, body)
	assert.Equal(t, "succeeded", o.heard(r.ID, 1))
	assert.EqualValues(t, refund.Succeeded, o.GetRefund(t, r.ID).Status)
	assert.Zero(t, o.Stage.Count(t, `SELECT count(*) FROM cases`), "a refund that nobody took back")

	for _, each := range o.paypal.Refunds() {
		require.True(t, o.paypal.FinishRefund(each.ID, "return"))
	}
	header, body = o.genuine()
	post(t, o.address, header, body)
	stage.Eventually(t, "the refund that came back is seen", func() bool { return o.Stage.Count(t, `SELECT count(*) FROM cases`) == 1 })
	o.Stage.Audit(t)
}
