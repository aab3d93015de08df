package stage

import (
	"context"
	"net"
	"strconv"
	"testing"

	"paysaga/domain/ledger"
	"paysaga/domain/notice"
	"paysaga/notify"
	"paysaga/notify/fake"
	"paysaga/workers"
)

// Carriers are who brings messages to people: a mail server and two gateways in this process.
type Carriers struct {
	Mail      *fake.Server
	SMS, Push *fake.Gateway
}

// carriers starts them, and has the relays hand messages to them.
func (s *Stage) carriers(t testing.TB, r *workers.RelayConfig) {
	t.Helper()
	s.Carriers = &Carriers{Mail: fake.NewServer(t, nil, ""), SMS: fake.NewGateway(t), Push: fake.NewGateway(t)}
	host, port, err := net.SplitHostPort(s.Carriers.Mail.Address)
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	sender, err := notify.New(notify.Config{Mail: &notify.MailConfig{Host: host, Port: n, Security: notify.Plain, From: "pay@shop.example"},
		SMS: &notify.GatewayConfig{URL: s.Carriers.SMS.URL}, Push: &notify.GatewayConfig{URL: s.Carriers.Push.URL, Token: "push-token"}})
	must(t, err)
	r.Notices, r.Carriers = s.Store, sender
}

func templates(t testing.TB) *notify.Templates {
	t.Helper()
	written, err := notify.NewTemplates()
	must(t, err)
	return written
}

// Tells switches on that the merchant's people are told, by all media; change may make it less.
func (m *Merchant) Tells(t testing.TB, change func(*notice.Settings)) {
	t.Helper()
	v := notice.Settings{Book: m.Book, MerchantID: m.ID, Media: notice.Media(), Language: notice.English, Sender: "Stage Shop"}
	if change != nil {
		change(&v)
	}
	_, err := m.Stage.Store.PutNoticeSettings(context.Background(), v, ledger.Service("test"))
	must(t, err)
}
