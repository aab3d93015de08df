package wechatpay_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// bench is an adapter at a fake, and what a test may do to the answers on their way.
type bench struct {
	fake    *fake.Server
	ch      channels.Channel
	raw     *wechatpay.Channel
	account channels.Account
	tamper  func(path string, body []byte) []byte
}

func newBench(t *testing.T, c fake.Config) *bench {
	t.Helper()
	b := &bench{fake: fake.New(t, c)}
	// From a noon on, so that no test crosses a midnight of WeChat's.
	now := b.fake.Now().In(fake.Beijing)
	b.fake.Advance(time.Date(now.Year(), now.Month(), now.Day()+1, 12, 0, 0, 0, fake.Beijing).Sub(now))
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		b.fake.ServeHTTP(rec, r)
		body, _ := io.ReadAll(rec.Body)
		if b.tamper != nil {
			body = b.tamper(r.URL.Path, body)
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	b.account = channels.Account{ID: "cha_1", Channel: wechatpay.Name, Book: id.Test, BaseURL: h.URL, Credentials: b.fake.Credentials()}
	b.raw = wechatpay.New(wire.New(wire.Config{})).Clocked(b.fake.Now)
	b.ch = channels.Guard(b.raw)
	return b
}

var minted atomic.Uint32

func (b *bench) mint(t *testing.T, p id.Prefix, code id.Code) channels.Key {
	t.Helper()
	n := minted.Add(1)
	now := b.fake.Now()
	name := id.New(p, uint64(now.UnixMilli()), [10]byte{byte(n), byte(n >> 8)})
	sum := sha256.Sum256([]byte(name))
	key, err := channels.NewKey(id.Key(name, id.Step{Code: code, Ordinal: 1}), hex.EncodeToString(sum[:]), now)
	require.NoError(t, err)
	return key
}

func (b *bench) key(t *testing.T) channels.Key       { return b.mint(t, id.Payment, id.Charge) }
func (b *bench) refundKey(t *testing.T) channels.Key { return b.mint(t, id.Refund, id.RefundOut) }
func (b *bench) payoutKey(t *testing.T) channels.Key { return b.mint(t, id.Payout, id.PayoutOut) }

func (b *bench) call(k channels.Key) channels.Call {
	return channels.Call{Account: b.account, Key: k, Now: b.fake.Now()}
}

// pay makes a charge and lets the customer pay it.
func (b *bench) pay(t *testing.T, k channels.Key, r channels.ChargeRequest) payment.Outcome {
	t.Helper()
	out, err := b.ch.Charge(t.Context(), b.call(k), r)
	require.NoError(t, err)
	require.Equal(t, payment.Pending, out.Verdict, "%+v", out)
	require.True(t, b.fake.Pay(k.Reference))
	out, err = b.ch.Ask(t.Context(), b.call(k), r)
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, out.Verdict)
	return out
}

// sent is the body of the last request to a path.
func (b *bench) sent(t *testing.T, path string) map[string]any {
	t.Helper()
	var body map[string]any
	for _, r := range b.fake.Requests() {
		if r.URI == path {
			body = nil
			require.NoError(t, json.Unmarshal(r.Body, &body))
		}
	}
	require.NotNil(t, body, path)
	return body
}

// listener is whoever a callback is posted to.
type listener func(*http.Request, []byte) int

func (f listener) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	rec.WriteHeader(f(r, body))
	return rec.Result(), nil
}
