package paypal_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/paypal"
	"paysaga/channels/paypal/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

var minted atomic.Uint64

// newKey is a key of its own that is born now.
func newKey(t *testing.T, f *fake.Server, p id.Prefix, code id.Code, request any) channels.Key {
	t.Helper()
	now := f.Now()
	_, hash, err := channels.Freeze(request)
	require.NoError(t, err)
	var seed [10]byte
	binary.BigEndian.PutUint64(seed[:], minted.Add(1))
	key, err := channels.NewKey(id.Key(id.New(p, uint64(now.UnixMilli()), seed), id.Step{Code: code, Ordinal: 1}), hash, now)
	require.NoError(t, err)
	return key
}

func newCall(t *testing.T, f *fake.Server, r channels.ChargeRequest) channels.Call {
	t.Helper()
	return channels.Call{Account: account(f), Key: newKey(t, f, id.Payment, id.Charge, r), Now: f.Now()}
}

func newRefund(t *testing.T, f *fake.Server, r channels.RefundRequest) channels.Call {
	t.Helper()
	return channels.Call{Account: account(f), Key: newKey(t, f, id.Refund, id.RefundOut, r), Now: f.Now()}
}

func TestATokenIsFetchedOnceAndAgainWhenItIsRefused(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := token("vault-ok")
	c := newCall(t, f, r)
	for range 3 {
		_, err := ch.Charge(t.Context(), c, r)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, f.Tokens())
	f.Revoke()
	_, err := ch.Ask(t.Context(), c, r)
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "nothing was done under a token that is refused: %v", err)
	_, err = ch.Ask(t.Context(), c, r)
	require.NoError(t, err)
	assert.Equal(t, 2, f.Tokens())
	c.Now = f.Now().Add(9 * time.Hour)
	_, _ = ch.Ask(t.Context(), c, r)
	assert.Equal(t, 3, f.Tokens(), "an expired one is not sent")
}

// Two accounts never share a token, also if they share an address.
func TestATokenBelongsToItsAccount(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := token("vault-ok")
	c := newCall(t, f, r)
	_, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	c.Account.Credentials = map[string]string{paypal.ClientID: fake.ClientID, paypal.ClientSecret: "another-secret"}
	_, err = ch.Ask(t.Context(), c, r)
	assert.Equal(t, fault.KindInternal, fault.Of(err))
	assert.NotContains(t, err.Error(), "another-secret")
}

// PayPal would take 115 % of an authorization; what was authorized is all that may be taken.
func TestACaptureRenewsAnAuthorizationWhoseGuaranteeHasPassed(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := token("vault-ok")
	r.Capture = false
	c := newCall(t, f, r)
	held, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	require.Equal(t, payment.Authorized, held.Verdict)
	assert.Equal(t, 29*24*time.Hour, held.ExpiresAt.Sub(held.EffectiveAt))
	var paths []string
	f.Watch(func(e fake.Exchange) { paths = append(paths, e.Method+" "+e.Path) })
	f.Advance(5 * 24 * time.Hour)
	q := channels.CaptureRequest{ChargeKey: c.Key.ID, ChannelID: held.ChannelID, AmountMinor: 12345, Currency: "USD", Final: true}
	call := channels.Call{Account: c.Account, Now: f.Now()}
	call.Key = newKey(t, f, id.Payment, id.CaptureOut, q)
	for range 2 {
		out, err := ch.Capture(t.Context(), call, q)
		require.NoError(t, err)
		assert.Equal(t, payment.Succeeded, out.Verdict)
		assert.Equal(t, held.ChannelID, out.ChannelID)
	}
	assert.Equal(t, 1, strings.Count(strings.Join(paths, "\n"), "/reauthorize"))
	assert.Equal(t, int64(12345), f.Orders()[0].Captured)
}

func TestTheWrongMethodOrAmountIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	for what, change := range map[string]func(*channels.ChargeRequest){
		"no amount":       func(r *channels.ChargeRequest) { r.AmountMinor = 0 },
		"a currency":      func(r *channels.ChargeRequest) { r.Currency = "XXX" },
		"half a forint":   func(r *channels.ChargeRequest) { r.Currency, r.AmountMinor = "HUF", 150 },
		"a vault path":    func(r *channels.ChargeRequest) { r.Method.Token = "card:../x" },
		"another source":  func(r *channels.ChargeRequest) { r.Method.Token = "venmo:x" },
		"no way back":     func(r *channels.ChargeRequest) { *r = redirect(); r.ReturnURL = "" },
		"an empty token":  func(r *channels.ChargeRequest) { r.Method.Token = "" },
		"a negative one":  func(r *channels.ChargeRequest) { r.AmountMinor = -5 },
		"a missing token": func(r *channels.ChargeRequest) { r.Method.Token = "paypal:" },
	} {
		r := token("vault-ok")
		change(&r)
		_, err := ch.Charge(t.Context(), newCall(t, f, r), r)
		assert.Equal(t, fault.KindInvalid, fault.Of(err), "%s: %v", what, err)
	}
	assert.Empty(t, f.Orders())
}

func TestAmountsAreWrittenWithTheCurrencysDecimals(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	bodies := map[string]string{}
	f.Watch(func(e fake.Exchange) {
		if e.Path == "/v2/checkout/orders" {
			var b struct {
				Units []struct {
					Amount struct {
						Currency string `json:"currency_code"`
						Value    string `json:"value"`
					} `json:"amount"`
				} `json:"purchase_units"`
			}
			assert.NoError(t, json.Unmarshal(e.Body, &b))
			bodies[b.Units[0].Amount.Currency] = b.Units[0].Amount.Value
		}
	})
	for currency, minor := range map[string]int64{"USD": 5, "JPY": 1234, "HUF": 120000, "TWD": 300, "EUR": 100000} {
		r := token("vault-ok")
		r.Currency, r.AmountMinor = currency, minor
		out, err := ch.Charge(t.Context(), newCall(t, f, r), r)
		require.NoError(t, err, currency)
		assert.Equal(t, minor, out.AmountMinor, currency)
	}
	assert.Equal(t, map[string]string{"USD": "0.05", "JPY": "1234", "HUF": "1200", "TWD": "3", "EUR": "1000.00"}, bodies)
}

func TestAPayersRefusalIsADecline(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := channels.Guard(adapter(wire.New(wire.Config{})))
	for vault, hard := range map[string]bool{"vault-refused": false, "vault-locked": true, "vault-unheard-of": true} {
		r := token(vault)
		c := newCall(t, f, r)
		out, err := ch.Charge(t.Context(), c, r)
		require.NoError(t, err)
		assert.Equal(t, payment.Declined, out.Verdict, vault)
		assert.Equal(t, hard, out.Decline.Hard, vault)
		assert.False(t, out.Dead, "the order can still be paid: it has to be closed")
		closed, err := ch.Cancel(t.Context(), c, r)
		require.NoError(t, err)
		assert.True(t, closed.Dead)
	}
}

// An order that is closed can't be captured, whatever was still on its way.
func TestAClosedOrderRefusesItsCapture(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := redirect()
	c := newCall(t, f, r)
	out, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	require.True(t, f.Approve(out.ChannelID))
	_, err = ch.Cancel(t.Context(), c, r)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/v2/checkout/orders/"+out.ChannelID+"/capture", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+bearer(t, f))
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
	assert.Zero(t, f.Orders()[0].Captured)
}

func bearer(t *testing.T, f *fake.Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/v1/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	require.NoError(t, err)
	req.SetBasicAuth(fake.ClientID, fake.ClientSecret)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var a struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	return a.AccessToken
}

// An order that nobody paid is gone after some hours; what an old key stands for is told by the list of transactions.
func TestAnOldKeyIsAnsweredWithoutMakingAnOrder(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := redirect()
	c := newCall(t, f, r)
	out, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	f.Advance(7 * time.Hour)
	c.Now = f.Now()
	known := c
	known.ChannelID = out.ChannelID
	gone, err := ch.Ask(t.Context(), known, r)
	require.NoError(t, err)
	assert.Equal(t, payment.Closed, gone.Verdict)
	asked, err := ch.Ask(t.Context(), c, r)
	require.NoError(t, err)
	assert.Equal(t, payment.Absent, asked.Verdict, "the list may still be incomplete")
	_, err = ch.Cancel(t.Context(), c, r)
	assert.Equal(t, fault.KindUnknown, fault.Of(err))
	f.Advance(3 * time.Hour)
	c.Now = f.Now()
	for range 2 {
		closed, err := ch.Cancel(t.Context(), c, r)
		require.NoError(t, err)
		assert.True(t, closed.Dead)
	}
	assert.Len(t, f.Orders(), 1)
}

func TestOnlyPayPalsOwnCertificatesAreBelieved(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	r := token("vault-ok")
	c := newCall(t, f, r)
	_, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	raw := callback(t, f, c.Key)
	_, err = ch.ParseCallback(c.Account, raw)
	require.NoError(t, err)
	good := f.CertURL()
	base := good[:strings.LastIndex(good, "/")]
	for _, url := range []string{
		strings.Replace(good, "https://", "http://", 1), base + "/CERT-stranger", base + "/CERT-selfmade", base + "/CERT-moved", base + "/CERT-missing",
		good + "?x=1", good + "#x", strings.Replace(good, "https://", "https://paypal.com@", 1), "https://api.paypal.com.example.org/v1/notifications/certs/CERT-1",
		"https://169.254.169.254/v1/notifications/certs/x", strings.Replace(good, "/v1/notifications/certs/", "/", 1), base + "/../certs/CERT-stranger", "file:///etc/passwd", "",
	} {
		other := raw
		other.Header = http.Header(raw.Header).Clone()
		other.Header["Paypal-Cert-Url"] = []string{url}
		_, err := ch.ParseCallback(c.Account, other)
		assert.Contains(t, []fault.Kind{fault.KindDenied, fault.KindUnavailable}, fault.Of(err), "%s: %v", url, err)
	}
	asked := 0
	for range 40 { // a stranger's deliveries don't make us ask PayPal without bounds
		other := raw
		other.Header = http.Header(raw.Header).Clone()
		other.Header["Paypal-Cert-Url"] = []string{base + "/CERT-missing"}
		if _, err := ch.ParseCallback(c.Account, other); fault.Of(err) == fault.KindDenied {
			asked++
		}
	}
	assert.Less(t, asked, 30)
	_, err = ch.ParseCallback(c.Account, raw)
	require.NoError(t, err, "what is known is still believed")
	late := raw
	late.Now = raw.Now.AddDate(3, 0, 0)
	_, err = ch.ParseCallback(c.Account, late)
	assert.Error(t, err, "the certificate has expired")
}

// Without its certificate a callback is neither believed nor refused: PayPal delivers it again.
func TestACertificateThatCannotBeFetchedIsUnavailable(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	a := account(f)
	ch := paypal.Trusting(wire.New(wire.Config{}), paypal.Trust{Hosts: []string{f.CertHost()}, Roots: f.Roots(),
		Client: wire.New(wire.Config{TLS: &tls.Config{}})}) // it doesn't know the host
	body := []byte(`{"id":"WH-1","event_type":"X","resource":{}}`)
	_, err := ch.ParseCallback(a, channels.RawCallback{Header: f.Sign(body, f.Now()), Body: body, Now: f.Now()})
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
}

func TestEventsThatAreNotOursSayNothing(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := adapter(wire.New(wire.Config{}))
	for body, readable := range map[string]bool{
		`{"id":"WH-1","event_type":"CUSTOMER.DISPUTE.CREATED","resource":{"dispute_id":"PP-1"}}`:                      true,
		`{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"1A","custom_id":"somebody else's"}}`: true,
		`{"id":"WH-1","event_type":"CHECKOUT.ORDER.APPROVED","resource":{"id":"1A","purchase_units":[{},{}]}}`:        true,
		`{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"1A","custom_id":7}}`:                 false,
		`{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":[]}`:                                        false,
		`{"id":"WH-1","event_type":"X"}`: false,
		`[]`:                             false,
		``:                               false,
	} {
		cb, err := ch.ParseCallback(account(f), channels.RawCallback{Header: f.Sign([]byte(body), f.Now()), Body: []byte(body), Now: f.Now()})
		if readable {
			require.NoError(t, err, body)
			assert.Equal(t, channels.SubjectOther, cb.Subject, body)
			continue
		}
		assert.Equal(t, fault.KindInvalid, fault.Of(err), body)
	}
}

// PayPal's signature covers a CRC-32 of the body alone. Whoever has a genuine delivery can write another body under it: that
// one is let in, and says nothing but whom to ask about. It takes the place of the delivery whose signature it bears.
func TestABodyForgedUnderAGenuineSignatureSaysOnlyWhomToAskAbout(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := channels.Guard(adapter(wire.New(wire.Config{})))
	r := token("vault-ok")
	c := newCall(t, f, r)
	_, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	raw := callback(t, f, c.Key)
	genuine, err := ch.ParseCallback(c.Account, raw)
	require.NoError(t, err)
	require.Equal(t, c.Key.Reference, genuine.Reference)
	for _, object := range []string{
		`{"id":"WH-9","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"1A","status":"COMPLETED","amount":{"currency_code":"USD","value":"999.00"},
			"custom_id":"p00000000000000000000000000ch1","supplementary_data":{"related_ids":{"order_id":"OTHER"}}}}`,
		`{"id":"WH-9","event_type":"PAYMENT.CAPTURE.DENIED","resource":{"id":"1A","status":"DECLINED","custom_id":"p00000000000000000000000000ch1"}}`,
		`{"id":"WH-9","event_type":"CHECKOUT.ORDER.APPROVED","resource":{"id":"OTHER","status":"APPROVED","purchase_units":[{"custom_id":"p00000000000000000000000000ch1"}]}}`,
		`{"id":"WH-9","event_type":"PAYMENT.REFUND.FAILED","resource":{"id":"1A","status":"FAILED","custom_id":"r00000000000000000000000000rf1"}}`,
	} {
		forged := raw
		forged.Body = fake.Forge(raw.Body, []byte(object))
		require.Equal(t, crc32.ChecksumIEEE(raw.Body), crc32.ChecksumIEEE(forged.Body))
		cb, err := ch.ParseCallback(c.Account, forged)
		require.NoError(t, err, "if this is refused, PayPal signs more than it did")
		assert.Equal(t, payment.Outcome{Verdict: payment.Unknown, Reason: cb.Outcome.Reason}, cb.Outcome)
		assert.Contains(t, []string{"p00000000000000000000000000ch1", "r00000000000000000000000000rf1"}, cb.Reference)
		assert.Equal(t, genuine.EventID, cb.EventID, "a delivery that was seen is known again, whatever its body")
	}
}

func FuzzCallback(f *testing.F) {
	server := fake.New()
	f.Cleanup(server.Close)
	ch := paypal.Trusting(wire.New(wire.Config{}), paypal.Trust{Hosts: []string{server.CertHost()}, Roots: server.Roots(),
		Client: wire.New(wire.Config{TLS: &tls.Config{RootCAs: server.TLS()}})})
	f.Add([]byte(`{"id":"WH-1","event_type":"CHECKOUT.ORDER.APPROVED","resource":{"id":"1A","status":"APPROVED","purchase_units":[{"custom_id":"p00000000000000000000000000ch1"}]}}`))
	f.Add([]byte(`{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","resource":{"id":"1A","status":"COMPLETED","amount":{"currency_code":"USD","value":"1.00"},"custom_id":"p00000000000000000000000000ch1"}}`))
	f.Add([]byte(`{"id":"WH-1","event_type":"PAYMENT.REFUND.FAILED","resource":{"id":"1A","status":"FAILED","custom_id":"r00000000000000000000000000rf1"}}`))
	f.Add([]byte(`{"id":"WH-1","event_type":"PAYMENT.AUTHORIZATION.VOIDED","resource":{"id":"1A","status":"VOIDED","custom_id":"p00000000000000000000000000ch1"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		now := time.Now()
		raw := channels.RawCallback{Header: server.Sign(body, now), Body: body, Now: now}
		cb, err := channels.Guard(ch).ParseCallback(account(server), raw)
		said := payment.Outcome{Reason: cb.Outcome.Reason}
		if cb.Reference != "" {
			said.Verdict = payment.Unknown
		}
		if err == nil && (cb.Outcome != said || cb.Dispute != nil) {
			t.Fatalf("a body that nobody signed was believed: %+v", cb)
		}
		raw.Body = append(bytes.Clone(body), ' ')
		if _, err := ch.ParseCallback(account(server), raw); fault.Of(err) != fault.KindDenied {
			t.Fatalf("a changed body was believed: %v", err)
		}
	})
}

// spoilt is the fake behind something that loses the answers, or the requests, that match once.
func spoilt(t *testing.T, f *fake.Server, method, path string, before bool) string {
	t.Helper()
	var once atomic.Bool
	target, err := url.Parse(f.URL())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hit := r.Method == method && r.URL.Path == path && once.CompareAndSwap(false, true)
		if hit && before {
			panic(http.ErrAbortHandler)
		}
		if hit {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// An order whose making was lost moves nothing, and is found again under its key; so is a token's loss no more than that.
func TestWhatIsLostBeforeMoneyMovesIsFoundAgain(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		for _, r := range []channels.ChargeRequest{token("vault-ok"), redirect()} {
			f, adapter := open(t)
			ch := channels.Guard(adapter(wire.New(wire.Config{})))
			c := newCall(t, f, r)
			c.Account.BaseURL = spoilt(t, f, http.MethodPost, "/v2/checkout/orders", before)
			out, err := ch.Charge(t.Context(), c, r)
			require.NoError(t, err)
			require.Equal(t, payment.Unknown, out.Verdict)
			asked, err := ch.Ask(t.Context(), c, r)
			require.NoError(t, err)
			if r.Method.Type == payment.MethodRedirect && !before {
				assert.Equal(t, payment.Pending, asked.Verdict)
			} else {
				assert.Equal(t, payment.Outcome{Verdict: payment.Absent}, asked)
			}
			again, err := ch.Charge(t.Context(), c, r)
			require.NoError(t, err)
			assert.Contains(t, []payment.Verdict{payment.Succeeded, payment.Pending}, again.Verdict)
			assert.Len(t, f.Orders(), 1)
		}
		f, adapter := open(t)
		r := token("vault-ok")
		c := newCall(t, f, r)
		c.Account.BaseURL = spoilt(t, f, http.MethodPost, "/v1/oauth2/token", before)
		_, err := adapter(wire.New(wire.Config{})).Charge(t.Context(), c, r)
		assert.Equal(t, fault.KindUnavailable, fault.Of(err), "without a token nothing was sent: %v", err)
		assert.Empty(t, f.Orders())
	}
}
