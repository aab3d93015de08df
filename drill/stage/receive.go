package stage

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// Receive commits a payment as the API does, without starting its saga, and
// with an expiry that the API would find too soon.
func (m *Merchant) Receive(t testing.TB, method payment.Method, expiresIn time.Duration) payment.Payment {
	t.Helper()
	s := m.Stage.Store
	now := time.Now()
	m.n++
	p := payment.Payment{Book: id.Test, ID: s.Mint(id.Payment), MerchantID: m.ID, OrderID: s.Mint(id.Order), OrderRef: m.reference(),
		Amount: money.New(1234, "CNY"), Method: method.Type, Capture: payment.CaptureAutomatic, CreatedAt: now,
		ExpiresAt: now.Add(expiresIn), Status: payment.Processing, Sequence: 1, UpdatedAt: now}
	o, err := trade.New(trade.Order{ID: p.OrderID, Book: id.Test, MerchantID: m.ID, Reference: p.OrderRef, Type: "purchase",
		Currency: "CNY", CreatedAt: now}, p.Amount)
	must(t, err)
	_, err = s.Commit(context.Background(), ledger.Step{Book: id.Test, Business: p.ID, By: ledger.Service("stage"),
		Cause: id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}),
		Changes: []ledger.Change{payment.Receive{
			Idempotency: access.Idempotency{MerchantID: m.ID, Operation: "POST /v1/payments", Key: p.ID, RequestHash: hash},
			Order:       &o, Payment: p, Secrets: payment.Secrets{Token: method.Token}}}})
	must(t, err)
	return p
}

// hash is a request hash; which one doesn't matter.
const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Gate stands before a sandbox: closed, it refuses connections, as a host that
// is down does.
type Gate struct {
	URL  string
	addr string
	once sync.Once
}

// NewGate reserves an address that refuses connections until Open.
func NewGate(t testing.TB) *Gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := &Gate{addr: l.Addr().String()}
	g.URL = "http://" + g.addr
	must(t, l.Close())
	return g
}

// Open lets connections through to the sandbox from now on.
func (g *Gate) Open(t testing.TB, sb *Sandbox) {
	t.Helper()
	g.once.Do(func() {
		to, err := url.Parse(sb.URL)
		must(t, err)
		l, err := net.Listen("tcp", g.addr)
		must(t, err)
		proxy := &httptest.Server{Listener: l, Config: &http.Server{Handler: httputil.NewSingleHostReverseProxy(to)}}
		proxy.Start()
		t.Cleanup(proxy.Close)
	})
}
