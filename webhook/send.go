package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// maxAnswer is how much of an answer is read; delivery.MaxExcerpt of it is kept.
const maxAnswer = 64 << 10

// Send makes one try. What the endpoint did, or failed to do, is a Result; an error is ours alone: Internal for a
// delivery that can't be signed, Unknown if ctx ended first, which says nothing about the endpoint and must not count
// as its failure.
//
// It follows no redirect, so there is one hop, and that is guarded; keeps no cookies; uses no proxy.
func (s *Sender) Send(ctx context.Context, d delivery.Delivery) (delivery.Result, error) {
	start := s.c.Now()
	stamp, err := d.Sign(start)
	if err != nil {
		return delivery.Result{}, err
	}
	to, err := s.parse("url", d.URL)
	if err != nil {
		return delivery.Result{Outcome: delivery.Refused, Reason: "url_refused"}, nil
	}
	within, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	var badHandshake atomic.Bool // the transport may still dial when the try is over
	within = httptrace.WithClientTrace(within, &httptrace.ClientTrace{TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
		badHandshake.Store(err != nil)
	}})
	// RoundTrip, not a Client: it follows nothing and knows no cookies.
	res, err := s.transport.RoundTrip(s.request(within, to, d.Body, stamp))
	var r delivery.Result
	if err != nil {
		if ctx.Err() != nil {
			return delivery.Result{}, fault.Unknown("delivery_interrupted", "the try was broken off by us", ctx.Err())
		}
		r = failed(err, badHandshake.Load())
	} else {
		r = s.read(res)
	}
	r.Duration = max(0, s.c.Now().Sub(start))
	return r, nil
}

func (s *Sender) request(ctx context.Context, to endpoint, body []byte, stamp delivery.Stamp) *http.Request {
	// The transport gets a host in the one spelling that was judged.
	host := to.host
	if host == "" {
		host = to.addr.String()
	}
	if standard := map[string]uint16{"http": 80, "https": 443}[to.url.Scheme]; to.port != standard {
		host = net.JoinHostPort(host, strconv.Itoa(int(to.port)))
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	u := &url.URL{Scheme: to.url.Scheme, Host: host, Path: to.url.Path, RawPath: to.url.RawPath, RawQuery: to.url.RawQuery}
	req := (&http.Request{
		Method: http.MethodPost, URL: u, Host: host, ContentLength: int64(len(body)), Header: http.Header{},
		Body:    io.NopCloser(bytes.NewReader(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}).WithContext(ctx)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.c.UserAgent)
	req.Header.Set("webhook-id", stamp.ID)
	req.Header.Set("webhook-timestamp", stamp.Timestamp)
	req.Header.Set("webhook-signature", stamp.Signature)
	return req
}

// read judges an answer by its status alone; a body that is cut or slow changes nothing about it.
func (s *Sender) read(res *http.Response) delivery.Result {
	defer res.Body.Close()
	r := delivery.Result{Outcome: delivery.Of(res.StatusCode), Status: res.StatusCode}
	// After 101 the body is the bare connection: nothing of it is an answer.
	if res.StatusCode >= 200 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		r.Excerpt = delivery.Excerpt(text)
	}
	if r.Outcome != delivery.Delivered {
		r.Reason = "http_" + strconv.Itoa(res.StatusCode)
	}
	if r.Outcome == delivery.Retry {
		r.RetryAfter = retryAfter(res.Header.Get("Retry-After"), s.c.Now())
	}
	return r
}

// retryAfter reads seconds or a date. What can't be read asks for nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if text != "" && strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > int64(delivery.MaxRetryAfter/time.Second) {
			return delivery.MaxRetryAfter
		}
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), delivery.MaxRetryAfter)
}

// failed gives the reason for a try without an answer, in words that tell a merchant what to mend and a prober nothing.
func failed(err error, badHandshake bool) delivery.Result {
	r := delivery.Result{Outcome: delivery.Retry, Reason: "connection_lost"}
	var (
		stopped *stop
		late    net.Error
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &stopped):
		if r.Reason = stopped.reason; r.Reason == addressRefused {
			r.Outcome = delivery.Refused
		}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		r.Reason = "timeout"
	case errors.As(err, &cert):
		r.Reason = "certificate_invalid"
	case badHandshake:
		r.Reason = "tls_failed"
	}
	return r
}
