package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"paysaga/domain/fault"
	"paysaga/domain/notice"
)

// Security says how a mail server is spoken to.
type Security string

const (
	// StartTLS begins in plain text and goes on only encrypted. The default.
	StartTLS Security = "starttls"
	// TLS is encrypted from the first byte.
	TLS Security = "tls"
	// Plain isn't encrypted: for a relay on the same machine, and for tests.
	Plain Security = "plain"
)

// MailConfig is the mail server that takes our mail.
type MailConfig struct {
	Host           string
	Port           int // 587, with TLS 465, plain 25
	Security       Security
	User, Password string // both empty: the server asks for none
	// From is the address that mail comes from, with the merchant's name before it.
	From string
	// Timeout bounds a try as a whole (15 s).
	Timeout time.Duration
	// Roots are the certification authorities. Default: the system's.
	Roots *x509.CertPool
}

type mailer struct {
	c      MailConfig
	domain string // of From
}

func newMailer(c MailConfig) (*mailer, error) {
	if c.Security == "" {
		c.Security = StartTLS
	}
	if c.Port == 0 {
		c.Port = map[Security]int{StartTLS: 587, TLS: 465, Plain: 25}[c.Security]
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	m := &mailer{c: c}
	_, domain, found := strings.Cut(c.From, "@")
	m.domain = domain
	if err := mail.NewMsg().From(c.From); err != nil || !found || strings.ContainsAny(c.From, "<> ") {
		return nil, fault.Invalid("mail_from_invalid", "from", "the address that mail comes from is one as in pay@shop.example")
	}
	if _, err := m.client(); err != nil {
		return nil, fault.Invalid("mail_server_invalid", "server", "the mail server's settings can't be used")
	}
	return m, nil
}

// client speaks to the server once: it is made for each try, since it holds a connection's state.
func (m *mailer) client() (*mail.Client, error) {
	o := []mail.Option{mail.WithPort(m.c.Port), mail.WithTimeout(m.c.Timeout),
		mail.WithTLSConfig(&tls.Config{ServerName: m.c.Host, RootCAs: m.c.Roots, MinVersion: tls.VersionTLS12})}
	switch m.c.Security {
	case TLS:
		o = append(o, mail.WithSSL())
	case Plain:
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
	case StartTLS:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		return nil, errors.New("no such way to speak to a mail server")
	}
	if m.c.User != "" {
		o = append(o, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.c.User), mail.WithPassword(m.c.Password))
	}
	return mail.NewClient(m.c.Host, o...)
}

// bring hands a mail to the server. It bears the same Message-ID at each try, so that a reader shows one whose taking we didn't hear of
// once.
func (m *mailer) bring(ctx context.Context, what Message) notice.Outcome {
	msg := mail.NewMsg()
	if len(what.To) != 1 || msg.To(what.To[0]) != nil {
		return notice.Outcome{Never: true, Reason: "address_invalid"}
	}
	if what.Sender == "" || msg.FromFormat(what.Sender, m.c.From) != nil {
		_ = msg.From(m.c.From) // it was good when we began
	}
	msg.Subject(what.Title)
	msg.SetMessageIDWithValue(what.Key + "@" + m.domain)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody answers that they are away
	msg.SetBodyString(mail.TypeTextPlain, what.Text+"\n")
	client, err := m.client()
	if err != nil {
		return notice.Outcome{Reason: "mail_server_invalid"}
	}
	ctx, stop := context.WithTimeout(ctx, m.c.Timeout)
	defer stop()
	return outcomeOf(client.DialAndSendWithContext(ctx, msg))
}

// outcomeOf says what an error means. Only a server that refuses the recipient for good ends a message: whatever else it says may be our
// own trouble, and over in an hour. No text of the server's is kept, since it quotes addresses.
func outcomeOf(err error) notice.Outcome {
	var refused *mail.SendError
	var network net.Error
	switch {
	case err == nil:
		return notice.Outcome{Sent: true}
	case errors.As(err, &refused):
		never := refused.Reason == mail.ErrSMTPRcptTo && !refused.IsTemp() && refused.ErrorCode() >= 500
		return notice.Outcome{Never: never, Reason: reasonOf(refused)}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return notice.Outcome{Reason: "timeout"}
	}
	return notice.Outcome{Reason: "mail_server_unreachable"}
}

func reasonOf(e *mail.SendError) string {
	switch e.Reason {
	case mail.ErrSMTPRcptTo:
		return "recipient_refused"
	case mail.ErrSMTPMailFrom:
		return "sender_refused"
	case mail.ErrSMTPData, mail.ErrSMTPDataClose, mail.ErrWriteContent:
		return "mail_refused"
	}
	return "mail_server_failed"
}
