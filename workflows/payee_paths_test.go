package workflows_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// tenpay is a fake WeChat Pay, whose users have to confirm what they are sent.
type tenpay struct {
	*fake.Server
	url string
}

func openTenpay(t *testing.T) tenpay {
	f := fake.New(t, fake.Config{})
	h := httptest.NewServer(f)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return tenpay{f, h.URL}
}

func (p tenpay) wire(c *activities.Config) {
	withSpacing(c)
	c.Channels[wechatpay.Name] = channels.Guard(wechatpay.New(wire.New(wire.Config{})).Clocked(p.Now))
}

// payeePath is a payout that waits for whoever is paid.
type payeePath struct {
	name, to     string
	before, then []string // the states at WeChat before it can be confirmed, and after
	status       payout.Status
}

var payeePaths = []payeePath{
	{name: "confirmed_by_its_payee", to: "oPayee", then: []string{"TRANSFERING", fake.Success}, status: payout.Succeeded},
	{name: "accepted_then_confirmed_by_its_payee", to: "oPayee-slow", before: []string{"WAIT_USER_CONFIRM"}, then: []string{fake.Success}, status: payout.Succeeded},
	{name: "never_confirmed_by_its_payee", to: "oPayee", then: []string{"CANCELLED"}, status: payout.Failed},
}

// walkPayee takes 10.00 out to a wallet whose owner is told by the API what to do, and judges by WeChat's book.
func (w tenpay) walkPayee(t *testing.T, s *stage.Stage, p payeePath) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{}, stage.AccountSpec{Channel: wechatpay.Name, Lane: payment.Standard, URL: w.url, Credentials: w.Credentials()})
	m.Earn(t, "12.34")
	made := m.Do(t, http.MethodPost, "/v1/payouts", "out", map[string]any{"amount": "10.00", "currency": "CNY", "channel": wechatpay.Name, "destination": stage.To(p.to)})
	if made.Code != http.StatusAccepted {
		t.Fatalf("the payout answered %d %s", made.Code, made.Raw)
	}
	number, err := id.Reference(id.Key(made.ID, id.Step{Code: id.PayoutOut, Ordinal: 1}))
	if err != nil {
		t.Fatal(err)
	}
	move := func(states []string) {
		for _, state := range states {
			stage.Eventually(t, "the transfer is "+state, func() bool { return w.FinishTransfer(number, state, "") })
		}
	}
	move(p.before)
	waits := m.UntilPayout(t, made.ID, "waiting for its payee", func(a stage.PayoutAnswer) bool { return a.NextAction != nil })
	if a := waits.NextAction; waits.Status != payout.Processing || a.Type != payment.ActionSDK || a.URL != "" || a.Parameters["mchId"] != fake.MchID ||
		a.Parameters["appId"] != fake.AppID || a.Parameters["package"] == "" {
		t.Errorf("what the payee has to do: %s", waits.Raw)
	}
	if n := s.Count(t, `SELECT count(*) FROM events WHERE business_id = $1 AND type = 'payout.updated' AND secret_sealed IS NOT NULL AND data->'next_action' IS NULL`, made.ID); n != 1 {
		t.Errorf("%d events tell of it, sealed (I-26)", n)
	}
	move(p.then)
	var result workflows.PayoutResult
	if err := s.Client.GetWorkflow(context.Background(), workflows.PayoutID(made.ID), "").Get(context.Background(), &result); err != nil {
		t.Fatal(err)
	}
	got := m.GetPayout(t, made.ID)
	if got.Status != p.status || result.Status != p.status || got.NextAction != nil {
		t.Errorf("the payout ended as %s, want %s and nothing to do", got.Raw, p.status)
	}
	paid := int64(0)
	for _, e := range w.Book(number) {
		if e.Paid {
			paid += e.Amount
		}
	}
	if want := map[payout.Status]int64{payout.Succeeded: 1000}[p.status]; paid != want {
		t.Errorf("WeChat paid %d, want %d (I-11)", paid, want)
	}
	kept := historyOfWorkflow(t, s, workflows.PayoutID(made.ID))
	for _, e := range kept.Events {
		if strings.Contains(e.String(), waits.NextAction.Parameters["package"]) {
			t.Errorf("the history holds what the payee confirms by (I-26): %s", e.EventType)
		}
	}
	if *record {
		write(t, filepath.Join(histories, "payout", p.name+".json"), kept)
	}
}
