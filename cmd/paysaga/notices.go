package main

import (
	"fmt"
	"net/url"
	"strconv"

	"paysaga/domain/notice"
	"paysaga/notify"
)

// noticeConfig is who brings messages to people. What isn't set isn't used.
type noticeConfig struct {
	MailURL   string `name:"mail-url" setting:"PAYSAGA_MAIL_URL" secret:"url" placeholder:"URL" help:"The mail server: smtp://user:password@host:587 (STARTTLS is required), smtps://… (TLS from the first byte), or smtp+plain://host:25 for a relay on this machine. By default no mail is sent."`
	MailFrom  string `name:"mail-from" setting:"PAYSAGA_MAIL_FROM" placeholder:"ADDRESS" help:"The address that mail comes from, as in pay@shop.example."`
	SMSURL    string `name:"sms-url" setting:"PAYSAGA_SMS_URL" secret:"url" placeholder:"URL" help:"Where SMS are handed over, by POST (docs/notifications.md). By default none are sent."`
	SMSToken  string `name:"sms-token" setting:"PAYSAGA_SMS_TOKEN" secret:"all" placeholder:"TOKEN" help:"What authorizes us there."`
	PushURL   string `name:"push-url" setting:"PAYSAGA_PUSH_URL" secret:"url" placeholder:"URL" help:"The same for push messages."`
	PushToken string `name:"push-token" setting:"PAYSAGA_PUSH_TOKEN" secret:"all" placeholder:"TOKEN" help:"What authorizes us there."`
}

// sender makes the one sender of a process. Its errors quote nothing (I-26).
func (c noticeConfig) sender() (*notify.Sender, error) {
	var conf notify.Config
	if c.MailURL != "" {
		u, err := url.Parse(c.MailURL)
		if err != nil || u.Hostname() == "" {
			return nil, wrong("PAYSAGA_MAIL_URL", "is not a URL smtp://user:password@host:587")
		}
		security, known := map[string]notify.Security{"smtp": notify.StartTLS, "smtps": notify.TLS, "smtp+plain": notify.Plain}[u.Scheme]
		if !known {
			return nil, wrong("PAYSAGA_MAIL_URL", "begins with smtp://, smtps:// or smtp+plain://")
		}
		m := notify.MailConfig{Host: u.Hostname(), Security: security, From: c.MailFrom, User: u.User.Username()}
		m.Password, _ = u.User.Password()
		m.Port, _ = strconv.Atoi(u.Port()) // url.Parse has seen that it is a number
		conf.Mail = &m
	}
	if c.SMSURL != "" {
		conf.SMS = &notify.GatewayConfig{URL: c.SMSURL, Token: c.SMSToken}
	}
	if c.PushURL != "" {
		conf.Push = &notify.GatewayConfig{URL: c.PushURL, Token: c.PushToken}
	}
	s, err := notify.New(conf)
	if err != nil {
		return nil, wrong("PAYSAGA_MAIL_URL, PAYSAGA_MAIL_FROM, PAYSAGA_SMS_URL or PAYSAGA_PUSH_URL", "can't be used: "+message(err))
	}
	return s, nil
}

func (c noticeConfig) check() error {
	_, err := c.sender()
	return err
}

// notifyCommand is about what people are told.
type notifyCommand struct {
	Preview notifyPreview `cmd:"" help:"Show what people are told of a type of events, or of all, in each language."`
}

// notifyPreview writes messages with made-up facts.
type notifyPreview struct {
	Type     string `arg:"" optional:"" placeholder:"TYPE" help:"A type of events, as in order.paid; by default all of them."`
	Language string `enum:"en,zh,all" default:"all" help:"The language: en, zh or all."`
}

// sample is the data of an event as no real one is: with everything that a message may tell.
const sample = `{"amount": "12.34", "currency": "CNY", "reference": "A-1001", "order_reference": "A-1001", "order_id": "ord_1",
	"amount_total": "99.00", "amount_paid": "99.00", "amount_refunded": "12.34", "vests_on": "2026-12-01", "to": "usr_1"}`

// Run prints each message: its default media, its title, its text.
func (c *notifyPreview) Run(a *app) error {
	templates, err := notify.NewTemplates()
	if err != nil {
		return err
	}
	kinds := notice.Types()
	if c.Type != "" {
		if !notice.Concerns(c.Type) {
			return wrong(c.Type, "is no type of events that people are told of; leave it out to see all")
		}
		kinds = []string{c.Type}
	}
	for _, kind := range kinds {
		fmt.Fprintf(a.out, "%s: subject %s, by default %v\n", kind, notice.SubjectOf(kind), notice.DefaultMedia(kind))
		for _, l := range notice.Languages() {
			if c.Language != "all" && c.Language != string(l) {
				continue
			}
			row := notice.Row{Type: kind, ObjectType: notice.Object(kind), Language: l, Event: []byte(sample)}
			row.UserID = "usr_1"
			title, text, err := templates.Write(row, notice.Settings{Sender: "Shop"})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "  %s  %s\n      %s\n", l, title, text)
		}
	}
	return nil
}
