// Package fake is a small Stripe for tests: a stateful HTTP server that speaks the part of Stripe's protocol that the
// adapter uses, as Stripe documents it. It keeps what stripe-mock doesn't: payment intents with their states, refunds,
// stored answers per idempotency key, and signed events.
//
// It differs from Stripe in being scripted: the customer acts when the test says so, time passes when the test says
// so, and faults happen when they are planted. Its book is the judge of what was charged.
package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// APIVersion is what the fake's events are rendered in.
const APIVersion = "2026-03-25.dahlia"

// Config tunes a Server; the zero value is ready for use.
type Config struct {
	Now           func() time.Time // the start of the clock; default time.Now
	WebhookSecret string           // default "whsec_fake"
	KeyLife       time.Duration    // how long an idempotency key is remembered; default 24 h
}

// Server is one Stripe account in test mode and one in live mode. It is safe for concurrent use.
type Server struct {
	conf Config
	http *httptest.Server
	done chan struct{}

	mu       sync.Mutex
	ahead    time.Duration // how far the clock was moved
	last     int           // numbers ids
	intents  []*intent     // oldest first
	refunds  []*refund
	disputes []*dispute
	runs     []*run
	events   []Event
	keys     map[string]*stored
	faults   []*Fault
	calls    []Request
}

// New starts a server on a free port of the loopback interface. Close ends it.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.WebhookSecret == "" {
		c.WebhookSecret = "whsec_fake"
	}
	if c.KeyLife == 0 {
		c.KeyLife = 24 * time.Hour
	}
	s := &Server{conf: c, keys: map[string]*stored{}, done: make(chan struct{})}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// URL is the server's base address, without a slash at its end.
func (s *Server) URL() string { return s.http.URL }

// Close lets slow answers go and stops the server.
func (s *Server) Close() {
	close(s.done)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Now is the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

func (s *Server) now() time.Time { return s.conf.Now().Add(s.ahead) }

func (s *Server) id(prefix string) string {
	s.last++
	return fmt.Sprintf("%s_fake%08d", prefix, s.last)
}

// request is a call with its form read.
type request struct {
	method, path string
	live         bool
	form         form
	now          time.Time
}

// answer is a status and a body, as they are stored under a key.
type answer struct {
	status   int
	body     []byte
	executed bool // the endpoint began to run: Stripe stores the answer under the key
}

func reply(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // every value is a map of strings and numbers
	}
	return answer{status: http.StatusOK, body: body, executed: true}
}

// refuse is an error answer of an endpoint that began to run.
func refuse(status int, e map[string]any) answer {
	a := reply(map[string]any{"error": e})
	a.status = status
	return a
}

// invalid is the answer to parameters that don't validate: it isn't stored.
func invalid(code, param, message string) answer {
	e := map[string]any{"type": "invalid_request_error", "message": message}
	if code != "" {
		e["code"] = code
	}
	if param != "" {
		e["param"] = param
	}
	a := refuse(http.StatusBadRequest, e)
	a.executed = false
	return a
}

func missing(what, param, id string) answer {
	return refuse(http.StatusNotFound, map[string]any{"type": "invalid_request_error", "code": "resource_missing",
		"param": param, "message": fmt.Sprintf("No such %s: '%s'", what, id)})
}

// route runs the endpoint. The lock is held.
func (s *Server) route(r request) answer {
	part := strings.Split(strings.Trim(r.path, "/"), "/")
	if len(part) < 2 || part[0] != "v1" {
		return unknownURL(r)
	}
	get := r.method == http.MethodGet
	if a, ok := s.reporting(r, part); ok {
		return a
	}
	switch part[1] {
	case "payment_intents":
		switch {
		case len(part) == 2 && get:
			return s.listIntents(r)
		case len(part) == 2:
			return s.createIntent(r)
		case len(part) == 3 && get:
			return s.retrieveIntent(r, part[2])
		case len(part) == 4 && !get && part[3] == "capture":
			return s.captureIntent(r, part[2])
		case len(part) == 4 && !get && part[3] == "cancel":
			return s.cancelIntent(r, part[2])
		}
	case "refunds":
		switch {
		case len(part) == 2 && get:
			return s.listRefunds(r)
		case len(part) == 2:
			return s.createRefund(r)
		case len(part) == 3 && get:
			return s.retrieveRefund(r, part[2])
		}
	}
	return unknownURL(r)
}

func unknownURL(r request) answer {
	a := invalid("", "", fmt.Sprintf("Unrecognized request URL (%s: %s).", r.method, r.path))
	a.status = http.StatusNotFound
	return a
}
