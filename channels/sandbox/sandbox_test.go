package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/channeltest"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func TestTheSandboxPassesTheConformanceSuite(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, harness)
}

// start runs a sandbox in memory, or in a folder.
func start(t *testing.T, c server.Config) (*server.Server, string) {
	t.Helper()
	s, err := server.New(c)
	require.NoError(t, err)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		h.CloseClientConnections()
		require.NoError(t, s.Close())
		h.Close()
	})
	return s, h.URL
}

const secret = "sbx_test_secret"

func account(url string) channels.Account {
	return channels.Account{ID: "cha_1", Channel: sandbox.Name, Book: id.Test, BaseURL: url, Credentials: map[string]string{
		sandbox.Secret: secret, sandbox.SecretCallback: sandbox.CallbackSecret(secret)}}
}

func card(token string) *channels.ChargeRequest {
	return &channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true, Description: "tea",
		Method: payment.Method{Type: payment.MethodCardToken, Token: token}}
}

func harness(t *testing.T) *channeltest.Harness {
	s, url := start(t, server.Config{Secrets: []string{secret}, PendingDelay: time.Hour})
	authorize := card("tok_authorize")
	authorize.Capture = false
	waiting := &channels.ChargeRequest{AmountMinor: 500, Currency: "JPY", Capture: true,
		Method: payment.Method{Type: payment.MethodQR}, ReturnURL: "https://shop.test/back"}
	var clock sync.Mutex
	var offset time.Duration
	return &channeltest.Harness{
		New: func(c *wire.Client) channels.Channel {
			if p, ok := plants[os.Getenv(plantEnv)]; ok {
				return p.plant(sandbox.New(c))
			}
			return sandbox.New(c)
		},
		Account:  account(url),
		Foreign:  map[string]string{sandbox.Secret: "other", sandbox.SecretCallback: sandbox.CallbackSecret("other")},
		Rejected: map[string]string{sandbox.Secret: "revoked", sandbox.SecretCallback: "with_it"},
		Now:      s.Now,
		Advance: func(d time.Duration) {
			clock.Lock()
			defer clock.Unlock()
			offset += d
			s.SetOffset(offset)
		},
		OK: card("tok_ok"), Authorize: authorize, DeclineSoft: card("tok_insufficient_funds"), DeclineHard: card("tok_stolen"),
		Waiting:       waiting,
		Payout:        &channels.PayoutRequest{AmountMinor: 700, Currency: "CNY", Destination: "dest_ok"},
		PendingRefund: card("tok_refund_pending"),
		FinishRefund:  func(k channels.Key, act string) bool { return s.FinishRefund(k.ID, act) == nil },
		Book:          func(k channels.Key) []channeltest.Entry { return entries(s.Lookup(k.ID)) },
		Pay:           func(k channels.Key) bool { return s.Pay(k.ID) == nil },
		Callback: func(k channels.Key) channels.RawCallback {
			body, signature := s.Callback(k.ID)
			return channels.RawCallback{Header: http.Header{sandbox.SignatureHeader: {signature}}, Body: body, Now: s.Now()}
		},
		Dispute: func(k channels.Key, act string) channels.RawCallback {
			body, signature, err := s.Dispute(k.ID, server.Disputing{Act: act})
			require.NoError(t, err)
			return channels.RawCallback{Header: http.Header{sandbox.SignatureHeader: {signature}}, Body: body, Now: s.Now()}
		},
		UnknownState:   func(v map[string]any) { v["state"] = "settling_sideways" },
		WrongReference: func(v map[string]any) { v["reference"] = "somebodyelses" },
		WrongAmount:    func(v map[string]any) { v["amount_minor"] = v["amount_minor"].(float64) + 1 },
		Falsified:      map[channels.Operation]channeltest.Falsified{channels.OpRefund: lies, channels.OpPayout: lies},
	}
}

// lies falsify what the sandbox says of refunds and payouts, which look as charges do.
var lies = channeltest.Falsified{
	UnknownState:   func(v map[string]any) { v["state"] = "settling_sideways" },
	WrongReference: func(v map[string]any) { v["reference"] = "somebodyelses" },
	WrongAmount: func(v map[string]any) {
		if n, ok := v["amount_minor"].(float64); ok {
			v["amount_minor"] = n + 1
		}
	},
}

func entries(b server.Book) []channeltest.Entry {
	var out []channeltest.Entry
	for _, c := range b.Charges {
		out = append(out, channeltest.Entry{ChannelID: c.ID, Paid: c.State == server.Succeeded || c.State == server.Authorized,
			AmountMinor: c.AmountMinor, CapturedMinor: c.CapturedMinor, RefundedMinor: c.RefundedMinor})
	}
	for _, m := range append(b.Refunds, b.Payouts...) {
		out = append(out, channeltest.Entry{ChannelID: m.ID, Paid: m.State == server.Succeeded, AmountMinor: m.AmountMinor})
	}
	return out
}
