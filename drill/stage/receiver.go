package stage

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"paysaga/domain/delivery"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
	"paysaga/webhook"
)

// Receiver is merchants' endpoints of one test: each path is one, with secrets and answers of its own. What comes is
// verified by the independent library.
type Receiver struct {
	*httptest.Server
	mu    sync.Mutex
	hooks map[string]*Hook
}

// Hook is one endpoint.
type Hook struct {
	URL     string
	mu      sync.Mutex
	secrets []string
	answer  func(n int, w http.ResponseWriter, r *http.Request)
	got     []Told
	forged  int
}

// Told is one message as it arrived.
type Told struct {
	trade.Event
	Header http.Header
	Body   string
	At     time.Time
}

func newReceiver(t testing.TB) *Receiver {
	r := &Receiver{hooks: map[string]*Hook{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

// sender reaches the receiver and nothing else.
func (r *Receiver) sender(t testing.TB) *webhook.Sender {
	t.Helper()
	u, err := url.Parse(r.URL)
	must(t, err)
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	must(t, err)
	s, err := webhook.New(webhook.Config{Timeout: 3 * time.Second, ConnectTimeout: time.Second, Ports: []uint16{uint16(port)}, AllowPlaintext: true,
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// Hook makes an endpoint. answer may be nil: 204. n counts the messages from 1.
func (r *Receiver) Hook(name string, answer func(n int, w http.ResponseWriter, r *http.Request)) *Hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &Hook{URL: r.URL + "/" + name, answer: answer}
	r.hooks["/"+name] = h
	return h
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	h := r.hooks[strings.TrimSuffix(req.URL.Path, "/moved")]
	r.mu.Unlock()
	if h == nil {
		http.NotFound(w, req)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	n := h.take(req, body)
	answer := h.answering()
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(n, w, req)
}

// take keeps a message that one of the secrets signed.
func (h *Hook) take(req *http.Request, body []byte) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := Told{Header: req.Header.Clone(), Body: string(body), At: time.Now()}
	verified := false
	for _, secret := range h.secrets {
		if wh, err := standardwebhooks.NewWebhook(secret); err == nil && wh.Verify(body, req.Header) == nil {
			verified = true
		}
	}
	if json.Unmarshal(body, &t.Event) != nil || !verified || t.ID != req.Header.Get("webhook-id") {
		h.forged++
	}
	h.got = append(h.got, t)
	return len(h.got)
}

// Knows gives the endpoint secrets to verify with, instead of those it had.
func (h *Hook) Knows(secrets ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secrets = secrets
}

// Answer changes what it answers; nil: 204.
func (h *Hook) Answer(answer func(n int, w http.ResponseWriter, r *http.Request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

// Got is everything that arrived, in order; Forged how many of that no secret verifies.
func (h *Hook) Got() (list []Told, forged int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Told(nil), h.got...), h.forged
}

// Of are the messages about one object, in the order of their arrival.
func (h *Hook) Of(objectID string) []Told {
	list, _ := h.Got()
	var of []Told
	for _, t := range list {
		if t.Object.ID == objectID {
			of = append(of, t)
		}
	}
	return of
}

func (h *Hook) answering() func(int, http.ResponseWriter, *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answer
}

// Hook registers an endpoint of the merchant at the stage's receiver. It hears everything, on the default schedule, unless
// change says otherwise.
func (m *Merchant) Hook(t testing.TB, name string, answer func(n int, w http.ResponseWriter, r *http.Request),
	change ...func(*delivery.Endpoint)) (*Hook, delivery.Endpoint, delivery.Secret) {
	t.Helper()
	h := m.Stage.Receiver.Hook(m.ID+"-"+name, answer)
	secret, err := m.Stage.Webhooks.NewSecret()
	must(t, err)
	h.Knows(secret.Reveal())
	schedule, err := delivery.Preset("")
	must(t, err)
	e := delivery.Endpoint{Book: id.Test, MerchantID: m.ID, URL: h.URL, APIVersion: trade.APIVersion, Schedule: schedule}
	for _, f := range change {
		f(&e)
	}
	e, err = m.Stage.Store.CreateEndpoint(context.Background(), e, secret, ledger.Service("stage"))
	must(t, err)
	return h, e, secret
}
