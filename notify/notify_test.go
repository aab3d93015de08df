package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
	"paysaga/notify"
	"paysaga/notify/fake"
)

// due is a paid order, told to Ada.
func due(m notice.Medium) notice.Due {
	return notice.Due{Row: notice.Row{Ref: notice.Ref{Book: id.Live, EventID: "evt_1", UserID: "usr_1", Medium: m}, Type: "order.paid", ObjectType: "order",
		Language: notice.English, Event: []byte(`{"reference":"A-1","amount_paid":"12.34","currency":"CNY"}`)},
		Person:   notice.Person{ID: "usr_1", Mail: "ada@people.example", Phone: "+8613800138000", PushTokens: []string{"t1", "t2"}},
		Settings: notice.Settings{Sender: "Lantern Books"}}
}

func mailTo(t *testing.T, address string, change func(*notify.MailConfig)) *notify.Sender {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	c := notify.MailConfig{Host: host, Port: n, Security: notify.Plain, From: "pay@shop.example", Timeout: 3 * time.Second}
	if change != nil {
		change(&c)
	}
	s, err := notify.New(notify.Config{Mail: &c})
	require.NoError(t, err)
	return s
}

func TestMail(t *testing.T) {
	t.Parallel()
	server := fake.NewServer(t, nil, "")
	s := mailTo(t, server.Address, nil)
	require.Equal(t, []notice.Medium{notice.Mail}, s.Media())
	require.Equal(t, notice.Outcome{Sent: true}, s.Send(t.Context(), due(notice.Mail)))
	other := due(notice.Mail)
	other.Row.Language, other.Row.Book = notice.Chinese, id.Test
	require.Equal(t, notice.Outcome{Sent: true}, s.Send(t.Context(), other))
	got, _ := server.Got()
	require.Len(t, got, 2)
	require.Equal(t, "pay@shop.example", got[0].From)
	require.Equal(t, "ada@people.example", got[0].To)
	require.Equal(t, "Your order A-1 is paid", got[0].Title())
	require.Equal(t, "We have received CNY 12.34 for your order A-1. Thank you.\n", got[0].Body)
	require.Equal(t, `"Lantern Books" <pay@shop.example>`, got[0].Header.Get("From"))
	require.Equal(t, "<evt_1.usr_1.mail@shop.example>", got[0].Header.Get("Message-ID"))
	require.Equal(t, "auto-generated", got[0].Header.Get("Auto-Submitted"))
	require.Equal(t, "[test] 订单 A-1 付款成功", got[1].Title())
	require.Equal(t, "您的订单 A-1 已收到付款 12.34 元，感谢您的购买。\n", got[1].Body)
}

// What a server says decides whether a message is tried again; and nothing it says is kept, since it quotes addresses (I-26).
func TestMailServersRefuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		verb, line string
		want       notice.Outcome
	}{
		"recipient unknown":     {"RCPT", "550 5.1.1 <ada@people.example> unknown", notice.Outcome{Never: true, Reason: "recipient_refused"}},
		"recipient, later":      {"RCPT", "451 4.7.1 <ada@people.example> greylisted", notice.Outcome{Reason: "recipient_refused"}},
		"sender":                {"MAIL", "550 5.7.1 not you", notice.Outcome{Reason: "sender_refused"}},
		"letter":                {"DATA", "554 5.6.0 spam", notice.Outcome{Reason: "mail_refused"}},
		"not now":               {"*", "421 4.3.2 closing", notice.Outcome{Reason: "mail_server_unreachable"}},
		"speaks something else": {"EHLO", "500 what", notice.Outcome{Reason: "mail_server_unreachable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewServer(t, nil, "")
			server.Answer(c.verb, c.line)
			if c.verb == "EHLO" {
				server.Answer("HELO", c.line)
			}
			s := mailTo(t, server.Address, nil)
			require.Equal(t, c.want, s.Send(t.Context(), due(notice.Mail)))
			server.Answer(c.verb, "")
			server.Answer("HELO", "")
			require.True(t, s.Send(t.Context(), due(notice.Mail)).Sent)
		})
	}
}

// A letter that was taken without our hearing of it goes out again, under the id that tells readers that it is the same.
func TestAMailWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	server := fake.NewServer(t, nil, "")
	s := mailTo(t, server.Address, nil)
	server.Drop(true)
	o := s.Send(t.Context(), due(notice.Mail))
	require.False(t, o.Sent || o.Never, "%+v", o)
	server.Drop(false)
	require.True(t, s.Send(t.Context(), due(notice.Mail)).Sent)
	got, _ := server.Got()
	require.Len(t, got, 2)
	require.Equal(t, got[0].Header.Get("Message-ID"), got[1].Header.Get("Message-ID"))
}

func TestNoMailServer(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	silent := l.Addr().String() // takes connections and says nothing
	s := mailTo(t, silent, func(c *notify.MailConfig) { c.Timeout = 100 * time.Millisecond })
	require.Equal(t, "timeout", s.Send(t.Context(), due(notice.Mail)).Reason)
	require.NoError(t, l.Close())
	o := s.Send(t.Context(), due(notice.Mail))
	require.Equal(t, notice.Outcome{Reason: "mail_server_unreachable"}, o)
	gone, stop := context.WithCancel(t.Context())
	stop()
	require.False(t, s.Send(gone, due(notice.Mail)).Never)
}

// certificate is for 127.0.0.1, signed by itself.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, pool
}

func TestMailIsEncryptedUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	secure, roots := certificate(t)
	server := fake.NewServer(t, secure, "shop:hunter2")
	config := func(user, password string, roots *x509.CertPool) func(*notify.MailConfig) {
		return func(c *notify.MailConfig) { c.Security, c.User, c.Password, c.Roots = "", user, password, roots }
	}
	require.True(t, mailTo(t, server.Address, config("shop", "hunter2", roots)).Send(t.Context(), due(notice.Mail)).Sent)
	for name, c := range map[string]func(*notify.MailConfig){
		"a wrong password": config("shop", "hunter3", roots), "no password": config("", "", roots), "an unknown certificate": config("shop", "hunter2", nil),
	} {
		o := mailTo(t, server.Address, c).Send(t.Context(), due(notice.Mail))
		require.False(t, o.Sent || o.Never, "%s: %+v", name, o)
	}
	plain := fake.NewServer(t, nil, "") // offers no encryption
	o := mailTo(t, plain.Address, config("", "", roots)).Send(t.Context(), due(notice.Mail))
	require.False(t, o.Sent, "a password and a letter would go out in plain text")
	got, _ := server.Got()
	none, _ := plain.Got()
	require.Len(t, got, 1)
	require.Empty(t, none)
}

func TestGateways(t *testing.T) {
	t.Parallel()
	sms, push := fake.NewGateway(t), fake.NewGateway(t)
	s, err := notify.New(notify.Config{SMS: &notify.GatewayConfig{URL: sms.URL}, Push: &notify.GatewayConfig{URL: push.URL, Token: "secret", Timeout: 200 * time.Millisecond}})
	require.NoError(t, err)
	require.Equal(t, []notice.Medium{notice.SMS, notice.Push}, s.Media())
	require.True(t, s.Send(t.Context(), due(notice.SMS)).Sent)
	require.True(t, s.Send(t.Context(), due(notice.Push)).Sent)
	require.Equal(t, []fake.Told{{To: []string{"+8613800138000"}, Title: "Your order A-1 is paid", Text: "We have received CNY 12.34 for your order A-1. Thank you.",
		Sender: "Lantern Books", Reference: "evt_1.usr_1.sms", Key: "evt_1.usr_1.sms"}}, sms.Got())
	require.Equal(t, []string{"t1", "t2"}, push.Got()[0].To)
	require.Equal(t, "secret", push.Got()[0].Token)
	for code, never := range map[int]bool{400: true, 404: true, 410: true, 422: true, 401: false, 403: false, 408: false, 429: false, 500: false, 503: false, 302: false} {
		sms.Answer(func(int, fake.Told) int { return code })
		require.Equal(t, notice.Outcome{Never: never, Reason: "http_" + strconv.Itoa(code)}, s.Send(t.Context(), due(notice.SMS)))
	}
	told := make(chan struct{})
	push.Answer(func(int, fake.Told) int { <-told; return 200 })
	require.Equal(t, notice.Outcome{Reason: "timeout"}, s.Send(t.Context(), due(notice.Push)))
	close(told)
	require.Equal(t, notice.Outcome{Reason: "no_carrier"}, s.Send(t.Context(), due(notice.Mail)))
	gone, err := notify.New(notify.Config{SMS: &notify.GatewayConfig{URL: "http://127.0.0.1:1/"}})
	require.NoError(t, err)
	require.Equal(t, notice.Outcome{Reason: "gateway_unreachable"}, gone.Send(t.Context(), due(notice.SMS)))
}

func TestBadSettingsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]notify.Config{
		"no sender":            {Mail: &notify.MailConfig{Host: "mail.example"}},
		"a sender with a name": {Mail: &notify.MailConfig{Host: "mail.example", From: "Shop <pay@shop.example>"}},
		"no host":              {Mail: &notify.MailConfig{From: "pay@shop.example"}},
		"a word for security":  {Mail: &notify.MailConfig{Host: "mail.example", From: "pay@shop.example", Security: "none"}},
		"plain text":           {SMS: &notify.GatewayConfig{URL: "http://sms.example/"}},
		"no URL":               {Push: &notify.GatewayConfig{URL: "sms.example"}},
		"another protocol":     {Push: &notify.GatewayConfig{URL: "ftp://sms.example"}},
	} {
		_, err := notify.New(c)
		require.Equal(t, fault.KindInvalid, fault.Of(err), name)
	}
}

// Every type is written in every language, with nothing left out, and a line is a line whatever an order is called.
func TestEveryTemplateIsWritten(t *testing.T) {
	t.Parallel()
	templates, err := notify.NewTemplates()
	require.NoError(t, err)
	for _, kind := range notice.Types() {
		for _, l := range notice.Languages() {
			r := due(notice.Mail).Row
			r.Type, r.ObjectType, r.Language = kind, notice.Object(kind), l
			r.Event = []byte(`{"amount":"12.34","currency":"CNY","reference":"A-1","order_reference":"A-1","amount_total":"99.00","amount_paid":"99.00","amount_refunded":"12.34"}`)
			title, text, err := templates.Write(r, notice.Settings{Sender: "Shop"})
			require.NoError(t, err, "%s %s", kind, l)
			require.NotEmpty(t, title)
			require.NotContains(t, title+text, "<no value>")
			require.NotContains(t, text, "  ", "%s %s", kind, l)
			if kind != "order.closed" && kind != "rebate.clawed_back" && kind != "rebate.restored" {
				require.True(t, strings.Contains(text, "12.34") || strings.Contains(text, "99.00"), "%s %s: %s", kind, l, text)
			}
		}
	}
	r := due(notice.Mail).Row
	r.Event = []byte(`{"reference":"A\r\nBcc: eve@people.example","amount_paid":"1.00","currency":"CNY"}`)
	title, _, err := templates.Write(r, notice.Settings{})
	require.NoError(t, err)
	require.NotContains(t, title, "\n")
	r.Type = "payment.created"
	_, _, err = templates.Write(r, notice.Settings{})
	require.Error(t, err)
}
