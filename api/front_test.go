package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paysaga/api"
	"paysaga/channels"
	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// The keys of the test's principals.
const (
	keyOfShop     = "sk_test_shop"
	keyOfOther    = "sk_test_other"
	keyOfLive     = "sk_live_shop"
	keyOfPlatform = "sk_test_platform"
	keyOfReader   = "sk_test_reader"
	keyOfOperator = "sk_test_operator"
	keyOfDesk     = "sk_test_desk" // an operator who may submit payments
)

var (
	shop     = mint(id.Merchant)
	other    = mint(id.Merchant)
	platform = mint(id.Merchant)
)

// front is a front on fakes, with everything that a test wants to look at.
type front struct {
	handler http.Handler
	store   *memory
	sagas   *sagas
	clock   *clock
	pokes   func() int
	logs    *logBuffer
	account string
	// merchant is the shop's id on the real store.
	merchant string
	// signIn opens a session of a user, and returns its token.
	signIn func(t testing.TB, merchant, user string) string
}

// logBuffer lets a handler write while a test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func principals() map[string]access.Principal {
	merchant := func(m string, book id.Book, scopes []access.Scope, children ...string) access.Principal {
		return access.Principal{Kind: ledger.ByMerchant, ID: mint(id.APIKey), Book: book, MerchantID: m, Children: children, Scopes: scopes}
	}
	operator := func(scopes ...access.Scope) access.Principal {
		return access.Principal{Kind: ledger.ByOperator, ID: mint(id.Operator), Book: id.Test, Scopes: scopes}
	}
	return map[string]access.Principal{
		keyOfShop:     merchant(shop, id.Test, access.MerchantScopes),
		keyOfOther:    merchant(other, id.Test, access.MerchantScopes),
		keyOfLive:     merchant(shop, id.Live, access.MerchantScopes),
		keyOfPlatform: merchant(platform, id.Test, access.MerchantScopes, shop),
		keyOfReader:   merchant(shop, id.Test, []access.Scope{access.PaymentsRead}),
		keyOfOperator: operator(access.OperatorScopes...),
		keyOfDesk:     operator(append([]access.Scope{access.PaymentsWrite}, access.OperatorScopes...)...),
	}
}

func newFront(t testing.TB) *front { return newFrontWith(t, api.Config{Deadline: 10 * time.Second}) }

func newFrontWith(t testing.TB, cfg api.Config) *front {
	t.Helper()
	f := &front{store: newMemory(), clock: &clock{}, logs: &logBuffer{}, account: mint(id.ChannelAccount)}
	f.clock.now.Store(time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC).UnixMicro())
	f.sagas = &sagas{store: f.store}
	f.signIn = func(t testing.TB, merchant, user string) string {
		session := f.store.newSession(merchant, user)
		return tokenOf(t, f.store, session, f.clock.Now())
	}
	f.store.keys = principals()
	f.store.open = []channels.OpenAccount{{ID: f.account, Channel: "sandbox", Lane: payment.Standard},
		{ID: mint(id.ChannelAccount), Channel: "cards", Lane: payment.Standard, Priority: 1}}
	f.store.accounts[f.account] = channels.Account{ID: f.account, Channel: "sandbox", Book: id.Test}
	var mu sync.Mutex
	pokes := 0
	f.pokes = func() int { mu.Lock(); defer mu.Unlock(); return pokes }
	registry := prometheus.NewRegistry()
	var err error
	f.handler, err = api.New(cfg, api.Parts{
		Users: f.store, Logins: f.store, Destinations: f.store,
		Keys: f.store, Sessions: f.store, Accounts: f.store, Book: f.store, Reader: f.store, Refunds: f.store, Ledger: f.store, Cases: f.store, Judge: f.store, Inbox: f.store, Store: f.store, Starter: f.sagas,
		Transfers: f.store,
		Payouts:   f.store,
		Notices:   f.store, Writer: words{},
		Endpoints: f.store, Outbox: f.store, Again: f.store, Hooks: hooks(t),
		Rules: f.store, Lists: f.store, Sealer: f.store, Rebates: f.store, Settler: f.store, Rerater: f.store, Campaigns: f.store, Shoppers: f.store,
		Channels: channels.NewRegistry(
			fakeChannel{name: "sandbox", methods: []payment.MethodType{payment.MethodQR, payment.MethodRedirect, payment.MethodCardToken}},
			fakeChannel{name: "cards", methods: []payment.MethodType{payment.MethodCardToken}},
		),
		Poke:    func() { mu.Lock(); defer mu.Unlock(); pokes++ },
		Metrics: registry, MetricsPage: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Log: slog.New(slog.NewTextHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: f.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, a.body)
	}
	return v
}

func (a answer) text(t testing.TB, field string) string {
	t.Helper()
	s, _ := a.json(t)[field].(string)
	return s
}

// request makes a request of the shop with a fresh idempotency key; edit changes it before it goes out.
func request(method, target, body string, edit ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+keyOfShop)
	if method == http.MethodPost {
		r.Header.Set("Idempotency-Key", mint(id.Request))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
	}
	for _, e := range edit {
		e(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }

func as(key string) func(*http.Request) { return with("Authorization", "Bearer "+key) }

// do sends a request and holds the answer against openapi.yaml.
func (f *front) do(t testing.TB, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	a := answer{w.Code, w.Header(), w.Body.Bytes()}
	checkAnswer(t, r, a)
	return a
}

// document is openapi.yaml, read and judged once.
var document = sync.OnceValues(func() (routers.Router, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.Specification())
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return legacy.NewRouter(doc)
})

// checkAnswer fails unless the answer is one that openapi.yaml describes. Routes that it doesn't have answer problems.
func checkAnswer(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	router, err := document()
	if err != nil {
		t.Fatal(err)
	}
	route, params, err := router.FindRoute(r)
	// The document's router overlooks a slash at the end, and takes a missing path parameter for an empty one.
	if err != nil || strings.HasSuffix(r.URL.Path, "/") || a.status == http.StatusMethodNotAllowed {
		if strings.HasPrefix(r.URL.Path, "/docs/") {
			return
		}
		if a.status < 400 || a.header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s %s isn't in the document and answered %d %s", r.Method, r.URL.Path, a.status, a.body)
		}
		return
	}
	media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.HasSuffix(media, "json")},
	})
	if err != nil {
		t.Fatalf("%s %s answered %d, which the document doesn't describe: %v\n%s", r.Method, r.URL.Path, a.status, err, a.body)
	}
	for _, empty := range emptyField.FindAllSubmatch(a.body, -1) {
		if name := string(empty[1]); strings.HasSuffix(media, "json") && name != "description" && name != "url" { // an endpoint's, as it was given; of an action that sends nobody anywhere
			t.Errorf("%s %s answered %s empty, instead of leaving it out: %s", r.Method, r.URL.Path, name, a.body)
		}
	}
}

// emptyField finds what has nothing to say.
var emptyField = regexp.MustCompile(`"([a-z_]+)":""`)

// fields are the raw JSON values of an object.
type fields map[string]string

// order is an order of one kind of tea for 12.34.
const order = `{"reference":"A-1","type":"purchase","lines":[{"sku":"tea","quantity":2,"unit_price":"5.00"}],"adjustments":[{"type":"shipping","amount":"2.34"}]}`

// body is an object with some of its fields changed, in the order of their names; an empty value takes a field out.
func body(base, change fields) string {
	all := maps.Clone(base)
	maps.Copy(all, change)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name] != "" {
			parts = append(parts, `"`+name+`":`+all[name])
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// payBody is a card payment of 12.34 for a new order without lines, with some fields changed.
func payBody(change fields) string {
	return body(fields{
		"order": `{"reference":"` + mint(id.Order) + `","type":"purchase"}`, "amount": `"12.34"`, "currency": `"CNY"`,
		"method": `{"type":"card_token","token":"tok_ok"}`,
	}, change)
}

// orderBody is an order of 12.34, with some fields changed.
func orderBody(change fields) string {
	return body(fields{
		"reference": `"` + mint(id.Order) + `"`, "type": `"purchase"`, "currency": `"CNY"`,
		"lines": `[{"sku":"tea","quantity":2,"unit_price":"5.00"}]`, "adjustments": `[{"type":"shipping","amount":"2.34"}]`,
	}, change)
}

// pay submits a payment that is well but for the changes.
func (f *front) pay(t testing.TB, change fields, edit ...func(*http.Request)) answer {
	t.Helper()
	return f.do(t, request(http.MethodPost, "/v1/payments", payBody(change), edit...))
}
