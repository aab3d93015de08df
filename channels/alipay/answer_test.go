package alipay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// scripted is an adapter before a server that answers every call with the same words.
func scripted(t *testing.T, f *fake.Server, body string) (channels.Channel, channels.Call) {
	t.Helper()
	d := &desk{T: t, fake: f}
	c := d.call(id.Payment, id.Charge)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	client := wire.New(wire.Config{})
	t.Cleanup(func() {
		client.CloseIdle()
		h.Close()
	})
	c.Account = channels.Account{ID: "cha_1", Book: id.Test, BaseURL: h.URL, Credentials: f.Credentials()}
	return channels.Guard(alipay.New(client)), c
}

const queried = "alipay_trade_query_response"

// speaker makes answers about a paid trade.
type speaker struct {
	*testing.T
	fake *fake.Server
	ref  string
}

func newSpeaker(t *testing.T) *speaker {
	f := fake.New(fake.Config{Now: func() time.Time { return noon }}) // and so every call has the same number
	return &speaker{t, f, (&desk{T: t, fake: f}).call(id.Payment, id.Charge).Key.Reference}
}

// value is the content of an answer.
func (s *speaker) value(fields string) string {
	return `{"code":"10000","msg":"Success","out_trade_no":"` + s.ref + `","trade_no":"2200","trade_status":"TRADE_SUCCESS","total_amount":"12.34",` +
		`"send_pay_date":"2026-03-01 12:00:00"` + fields + `}`
}

func with(name, value, sign string) string {
	return `{"` + name + `":` + value + `,"sign":"` + sign + `"}`
}

// signed is an answer as Alipay would give it.
func (s *speaker) signed(value string) string {
	return with(queried, value, s.fake.Sign([]byte(value)))
}

// asked is what the adapter makes of an answer.
func (s *speaker) asked(what, body string) payment.Outcome {
	s.Helper()
	ch, c := scripted(s.T, s.fake, body)
	out, err := ch.Ask(s.Context(), c, *charge(payment.MethodBarcode, ""))
	require.NoError(s, err, what)
	return out
}

// Nothing is believed but what Alipay signed, as it stands.
func TestAnswersThatCantBeBelievedAreUnknown(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t)
	good, signed, name := s.value(""), s.signed, queried
	sign := s.fake.Sign([]byte(good))
	for what, body := range map[string]string{
		"no signature":                 `{"` + name + `":` + good + `}`,
		"an empty signature":           with(name, good, ""),
		"another's signature":          with(name, good, s.fake.Sign([]byte("{}"))),
		"a signature that isn't one":   with(name, good, "AAAA"),
		"written anew":                 with(name, strings.Replace(good, `":"`, `": "`, 1), sign),
		"the answer to another method": with("alipay_trade_pay_response", good, sign),
		"two answers":                  `{"` + name + `":{"code":"10000"},"` + name + `":` + good + `,"sign":"` + sign + `"}`,
		"an answer and an error":       `{"error_response":{"code":"10000"},"` + name + `":` + good + `,"sign":"` + sign + `"}`,
		"two signatures":               `{"` + name + `":` + good + `,"sign":"x","sign":"` + sign + `"}`,
		"something behind":             with(name, good, sign) + `{}`,
		"a list":                       `[` + with(name, good, sign) + `]`,
		"a text as its value":          with(name, `"x"`, s.fake.Sign([]byte(`"x"`))),
		"a number as its signature":    `{"` + name + `":` + good + `,"sign":1}`,
		"no code":                      signed(`{"out_trade_no":"` + s.ref + `"}`),
		"a code that we don't know":    signed(`{"code":"70000"}`),
		"unavailable":                  signed(`{"code":"20000","sub_code":"isp.unknow-error"}`),
		"a system error":               signed(`{"code":"40004","sub_code":"ACQ.SYSTEM_ERROR"}`),
		"no, without a reason":         signed(`{"code":"40004"}`),
		"a no that we don't know":      signed(`{"code":"40004","sub_code":"ACQ.BRAND_NEW"}`),
		"closed, and maybe paid":       signed(strings.Replace(good, "TRADE_SUCCESS", "TRADE_CLOSED", 1)),
		"an amount of nothing":         signed(strings.Replace(good, "12.34", "0.00", 1)),
		"an amount with an exponent":   signed(strings.Replace(good, "12.34", "1e3", 1)),
		"an amount below zero":         signed(strings.Replace(good, "12.34", "-12.34", 1)),
		"no number of theirs":          signed(strings.Replace(good, `"2200"`, `""`, 1)),
		"an impossible time":           signed(strings.Replace(good, "2026-03-01", "2026-02-31", 1)),
		"an amount as a list":          signed(strings.Replace(good, `"12.34"`, `[12.34]`, 1)),
		"a number with an exponent":    signed(strings.Replace(good, `"12.34"`, `1234e-2`, 1)),
		"unsigned: no such trade":      `{"` + name + `":{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}}`,
	} {
		out := s.asked(what, body)
		require.Equal(t, payment.Unknown, out.Verdict, "%s: %+v", what, out)
		require.NotEmpty(t, out.Reason, what)
	}
}

// However it is written, what Alipay signed is read.
func TestAnswersWrittenInEveryWayAreRead(t *testing.T) {
	t.Parallel()
	s := newSpeaker(t)
	good, signed, value, name := s.value(""), s.signed, s.value, queried
	sign := s.fake.Sign([]byte(good))
	for what, body := range map[string]string{
		"as it is":               with(name, good, sign),
		"the signature first":    `{"sign":"` + sign + `","` + name + `":` + good + `}`,
		"an amount as a number":  signed(strings.Replace(good, `"12.34"`, `12.34`, 1)),
		"more than we know":      `{"trace":{"a":[1]},"` + name + `":` + good + `,"sign":"` + sign + `"}`,
		"escaped and spaced":     signed(strings.NewReplacer(`":"`, "\" :\n\"", "/", `\/`).Replace(good)),
		"more in the answer":     signed(value(`,"sign":"x","new":[{"sign":"}"}]`)),
		"closed, and given back": signed(strings.Replace(value(`,"fund_bill_list":[{"amount":"12.34"}]`), "TRADE_SUCCESS", "TRADE_CLOSED", 1)),
	} {
		out := s.asked(what, body)
		require.Equal(t, payment.Succeeded, out.Verdict, "%s: %+v", what, out)
		require.Equal(t, int64(1234), out.AmountMinor)
	}
}

// What the gateway says of us, and not of the payment.
func TestRefusalsOfTheGateway(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	for value, want := range map[string]fault.Kind{
		`{"code":"40001","sub_code":"isv.missing-method"}`:               fault.KindInvalid,
		`{"code":"40002","sub_code":"isv.invalid-parameter"}`:            fault.KindInvalid,
		`{"code":"40002","sub_code":"isv.invalid-signature"}`:            fault.KindInternal,
		`{"code":"40005","sub_code":"isv.app-call-limited"}`:             fault.KindUnavailable,
		`{"code":"40006","sub_code":"isv.insufficient-isv-permissions"}`: fault.KindInternal,
		`{"code":"20001","sub_code":"aop.invalid-auth-token"}`:           fault.KindInternal,
		`{"code":"40002","sub_code":"<script>secret=1</script>"}`:        fault.KindInvalid,
	} {
		for _, name := range []string{"error_response", "alipay_trade_query_response"} {
			ch, c := scripted(t, f, `{"`+name+`":`+value+`,"sign":"`+f.Sign([]byte(value))+`"}`)
			_, err := ch.Ask(t.Context(), c, *charge(payment.MethodBarcode, ""))
			assert.Equal(t, want, fault.Of(err), "%s: %v", value, err)
			assert.NotContains(t, err.Error(), "secret")
		}
	}
}

func pemOf(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}

func TestCredentialsAreCheckedWithoutBeingQuoted(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{Certificates: true})
	c, other := f.Credentials(), fake.New(fake.Config{}).Credentials()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	check := func(name, value string) string {
		for _, k := range alipay.New(nil).Describe().Credentials {
			if k.Name == name {
				return k.Check(value, id.Test)
			}
		}
		t.Fatal(name)
		return ""
	}
	for name, values := range map[string][]string{
		alipay.AppID:      {c[alipay.AppID]},
		alipay.PrivateKey: {f.PrivateKeyPEM(true), f.PrivateKeyPEM(false), other[alipay.PrivateKey], "\n" + f.PrivateKeyPEM(true) + "\n"},
		alipay.PublicKey:  {other[alipay.PublicKey], other[alipay.PublicKey][:64] + "\n" + other[alipay.PublicKey][64:]},
		alipay.AppCert:    {c[alipay.AppCert]}, alipay.AlipayCert: {c[alipay.AlipayCert]}, alipay.RootCert: {c[alipay.RootCert], c[alipay.RootCert] + c[alipay.AppCert]},
		alipay.SellerID: {fake.SellerID},
	} {
		for _, value := range values {
			assert.Empty(t, check(name, value), name)
		}
	}
	for name, values := range map[string][]string{
		alipay.AppID:      {"", "x", "2021-1"},
		alipay.PrivateKey: {"", "x", "secret", other[alipay.PublicKey], f.PrivateKeyPEM(true) + "x", pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)), "-----BEGIN PRIVATE KEY-----"},
		alipay.PublicKey:  {"", "secret", other[alipay.PrivateKey], pemOf("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey))},
		alipay.AppCert:    {"", "secret", c[alipay.PrivateKey], pemOf("CERTIFICATE", []byte("secret")), f.PrivateKeyPEM(true)},
		alipay.AlipayCert: {"", pemOf("CERTIFICATE", []byte{0x30, 0x03, 0x02, 0x01, 0x01})},
		alipay.RootCert:   {"", "x"},
		alipay.SellerID:   {"", "2088", "1088000000000001", "2088x00000000001"},
	} {
		for _, value := range values {
			said := check(name, value)
			assert.NotEmpty(t, said, "%s %q", name, value)
			assert.NotContains(t, said, "secret")
		}
	}
	for _, lost := range []string{alipay.AppID, alipay.PrivateKey, alipay.AppCert, alipay.AlipayCert, alipay.RootCert} {
		some := map[string]string{}
		for k, v := range c {
			if k != lost {
				some[k] = v
			}
		}
		ch, call := scripted(t, f, "{}")
		call.Account.Credentials = some
		_, err := ch.Charge(t.Context(), call, *charge(payment.MethodQR, ""))
		assert.Equal(t, fault.KindInternal, fault.Of(err), lost)
		assert.ErrorContains(t, err, lost)
		assert.Equal(t, fault.KindDenied, fault.Of(ch.Probe(t.Context(), call.Account)), lost)
	}
}

// A new certificate of Alipay's is no forgery: it says what to do, and nothing is believed before it is done.
func TestAnotherCertificateOfAlipaysIsNamed(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{Certificates: true})
	value := `{"code":"10000"}`
	ch, c := scripted(t, f, fmt.Sprintf(`{"alipay_trade_query_response":%s,"alipay_cert_sn":"0123","sign":"%s"}`, value, f.Sign([]byte(value))))
	out, err := ch.Ask(t.Context(), c, *charge(payment.MethodQR, ""))
	require.NoError(t, err)
	assert.Equal(t, payment.Unknown, out.Verdict)
	assert.Contains(t, out.Reason, "download it anew")
	err = ch.Probe(t.Context(), c.Account)
	assert.Equal(t, fault.KindDenied, fault.Of(err))
	assert.ErrorContains(t, err, "download it anew")
}
