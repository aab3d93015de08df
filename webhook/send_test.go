package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

const public = "93.184.215.14" // where example.com leads in these tests; nothing is sent there

// shop is a merchant's endpoint on loopback that the Sender believes to be at a public address.
type shop struct {
	*httptest.Server
	sender *Sender
	mu     sync.Mutex
	dialed []netip.AddrPort
}

func newShop(t *testing.T, c Config, h http.HandlerFunc) *shop {
	t.Helper()
	x := &shop{Server: httptest.NewUnstartedServer(h)}
	x.Config.ErrorLog = quiet
	x.EnableHTTP2 = true
	x.StartTLS()
	t.Cleanup(x.Close)
	if c.Roots == nil {
		c.Roots = x509.NewCertPool()
		c.Roots.AddCert(x.Certificate())
	}
	if c.Resolver == nil {
		c.Resolver = names{"example.com": {public}, "other.example": {public}}
	}
	s, err := New(c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.connect = func(ctx context.Context, _ string, to netip.AddrPort) (net.Conn, error) {
		x.mu.Lock()
		x.dialed = append(x.dialed, to)
		x.mu.Unlock()
		return new(net.Dialer).DialContext(ctx, "tcp", x.Listener.Addr().String())
	}
	x.sender = s
	return x
}

func (x *shop) send(t *testing.T, url string) delivery.Result {
	t.Helper()
	r, err := x.sender.Send(t.Context(), one(t, x.sender, url))
	require.NoError(t, err)
	return r
}

func TestADeliveryIsVerifiedByTheReceiver(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 10)
	bodies := make(chan []byte, 10)
	x := newShop(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(http.StatusNoContent)
		got <- r
		bodies <- body
	})
	d := one(t, x.sender, "https://Example.com/hooks/a%2Fb?shop=1")
	older, err := x.sender.NewSecret()
	require.NoError(t, err)
	d.Secrets = append(d.Secrets, older)
	for range 2 {
		r, err := x.sender.Send(t.Context(), d)
		require.NoError(t, err)
		assert.Equal(t, delivery.Delivered, r.Outcome)
		assert.Equal(t, 204, r.Status)
		assert.Empty(t, r.Reason)
		assert.Zero(t, r.RetryAfter)
		assert.Positive(t, r.Duration)
		req, body := <-got, <-bodies
		assert.Equal(t, d.Body, body)
		for _, s := range d.Secrets {
			wh, err := standardwebhooks.NewWebhook(s.Reveal())
			require.NoError(t, err)
			require.NoError(t, wh.Verify(body, req.Header))
		}
		assert.Equal(t, "HTTP/2.0", req.Proto)
		assert.Equal(t, "example.com", req.Host)
		assert.Equal(t, "/hooks/a%2Fb?shop=1", req.RequestURI)
		assert.Equal(t, "application/json", req.Header.Get("Content-Type"))
		assert.Equal(t, "paysaga-webhooks/1", req.Header.Get("User-Agent"))
		assert.Equal(t, "evt_01", req.Header.Get("webhook-id"))
		assert.Empty(t, req.Header.Get("Cookie"), "no cookies are kept")
	}
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort(public + ":443")}, x.dialed, "what was judged was dialled, and kept open")
	assert.Nil(t, x.sender.transport.Proxy)
}

func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	var status, hits atomic.Int64
	after := ""
	x := newShop(t, Config{Now: func() time.Time { return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC) }}, func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Location", "https://169.254.169.254/latest/meta-data/")
		w.Header().Set("Retry-After", after)
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "\x1b[31mno\r\nmore\x00")
	})
	for _, c := range []struct {
		status  int64
		after   string
		outcome delivery.Outcome
		reason  string
		wait    time.Duration
	}{
		{status: 200, outcome: delivery.Delivered},
		{status: 202, after: "60", outcome: delivery.Delivered},
		{status: 301, outcome: delivery.Retry, reason: "http_301"},
		{status: 302, outcome: delivery.Retry, reason: "http_302"},
		{status: 307, outcome: delivery.Retry, reason: "http_307"},
		{status: 308, outcome: delivery.Retry, reason: "http_308"},
		{status: 400, outcome: delivery.Retry, reason: "http_400"},
		{status: 404, outcome: delivery.Retry, reason: "http_404"},
		{status: 410, after: "60", outcome: delivery.Gone, reason: "http_410"},
		{status: 429, after: "120", outcome: delivery.Retry, reason: "http_429", wait: 2 * time.Minute},
		{status: 429, after: "999999999999999999999", outcome: delivery.Retry, reason: "http_429", wait: 24 * time.Hour},
		{status: 429, after: "-5", outcome: delivery.Retry, reason: "http_429"},
		{status: 503, after: "Sat, 21 Nov 2026 10:30:00 GMT", outcome: delivery.Retry, reason: "http_503", wait: 30 * time.Minute},
		{status: 503, after: "Sat, 21 Nov 2020 10:30:00 GMT", outcome: delivery.Retry, reason: "http_503"},
		{status: 503, after: "Sat, 21 Nov 2096 10:30:00 GMT", outcome: delivery.Retry, reason: "http_503", wait: 24 * time.Hour},
		{status: 500, after: "later", outcome: delivery.Retry, reason: "http_500"},
	} {
		status.Store(c.status)
		after = c.after
		before := hits.Load()
		r := x.send(t, "https://example.com/")
		assert.Equal(t, c.outcome, r.Outcome, c.status)
		assert.Equal(t, c.reason, r.Reason)
		assert.Equal(t, int(c.status), r.Status)
		assert.Equal(t, c.wait, r.RetryAfter, c.after)
		assert.Equal(t, "[31mno  more", r.Excerpt)
		assert.Equal(t, before+1, hits.Load(), "one try is one request, and no redirect is followed")
	}
	assert.Len(t, x.dialed, 1)
}

func TestAnEndlessAnswerIsCut(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	over := make(chan struct{})
	x := newShop(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		for r.Context().Err() == nil && written.Load() < 64<<20 {
			n, err := w.Write(bytes.Repeat([]byte("ä"), 8<<10))
			if written.Add(int64(n)); err != nil {
				return
			}
		}
	})
	r := x.send(t, "https://example.com/")
	assert.Equal(t, delivery.Delivered, r.Outcome)
	assert.Len(t, r.Excerpt, delivery.MaxExcerpt)
	<-over
	assert.Less(t, written.Load(), int64(16<<20), "what HTTP/2 has under way, and no more")
}

func TestTimeIsBounded(t *testing.T) {
	t.Parallel()
	x := newShop(t, Config{Timeout: 100 * time.Millisecond, ConnectTimeout: 100 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/drip" {
			_, _ = io.WriteString(w, "drip")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	r := x.send(t, "https://example.com/hang")
	assert.Equal(t, delivery.Retry, r.Outcome)
	assert.Equal(t, "timeout", r.Reason)
	assert.Zero(t, r.Status)
	r = x.send(t, "https://example.com/drip")
	assert.Equal(t, delivery.Delivered, r.Outcome, "the status came, and it decides")
	assert.Equal(t, "drip", r.Excerpt)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := x.sender.Send(ctx, one(t, x.sender, "https://example.com/hang"))
	assert.True(t, fault.Is(err, fault.KindUnknown, "delivery_interrupted"), "our own stop is no failure of theirs: %v", err)
	d := one(t, x.sender, "https://example.com/")
	d.Secrets = nil
	_, err = x.sender.Send(t.Context(), d)
	assert.Equal(t, fault.KindInternal, fault.Of(err))
}

func TestCertificatesAreAlwaysVerified(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	hit := func(http.ResponseWriter, *http.Request) { hits.Add(1) }
	x := newShop(t, Config{}, hit)
	r := x.send(t, "https://other.example/")
	assert.Equal(t, "certificate_invalid", r.Reason, "another name")
	x = newShop(t, Config{Roots: x509.NewCertPool()}, hit)
	r = x.send(t, "https://example.com/")
	assert.Equal(t, delivery.Retry, r.Outcome)
	assert.Equal(t, "certificate_invalid", r.Reason, "nobody vouches for it")
	old := newShop(t, Config{}, hit)
	old.TLS.MaxVersion = tls.VersionTLS11
	assert.Equal(t, "tls_failed", old.send(t, "https://example.com/").Reason)
	assert.Zero(t, hits.Load())
}

// raw is an endpoint that says what it likes after the request's first bytes, over plain text.
func raw(t *testing.T, answer string) *Sender {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1<<16))
			_, _ = io.WriteString(conn, answer)
			if answer == "" {
				conn.Close()
			}
		}
	}()
	s, err := New(Config{AllowPlaintext: true, Ports: []uint16{80}, Resolver: names{"example.com": {public}}, Timeout: 2 * time.Second,
		ConnectTimeout: time.Second})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.connect = func(ctx context.Context, _ string, _ netip.AddrPort) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
	return s
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for answer, reason := range map[string]string{
		"":                        "connection_lost",
		"SSH-2.0-OpenSSH_9.6\r\n": "connection_lost",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n":                "http_101",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n":                            "connection_lost",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello":                       "connection_lost",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 1000)+"\r\n\r\n", 100): "connection_lost",
	} {
		s := raw(t, answer)
		r, err := s.Send(t.Context(), one(t, s, "http://example.com/"))
		require.NoError(t, err)
		assert.Equal(t, delivery.Retry, r.Outcome, "%.40q", answer)
		assert.Equal(t, reason, r.Reason, "%.40q", answer)
	}
}
