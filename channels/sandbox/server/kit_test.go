package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

const secret = "sbx_secret"

// box is a running sandbox with an adapter at it.
type box struct {
	*testing.T
	s    *server.Server
	url  string
	ch   channels.Channel
	last atomic.Uint64
}

func open(t *testing.T, c server.Config) *box {
	t.Helper()
	s, err := server.New(c)
	require.NoError(t, err)
	h := httptest.NewServer(s.Handler())
	client := wire.New(wire.Config{Timeout: 10 * time.Second})
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		h.CloseClientConnections()
		h.Close()
		client.CloseIdle()
	})
	return &box{T: t, s: s, url: h.URL, ch: channels.Guard(sandbox.New(client))}
}

func (b *box) account() channels.Account {
	return channels.Account{ID: "cha_1", Channel: sandbox.Name, Book: id.Test, BaseURL: b.url, Credentials: map[string]string{
		sandbox.Secret: secret, sandbox.SecretCallback: sandbox.CallbackSecret(secret)}}
}

func (b *box) call(p id.Prefix, code id.Code) channels.Call {
	b.Helper()
	key, err := channels.NewKey(id.Key(id.New(p, b.last.Add(1), [10]byte{}), id.Step{Code: code, Ordinal: 1}),
		strings.Repeat("ab", 32), b.s.Now())
	require.NoError(b, err)
	return channels.Call{Account: b.account(), Key: key, Now: b.s.Now()}
}

func (b *box) charge(c channels.Call, r channels.ChargeRequest) payment.Outcome {
	b.Helper()
	out, err := b.ch.Charge(b.Context(), c, r)
	require.NoError(b, err)
	return out
}

func (b *box) ask(c channels.Call) payment.Outcome {
	b.Helper()
	out, err := b.ch.Ask(b.Context(), c, channels.ChargeRequest{})
	require.NoError(b, err)
	return out
}

// hasty is an adapter that gives up early.
func (b *box) hasty() channels.Channel {
	c := wire.New(wire.Config{Timeout: 2 * time.Second})
	b.Cleanup(c.CloseIdle)
	return channels.Guard(sandbox.New(c))
}

func card(token string) channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true,
		Method: payment.Method{Type: payment.MethodCardToken, Token: token}}
}

func qr(callback string) channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 500, Currency: "CNY", Capture: true, CallbackURL: callback,
		Method: payment.Method{Type: payment.MethodQR}}
}

// send makes a request to the admin API or to the protocol and returns status and body.
func (b *box) send(method, path, body string, header ...string) (int, string) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+path, bytes.NewReader([]byte(body)))
	require.NoError(b, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	require.NoError(b, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(b, err)
	return res.StatusCode, string(raw)
}

// admin makes a POST that has to be accepted.
func (b *box) admin(path, body string) string {
	b.Helper()
	status, text := b.send(http.MethodPost, path, body)
	require.Less(b, status, 300, text)
	return text
}

func quoted(text string) string {
	raw, _ := json.Marshal(text)
	return string(raw)
}

// inbox receives callbacks; refuse says how many of the first to answer with a 500.
type inbox struct {
	url    string
	got    chan channels.RawCallback
	refuse atomic.Int64
}

func (b *box) inbox() *inbox {
	in := &inbox{got: make(chan channels.RawCallback, 100)}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.got <- channels.RawCallback{Header: r.Header, Body: body, Now: b.s.Now()}
		if in.refuse.Add(-1) >= 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	b.Cleanup(func() { h.CloseClientConnections(); h.Close() })
	in.url = h.URL
	return in
}

// next waits for a callback and has the adapter verify it.
func (b *box) next(in *inbox) channels.Callback {
	b.Helper()
	select {
	case raw := <-in.got:
		cb, err := b.ch.ParseCallback(b.account(), raw)
		require.NoError(b, err)
		return cb
	case <-time.After(20 * time.Second):
		b.Fatal("no callback came")
		return channels.Callback{}
	}
}
