// Package fake is a small PayPal for tests: a stateful HTTP server that speaks the part of Orders v2, Payments v2 and
// webhooks that the adapter uses, as PayPal documents it. Its book is the judge of what was charged.
//
// It differs from PayPal in being scripted: the customer acts when the test says so, and so does time. A vault id says
// what the card or account behind it does, see Vault.
package fake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// The account's credentials.
const (
	ClientID     = "AfakeClientOfPaysaga00000000000000000000"
	ClientSecret = "EfakeSecretOfPaysaga00000000000000000000"
	WebhookID    = "1FAKEWEBHOOK00001"
)

// What PayPal remembers, and for how long.
const (
	orderIDLife   = 6 * time.Hour
	paymentIDLife = 45 * 24 * time.Hour
	orderLife     = 6 * time.Hour // unpaid
	tokenLife     = 9 * time.Hour
	searchLag     = 3 * time.Hour
	refundLife    = 180 * 24 * time.Hour
)

// Server is one PayPal account. It is safe for concurrent use.
type Server struct {
	http, certs *httptest.Server
	// Watch sees each request and its answer; for tests that hold them against a specification.
	watch func(Exchange)

	mu     sync.Mutex
	ahead  time.Duration
	last   int
	orders []*order
	known  map[string]known // by path and PayPal-Request-Id
	paid   map[string]bool  // invoice ids
	tokens map[string]time.Time
	issued int // how often a token was asked for
	events []Event
}

// known is what a PayPal-Request-Id made. Its answer is rendered anew: PayPal tells the latest status.
type known struct {
	at     time.Time
	life   time.Duration
	answer func() any
}

// Exchange is a request and its answer.
type Exchange struct {
	Method, Path string
	Header       http.Header
	Body         []byte
	Status       int
	Answer       []byte
}

// New starts a server on a free port of the loopback interface, and one beside it for its certificates.
func New() *Server {
	s := &Server{known: map[string]known{}, paid: map[string]bool{}, tokens: map[string]time.Time{}}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.certs = serveCertificates()
	return s
}

// Watch sets who sees each request and its answer.
func (s *Server) Watch(f func(Exchange)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = f
}

// URL is the server's base address, without a slash at its end.
func (s *Server) URL() string { return s.http.URL }

// Close stops the server.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
	s.certs.Close()
}

// Now is the server's clock.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return time.Now().Add(s.ahead).Truncate(time.Second) }

// Advance moves the server's clock.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead += d
}

// id makes an id of PayPal's look: 17 characters.
func (s *Server) id(kind string) string {
	s.last++
	return fmt.Sprintf("%s%0*d", kind, 17-len(kind), s.last)
}

// answer is a status and what is written as JSON; nil writes nothing.
type answer struct {
	status int
	body   any
}

func refuse(status int, name, issue string) answer {
	b := map[string]any{"name": name, "message": "The requested action could not be performed.", "debug_id": "b0fake0000001"}
	if issue != "" {
		b["details"] = []any{map[string]any{"issue": issue, "description": "See the issue."}}
	}
	return answer{status, b}
}

func unprocessable(issue string) answer {
	return refuse(http.StatusUnprocessableEntity, "UNPROCESSABLE_ENTITY", issue)
}
func invalid(issue string) answer { return refuse(http.StatusBadRequest, "INVALID_REQUEST", issue) }
func missing() answer {
	return refuse(http.StatusNotFound, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID")
}

// call is a request as the routes see it.
type call struct {
	method string
	path   []string
	query  map[string][]string
	id     string
	body   []byte
}

// strict reads the body; what it doesn't know is refused.
func (c call) strict(v any) bool {
	d := json.NewDecoder(strings.NewReader(string(c.body)))
	d.DisallowUnknownFields()
	return d.Decode(v) == nil && !d.More()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	a := s.admit(r, body)
	watch := s.watch
	s.mu.Unlock()
	var raw []byte
	if a.body != nil {
		if raw, err = json.Marshal(a.body); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(raw)
	if watch != nil {
		watch(Exchange{r.Method, r.URL.RequestURI(), r.Header.Clone(), body, a.status, raw})
	}
}

// admit checks who asks, and routes. The lock is held.
func (s *Server) admit(r *http.Request, body []byte) answer {
	if r.URL.Path == "/v1/oauth2/token" {
		return s.token(r, body)
	}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if till, known := s.tokens[text]; !ok || !known || !s.now().Before(till) {
		return answer{http.StatusUnauthorized, map[string]any{"error": "invalid_token", "error_description": "Token signature verification failed"}}
	}
	if len(body) > 0 && r.Header.Get("Content-Type") != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "")
	}
	c := call{method: r.Method, path: strings.Split(strings.Trim(r.URL.Path, "/"), "/"), query: r.URL.Query(),
		id: r.Header.Get("PayPal-Request-Id"), body: body}
	if len(c.id) > 108 {
		return invalid("INVALID_STRING_MAX_LENGTH")
	}
	return s.route(c)
}

func (s *Server) token(r *http.Request, body []byte) answer {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(ClientID+":"+ClientSecret))
	if r.Header.Get("Authorization") != want {
		return answer{http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": "Client Authentication failed"}}
	}
	if string(body) != "grant_type=client_credentials" {
		return answer{http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type", "error_description": "Grant Type is not supported"}}
	}
	s.issued++
	text := s.id("A21AA")
	s.tokens[text] = s.now().Add(tokenLife)
	return answer{http.StatusOK, map[string]any{"scope": "https://uri.paypal.com/services/payments/payment", "access_token": text,
		"token_type": "Bearer", "app_id": "APP-FAKE", "expires_in": int(tokenLife / time.Second), "nonce": "fake"}}
}

// Tokens is how often an access token was asked for.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Revoke makes every access token worthless.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (s *Server) route(c call) answer {
	at := c.method + " " + strings.Join(c.path[:min(3, len(c.path))], "/")
	n := len(c.path)
	switch {
	case at == "POST v2/checkout/orders" && n == 3:
		return s.createOrder(c)
	case at == "GET v2/checkout/orders" && n == 4:
		return s.showOrder(c.path[3])
	case at == "PATCH v2/checkout/orders" && n == 4:
		return s.patchOrder(c)
	case at == "POST v2/checkout/orders" && n == 5 && (c.path[4] == "capture" || c.path[4] == "authorize"):
		return s.takeOrder(c)
	case at == "GET v2/payments/authorizations" && n == 4, at == "GET v2/payments/captures" && n == 4, at == "GET v2/payments/refunds" && n == 4:
		return s.show(c)
	case at == "POST v2/payments/authorizations" && n == 5:
		return s.onAuthorization(c)
	case at == "POST v2/payments/captures" && n == 5 && c.path[4] == "refund":
		return s.refund(c)
	case at == "GET v1/reporting/transactions" && n == 3:
		return s.search(c)
	case at == "GET v1/notifications/webhooks" && n == 4:
		if c.path[3] != WebhookID {
			return missing()
		}
		return answer{http.StatusOK, map[string]any{"id": WebhookID, "url": "https://pay.example/v1/callbacks/paypal/cha_x"}}
	}
	return refuse(http.StatusNotFound, "NOT_FOUND", "")
}

// once runs what a PayPal-Request-Id asks for, or shows what it made: 200 in place of 201.
func (s *Server) once(c call, life time.Duration, run func() (answer, func() any)) answer {
	key := strings.Join(c.path, "/") + " " + c.id
	if k, ok := s.known[key]; ok && c.id != "" && s.now().Sub(k.at) < k.life {
		return answer{http.StatusOK, k.answer()}
	}
	a, show := run()
	if show != nil && c.id != "" {
		s.known[key] = known{s.now(), life, show}
	}
	return a
}
