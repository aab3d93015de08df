package workflows_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// split pays 12.34 CNY, 5.00 of it from a customer's wallet that holds 8.00.
func split(t *testing.T, m *stage.Merchant, method, more map[string]any) (stage.Answer, string) {
	t.Helper()
	user := m.User(t, 800)
	body := map[string]any{"customer": map[string]any{"id": user},
		"parts": []map[string]any{{"source": "wallet", "amount": "5.00"}, {"source": "channel"}}}
	for k, v := range more {
		body[k] = v
	}
	a := m.Pay(t, method, body)
	if a.Code >= 300 {
		t.Fatalf("a payment in parts answered %d %s", a.Code, a.Raw)
	}
	return a, user
}

// holds holds the wallet against what is expected of it.
func holds(t *testing.T, m *stage.Merchant, user string, free, held int64) {
	t.Helper()
	if f, h := m.Stage.Wallet(t, user), m.Stage.Held(t, user); f != free || h != held {
		t.Errorf("the wallet holds %d and %d set aside, want %d and %d", f, h, free, held)
	}
}

// charged holds what the channel has taken against what it was to take: never the wallet's part (I-09).
func charged(t *testing.T, m *stage.Merchant, paymentID string, captured int64) {
	t.Helper()
	var sum int64
	for _, sb := range m.Sandboxes {
		for _, c := range sb.Lookup(paymentID).Charges {
			sum += c.CapturedMinor
		}
	}
	if sum != captured {
		t.Errorf("the channels took %d, want %d", sum, captured)
	}
}

var partPaths = []path{
	{name: "parts_succeeded", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), nil)
		holds(t, m, user, 300, 0)
		charged(t, m, a.ID, 734)
		if len(a.Parts) != 2 || a.AmountCaptured != "12.34" || a.Fee != "0.07" {
			t.Errorf("the payment shows %s", a.Raw)
		}
		return a.ID
	}, status: payment.Paid, calls: 1, transitions: 3},
	{name: "parts_declined", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_insufficient_funds"), nil)
		holds(t, m, user, 800, 0)
		return a.ID
	}, status: payment.Failed, code: "insufficient_funds", calls: 1},
	{name: "parts_unknown_then_succeeded", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_timeout_after"), nil)
		m.UntilStatus(t, a.ID, payment.Paid)
		holds(t, m, user, 300, 0)
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "parts_canceled", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.QR, nil)
		holds(t, m, user, 300, 500)
		if c := cancel(t, m, a.ID); c.Code != 200 || c.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", c.Code, c.Raw)
		}
		holds(t, m, user, 800, 0)
		return a.ID
	}, status: payment.Canceled, calls: 1},
	{name: "parts_mismatch_rejected", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_wrong_amount"), nil)
		m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
		holds(t, m, user, 300, 500)
		operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.Reject))
		holds(t, m, user, 800, 0)
		return a.ID
	}, status: payment.Failed, code: "amount_mismatch", calls: 1},
	{name: "parts_captured_in_part_and_final", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
		if a.Status != payment.Reserved || a.AmountCapturable != "7.34" {
			t.Fatalf("authorized: %s", a.Raw)
		}
		if b := took(t, m, a.ID, part("2.00"), payment.Reserved); b.AmountCaptured != "2.00" || b.AmountCapturable != "5.34" {
			t.Errorf("captured in part: %s", b.Raw)
		}
		holds(t, m, user, 300, 500)
		b := took(t, m, a.ID, map[string]any{"amount": "3.00", "final": true}, payment.Paid)
		if b.AmountCaptured != "10.00" || b.Fee != "0.06" {
			t.Errorf("captured whole: %s", b.Raw)
		}
		holds(t, m, user, 300, 0)
		charged(t, m, a.ID, 500)
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "parts_captured_in_part_then_canceled", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
		took(t, m, a.ID, part("2.00"), payment.Reserved)
		if c := cancel(t, m, a.ID); c.Code != 200 || c.AmountCaptured != "7.00" {
			t.Errorf("the rest given back: %d %s", c.Code, c.Raw)
		}
		holds(t, m, user, 300, 0)
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "parts_authorized_then_canceled", run: func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
		if c := cancel(t, m, a.ID); c.Code != 200 || c.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", c.Code, c.Raw)
		}
		holds(t, m, user, 800, 0)
		return a.ID
	}, status: payment.Canceled, calls: 1},
}

// aloneFrom pays all of 12.34 CNY from a wallet.
func aloneFrom(t *testing.T, m *stage.Merchant, minor int64, more map[string]any) (stage.Answer, string) {
	t.Helper()
	user := m.User(t, minor)
	body := map[string]any{"customer": map[string]any{"id": user}}
	for k, v := range more {
		body[k] = v
	}
	return m.Pay(t, map[string]any{"type": "wallet"}, body), user
}

var partRefunds = []struct {
	name string
	run  func(t *testing.T, m *stage.Merchant) string // returns the refund's id
}{
	{"parts_channel_first", func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), nil)
		first := m.Refund(t, a.ID, "r1", "7.00")
		second := m.Refund(t, a.ID, "r2", "2.00")
		third := m.Refund(t, a.ID, "r3", "")
		if first.ToWallet != "" || second.ToWallet != "1.66" || third.ToWallet != "3.34" || third.Channel != refund.ByWallet {
			t.Errorf("channel first: %s %s %s", first.Raw, second.Raw, third.Raw)
		}
		m.UntilRefund(t, third.ID, "done", func(r stage.RefundAnswer) bool { return r.Status == refund.Succeeded })
		m.UntilRefund(t, second.ID, "done", func(r stage.RefundAnswer) bool { return r.Status == refund.Succeeded })
		holds(t, m, user, 800, 0)
		return second.ID
	}},
	{"parts_wallet_alone", func(t *testing.T, m *stage.Merchant) string {
		a, user := aloneFrom(t, m, 2000, nil)
		r := m.Refund(t, a.ID, "r1", "")
		if r.Status != refund.Succeeded || r.ToWallet != "12.34" {
			t.Errorf("a refund to the wallet answered %s", r.Raw)
		}
		holds(t, m, user, 2000, 0)
		return r.ID
	}},
	{"parts_to_wallet", func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), nil)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "refund", "fault": "decline", "times": -1})
		r := m.ReceiveRefund(t, a.ID, 1000)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		holds(t, m, user, 300, 0)
		decide(t, m, r, refund.ToWallet)
		if got := m.GetRefund(t, r); got.Status != refund.Succeeded || got.ToWallet != "10.00" {
			t.Errorf("given to the wallet: %s", got.Raw)
		}
		holds(t, m, user, 1300, 0)
		return r
	}},
	{"parts_written_off", func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.Card("tok_ok"), nil)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "refund", "fault": "decline", "times": -1})
		r := m.ReceiveRefund(t, a.ID, 1000)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		decide(t, m, r, refund.WriteOff)
		holds(t, m, user, 300, 0)
		if got := m.Get(t, a.ID); got.Refundable != "12.34" {
			t.Errorf("what is refundable again: %s", got.Raw)
		}
		return r
	}},
}

// keepRefund waits for a refund's saga, and keeps its history.
func keepRefund(t *testing.T, s *stage.Stage, name, refundID string) {
	t.Helper()
	if err := s.Client.GetWorkflow(context.Background(), workflows.RefundID(refundID), "").Get(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if *record {
		write(t, filepath.Join(histories, "refund", name+".json"), historyOfWorkflow(t, s, workflows.RefundID(refundID)))
	}
}

// keepPayment is keepRefund of a payment.
func keepPayment(t *testing.T, s *stage.Stage, name, paymentID string) {
	t.Helper()
	if err := s.Client.GetWorkflow(context.Background(), workflows.PaymentID(paymentID), "").Get(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if *record {
		write(t, filepath.Join(histories, "payment", name+".json"), historyOf(t, s, paymentID))
	}
}

// A payment out of a wallet alone asks no channel, and one that the wallet doesn't cover is refused with what it holds: nothing is set
// aside twice, however many try at once.
func paidFromWallet(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60})
	a, user := aloneFrom(t, m, 2000, nil)
	if a.Code != 201 || a.Status != payment.Paid || a.AmountCaptured != "12.34" || a.Fee != "0.07" || len(a.Parts) != 1 {
		t.Fatalf("a payment from a wallet answered %d %s", a.Code, a.Raw)
	}
	holds(t, m, user, 766, 0)
	keepPayment(t, s, "wallet_alone", a.ID)
	if n := len(m.Sandboxes[0].Lookup(a.ID).Charges); n != 0 {
		t.Errorf("%d charges at the channel", n)
	}
	again := m.Pay(t, map[string]any{"type": "wallet"}, map[string]any{"customer": map[string]any{"id": user}})
	if again.Code != 409 || again.Problem != "insufficient_balance" || !strings.Contains(string(again.Raw), `"available":"7.66"`) {
		t.Errorf("a wallet with too little answered %d %s", again.Code, again.Raw)
	}
	holds(t, m, user, 766, 0)

	m.Fund(t, user, 10*1234)
	codes := make(chan int, 20)
	var all sync.WaitGroup
	for range 20 {
		body := m.Order(map[string]any{"type": "wallet"}, map[string]any{"customer": map[string]any{"id": user}})
		key := fmt.Sprintf("many-%d", len(codes)+int(time.Now().UnixNano()))
		all.Go(func() { codes <- m.Do(t, "POST", "/v1/payments", key, body).Code })
	}
	all.Wait()
	paid := 0
	for range 20 {
		if code := <-codes; code == 201 || code == 202 {
			paid++
		} else if code != 409 {
			t.Errorf("one of many answered %d", code)
		}
	}
	if paid != 10 {
		t.Errorf("%d of 20 payments were received, and the wallet holds ten", paid)
	}
	stage.Eventually(t, "all are paid", func() bool { return m.Stage.Held(t, user) == 0 })
	holds(t, m, user, 766, 0)
}
