package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

// rude is a server that handles each connection by hand.
func rude(t *testing.T, handle func(c net.Conn, n int64)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var n atomic.Int64
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				handle(c, n.Add(1))
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

// read takes one request off the wire, as a server would before it acts.
func read(c net.Conn) {
	buf := make([]byte, 4096)
	_, _ = c.Read(buf)
}

// silent reads until the client gives up.
func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func post(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url+"/v1/charges", strings.NewReader(`{"amount_minor":1}`))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "pay_1:ch1")
	return req
}

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

func TestWhateverHappensAfterTheFirstByteIsUnknown(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	cases := map[string]func(net.Conn, int64){
		"the server resets after it read the request":  func(c net.Conn, _ int64) { read(c); reset(c) },
		"the server closes after it read the request":  func(c net.Conn, _ int64) { read(c) },
		"the server resets before it reads":            func(c net.Conn, _ int64) { _, _ = c.Read(make([]byte, 1)); reset(c) },
		"the server never answers":                     func(c net.Conn, _ int64) { silent(c) },
		"the server resets after the answer's headers": func(c net.Conn, _ int64) { read(c); fmt.Fprint(c, head+"Content-Length: 10\r\n\r\n{"); reset(c) },
		"the answer ends half way":                     func(c net.Conn, _ int64) { read(c); fmt.Fprint(c, head+"Content-Length: 100\r\n\r\n{\"id\":") },
		"a chunked answer ends half way": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, head+"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n")
		},
		"a 429 is cut":          func(c net.Conn, _ int64) { read(c); fmt.Fprint(c, "HTTP/1.1 429 Slow\r\nContent-Length: 9\r\n\r\n{") },
		"the answer isn't HTTP": func(c net.Conn, _ int64) { read(c); fmt.Fprint(c, "SSH-2.0-OpenSSH_9\r\n\r\n") },
		"the headers never end": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, head)
			for range 1000 {
				if _, err := fmt.Fprintf(c, "X-Filler: %s\r\n", strings.Repeat("a", 1000)); err != nil {
					return
				}
			}
		},
		"the answer drips a byte at a time": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, head+"Content-Length: 100000\r\n\r\n")
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := c.Write([]byte(" ")); err != nil {
					return
				}
			}
		},
		"the answer is 10 MB": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, head+"Content-Length: 10485760\r\n\r\n")
			_, _ = io.Copy(c, bytes.NewReader(make([]byte, 10<<20)))
		},
		"502 with a web page": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
			silent(c)
		},
		"503 with Retry-After": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, "HTTP/1.1 503 Down\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n")
			silent(c)
		},
		"a redirect": func(c net.Conn, _ int64) {
			read(c)
			fmt.Fprint(c, "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
			silent(c)
		},
	}
	for name, handle := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int64
			url := rude(t, func(c net.Conn, n int64) { conns.Add(1); handle(c, n) })
			c := wire.New(wire.Config{Timeout: 2 * time.Second})
			defer c.CloseIdle()
			_, err := c.Do(t.Context(), post(t, url))
			require.Error(t, err)
			assert.Equal(t, fault.KindUnknown, fault.Of(err), "%v", err)
			assert.LessOrEqual(t, conns.Load(), int64(1), "the request was sent twice")
			assert.NotContains(t, err.Error(), "127.0.0.1")
		})
	}
}

func TestNothingSentIsUnavailable(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return "http://" + l.Addr().String()
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		_, err := wire.New(wire.Config{}).Do(t.Context(), post(t, refused(t)))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	})
	t.Run("the name doesn't resolve", func(t *testing.T) {
		t.Parallel()
		dial := func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "bank.invalid", IsNotFound: true}
		}
		_, err := wire.New(wire.Config{Dial: dial}).Do(t.Context(), post(t, "http://bank.invalid"))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
		assert.Contains(t, err.Error(), "name not found")
	})
	t.Run("the dial takes too long", func(t *testing.T) {
		t.Parallel()
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := wire.New(wire.Config{Dial: dial}).Do(ctx, post(t, "http://bank.invalid"))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	})
	t.Run("the certificate is not trusted", func(t *testing.T) {
		t.Parallel()
		var called atomic.Bool
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Store(true) }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		defer s.Close()
		_, err := wire.New(wire.Config{}).Do(t.Context(), post(t, s.URL))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
		assert.False(t, called.Load())
	})
	t.Run("plain HTTP where TLS was meant", func(t *testing.T) {
		t.Parallel()
		url := rude(t, func(c net.Conn, _ int64) { read(c); fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
		_, err := wire.New(wire.Config{}).Do(t.Context(), post(t, strings.Replace(url, "http:", "https:", 1)))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	})
	t.Run("the caller gave up before", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := wire.New(wire.Config{}).Do(ctx, post(t, refused(t)))
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	})
	for header, want := range map[string]time.Duration{"2": 2 * time.Second, "": 0, "-1": 0, "soon": 0, "99999999999": 0} {
		t.Run("429 with Retry-After "+header, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				http.Error(w, "slow down", http.StatusTooManyRequests)
			}))
			defer s.Close()
			_, err := wire.New(wire.Config{}).Do(t.Context(), post(t, s.URL))
			assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
			assert.Equal(t, want, fault.As(err).RetryAfter)
		})
	}
}

// The connection takes the request and is closed by the server at the same moment: net/http would send a POST with an
// Idempotency-Key again by itself, and the server would see it twice.
func TestAPostIsNeverSentTwice(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"{}", ""} {
		t.Run("body "+body, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int64
			url := rude(t, func(c net.Conn, n int64) {
				read(c)
				seen.Add(1)
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
				read(c) // the second request of this connection: taken, acted on, not answered
				seen.Add(1)
			})
			c := wire.New(wire.Config{Timeout: 2 * time.Second})
			defer c.CloseIdle()
			send := func() error {
				req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
				require.NoError(t, err)
				req.Header.Set("Idempotency-Key", "pay_1:ch1")
				_, err = c.Do(t.Context(), req)
				return err
			}
			require.NoError(t, send())
			assert.Equal(t, fault.KindUnknown, fault.Of(send()))
			assert.Equal(t, int64(2), seen.Load())
		})
	}
}

func TestManyCallsAtOnceShareFewConnections(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := wire.New(wire.Config{})
	defer c.CloseIdle()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 50 {
				res, err := c.Do(context.Background(), post(t, s.URL))
				if assert.NoError(t, err) {
					assert.Equal(t, `{"amount_minor":1}`, string(res.Body))
				}
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, conns.Load(), int64(150), "connections aren't kept")
}

func TestDefiniteAnswersPass(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 204, 400, 401, 402, 404, 409, 422} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		res, err := wire.New(wire.Config{}).Do(t.Context(), post(t, s.URL))
		s.Close()
		require.NoError(t, err)
		assert.Equal(t, status, res.Status)
	}
}

func TestTLSWorks(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer s.Close()
	c := wire.New(wire.Config{TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	defer c.CloseIdle()
	for range 2 {
		res, err := c.Do(t.Context(), post(t, s.URL))
		require.NoError(t, err)
		assert.Equal(t, "{}", string(res.Body))
	}
}

func TestHTTPClientKeepsTheFault(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/429":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/302":
			http.Redirect(w, r, "/ok", http.StatusFound)
		default:
			fmt.Fprint(w, "{}")
		}
	}))
	defer s.Close()
	hc := wire.New(wire.Config{}).HTTP()
	for path, kind := range map[string]fault.Kind{"/429": fault.KindUnavailable, "/302": fault.KindUnknown} {
		_, err := hc.Post(s.URL+path, "application/json", strings.NewReader("{}"))
		var f *fault.Error
		require.True(t, errors.As(err, &f))
		assert.Equal(t, kind, f.Kind)
	}
	res, err := hc.Get(s.URL + "/ok")
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, "{}", string(body))
}

func TestAnUnreadableBodyIsUnknown(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", `{"id":`, `{} {}`, `"text"`, "\xff"} {
		var v struct{ ID string }
		err := wire.Response{Status: 200, Body: []byte(body)}.Decode(&v)
		assert.Equal(t, fault.KindUnknown, fault.Of(err), "%q", body)
	}
}
