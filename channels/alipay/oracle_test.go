package alipay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crypto "crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay/fake"
	"paysaga/channels/oracletest"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// asked is a question to Alipay's own client, and judged what it answers.
type asked struct {
	Way    string            `json:"way"`
	Config map[string]string `json:"config"`
	Method string            `json:"method,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Biz    any               `json:"biz,omitempty"`
	Form   map[string]string `json:"form,omitempty"`
	Body   string            `json:"body,omitempty"`
	Key    string            `json:"key,omitempty"`
}

type judged struct {
	Result  map[string]any `json:"result"`
	Error   string         `json:"error"`
	Raw     bool           `json:"raw"`
	Decoded bool           `json:"decoded"`
	Text    string         `json:"text"`
	Serials []string       `json:"serials"`
}

// oracle opens Alipay's own client; see oracletest about a machine without Node.
func oracle(t *testing.T) (judge func([]asked) []judged, ok bool) {
	t.Helper()
	o, ok := oracletest.Open(t, "oracle")
	return func(q []asked) []judged { return oracletest.Run[asked, judged](t, o, "judge.mjs", q) }, ok
}

// clientConfig opens Alipay's client with an account's credentials.
func clientConfig(f *fake.Server, gateway string, certificates, pkcs8 bool) map[string]string {
	c := f.Credentials()
	config := map[string]string{"appId": c[AppID], "gateway": gateway, "privateKey": strings.TrimSpace(f.PrivateKeyPEM(pkcs8)), "keyType": "PKCS1"}
	if pkcs8 {
		config["keyType"] = "PKCS8"
	}
	if certificates {
		config["appCertContent"], config["alipayPublicCertContent"], config["alipayRootCertContent"] = c[AppCert], c[AlipayCert], c[RootCert]
	} else {
		config["alipayPublicKey"] = c[PublicKey]
	}
	return config
}

// Alipay's own client pays, asks, refunds, pays out and fetches a bill at the fake, and verifies every answer.
func TestAlipaysClientMakesItsTourAtTheFake(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	for _, certificates := range []bool{false, true} {
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, fake.Zone)
		f := fake.New(fake.Config{Certificates: certificates, Now: func() time.Time { return noon }})
		h := httptest.NewServer(f.Handler())
		defer h.Close()
		config := clientConfig(f, h.URL+"/gateway.do", certificates, certificates)
		step := func(method string, biz map[string]any) asked {
			return asked{Way: "exec", Config: config, Method: method, Biz: biz}
		}
		answers := judge([]asked{
			step("alipay.trade.query", map[string]any{"outTradeNo": "p1"}),
			step("alipay.trade.precreate", map[string]any{"outTradeNo": "q1", "totalAmount": "8.88", "subject": "绿茶 tea"}),
			step("alipay.trade.pay", map[string]any{"outTradeNo": "p1", "totalAmount": "12.34", "subject": "绿茶 tea", "scene": "bar_code",
				"authCode": f.Barcode(fake.Pays), "timeoutExpress": "3m", "productCode": "FACE_TO_FACE_PAYMENT"}),
			step("alipay.trade.query", map[string]any{"outTradeNo": "p1"}),
			step("alipay.trade.refund", map[string]any{"outTradeNo": "p1", "refundAmount": "2.34", "outRequestNo": "r1"}),
			step("alipay.trade.refund", map[string]any{"outTradeNo": "p1", "refundAmount": "2.34", "outRequestNo": "r1"}),
			step("alipay.trade.fastpay.refund.query", map[string]any{"outTradeNo": "p1", "outRequestNo": "r1"}),
			step("alipay.trade.close", map[string]any{"outTradeNo": "p1"}),
			step("alipay.trade.cancel", map[string]any{"outTradeNo": "nothing"}),
			step("alipay.fund.trans.uni.transfer", map[string]any{"outBizNo": "y1", "transAmount": "1.50", "productCode": "TRANS_ACCOUNT_NO_PWD",
				"bizScene": "DIRECT_TRANSFER", "orderTitle": "payout", "payeeInfo": map[string]any{"identity": "2088000000000077", "identityType": "ALIPAY_USER_ID"}}),
			step("alipay.fund.trans.common.query", map[string]any{"outBizNo": "y1", "productCode": "TRANS_ACCOUNT_NO_PWD", "bizScene": "DIRECT_TRANSFER"}),
			step("alipay.data.dataservice.bill.downloadurl.query", map[string]any{"billType": "trade", "billDate": "2026-02-28"}),
		})
		want := []map[string]any{
			{"code": "40004", "subCode": "ACQ.TRADE_NOT_EXIST"}, {"code": "10000", "outTradeNo": "q1"}, {"code": "10000", "totalAmount": "12.34"},
			{"tradeStatus": "TRADE_SUCCESS", "receiptAmount": "12.34"}, {"fundChange": "Y", "refundFee": "2.34"}, {"fundChange": "N", "refundFee": "2.34"},
			{"refundStatus": "REFUND_SUCCESS", "refundAmount": "2.34"}, {"subCode": "ACQ.TRADE_STATUS_ERROR"}, {"code": "10000", "retryFlag": "N"},
			{"status": "SUCCESS"}, {"status": "SUCCESS", "transAmount": "1.50"}, {"code": "10000"},
		}
		for i, a := range answers {
			require.Empty(t, a.Error, "%d", i)
			for name, value := range want[i] {
				assert.Equal(t, value, a.Result[name], "%d %s", i, name)
			}
		}
		if !certificates { // with a stranger's key the client believes nothing: the verdict above isn't given away
			stranger := map[string]string{}
			for k, v := range config {
				stranger[k] = v
			}
			stranger["alipayPublicKey"] = f.Foreign()[PublicKey]
			a := judge([]asked{{Way: "exec", Config: stranger, Method: "alipay.trade.query", Biz: map[string]any{"outTradeNo": "p1"}}})
			assert.NotEmpty(t, a[0].Error)
		}
	}
}

// text is a random value: what people write, and what breaks a careless encoder.
func text(r *rand.Rand) string {
	alphabet := []rune(`abcXYZ019 ._-+%&=?#/\"'<>{}[]:,;中文支付宝ßéŁ😀𠀀` + "\t")
	out := make([]rune, 1+r.IntN(24))
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}

func fields(r *rand.Rand) map[string]string {
	names := []string{"app_id", "notify_id", "trade_no", "out_trade_no", "subject", "body", "fund_bill_list", "total_amount", "gmt_payment",
		"buyer_id", "a", "a_b", "ab", "Z", "passback_params"}
	p := map[string]string{"sign_type": "RSA2"}
	for range 1 + r.IntN(10) {
		p[names[r.IntN(len(names))]] = text(r)
	}
	return p
}

const each = 1000

// A thousand random callbacks: what one side signs the other verifies, and what was changed neither does.
func TestRandomCallbacksAreJudgedAlike(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	f := fake.New(fake.Config{})
	config := clientConfig(f, "http://127.0.0.1/", false, false)
	k, err := open(channels.Account{Credentials: f.Credentials()})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(6, 8))
	var questions []asked
	var honest []bool
	for range each {
		p, ok := parameters(f.Notify(fields(r)))
		require.True(t, ok)
		good := r.IntN(4) > 0
		if !good {
			p["trade_no"] += "1"
		}
		questions = append(questions, asked{Way: "notify", Config: config, Form: p})
		honest = append(honest, good)
	}
	decoded := 0
	for i, a := range judge(questions) {
		p := questions[i].Form
		require.Equal(t, honest[i], k.verify([]byte(content(p, "sign", "sign_type")), p["sign"]), "ours: %q", p)
		require.Equal(t, honest[i], a.Raw, "theirs: %q", p)
		if a.Decoded {
			decoded++
		}
	}
	require.NotZero(t, decoded)
}

// A thousand random requests: both sides sign them alike, and each verifies the other's.
func TestRandomRequestsAreSignedAlike(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	f := fake.New(fake.Config{})
	config := clientConfig(f, "http://127.0.0.1/", false, true)
	k, err := open(channels.Account{Credentials: f.Credentials()})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(7, 9))
	var questions []asked
	for range each {
		questions = append(questions, asked{Way: "order", Config: config, Method: "alipay.trade.app.pay",
			Params: map[string]string{"notifyUrl": "https://x.test/" + url.QueryEscape(text(r)), "timestamp": "2026-03-01 12:00:00"},
			Biz:    map[string]string{"subject": text(r), "out_trade_no": text(r), "body": text(r)}})
	}
	for _, a := range judge(questions) {
		p, ok := parameters([]byte(strings.ReplaceAll(a.Text, "+", "%2B"))) // theirs has no + for a space
		require.True(t, ok, a.Text)
		ours, err := k.sign(content(p, "sign"))
		require.NoError(t, err)
		require.Equal(t, p["sign"], ours, a.Text)
	}
}

// What the adapter signs is, character by character, what Alipay's client signs; and the page that the client makes is one
// that the fake takes.
func TestOrdersAndPagesAreSignedAsAlipaysClientDoes(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	f := fake.New(fake.Config{})
	born := f.Now().Truncate(time.Second)
	key, err := channels.NewKey(id.Key(id.New(id.Payment, uint64(born.UnixMilli()), [10]byte{1}), id.Step{Code: id.Charge, Ordinal: 1}), "", born)
	require.NoError(t, err)
	account := channels.Account{ID: "cha_1", Book: id.Test, Credentials: f.Credentials(), BaseURL: "https://gateway.test/gateway.do"}
	r := channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true, Description: "绿茶 <tea> + 1", CallbackURL: "https://x.test/c?a=1&b=2", ReturnURL: "https://x.test/r"}
	for _, method := range []payment.Method{{Type: payment.MethodInApp}, {Type: payment.MethodRedirect}, {Type: payment.MethodRedirect, Device: payment.Mobile}} {
		r.Method = method
		out, err := New(nil).Charge(t.Context(), channels.Call{Account: account, Key: key, Now: born}, r)
		require.NoError(t, err)
		ours, visit := out.Action.Parameters["order_string"], out.Action.URL
		if ours == "" {
			_, ours, _ = strings.Cut(visit, "?")
		} else {
			visit = ours
		}
		p, ok := parameters([]byte(ours))
		require.True(t, ok)
		var biz map[string]any
		require.NoError(t, json.Unmarshal([]byte(p["biz_content"]), &biz))
		params := map[string]string{"notifyUrl": p["notify_url"], "timestamp": p["timestamp"], "format": p["format"], "bizContent": ""}
		delete(params, "bizContent")
		if p["return_url"] != "" {
			params["returnUrl"] = p["return_url"]
		}
		config := clientConfig(f, account.BaseURL, false, false)
		question := asked{Way: "order", Config: config, Method: p["method"], Params: params, Biz: json.RawMessage(p["biz_content"])}
		page := question
		page.Way = "page"
		answers := judge([]asked{question, page})
		theirs, ok := parameters([]byte(strings.ReplaceAll(answers[0].Text, "+", "%2B")))
		require.True(t, ok)
		assert.Equal(t, theirs, p)
		number, wrong := f.Visit(visit)
		assert.Empty(t, wrong)
		assert.Equal(t, key.Reference, number)
		number, wrong = f.Visit(answers[1].Text)
		assert.Empty(t, wrong, "the client's own page")
		assert.Equal(t, key.Reference, number)
	}
}

// A thousand random answers: both sides cut the same bytes out of them.
func TestRandomAnswersAreCutAlike(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	f := fake.New(fake.Config{})
	config := clientConfig(f, "http://127.0.0.1/", false, false)
	r := rand.New(rand.NewPCG(10, 11))
	var questions []asked
	var want []string
	for range each {
		inner := map[string]any{"code": "10000", text(r): text(r), "list": []any{map[string]any{"sign": text(r)}, 1.5, nil}, "deep": map[string]any{"a": fields(r)}}
		raw, err := json.Marshal(inner)
		require.NoError(t, err)
		value := string(raw)
		if r.IntN(2) == 0 {
			value = strings.ReplaceAll(value, "/", `\/`)
		}
		if r.IntN(2) == 0 {
			value = strings.Replace(value, `,"code":`, " ,\n \"code\" : ", 1)
		}
		body := `{"alipay_trade_query_response":` + value + `,"alipay_cert_sn":"ab","sign":"` + f.Sign([]byte(value)) + `"}`
		e, ok := cut([]byte(body), "alipay_trade_query_response")
		require.True(t, ok, body)
		require.Equal(t, value, string(e.value))
		require.Equal(t, "ab", e.certificate)
		questions = append(questions, asked{Way: "cut", Config: config, Body: body, Key: "alipay_trade_query_response"})
		want = append(want, value)
	}
	for i, a := range judge(questions) {
		require.Equal(t, want[i], a.Text)
	}
}

// Certificates of every shape have the numbers that Alipay's client gives them.
func TestCertificatesAreNumberedAlike(t *testing.T) {
	t.Parallel()
	judge, ok := oracle(t)
	if !ok {
		return
	}
	f := fake.New(fake.Config{Certificates: true})
	other, err := ecdsa.GenerateKey(elliptic.P256(), crypto.Reader)
	require.NoError(t, err)
	issuers := []pkix.Name{
		{CommonName: "Ant Financial Certification Authority Class 1 R1", Country: []string{"CN"}, Organization: []string{"Ant Financial"}, OrganizationalUnit: []string{"Certification Authority"}},
		{CommonName: "支付宝 根", Locality: []string{"杭州"}, Province: []string{"浙江"}},
		{Organization: []string{"b", "a"}, OrganizationalUnit: []string{"x=1,y=2"}, Country: []string{"CN"}},
		{CommonName: "only"},
	}
	root := f.Credentials()[RootCert]
	foreign := made(t, other, issuers[0], 3) // as the one in Alipay's file that isn't signed with RSA
	var questions []asked
	var want [][]string
	r := rand.New(rand.NewPCG(12, 13))
	for range 40 {
		app := issued(t, f, issuers[r.IntN(len(issuers))], r)
		alipay := issued(t, f, issuers[r.IntN(len(issuers))], r)
		roots := root + foreign + issued(t, f, issuers[r.IntN(len(issuers))], r)
		config := clientConfig(f, "http://127.0.0.1/", true, false)
		config["appCertContent"], config["alipayPublicCertContent"], config["alipayRootCertContent"] = app, alipay, roots
		questions = append(questions, asked{Way: "serials", Config: config})
		a, err := serial(app)
		require.NoError(t, err)
		b, err := rootSerial(roots)
		require.NoError(t, err)
		c, err := serial(alipay)
		require.NoError(t, err)
		want = append(want, []string{a, b, c})
	}
	for i, a := range judge(questions) {
		require.Equal(t, want[i], a.Serials)
	}
}

// issued is a certificate signed with RSA.
func issued(t *testing.T, f *fake.Server, issuer pkix.Name, r *rand.Rand) string {
	t.Helper()
	key, err := parsePrivate(f.PrivateKeyPEM(false))
	require.NoError(t, err)
	serial := make([]byte, 1+r.IntN(20))
	for i := range serial {
		serial[i] = byte(r.IntN(256))
	}
	serial[0] = serial[0]&0x7f | 1
	raw, err := x509.CreateCertificate(crypto.Reader, &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), Subject: issuer, NotAfter: time.Unix(2_000_000_000, 0)},
		&x509.Certificate{Subject: issuer}, &key.PublicKey, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// made is a certificate signed with another algorithm.
func made(t *testing.T, key *ecdsa.PrivateKey, issuer pkix.Name, serial int64) string {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: issuer, NotAfter: time.Unix(2_000_000_000, 0)}
	raw, err := x509.CreateCertificate(crypto.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}
