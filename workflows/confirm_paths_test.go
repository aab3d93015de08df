package workflows_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"sync"
	"testing"
	"time"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/paypal"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// ppal is the fake PayPal of this process: its customers approve, and the money is taken by our second word.
var ppal = sync.OnceValue(fake.New)

// withConfirming adds a channel that waits for a second word.
func withConfirming(c *activities.Config) {
	certs := wire.New(wire.Config{TLS: &tls.Config{RootCAs: ppal().TLS()}})
	c.Channels[paypal.Name] = channels.Guard(paypal.Trusting(wire.New(wire.Config{}),
		paypal.Trust{Hosts: []string{ppal().CertHost()}, Roots: ppal().Roots(), Client: certs}))
}

// confirmPaths run at PayPal's fake, by redirect.
var confirmPaths = []struct {
	name   string
	then   func(*testing.T, *stage.Merchant, stage.Answer)
	status payment.Status
}{
	{"approved_then_confirmed", func(t *testing.T, _ *stage.Merchant, a stage.Answer) { approve(t, a.ID) }, payment.Paid},
	{"approved_by_callback_then_confirmed", func(t *testing.T, m *stage.Merchant, a stage.Answer) {
		tellApproval(t, m, approve(t, a.ID))
	}, payment.Paid},
	{"approved_then_confirmed_by_the_third_word", func(t *testing.T, _ *stage.Merchant, a stage.Answer) {
		ppal().Stumble(orderOf(t, a.ID).ID, 2)
		approve(t, a.ID)
	}, payment.Paid},
	{"unapproved_then_closed", func(t *testing.T, m *stage.Merchant, a stage.Answer) {
		if c := cancel(t, m, a.ID); c.Code != 200 || c.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", c.Code, c.Raw)
		}
	}, payment.Canceled},
}

// walkConfirm pays by redirect, and judges by PayPal's book.
func walkConfirm(t *testing.T, s *stage.Stage, name string, then func(*testing.T, *stage.Merchant, stage.Answer), status payment.Status) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Channel: paypal.Name, Lane: payment.Standard, URL: ppal().URL(),
		Credentials: map[string]string{paypal.ClientID: fake.ClientID, paypal.ClientSecret: fake.ClientSecret, paypal.WebhookID: fake.WebhookID}})
	a := m.Pay(t, stage.Redirect, map[string]any{"return_url": "https://shop.example/back"})
	if a.Code != 201 || a.Status != payment.RequiresAction || a.NextAction == nil {
		t.Fatalf("a payment by redirect answered %d %s", a.Code, a.Raw)
	}
	then(t, m, a)
	m.UntilStatus(t, a.ID, status)
	want := int64(0)
	if status == payment.Paid {
		want = 1234
	}
	if o := orderOf(t, a.ID); o.Captured != want {
		t.Errorf("paypal took %d, and %d was meant (I-09)", o.Captured, want)
	}
	keepPayment(t, s, name, a.ID)
}

func orderOf(t *testing.T, paymentID string) fake.Order {
	t.Helper()
	ref, err := id.Reference(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: 1}))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ppal().Orders() {
		if o.Custom == ref {
			return o
		}
	}
	t.Fatal("paypal has no such order")
	return fake.Order{}
}

func approve(t *testing.T, paymentID string) (orderID string) {
	t.Helper()
	o := orderOf(t, paymentID)
	if !ppal().Approve(o.ID) {
		t.Fatal("the customer couldn't approve")
	}
	return o.ID
}

// tellApproval delivers the event of an approval, as PayPal does.
func tellApproval(t *testing.T, m *stage.Merchant, orderID string) {
	t.Helper()
	for _, e := range ppal().Events() {
		if e.About != orderID || e.Type != "CHECKOUT.ORDER.APPROVED" {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			m.Stage.API.URL+"/v1/callbacks/paypal/"+m.Sandboxes[0].Account, bytes.NewReader(e.Body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = ppal().Sign(e.Body, time.Now())
		res, err := m.Stage.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the callback was answered %d", res.StatusCode)
		}
		return
	}
	t.Fatal("paypal told of no approval")
}
