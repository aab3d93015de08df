// Package notify reaches people: by mail over SMTP, by SMS and push over the HTTP of whoever carries them. One call is one try; when to
// try again is domain/notice's business, and keeping count is the caller's. What it is given is personal: it logs nothing, and its errors
// name nobody (I-26).
package notify

import (
	"context"
	"slices"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

// Message is what a carrier is to bring.
type Message struct {
	To          []string
	Title, Text string
	Sender      string // the merchant's name
	// Key is the same for every try of a message.
	Key string
}

// carrier brings messages of one medium.
type carrier interface {
	bring(ctx context.Context, m Message) notice.Outcome
}

// Config names the carriers; what is nil isn't used.
type Config struct {
	Mail *MailConfig
	SMS  *GatewayConfig
	Push *GatewayConfig
}

// Sender writes messages and has them brought. It is safe for concurrent use.
type Sender struct {
	*Templates
	carriers map[notice.Medium]carrier
}

// New checks the carriers' settings; it connects to nothing.
func New(c Config) (*Sender, error) {
	t, err := NewTemplates()
	if err != nil {
		return nil, err
	}
	s := &Sender{Templates: t, carriers: map[notice.Medium]carrier{}}
	if c.Mail != nil {
		if s.carriers[notice.Mail], err = newMailer(*c.Mail); err != nil {
			return nil, err
		}
	}
	for medium, g := range map[notice.Medium]*GatewayConfig{notice.SMS: c.SMS, notice.Push: c.Push} {
		if g == nil {
			continue
		}
		if s.carriers[medium], err = newGateway(*g); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Media are those that there is a carrier for.
func (s *Sender) Media() []notice.Medium {
	return slices.DeleteFunc(notice.Media(), func(m notice.Medium) bool { return s.carriers[m] == nil })
}

// Send makes one try. What the test book tells is marked as such.
func (s *Sender) Send(ctx context.Context, d notice.Due) notice.Outcome {
	to := s.carriers[d.Row.Medium]
	if to == nil {
		return notice.Outcome{Reason: "no_carrier"}
	}
	title, text, err := s.Write(d.Row, d.Settings)
	if err != nil {
		return notice.Outcome{Never: true, Reason: fault.As(err).Code}
	}
	if d.Row.Book != id.Live {
		title = "[" + string(d.Row.Book) + "] " + title
	}
	return to.bring(ctx, Message{To: d.Person.Address(d.Row.Medium), Title: title, Text: text, Sender: d.Settings.Sender, Key: d.Row.Key()})
}
