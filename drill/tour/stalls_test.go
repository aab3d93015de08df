package tour_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	alipayfake "paysaga/channels/alipay/fake"
	"paysaga/channels/paypal"
	paypalfake "paysaga/channels/paypal/fake"
	"paysaga/channels/sandbox"
	"paysaga/channels/stripe"
	stripefake "paysaga/channels/stripe/fake"
	"paysaga/channels/wechatpay"
	wechatfake "paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/drill/stage"
)

// stall is a channel's fake with an account at it, and how one pays there.
type stall struct {
	adapter  channels.Channel
	account  stage.AccountSpec
	currency string
	methods  []method
	// book is what the channel has under the reference of a charge: taken of the customer, and given back.
	book func(reference string) (taken, back int64)
	// exchange makes a round of files with a channel that knows nothing else; nil: it answers.
	exchange func(t *testing.T, account string)
}

// method is one way to pay at a stall.
type method struct {
	name string
	body map[string]any
	more map[string]any
	// alike names the sandbox's method whose state transitions it has to cost; empty: none works this way.
	alike string
	// pay lets the customer pay a waiting charge; nil: it is paid at once.
	pay func(reference string) bool
	// payBy is pay for whom the reference doesn't do.
	payBy func(t *testing.T, m *stage.Merchant, a stage.Answer)
	// tell sends the callbacks that are due to the address that the channel was given.
	tell func(t *testing.T, address string)
}

// seller opens a stall for a test.
type seller func(t *testing.T) stall

var sellers = map[string]seller{"alipay": atAlipay, "bank": atBank, "paypal": atPayPal, "stripe": atStripe, "wechatpay": atWeChat}

func client(t *testing.T) *wire.Client {
	t.Helper()
	c := wire.New(wire.Config{Timeout: 15 * time.Second})
	t.Cleanup(c.CloseIdle)
	return c
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// plain carries to the API what a channel sends by TLS.
type plain struct{}

func (plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return http.DefaultTransport.RoundTrip(r)
}

// post delivers a callback as a channel does.
func post(t *testing.T, address string, header http.Header, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header = header.Clone()
	res, err := (&http.Client{Transport: plain{}}).Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode, "the callback was refused")
}

func atStripe(t *testing.T) stall {
	f := stripefake.New(stripefake.Config{})
	t.Cleanup(f.Close)
	return stall{
		adapter: stripe.New(client(t)), currency: "EUR",
		account: stage.AccountSpec{Channel: stripe.Name, URL: f.URL(),
			Credentials: map[string]string{stripe.SecretKey: "sk_test_tour", stripe.WebhookSecret: "whsec_fake"}},
		methods: []method{{name: "card_token", body: stage.Card("pm_card_visa"), alike: "card_token"}},
		book: func(reference string) (taken, back int64) {
			for _, i := range f.Intents() {
				if i.Metadata["paysaga_reference"] == reference {
					taken, back = taken+i.Received, back+i.Refunded
				}
			}
			return taken, back
		},
	}
}

func atWeChat(t *testing.T) stall {
	f := wechatfake.New(t, wechatfake.Config{})
	return stall{
		adapter: wechatpay.New(client(t)).Clocked(f.Now), currency: "CNY",
		account: stage.AccountSpec{Channel: wechatpay.Name, URL: serve(t, f), Credentials: f.Credentials()},
		methods: []method{{name: "qr", body: stage.QR, alike: "qr", pay: f.Pay,
			tell: func(t *testing.T, _ string) { f.Deliver(t.Context(), &http.Client{Transport: plain{}}) }}},
		book: func(reference string) (taken, back int64) {
			for _, e := range f.Book(reference) {
				if e.Paid {
					taken, back = taken+e.Amount, back+e.Refunded
				}
			}
			return taken, back
		},
	}
}

func atAlipay(t *testing.T) stall {
	f := alipayfake.New(alipayfake.Config{ScanAtOnce: true})
	told := 0
	return stall{
		adapter: alipay.New(client(t)), currency: "CNY",
		account: stage.AccountSpec{Channel: alipay.Name, URL: serve(t, f.Handler()), Credentials: f.Credentials()},
		methods: []method{
			{name: "qr", body: stage.QR, alike: "qr", pay: f.Pay, tell: func(t *testing.T, _ string) {
				list := f.Notifications()
				for _, n := range list[told:] {
					post(t, n.URL, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, n.Body)
				}
				told = len(list)
			}},
			{name: "barcode", body: map[string]any{"type": "barcode", "token": f.Barcode(alipayfake.Pays)}, alike: "card_token"},
		},
		book: func(reference string) (taken, back int64) {
			if trade, found := f.Trade(reference); found && !trade.PaidAt.IsZero() {
				return trade.Total, trade.Refunded
			}
			return 0, 0
		},
	}
}

func atPayPal(t *testing.T) stall {
	f := paypalfake.New()
	t.Cleanup(f.Close)
	certs := wire.New(wire.Config{TLS: &tls.Config{RootCAs: f.TLS()}})
	t.Cleanup(certs.CloseIdle)
	told := 0
	order := func(reference string) (paypalfake.Order, bool) {
		for _, o := range f.Orders() {
			if o.Custom == reference {
				return o, true
			}
		}
		return paypalfake.Order{}, false
	}
	return stall{
		adapter: paypal.Trusting(client(t), paypal.Trust{Hosts: []string{f.CertHost()}, Roots: f.Roots(), Client: certs}), currency: "USD",
		account: stage.AccountSpec{Channel: paypal.Name, URL: f.URL(), Credentials: map[string]string{paypal.ClientID: paypalfake.ClientID,
			paypal.ClientSecret: paypalfake.ClientSecret, paypal.WebhookID: paypalfake.WebhookID}},
		methods: []method{
			// The buyer's word isn't the money yet: it is taken by a call of our own after it, which the sandbox has nothing like.
			{name: "redirect", body: stage.Redirect, more: map[string]any{"return_url": "https://shop.example/back"},
				pay: func(reference string) bool { o, found := order(reference); return found && f.Approve(o.ID) },
				tell: func(t *testing.T, address string) {
					list := f.Events()
					for _, e := range list[told:] {
						post(t, address, f.Sign(e.Body, f.Now()), e.Body)
					}
					told = len(list)
				}},
			{name: "card_token", body: stage.Card("card:vault-ok"), alike: "card_token"},
		},
		book: func(reference string) (taken, back int64) {
			o, _ := order(reference)
			return o.Captured, o.Refunded
		},
	}
}

// atSandbox is the measure: the same two ways, at the channel that belongs to nobody.
func atSandbox(t *testing.T) stall {
	return stall{adapter: sandbox.New(client(t)), currency: "CNY", account: stage.AccountSpec{Channel: sandbox.Name},
		methods: []method{{name: "card_token", body: stage.Card("tok_ok")}, {name: "qr", body: stage.QR}}}
}
