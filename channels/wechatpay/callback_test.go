package wechatpay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
)

func told(b *bench, h http.Header, body []byte) (channels.Callback, error) {
	return b.ch.ParseCallback(b.account, channels.RawCallback{Header: h, Body: body, Now: b.fake.Now()})
}

// WeChat sends probes whose signature is wrong on purpose, and expects a 4xx; Denied is a 401 or 403.
func TestAProbeOfWeChatsIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key := b.key(t)
	b.pay(t, key, request(qr))
	header, body := b.fake.Told(key.Reference)
	header.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+header.Get("Wechatpay-Signature"))
	_, err := told(b, header, body)
	assert.Equal(t, fault.KindDenied, fault.Of(err), "%v", err)
}

// While a merchant changes from certificates to the public key both are believed, and a new certificate is found when
// WeChat begins to sign with it.
func TestBothWaysOfSigningAreBelievedDuringAChange(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key := b.key(t)
	b.pay(t, key, request(qr))
	header, body := b.fake.Told(key.Reference)
	assert.Equal(t, fake.PublicKeyID, header.Get("Wechatpay-Serial"))
	one, err := told(b, header, body)
	require.NoError(t, err)
	two, err := told(b, b.fake.SignByCertificate(body), body)
	require.NoError(t, err)
	assert.Equal(t, one, two)
	b.fake.Rotate()
	_, err = told(b, b.fake.SignByCertificate(body), body)
	assert.Equal(t, fault.KindDenied, fault.Of(err), "fetched a moment ago: nobody makes us ask for each unknown number")
	b.fake.Advance(time.Minute)
	three, err := told(b, b.fake.SignByCertificate(body), body)
	require.NoError(t, err)
	assert.Equal(t, one, three)
}

// Strangers may name any certificate: that never makes us ask WeChat more than once a minute.
func TestUnknownSerialNumbersDoNotMakeUsAsk(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{Mode: fake.Certificates})
	key := b.key(t)
	b.pay(t, key, request(qr))
	_, body := b.fake.Told(key.Reference)
	before := len(b.fake.Requests())
	for n := range 20 {
		h := b.fake.SignByCertificate(body)
		h.Set("Wechatpay-Serial", strings.Repeat("A", 38)+string(rune('A'+n))+"0")
		_, err := told(b, h, body)
		require.Equal(t, fault.KindDenied, fault.Of(err), "%v", err)
	}
	assert.LessOrEqual(t, len(b.fake.Requests())-before, 1)
}

// Certificates count only if the APIv3 key opens them, one of them has signed the answer, and their time hasn't passed.
func TestCertificatesAreNotTakenFromAnybody(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{Mode: fake.Certificates})
	key := b.key(t)
	b.pay(t, key, request(qr))
	header, body := b.fake.Told(key.Reference)
	wrongKey := b.account
	wrongKey.Credentials = b.fake.Credentials()
	wrongKey.Credentials[wechatpay.APIv3Key] = strings.Repeat("y", 32)
	_, err := b.ch.ParseCallback(wrongKey, channels.RawCallback{Header: header, Body: body, Now: b.fake.Now()})
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)

	fresh := channels.Guard(wechatpay.New(wire.New(wire.Config{})))
	b.tamper = func(path string, body []byte) []byte {
		if path == "/v3/certificates" {
			return append(body, ' ')
		}
		return body
	}
	_, err = fresh.ParseCallback(b.account, channels.RawCallback{Header: header, Body: body, Now: b.fake.Now()})
	assert.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
	b.tamper = nil

	b.fake.Advance(6 * 365 * 24 * time.Hour)
	_, err = told(b, b.fake.SignByCertificate(body), body)
	assert.Equal(t, fault.KindDenied, fault.Of(err), "an expired certificate: %v", err)
}

// Whoever could sign as WeChat and wrote nonsense gets an error, never a panic: Go's GCM panics on a nonce of a wrong length.
func TestSignedNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	resource := func(nonce, ciphertext string) string {
		return `{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"` + nonce +
			`","associated_data":"transaction","ciphertext":"` + ciphertext + `"}}`
	}
	for _, body := range []string{``, `{}`, `null`, `[]`, `{"id":"x"}`, resource("", ""), resource("short", "AAAA"),
		resource("123456789012", ""), resource("123456789012", "AAAA"), resource(strings.Repeat("1", 99), "AAAA"), resource("123456789012", "%%%"),
		strings.Replace(resource("123456789012", "AAAA"), "AES_256", "AES_128", 1)} {
		_, err := told(b, b.fake.Sign([]byte(body)), []byte(body))
		assert.Contains(t, []fault.Kind{fault.KindDenied, fault.KindInvalid}, fault.Of(err), "%s: %v", body, err)
	}
	for kind, plain := range map[string]string{
		"TRANSACTION.SUCCESS":        `{"mchid":"1900000009","appid":"` + fake.AppID + `","out_trade_no":"p1","trade_state":"SUCCESS","transaction_id":"1","amount":{"total":1,"currency":"CNY"}}`,
		"REFUND.SUCCESS":             `{"mchid":"1900000009","out_refund_no":"r1","refund_status":"SUCCESS","refund_id":"1","amount":{"refund":1}}`,
		"MCHTRANSFER.BILL.FINISHED":  `{"mch_id":"1900000009","out_bill_no":"o1","state":"SUCCESS","transfer_amount":1}`,
		"MCHTRANSFER.BILL.FINISHED2": `{"mch_id":"` + fake.MchID + `","out_bill_no":"o1","state":"SUCCESS"}`,
		"REFUND.INVENTED":            `{"mchid":"` + fake.MchID + `","out_refund_no":"r1","refund_status":"INVENTED"}`,
		"TRANSACTION.":               `[]`,
	} {
		h, body := b.fake.Event("EV-1", kind, "x", []byte(plain))
		_, err := told(b, h, body)
		assert.Equal(t, fault.KindInvalid, fault.Of(err), "%s: %v", kind, err)
	}
	h, body := b.fake.Event("EV-1", "VIOLATION.PUNISH", "x", []byte(`{}`))
	cb, err := told(b, h, body)
	require.NoError(t, err)
	assert.Equal(t, channels.SubjectOther, cb.Subject)
}

// A time of exactly 300 s is too far already, to either side.
func TestTheWindowOfTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key := b.key(t)
	b.pay(t, key, request(qr))
	header, body := b.fake.Told(key.Reference)
	now := b.fake.Now()
	for seconds, fine := range map[int]bool{0: true, 290: true, -290: true, 302: false, -302: false} {
		_, err := b.ch.ParseCallback(b.account, channels.RawCallback{Header: header, Body: body, Now: now.Add(time.Duration(seconds) * time.Second)})
		assert.Equal(t, fine, err == nil, "%d: %v", seconds, err)
	}
}

// The fake tells as WeChat does: until it is heard, with longer and longer pauses.
func TestTheFakeTellsUntilItIsHeard(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	var heard []channels.Callback
	deaf := true
	client := &http.Client{Transport: listener(func(r *http.Request, body []byte) int {
		if deaf {
			return http.StatusServiceUnavailable
		}
		cb, err := b.ch.ParseCallback(b.account, channels.RawCallback{Header: r.Header, Body: body, Now: b.fake.Now()})
		if err != nil {
			return http.StatusBadRequest
		}
		heard = append(heard, cb)
		return b.ch.Describe().Reply.Status
	})}
	key := b.key(t)
	b.pay(t, key, request(qr))
	assert.Zero(t, b.fake.Deliver(t.Context(), client))
	deaf = false
	assert.Zero(t, b.fake.Deliver(t.Context(), client), "not due yet")
	b.fake.Advance(15 * time.Second)
	assert.Equal(t, 1, b.fake.Deliver(t.Context(), client))
	assert.Zero(t, b.fake.Deliver(t.Context(), client), "heard once is enough")
	require.Len(t, heard, 1)
	assert.Equal(t, key.Reference, heard[0].Reference)
}
