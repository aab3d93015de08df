package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
)

// Merchant is a merchant of a stage, with sandboxes of its own: nobody else's
// faults reach it.
type Merchant struct {
	Stage     *Stage
	Book      id.Book
	ID        string
	Key       string
	Sandboxes []*Sandbox // one per channel account, by priority
	n         int
}

// Sandbox is one sandbox server, and the channel account at it.
type Sandbox struct {
	*server.Server
	URL     string
	Account string // cha_…
}

// AccountSpec is one channel account of a merchant, at a sandbox of its own.
type AccountSpec struct {
	Channel string        // default sandbox.Name; another is one that Wire has put into the registry
	Lane    payment.Lane  // default express
	Server  server.Config // of its sandbox
	URL     string        // another address than the sandbox's own
	// Credentials replace the right ones.
	Credentials map[string]string
	FundsHolder string // default platform
	Limits      channels.Limits
}

// Merchant makes a merchant with an API key of the test book and channel
// accounts in the order of their priority; none: one on the express lane.
func (s *Stage) Merchant(t testing.TB, terms payment.Terms, accounts ...AccountSpec) *Merchant {
	t.Helper()
	return s.MerchantOf(t, id.Test, terms, accounts...)
}

// MerchantOf is Merchant in another book.
func (s *Stage) MerchantOf(t testing.TB, book id.Book, terms payment.Terms, accounts ...AccountSpec) *Merchant {
	t.Helper()
	ctx := context.Background()
	m := &Merchant{Stage: s, Book: book}
	var err error
	m.ID, err = s.Store.CreateMerchant(ctx, store.Merchant{Book: book, Name: t.Name(), Terms: terms})
	must(t, err)
	_, m.Key, err = s.Store.CreateKey(ctx, store.KeyGrant{Book: book, MerchantID: m.ID})
	must(t, err)
	if len(accounts) == 0 {
		accounts = []AccountSpec{{}}
	}
	for i, spec := range accounts {
		if spec.Channel == "" {
			spec.Channel = sandbox.Name
		}
		if spec.Lane == "" {
			spec.Lane = payment.Express
		}
		if spec.Credentials == nil {
			spec.Credentials = Credentials()
		}
		sb := newSandbox(t, spec.Server)
		if spec.URL == "" {
			spec.URL = sb.URL
		}
		sb.Account, err = s.Store.AddChannelAccount(ctx, store.ChannelAccount{Book: book, Channel: spec.Channel,
			MerchantID: m.ID, BaseURL: spec.URL, Credentials: spec.Credentials, Lane: spec.Lane, Priority: i, FundsHolder: spec.FundsHolder, Limits: spec.Limits})
		must(t, err)
		m.Sandboxes = append(m.Sandboxes, sb)
	}
	return m
}

// secret opens the merchant's account at each of its sandboxes.
const secret = "sandbox-secret"

// newSandbox starts a sandbox that ends with the test.
func newSandbox(t testing.TB, c server.Config) *Sandbox {
	t.Helper()
	sb, err := server.New(c)
	must(t, err)
	h := httptest.NewServer(sb.Handler())
	t.Cleanup(func() { h.Close(); _ = sb.Close() })
	return &Sandbox{Server: sb, URL: h.URL}
}

// Admin calls the sandbox's admin API.
func (s *Sandbox) Admin(t testing.TB, path string, body any) {
	t.Helper()
	raw, err := json.Marshal(body)
	must(t, err)
	res, err := http.Post(s.URL+"/admin/"+path, "application/json", bytes.NewReader(raw))
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	if text, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		t.Fatalf("POST /admin/%s: %d %s", path, res.StatusCode, text)
	}
}

// ClearScripts takes all scripted faults back.
func (s *Sandbox) ClearScripts(t testing.TB) {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, s.URL+"/admin/script", nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, res.Body.Close())
}

// Answer is what the API answered: the payment's public form, or a problem.
type Answer struct {
	Code int
	payment.Public
	problem
	Raw []byte
}

// problem is what is asserted of a problem document.
type problem struct {
	Problem string `json:"code"`
	Param   string `json:"param"`
}

// Credentials are the right ones of a stage's channel accounts.
func Credentials() map[string]string {
	return map[string]string{sandbox.Secret: secret, sandbox.SecretCallback: sandbox.CallbackSecret(secret)}
}

// Do sends one request as the merchant. An empty key sends no Idempotency-Key.
func (m *Merchant) Do(t testing.TB, method, path, key string, body any) Answer {
	t.Helper()
	raw, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequest(method, m.Stage.API.URL+path, bytes.NewReader(raw))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+m.Key)
	if method == http.MethodPost || method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := m.Stage.HTTP.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	a := Answer{Code: res.StatusCode}
	a.Raw, err = io.ReadAll(res.Body)
	must(t, err)
	into := any(&a.Public)
	if res.StatusCode >= 400 {
		into = &a.problem
	}
	must(t, json.Unmarshal(a.Raw, into))
	return a
}

func (m *Merchant) reference() string { return fmt.Sprintf("A-%d", m.n) }

// Order is the body of a payment of 12.34 CNY for a new order.
func (m *Merchant) Order(method map[string]any, more map[string]any) map[string]any {
	m.n++
	body := map[string]any{
		"order":  map[string]any{"reference": m.reference(), "type": "purchase"},
		"amount": "12.34", "currency": "CNY", "method": method,
	}
	for k, v := range more {
		body[k] = v
	}
	return body
}

// Pay posts a payment.
func (m *Merchant) Pay(t testing.TB, method map[string]any, more map[string]any) Answer {
	t.Helper()
	body := m.Order(method, more)
	return m.Do(t, http.MethodPost, "/v1/payments", fmt.Sprintf("pay-%d", m.n), body)
}

// Card is a method that pays by a sandbox token.
func Card(token string) map[string]any { return map[string]any{"type": "card_token", "token": token} }

// QR and Redirect are methods by which the customer acts.
var (
	QR       = map[string]any{"type": "qr"}
	Redirect = map[string]any{"type": "redirect"}
)

// Get reads a payment.
func (m *Merchant) Get(t testing.TB, id string) Answer {
	t.Helper()
	return m.Do(t, http.MethodGet, "/v1/payments/"+id, "", nil)
}

// Until reads a payment until it is as wanted.
func (m *Merchant) Until(t testing.TB, id string, what string, wanted func(Answer) bool) (a Answer) {
	t.Helper()
	Eventually(t, id+" is "+what, func() bool { a = m.Get(t, id); return wanted(a) })
	return a
}

// UntilStatus reads a payment until it has the status.
func (m *Merchant) UntilStatus(t testing.TB, id string, s payment.Status) Answer {
	t.Helper()
	return m.Until(t, id, string(s), func(a Answer) bool { return a.Status == s })
}
