package wechatpay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// signedByMerchant verifies a signature of ours, written anew from the documentation.
func signedByMerchant(t *testing.T, b *bench, signature string, lines ...string) {
	t.Helper()
	block, _ := pem.Decode([]byte(b.account.Credentials[wechatpay.PrivateKey]))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(signature)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	require.NoError(t, rsa.VerifyPKCS1v15(&key.(*rsa.PrivateKey).PublicKey, crypto.SHA256, sum[:], raw))
}

func TestAMobilePageIsWhereTheCustomerIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	r := request(payment.Method{Type: payment.MethodRedirect, Device: payment.Mobile, CustomerIP: "203.0.113.7"})
	key := b.key(t)
	out, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	require.Equal(t, payment.ActionRedirect, out.Action.Type)
	u, err := url.Parse(out.Action.URL)
	require.NoError(t, err)
	assert.Equal(t, r.ReturnURL, u.Query().Get("redirect_url"))
	sent := b.sent(t, "/v3/pay/transactions/h5")
	assert.Equal(t, map[string]any{"payer_client_ip": "203.0.113.7", "h5_info": map[string]any{"type": "Wap"}}, sent["scene_info"])
	b.pay(t, b.key(t), r)
	for field, m := range map[string]payment.Method{
		"method.device":      {Type: payment.MethodRedirect, CustomerIP: "203.0.113.7"},
		"method.customer_ip": {Type: payment.MethodRedirect, Device: payment.Mobile},
	} {
		_, err := b.ch.Charge(t.Context(), b.call(b.key(t)), request(m))
		assert.Equal(t, fault.KindInvalid, fault.Of(err))
		assert.Equal(t, field, fault.As(err).Param)
	}
}

func TestAMiniProgramIsHandedSignedParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key, r := b.key(t), request(payment.Method{Type: payment.MethodMiniProgram, Token: "oPayer"})
	out, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	require.Equal(t, payment.ActionSDK, out.Action.Type)
	p := out.Action.Parameters
	assert.Equal(t, fake.AppID, p["appId"])
	assert.Equal(t, "RSA", p["signType"])
	assert.Equal(t, strconv.FormatInt(key.BornAt.Unix(), 10), p["timeStamp"])
	assert.True(t, strings.HasPrefix(p["package"], "prepay_id=wx"))
	signedByMerchant(t, b, p["paySign"], p["appId"], p["timeStamp"], p["nonceStr"], p["package"])
	assert.Equal(t, map[string]any{"openid": "oPayer"}, b.sent(t, "/v3/pay/transactions/jsapi")["payer"])
	again, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	assert.Equal(t, out.Action, again.Action, "a repeat hands out the same")
	require.True(t, b.fake.Pay(key.Reference))
}

func TestAnAppIsHandedSignedParameters(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key := b.key(t)
	out, err := b.ch.Charge(t.Context(), b.call(key), request(payment.Method{Type: payment.MethodInApp}))
	require.NoError(t, err)
	require.Equal(t, payment.ActionSDK, out.Action.Type)
	p := out.Action.Parameters
	assert.Equal(t, []string{fake.AppID, fake.MchID, "Sign=WXPay"}, []string{p["appid"], p["partnerid"], p["package"]})
	signedByMerchant(t, b, p["sign"], p["appid"], p["timestamp"], p["noncestr"], p["prepayid"])
	require.True(t, b.fake.Pay(key.Reference))
}

func TestWhatWeChatCannotDoIsSaidBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	for name, change := range map[string]func(*channels.ChargeRequest){
		"another currency":  func(r *channels.ChargeRequest) { r.Currency = "USD" },
		"an authorization":  func(r *channels.ChargeRequest) { r.Capture = false },
		"a card":            func(r *channels.ChargeRequest) { r.Method.Type = payment.MethodCardToken },
		"nothing":           func(r *channels.ChargeRequest) { r.AmountMinor = 0 },
		"nobody's openid":   func(r *channels.ChargeRequest) { r.Method.Type = payment.MethodMiniProgram },
		"no callback's URL": func(r *channels.ChargeRequest) { r.CallbackURL = "" },
	} {
		r := request(qr)
		change(&r)
		_, err := b.ch.Charge(t.Context(), b.call(b.key(t)), r)
		assert.Contains(t, []fault.Kind{fault.KindInvalid, fault.KindInternal}, fault.Of(err), name)
	}
	assert.Empty(t, b.fake.Requests())
}

// A book other than the live one, without an address of its own, would move real money.
func TestATestBookNeverReachesWeChat(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	c := b.call(b.key(t))
	c.Account.BaseURL = ""
	for _, book := range []id.Book{id.Test, id.Shadow} {
		c.Account.Book = book
		_, err := b.ch.Charge(t.Context(), c, request(qr))
		assert.Equal(t, fault.KindInternal, fault.Of(err), "%v", err)
	}
}

func TestADescriptionFitsAndCannotBreakABill(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	for text, want := range map[string]string{
		"":                       "",
		"a,`b\r\nc":              "a, b  c",
		strings.Repeat("茶", 200): strings.Repeat("茶", 127),
	} {
		key, r := b.key(t), request(qr)
		r.Description = text
		_, err := b.ch.Charge(t.Context(), b.call(key), r)
		require.NoError(t, err)
		if want == "" {
			want = key.Reference
		}
		assert.Equal(t, want, b.sent(t, "/v3/pay/transactions/native")["description"])
	}
}

func TestAnOrderLapsesWhenTheRequestSays(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key, r := b.key(t), request(qr)
	at := b.fake.Now().Add(15 * time.Minute)
	r.ExpiresAt = &at
	out, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	assert.WithinDuration(t, at, out.ExpiresAt, time.Second)
	assert.Equal(t, at.In(fake.Beijing).Format(time.RFC3339), b.sent(t, "/v3/pay/transactions/native")["time_expire"])
	b.fake.Advance(16 * time.Minute)
	asked, err := b.ch.Ask(t.Context(), b.call(key), r)
	require.NoError(t, err)
	assert.Equal(t, payment.Closed, asked.Verdict)
	assert.True(t, asked.Dead)
}

// What isn't paid isn't final, however it looks; what a refund has begun of was paid.
func TestTheStatesOfAnOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	for state, want := range map[string]payment.Outcome{
		fake.NotPay:     {Verdict: payment.Pending},
		fake.UserPaying: {Verdict: payment.Pending},
		"ACCEPT":        {Verdict: payment.Pending},
		fake.PayError:   {Verdict: payment.Declined},
		"REVOKED":       {Verdict: payment.Closed, Dead: true},
		fake.Closed:     {Verdict: payment.Closed, Dead: true},
		"INVENTED":      {Verdict: payment.Unknown},
		fake.Success:    {Verdict: payment.Unknown}, // of an amount, but with no transaction
	} {
		key, r := b.key(t), request(qr)
		_, err := b.ch.Charge(t.Context(), b.call(key), r)
		require.NoError(t, err)
		b.fake.SetState(key.Reference, state)
		out, err := b.ch.Ask(t.Context(), b.call(key), r)
		require.NoError(t, err)
		assert.Equal(t, want.Verdict, out.Verdict, state)
		assert.Equal(t, want.Dead, out.Dead, state)
	}
	key, r := b.key(t), request(qr)
	_, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	b.fake.SetState(key.Reference, fake.PayError)
	out, err := b.ch.Cancel(t.Context(), b.call(key), r)
	require.NoError(t, err)
	assert.True(t, out.Dead, "a failed try is dead once it is closed")
	refunded := b.key(t)
	paid := b.pay(t, refunded, r)
	_, err = b.ch.Refund(t.Context(), b.call(b.refundKey(t)), channels.RefundRequest{ChargeKey: refunded.ID, AmountMinor: 10, TotalMinor: r.AmountMinor, Currency: "CNY"})
	require.NoError(t, err)
	asked, err := b.ch.Ask(t.Context(), b.call(refunded), r)
	require.NoError(t, err)
	assert.Equal(t, paid, asked)
}

// A customer whose QR code was lost on its way finds it by the next question; later questions don't order again.
func TestALostCodeIsFoundByAsking(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	key, r := b.key(t), request(qr)
	b.tamper = func(string, []byte) []byte { return []byte("<html>") }
	out, err := b.ch.Charge(t.Context(), b.call(key), r)
	require.NoError(t, err)
	require.Equal(t, payment.Unknown, out.Verdict)
	b.tamper = nil
	out, err = b.ch.Ask(t.Context(), b.call(key), r)
	require.NoError(t, err)
	require.Equal(t, payment.Pending, out.Verdict)
	require.NotNil(t, out.Action)
	assert.Equal(t, payment.ActionQR, out.Action.Type)
	require.Len(t, b.fake.Book(key.Reference), 1)
	b.fake.Advance(6 * time.Minute)
	before := len(b.fake.Requests())
	out, err = b.ch.Ask(t.Context(), b.call(key), r)
	require.NoError(t, err)
	assert.Equal(t, payment.Pending, out.Verdict)
	assert.Equal(t, 1, len(b.fake.Requests())-before)
}
