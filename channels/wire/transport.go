package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/fault"
)

// stale is how many idle connections in a row may turn out closed before a call is given up. Nothing was written on
// any of them.
const stale = 3

type roundTripper struct {
	base    *http.Transport
	timeout time.Duration
	maxBody int64
}

func newRoundTripper(c Config) *roundTripper {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			raw, err := c.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: raw}, nil
		},
		DialTLSContext:         c.dialTLS,
		MaxIdleConnsPerHost:    c.IdlePerHost,
		IdleConnTimeout:        30 * time.Second, // below what servers usually keep, so that they rarely close first
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // the cap counts what arrives
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return &roundTripper{base: t, timeout: c.Timeout, maxBody: c.MaxBody}
}

// dialTLS shakes hands itself, so that the counting lies on top of TLS: the handshake's own bytes are no request.
func (c Config) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	raw, err := c.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		conf = c.TLS.Clone()
	}
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr
		}
		conf.ServerName = host
	}
	ctx, cancel := context.WithTimeout(ctx, c.DialTimeout)
	defer cancel()
	secure := tls.Client(raw, conf)
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return &conn{Conn: secure}, nil
}

// RoundTrip makes one call, reads the whole answer, and classifies what went wrong.
func (rt *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), rt.timeout)
	defer cancel()
	res, err := rt.send(ctx, req)
	if err != nil {
		return nil, err
	}
	return rt.finish(ctx, res)
}

// send makes a call up to the headers of its answer.
func (rt *roundTripper) send(ctx context.Context, req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	for try := 1; ; try++ {
		res, sent, err := rt.once(ctx, req, try)
		if err == nil {
			return res, nil
		}
		if sent {
			return nil, fault.Unknown("channel_answer_lost", "the channel's answer was lost: "+cause(ctx, err), err)
		}
		again := errors.Is(err, errStale) && try < stale && ctx.Err() == nil && (req.GetBody != nil || bodiless(req))
		if !again {
			return nil, fault.Unavailable("channel_unreachable", "the channel could not be reached: "+cause(ctx, err), err)
		}
	}
}

var errStale = errors.New("an idle connection was closed")

func bodiless(req *http.Request) bool { return req.Body == nil || req.Body == http.NoBody }

// once sends the request on one connection. sent is false only if no byte of it was, or ever will be, written.
func (rt *roundTripper) once(ctx context.Context, req *http.Request, try int) (res *http.Response, sent bool, err error) {
	w := &watch{}
	out := req.Clone(httptrace.WithClientTrace(ctx, w.trace()))
	if try > 1 && req.GetBody != nil {
		if out.Body, err = req.GetBody(); err != nil {
			return nil, false, err
		}
	}
	out.GetBody = nil // whether a body is sent once more is decided here alone
	hide(out.Header)
	res, err = rt.base.RoundTrip(out)
	if err == nil {
		return res, true, nil
	}
	if !w.nothingSent() {
		return nil, true, err
	}
	if w.conn != nil {
		err = errors.Join(errStale, err)
	}
	return nil, false, err
}

// hide writes the idempotency header in small letters, which mean the same to a server. Under its usual name net/http
// takes it as leave to send a POST again by itself when a connection breaks, even after the request was written.
func hide(h http.Header) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = v
		}
	}
}

// finish reads the answer to its end and lets only those pass that say something definite.
func (rt *roundTripper) finish(ctx context.Context, res *http.Response) (*http.Response, error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, rt.maxBody+1))
	res.Body.Close()
	switch {
	case err != nil:
		return nil, fault.Unknown("channel_answer_lost", "the channel's answer was cut: "+cause(ctx, err), err)
	case int64(len(body)) > rt.maxBody:
		return nil, fault.Unknown("channel_answer_too_large", "the channel's answer is too large", nil)
	case res.StatusCode == http.StatusTooManyRequests:
		return nil, fault.Unavailable("channel_rate_limited", "the channel asks to slow down", nil).
			WithRetryAfter(retryAfter(res.Header.Get("Retry-After"), time.Now()))
	case res.StatusCode >= 500:
		return nil, fault.Unknown("channel_failed", "the channel answered "+strconv.Itoa(res.StatusCode), nil)
	case res.StatusCode >= 300 && res.StatusCode < 400, res.StatusCode < 200:
		return nil, fault.Unknown("channel_redirected", "the channel answered "+strconv.Itoa(res.StatusCode), nil)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	return res, nil
}

// retryAfter reads seconds or a date; what can't be read, or lies beyond an hour, is as good as not said.
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 3600 {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	if d < 0 || d > time.Hour {
		return 0
	}
	return d
}

// cause says in a word what happened, without addresses or bodies (I-26).
func cause(ctx context.Context, err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &dns):
		return "name not found"
	case errors.As(err, &cert), errors.As(err, &record):
		return "tls"
	case errors.As(err, &op) && op.Op == "dial":
		return "connection refused"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "cut off"
	case errors.As(err, &op):
		return "connection broken"
	}
	return "failed"
}
