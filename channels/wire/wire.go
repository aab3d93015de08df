// Package wire is the one HTTP client of all channel adapters. It alone decides whether a call that went wrong did not
// happen (fault.KindUnavailable) or may have happened (fault.KindUnknown): a connection that never took a byte of the
// request is proof of the first; after the first byte everything but a complete answer is the second (I-14).
//
// It never sends a request a second time once a byte of it was written (a GET may be, by net/http, when a kept
// connection breaks), never follows a redirect, and reads no answer beyond a cap. It speaks HTTP/1.1 only, because there one connection carries one call and can be judged.
package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"time"

	"paysaga/domain/fault"
)

// Config tunes a Client; the zero value is ready for use.
type Config struct {
	Timeout     time.Duration // a whole call, body included; default 10 s
	DialTimeout time.Duration // connection and TLS handshake, each; default 3 s
	MaxBody     int64         // bytes of an answer; default 1 MiB
	IdlePerHost int           // connections kept open to one host; default 256
	TLS         *tls.Config   // nil: the system's roots
	// Dial makes the connections; nil dials the network. Whatever it returns, TLS and counting are put on top.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client makes calls. It is safe for concurrent use and meant to be shared, since it keeps the connections.
type Client struct {
	rt *roundTripper
}

// New returns a client.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.DialTimeout <= 0 {
		c.DialTimeout = 3 * time.Second
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 1 << 20
	}
	if c.IdlePerHost <= 0 {
		c.IdlePerHost = 256
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: c.DialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &Client{rt: newRoundTripper(c)}
}

// Response is a complete answer with a status below 300 or from 400 to 499, 429 excepted.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body as one JSON value. A body that isn't one is Unknown: whoever answers 200 with a web page may
// well have done what was asked.
func (r Response) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fault.Unknown("channel_answer_unreadable", "the channel's answer can't be read", err)
	}
	return nil
}

// Do makes one call. An error is a *fault.Error of kind Unavailable (nothing was sent, or a complete 429, with its
// Retry-After) or Unknown (anything else). What a 4xx means is the adapter's to say.
func (c *Client) Do(ctx context.Context, req *http.Request) (Response, error) {
	res, err := c.rt.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return Response{}, err
	}
	// RoundTrip has read the whole body, so this can't fail.
	body, _ := io.ReadAll(res.Body)
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// HTTP returns the same client in the shape that SDKs take. Its errors are Do's, within an *url.Error: errors.As finds
// the *fault.Error. SDK retries have to be switched off, or they undo what this package promises.
func (c *Client) HTTP() *http.Client {
	return &http.Client{
		Transport:     c.rt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CloseIdle closes the connections that carry no call.
func (c *Client) CloseIdle() { c.rt.base.CloseIdleConnections() }
