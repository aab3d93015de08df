package workflows_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// topUpRefund is one way of a top-up's money back. The saga is a refund's: what is its own are the ends of its money.
type topUpRefund struct {
	name     string
	accounts []stage.AccountSpec
	token    string
	run      func(t *testing.T, m *stage.Merchant, topUpID, user string) string
	status   refund.Status
	left     int64 // in the wallet, of 1000
	given    int64 // by the channel
}

var topUpRefunds = []topUpRefund{
	{name: "topup_whole_express", token: "tok_ok", run: backToCard(""), status: refund.Succeeded, given: 1000},
	{name: "topup_part_standard", accounts: standard, token: "tok_ok", run: backToCard("2.50"), status: refund.Succeeded, left: 750, given: 250},
	{name: "topup_unknown_then_succeeded", accounts: silent, token: "tok_ok", run: func(t *testing.T, m *stage.Merchant, one, user string) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "refund", "fault": "timeout_after", "times": 1})
		return backToCard("")(t, m, one, user)
	}, status: refund.Succeeded, given: 1000},
	{name: "topup_declined_for_good", token: "tok_refund_declined", run: backToCard(""), status: refund.Failed, left: 1000},
	{name: "topup_frozen_then_declined", token: "tok_refund_abnormal", run: func(t *testing.T, m *stage.Merchant, one, user string) string {
		r := m.ReceiveRefund(t, one, 1000)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		m.SetUserStatus(t, user, "frozen") // what fails is there again all the same
		in := workflows.OutResolution{Decision: refund.ToWallet, Actor: "ada", Reason: "no"}
		if err := m.Stage.UpdateRefund(r, workflows.UpdateResolve, in); err == nil {
			t.Error("a top-up's refund went to the wallet that it came out of")
		}
		decide(t, m, r, refund.WriteOff)
		return r
	}, status: refund.Failed, left: 1000},
	{name: "topup_returned_after_success", token: "tok_ok", run: func(t *testing.T, m *stage.Merchant, one, user string) string {
		r := backToCard("")(t, m, one, user)
		m.Sandboxes[0].Admin(t, "refund", map[string]any{"reference": r, "act": "return"})
		stage.Eventually(t, "the user has it again", func() bool { return m.Stage.Wallet(t, user) == 1000 })
		if n := m.Stage.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1 AND kind = 'refund_returned' AND booked", one); n != 1 {
			t.Errorf("%d cases tell of it", n)
		}
		return r
	}, status: refund.Succeeded, left: 1000},
}

func backToCard(amount string) func(*testing.T, *stage.Merchant, string, string) string {
	return func(t *testing.T, m *stage.Merchant, one, user string) string {
		r := m.RefundTopUp(t, one, "back-"+amount, amount)
		if r.Code != 201 && r.Code != 202 || r.PaymentID != one || r.UserID != user || r.OrderID != "" {
			t.Fatalf("the refund answered %d %s", r.Code, r.Raw)
		}
		m.UntilRefund(t, r.ID, "ended", func(a stage.RefundAnswer) bool { return a.Status.Terminal() })
		return r.ID
	}
}

func walkTopUpRefund(t *testing.T, s *stage.Stage, p topUpRefund) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60, SettlementDays: 2}, p.accounts...)
	user := m.User(t, 0)
	one := m.TopUp(t, user, "10.00", stage.Card(p.token)).ID
	m.UntilTopUp(t, one, "there", func(a stage.TopUpAnswer) bool { return a.Status == payment.Paid })
	r := p.run(t, m, one, user)
	var result workflows.RefundResult
	ctx := context.Background()
	if err := s.Client.GetWorkflow(ctx, workflows.RefundID(r), "").Get(ctx, &result); err != nil || result.Status != p.status {
		t.Errorf("the saga ended as %+v %v", result, err)
	}
	given := int64(0)
	for _, b := range m.Sandboxes[0].Lookup(r).Refunds {
		if b.State == server.Succeeded {
			given += b.AmountMinor
		}
	}
	if has := s.Wallet(t, user); has != p.left || given != p.given || s.Balance(t, "channel/"+m.Sandboxes[0].Account+"/clearing") != 1000-p.given {
		t.Errorf("the wallet holds %d, want %d; the channel gave %d back, want %d (I-11)", has, p.left, given, p.given)
	}
	for _, code := range []string{"refunding", "pending", "available", "debt"} {
		if n := s.Balance(t, "merchant/"+m.ID+"/"+code); n != 0 {
			t.Errorf("%d of the user's money on the merchant's %s", n, code)
		}
	}
	told := m.Do(t, http.MethodGet, "/v1/topups/"+one+"/timeline", "", nil)
	if told.Code != 200 || !strings.Contains(string(told.Raw), "refund_opened") {
		t.Errorf("its timeline: %d %s", told.Code, told.Raw)
	}
	if *record {
		write(t, filepath.Join(histories, "refund", p.name+".json"), historyOfWorkflow(t, s, workflows.RefundID(r)))
	}
}

// topUpRefusals: never below the wallet's floor, never out of one that may not move, never more than came (I-06, I-12).
func topUpRefusals(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	ada, bob := m.User(t, 0), m.User(t, 0)
	one := m.TopUp(t, ada, "10.00", stage.Card("tok_ok")).ID
	if a := m.Transfer(t, ada, bob, "4.00"); a.Code != 201 {
		t.Fatalf("%d %s", a.Code, a.Raw)
	}
	refused := func(key, amount, problem, refundable, available string) {
		t.Helper()
		if a := m.RefundTopUp(t, one, key, amount); a.Code != 409 || a.Problem != problem || a.Refundable != refundable || a.Available != available {
			t.Errorf("%s %s: %d %s", key, amount, a.Code, a.Raw)
		}
	}
	refused("1", "", "insufficient_balance", "10.00", "6.00")
	refused("2", "10.01", "refund_exceeds_payment", "10.00", "")
	m.SetUserStatus(t, ada, "frozen")
	refused("3", "1.00", "wallet_frozen", "", "")
	m.SetUserStatus(t, ada, "closed")
	refused("4", "1.00", "wallet_closed", "", "")
	m.SetUserStatus(t, ada, "active")
	if s.Wallet(t, ada) != 600 || s.Count(t, "SELECT count(*) FROM refunds WHERE payment_id = $1", one) != 0 {
		t.Error("a refusal left something")
	}
	answers := make(chan int, 12)
	for i := range cap(answers) {
		go func() { answers <- m.RefundTopUp(t, one, "race-"+string(rune('a'+i)), "1.00").Code }()
	}
	accepted := 0
	for range cap(answers) {
		if code := <-answers; code < 300 {
			accepted++
		} else if code != 409 {
			t.Errorf("answered %d", code)
		}
	}
	if accepted != 6 || s.Wallet(t, ada) != 0 {
		t.Errorf("%d of 12 refunds of 1.00 were taken out of 6.00, and %d are left", accepted, s.Wallet(t, ada))
	}
}
