package paypal_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/channeltest"
	"paysaga/channels/paypal"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// open starts a fake, and what makes adapters that trust its certificates.
func open(t *testing.T) (*fake.Server, func(*wire.Client) *paypal.Channel) {
	t.Helper()
	f := fake.New()
	t.Cleanup(f.Close)
	certs := wire.New(wire.Config{TLS: &tls.Config{RootCAs: f.TLS()}})
	t.Cleanup(certs.CloseIdle)
	return f, func(c *wire.Client) *paypal.Channel {
		return paypal.Trusting(c, paypal.Trust{Hosts: []string{f.CertHost()}, Roots: f.Roots(), Client: certs})
	}
}

func account(f *fake.Server) channels.Account {
	return channels.Account{ID: "cha_test", Channel: paypal.Name, Book: id.Test, BaseURL: f.URL(), Credentials: map[string]string{
		paypal.ClientID: fake.ClientID, paypal.ClientSecret: fake.ClientSecret, paypal.WebhookID: fake.WebhookID}}
}

func token(vault string) channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 12345, Currency: "USD", Capture: true, Description: "An order",
		Method: payment.Method{Type: payment.MethodCardToken, Token: vault}}
}

func redirect() channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 2500, Currency: "EUR", Capture: true, ReturnURL: "https://shop.example/back",
		Method: payment.Method{Type: payment.MethodRedirect}}
}

// aside are the token, and the making of an order, by which no money moves.
func aside(r *http.Request) bool {
	return r.URL.Path == "/v1/oauth2/token" || r.Method == http.MethodPost && r.URL.Path == "/v2/checkout/orders"
}

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) *channeltest.Harness {
		f, adapter := open(t)
		ok, hold, soft, hard, slow, waiting := token("card:vault-ok"), token("paypal:vault-ok"), token("vault-poor"), token("vault-stolen"),
			token("vault-slow-refunds"), redirect()
		hold.Capture = false
		return &channeltest.Harness{
			New:      func(c *wire.Client) channels.Channel { return adapter(c) },
			Account:  account(f),
			Foreign:  map[string]string{paypal.ClientID: "foreign00", paypal.ClientSecret: "foreign00", paypal.WebhookID: "FOREIGN00"},
			Rejected: map[string]string{paypal.ClientID: "revoked00", paypal.ClientSecret: "revokedsecret", paypal.WebhookID: "REVOKED00"},
			Now:      f.Now, Advance: f.Advance, Aside: aside, CallbackAge: 73 * time.Hour,
			OK: &ok, Authorize: &hold, DeclineSoft: &soft, DeclineHard: &hard, Waiting: &waiting, PendingRefund: &slow,
			FinishRefund: func(k channels.Key, act string) bool {
				for _, r := range f.Refunds() {
					if r.Custom == k.Reference {
						return f.FinishRefund(r.ID, act)
					}
				}
				return false
			},
			Book: func(k channels.Key) []channeltest.Entry { return entries(f, k) },
			Pay: func(k channels.Key) bool {
				o, found := under(f, k)
				return found && f.Approve(o.ID)
			},
			Callback:       func(k channels.Key) channels.RawCallback { return callback(t, f, k) },
			UnknownState:   captures(func(_, c map[string]any) { c["status"] = "PATIENT" }),
			WrongReference: captures(func(u, _ map[string]any) { u["custom_id"] = "p00000000000000000000000000ch1" }),
			WrongAmount: captures(func(_, c map[string]any) {
				c["amount"].(map[string]any)["value"] = "123.46"
			}),
			Falsified: map[channels.Operation]channeltest.Falsified{channels.OpRefund: {
				UnknownState:   refunds(func(m map[string]any) { m["status"] = "PATIENT" }),
				WrongReference: refunds(func(m map[string]any) { m["custom_id"] = "r00000000000000000000000000rf1" }),
				WrongAmount:    refunds(func(m map[string]any) { m["amount"].(map[string]any)["value"] = "1.01" }),
			}},
		}
	})
}

// refunds edits a refund, or those of an order.
func refunds(edit func(map[string]any)) func(map[string]any) {
	return func(v map[string]any) {
		units, isOrder := v["purchase_units"].([]any)
		if !isOrder {
			edit(v)
			return
		}
		list, _ := units[0].(map[string]any)["payments"].(map[string]any)["refunds"].([]any)
		for _, m := range list {
			edit(m.(map[string]any))
		}
	}
}

// captures edits an order's unit and its first capture.
func captures(edit func(unit, capture map[string]any)) func(map[string]any) {
	return func(o map[string]any) {
		u := o["purchase_units"].([]any)[0].(map[string]any)
		edit(u, u["payments"].(map[string]any)["captures"].([]any)[0].(map[string]any))
	}
}

func under(f *fake.Server, k channels.Key) (fake.Order, bool) {
	for _, o := range f.Orders() {
		if o.Custom == k.Reference {
			return o, true
		}
	}
	return fake.Order{}, false
}

func entries(f *fake.Server, k channels.Key) []channeltest.Entry {
	var list []channeltest.Entry
	for _, o := range f.Orders() {
		if o.Custom == k.Reference {
			list = append(list, channeltest.Entry{ChannelID: o.ID, Paid: o.Held > 0 || o.Captured > 0, AmountMinor: o.Minor,
				CapturedMinor: o.Captured, RefundedMinor: o.Refunded})
		}
	}
	for _, r := range f.Refunds() {
		if r.Custom == k.Reference {
			list = append(list, channeltest.Entry{ChannelID: r.ID, AmountMinor: r.Minor, RefundedMinor: r.Minor})
		}
	}
	return list
}

// callback is the newest event about what a key made, as PayPal delivers it.
func callback(t *testing.T, f *fake.Server, k channels.Key) channels.RawCallback {
	t.Helper()
	about := ""
	if o, found := under(f, k); found {
		about = o.ID
	}
	for _, r := range f.Refunds() {
		if r.Custom == k.Reference {
			about = r.ID
		}
	}
	require.NotEmpty(t, about)
	var last fake.Event
	for _, e := range f.Events() {
		if e.About == about {
			last = e
		}
	}
	if last.Body == nil {
		require.False(t, strings.HasPrefix(about, "2RF"))
		last = f.Waiting(about)
	}
	return channels.RawCallback{Header: f.Sign(last.Body, f.Now()), Body: last.Body, Now: f.Now()}
}
