package api_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"paysaga/api"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	for given, kept := range map[string]bool{
		"shop-1234": true, "a.b:c_d-1": true, mint(id.Request): true,
		"": false, "short": false, "with space": false, "line\nfeed": false, "<script>alert": false, strings.Repeat("x", 65): false, "茶茶茶茶": false,
	} {
		a := f.do(t, request(http.MethodGet, "/healthz", "", func(r *http.Request) { r.Header["X-Request-Id"] = []string{given} }))
		got := a.header.Get("X-Request-Id")
		if (got == given) != kept || (!kept && !id.Is(id.Request, got)) {
			t.Errorf("%q became %q", given, got)
		}
	}
}

// TestLogsHoldNoSecret (I-26): neither what a request said nor what a cause quotes.
func TestLogsHoldNoSecret(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.pay(t, fields{"method": `{"type":"card_token","token":"tok_secret"}`, "customer": `{"reference":"c-7","name":"Zhang San","email":"zs@mail.example","phone":"+8613800138000"}`,
		"description": `"very private"`, "return_url": `"https://shop.example/session/s3cr3t"`, "metadata": `{"note":"whisper"}`})
	f.do(t, request(http.MethodGet, "/v1/payments?starting_after="+mint(id.Payment), ""))
	f.do(t, request(http.MethodGet, "/v1/payments/zs@mail.example", ""))
	f.store.broken("Commit", fault.Internal("can't", &net.AddrError{Err: "password=hunter2", Addr: "db"}))
	broken := f.pay(t, fields{"description": `"very private"`})
	if broken.status != 500 || broken.text(t, "code") != "internal" || strings.Contains(string(broken.body), "can't") {
		t.Errorf("%d %s", broken.status, broken.body)
	}
	log := f.logs.String()
	for _, secret := range []string{"tok_secret", "Zhang", "mail.example", "138001", "private", "s3cr3t", "whisper", "sk_test", "hunter2", "starting_after"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
	for _, want := range []string{"business_id=pay_", "request_id=req_", "route=/v1/payments/:payment_id", "status=201", "principal=key_", "*net.AddrError", "level=ERROR"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.pay(t, nil)
	f.pay(t, fields{"amount": `"0"`})
	f.do(t, request("BREW", "/nowhere/at/all", ""))
	page := string(f.do(t, request(http.MethodGet, "/metrics", "")).body)
	for _, want := range []string{
		`paysaga_http_requests_total{method="POST",route="/v1/payments",status="201"} 1`,
		`paysaga_http_requests_total{method="POST",route="/v1/payments",status="422"} 1`,
		`paysaga_http_requests_total{method="other",route="unmatched",status="404"} 1`,
		`paysaga_http_request_duration_seconds_count{method="POST",route="/v1/payments"} 2`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	down := fault.Unavailable("down", "x", nil)
	for _, c := range []struct {
		store, temporal  error
		status           int
		overall, s, tmpl string
	}{
		{nil, nil, 200, "ok", "ok", "ok"},
		{nil, down, 200, "degraded", "ok", "down"},
		{down, nil, 503, "down", "down", "ok"},
		{down, down, 503, "down", "down", "down"},
	} {
		f := newFront(t)
		f.store.broken("Health", c.store)
		f.sagas.health.Store(&c.temporal)
		a := f.do(t, request(http.MethodGet, "/readyz", "", without("Authorization")))
		if v := a.json(t); a.status != c.status || v["status"] != c.overall || v["store"] != c.s || v["temporal"] != c.tmpl {
			t.Errorf("%v %v: %d %s", c.store, c.temporal, a.status, a.body)
		}
		if a := f.do(t, request(http.MethodGet, "/healthz", "", without("Authorization"))); a.status != 200 || a.text(t, "status") != "ok" {
			t.Errorf("healthz: %d %s", a.status, a.body)
		}
	}
}

func TestEveryFaultKindHasItsStatus(t *testing.T) {
	t.Parallel()
	want := map[fault.Kind]int{fault.KindInvalid: 422, fault.KindDenied: 403, fault.KindNotFound: 404, fault.KindConflict: 409,
		fault.KindUnavailable: 503, fault.KindUnknown: 503, fault.KindInternal: 500}
	for _, kind := range fault.Kinds() {
		f := newFront(t)
		f.store.broken("Commit", fault.New(kind, "some_code", "some text").WithDetail("code", "forged").WithDetail("limit", "5"))
		a := f.pay(t, nil)
		if a.status != want[kind] {
			t.Errorf("%s: %d %s", kind, a.status, a.body)
		}
		if kind != fault.KindInternal && (a.text(t, "code") != "some_code" || a.text(t, "limit") != "5") {
			t.Errorf("%s: %s", kind, a.body)
		}
	}
	for name, err := range map[string]error{"canceled": context.Canceled, "late": context.DeadlineExceeded} {
		f := newFront(t)
		f.store.broken("Payments", err)
		if a := f.do(t, request(http.MethodGet, "/v1/payments", "")); a.status != 503 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// TestServedOverTheWire: the limits of Server hold, and what isn't HTTP ends without a 500.
func TestServedOverTheWire(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	s := httptest.NewUnstartedServer(f.handler)
	s.Config = api.Server("", f.handler)
	s.Start()
	defer s.Close()
	raw := func(text string) int {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		return r.StatusCode
	}
	head := "POST /v1/payments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + keyOfShop + "\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n"
	for name, r := range map[string]struct {
		text   string
		status int
	}{
		"a huge header":      {head + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"two lengths":        {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
		"broken chunks":      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"a large length":     {head + "Content-Length: 99999999\r\n\r\n", 413},
		"a NUL in the key":   {strings.Replace(head, "Key: k", "Key: a\x00b", 1) + "Content-Length: 2\r\n\r\n{}", 400},
		"a health check":     {"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200},
		"HEAD of a payment":  {"HEAD /v1/payments/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405},
		"not HTTP, but text": {"hello\r\n\r\n", 400},
	} {
		if got := raw(r.text); got != r.status {
			t.Errorf("%s: %d, not %d", name, got, r.status)
		}
	}
	if f.store.rows() != 0 {
		t.Error("something was stored")
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := api.New(api.Config{}, api.Parts{}); err == nil {
		t.Error("a front without parts")
	}
	if _, err := api.New(api.Config{Deadline: -1}, api.Parts{Metrics: prometheus.NewRegistry()}); err == nil {
		t.Error("a negative deadline")
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	paymentID := f.pay(t, nil).text(t, "id")
	a := f.do(t, request(http.MethodGet, "/v1/payments/"+paymentID+"/timeline", ""))
	list := a.json(t)["data"].([]any)
	if a.status != 200 || len(list) != 1 || list[0].(map[string]any)["kind"] != "request" || a.json(t)["has_more"] != false {
		t.Errorf("%d %s", a.status, a.body)
	}
}
