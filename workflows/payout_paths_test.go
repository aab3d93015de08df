package workflows_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// payoutPath is one way through the payout's saga, on real parts.
type payoutPath struct {
	name     string
	accounts []stage.AccountSpec
	merchant bool   // it leaves what the merchant has, instead of a wallet
	to       string // default dest_ok
	// spoil scripts the sandbox: operation, fault, times.
	spoil [][3]any
	// then brings it to its end, where it doesn't come there by itself.
	then   func(t *testing.T, m *stage.Merchant, payoutID string)
	status payout.Status
	code   string // why it failed
	paid   int    // how many payouts succeeded at the sandbox
}

// asks decides a payout that has parked.
func asks(d remit.Decision) func(*testing.T, *stage.Merchant, string) {
	return func(t *testing.T, m *stage.Merchant, id string) {
		m.UntilPayout(t, id, "parked", func(a stage.PayoutAnswer) bool { return a.NeedsOperator })
		decidePayout(t, m, id, d)
	}
}

func decidePayout(t *testing.T, m *stage.Merchant, id string, d remit.Decision) {
	t.Helper()
	if err := m.Stage.UpdatePayout(id, workflows.UpdateResolve, workflows.OutResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"}); err != nil {
		t.Fatalf("%s: %v", d, err)
	}
}

func script(operation, fault string, times int) [3]any { return [3]any{operation, fault, times} }

var payoutPaths = []payoutPath{
	{name: "wallet_express", status: payout.Succeeded, paid: 1},
	{name: "merchant_standard", accounts: standard, merchant: true, status: payout.Succeeded, paid: 1},
	{name: "declined_then_given_back", to: "dest_closed", status: payout.Failed, code: "account_closed"},
	{name: "merchant_declined", merchant: true, to: "dest_closed", status: payout.Failed, code: "account_closed"},
	{name: "unknown_then_succeeded", accounts: silent, spoil: [][3]any{script("payout", "timeout_after", 1)}, status: payout.Succeeded, paid: 1},
	{name: "unknown_then_absent_then_sent_again", accounts: silent, spoil: [][3]any{script("payout", "timeout_before", 1)}, status: payout.Succeeded, paid: 1},
	{name: "unknown_then_failed", accounts: silent, to: "dest_closed", spoil: [][3]any{script("payout", "timeout_after", 1)}, status: payout.Failed,
		code: "account_closed"},
	{name: "throttled", spoil: [][3]any{script("payout", "429", 1)}, status: payout.Succeeded, paid: 1},
	{name: "server_error_standard", accounts: standard, spoil: [][3]any{script("payout", "500", 1)}, status: payout.Succeeded, paid: 1},
	{name: "pending_then_callback", to: "dest_pending", spoil: [][3]any{script("ask_payout", "429", -1)}, status: payout.Succeeded, paid: 1},
	{name: "pending_then_polled", accounts: silent, to: "dest_pending", status: payout.Succeeded, paid: 1},
	{name: "abnormal_then_retried", to: "dest_abnormal", then: asks(payout.Retry), status: payout.Succeeded, paid: 1},
	{name: "abnormal_then_paid_elsewhere", to: "dest_abnormal", then: asks(payout.PayElsewhere), status: payout.Succeeded},
	{name: "abnormal_then_given_back", to: "dest_abnormal", then: asks(payout.GiveBack), status: payout.Failed, code: "given_back"},
	{name: "abnormal_then_settled_by_itself", to: "dest_abnormal", then: func(t *testing.T, m *stage.Merchant, id string) {
		m.UntilPayout(t, id, "parked", func(a stage.PayoutAnswer) bool { return a.NeedsOperator })
		m.Sandboxes[0].Admin(t, "payout", map[string]any{"reference": id, "act": "settle"})
	}, status: payout.Succeeded, paid: 1},
	{name: "another_amount_then_marked", to: "dest_wrong_amount", then: asks(payout.MarkSucceeded), status: payout.Succeeded, paid: 1},
	{name: "shown_to_a_person_then_known", accounts: silent, spoil: [][3]any{script("ask_payout", "500", -1), script("payout", "timeout_after", 1)},
		then: func(t *testing.T, m *stage.Merchant, id string) {
			m.UntilPayout(t, id, "shown to a person", func(a stage.PayoutAnswer) bool { return a.NeedsOperator && a.InDoubt })
			m.Sandboxes[0].ClearScripts(t)
		}, status: payout.Succeeded, paid: 1},
}

// walkPayout takes 10.00 of 12.34 out.
func walkPayout(t *testing.T, s *stage.Stage, p payoutPath) {
	m := s.Merchant(t, payment.Terms{}, p.accounts...)
	user := m.Earn(t, "12.34")
	from := "merchant/" + m.ID + "/available"
	if p.merchant {
		user = ""
	} else {
		m.Give(t, user, 1234)
		from = "user/" + user + "/wallet"
	}
	if p.to == "" {
		p.to = "dest_ok"
	}
	for _, f := range p.spoil {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": f[0], "fault": f[1], "times": f[2]})
	}
	a := m.Withdraw(t, "out", user, "10.00", stage.To(p.to))
	if a.Code != 201 && a.Code != 202 || a.UserID != user || a.Destination.Type != payout.Wallet {
		t.Fatalf("the payout answered %d %s", a.Code, a.Raw)
	}
	if p.then != nil {
		p.then(t, m, a.ID)
	}
	var result workflows.PayoutResult
	if err := s.Client.GetWorkflow(context.Background(), workflows.PayoutID(a.ID), "").Get(context.Background(), &result); err != nil {
		t.Fatal(err)
	}
	got := m.GetPayout(t, a.ID)
	if got.Status != p.status || result.Status != p.status || got.FailureCode != p.code || got.InDoubt || got.NeedsOperator {
		t.Errorf("the payout ended as %s, want %s %q", got.Raw, p.status, p.code)
	}
	paid, out := 0, int64(0)
	for _, x := range m.Sandboxes[0].Lookup(a.ID).Payouts {
		if x.State == server.Succeeded {
			paid, out = paid+1, out+x.AmountMinor
		}
	}
	if paid != p.paid {
		t.Errorf("the sandbox shows %d payouts that succeeded, want %d (I-11): %+v", paid, p.paid, m.Sandboxes[0].Lookup(a.ID).Payouts)
	}
	left := int64(-234)
	if p.status == payout.Failed {
		left = -1234 // as if it had never been (I-07)
	}
	account := m.Sandboxes[0].Account
	for code, want := range map[string]int64{from: left, "payout/" + account + "/in_transit": 0, "channel/" + account + "/clearing": 1234 - out} {
		if n := s.Balance(t, code); n != want {
			t.Errorf("%s is %d, want %s", code, n, strconv.FormatInt(want, 10))
		}
	}
	if *record {
		write(t, filepath.Join(histories, "payout", p.name+".json"), historyOfWorkflow(t, s, workflows.PayoutID(a.ID)))
	}
}
