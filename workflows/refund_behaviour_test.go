package workflows_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// refundBehaviours are promises about more than one way through the refund's
// saga.
var refundBehaviours = map[string]func(*testing.T, *stage.Stage){
	"Temporal down at the refund: 202, and the relay starts it":      refundTemporalDown,
	"a reset of a refund to any workflow task changes no book":       refundReset,
	"a refund that comes back after its success is a case":           refundReturned,
	"a refund paid after it was written off is a case":               refundPaidAfterAll,
	"what hasn't matured is given back first, and matures less":      refundOfPending,
	"a refund that fails after the payment has matured":              refundFailsAfterMaturity,
	"a merchant's debt has a limit, and is paid back":                refundDebt,
	"fifty equal refunds at once are one":                            fiftyEqualRefunds,
	"an operator's decision about a refund is refused unless parked": refundDecisionRefused,
}

// thousandRefunds is I-12 under any concurrency: 1,000 refunds of 1.00 on a
// payment of 100.00.
func thousandRefunds(t *testing.T, s *stage.Stage, policy string) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 300, FeeOnRefund: policy, DebtLimit: 300})
	paid := m.Pay(t, stage.Card("tok_ok"), map[string]any{"amount": "100.00"}).ID
	m.UntilStatus(t, paid, payment.Paid)
	codes := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 250)
	for i := range 1000 {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r := m.Refund(t, paid, fmt.Sprintf("one-of-many-%d", i), "1.00")
			mu.Lock()
			defer mu.Unlock()
			if codes[r.Code]++; r.Code == 409 && (r.Problem != "refund_exceeds_payment" || r.Refundable != "0.00") {
				t.Errorf("refused with %s", r.Raw)
			}
		})
	}
	wg.Wait()
	if codes[201]+codes[202] != 100 || codes[409] != 900 {
		t.Errorf("answered %v; want 100 received and 900 refused", codes)
	}
	stage.Eventually(t, "all of them have ended", func() bool {
		return s.Count(t, "SELECT count(*) FROM refunds WHERE payment_id = $1 AND status = 'succeeded'", paid) == 100
	})
	if sum := m.Sandboxes[0].Summarize(); sum.Refunds[server.Succeeded] != 100 || sum.Refunded["CNY"] != 10000 {
		t.Errorf("the sandbox shows %v, %v given back", sum.Refunds, sum.Refunded)
	}
	got := m.Get(t, paid)
	if got.AmountRefunded != "100.00" || got.Refundable != "0.00" || got.Refunding != "0.00" {
		t.Errorf("the payment shows %s", got.Raw)
	}
	want := map[string]int64{"refunding": 0, "pending": 0, "available": 0, "debt": 0}
	if policy == "keep" {
		want["debt"] = 300 // what the fee has eaten of it
	}
	for code, minor := range want {
		if n := s.Balance(t, "merchant/"+m.ID+"/"+code); n != minor {
			t.Errorf("%s is %d, want %d", code, n, minor)
		}
	}
}

func refundTemporalDown(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	paid := paidBy(t, m, "tok_ok")
	down := *m
	down.Stage = s.WithoutTemporal(t)
	r := down.Refund(t, paid, "down", "1.00")
	if r.Code != 202 || r.Status != refund.Processing {
		t.Fatalf("with Temporal down the API answered %d %s", r.Code, r.Raw)
	}
	m.UntilRefund(t, r.ID, "done by the relay (I-19)", func(a stage.RefundAnswer) bool { return a.Status == refund.Succeeded })
	if again := m.Refund(t, paid, "down", "1.00"); again.Code != 201 || again.ID != r.ID {
		t.Errorf("the repeat answered %d %s", again.Code, again.Raw)
	}
}

func refundReset(t *testing.T, s *stage.Stage) {
	for _, c := range []struct {
		lane  payment.Lane
		token string
		run   func(*testing.T, *stage.Merchant, string) string
	}{
		{payment.Express, "tok_ok", spoiled("refund", "timeout_after", 1, refunds("1.00"))},
		{payment.Standard, "tok_refund_declined", refunds("")},
		{payment.Standard, "tok_refund_abnormal", decided(refund.Retry)},
	} {
		m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: c.lane})
		paid := paidBy(t, m, c.token)
		id := c.run(t, m, paid)
		before := m.UntilRefund(t, id, "ended", func(a stage.RefundAnswer) bool { return a.Status.Terminal() })
		given := len(m.Sandboxes[0].Lookup(id).Refunds)
		events := historyOfWorkflow(t, s, workflows.RefundID(id)).Events
		for i := len(events) - 1; i >= 0; i-- {
			if events[i].EventType != enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				continue
			}
			ctx := context.Background()
			_, err := s.Client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
				Namespace: s.Dev.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflows.RefundID(id)}, Reason: "test",
				WorkflowTaskFinishEventId: events[i].EventId, RequestId: fmt.Sprintf("%s-%d", id, events[i].EventId),
			})
			if err != nil {
				t.Fatal(err)
			}
			var r workflows.RefundResult
			ctx, stop := context.WithTimeout(ctx, 30*time.Second)
			defer stop()
			if err := s.Client.GetWorkflow(ctx, workflows.RefundID(id), "").Get(ctx, &r); err != nil || r.Status != before.Status {
				t.Fatalf("after a reset of %s to event %d the saga ended with %v, %v", c.token, events[i].EventId, r, err)
			}
		}
		if after := m.GetRefund(t, id); after.Sequence != before.Sequence {
			t.Errorf("a reset moved the refund from %s to %s", before.Raw, after.Raw)
		}
		if n := len(m.Sandboxes[0].Lookup(id).Refunds); n != given {
			t.Errorf("after the resets the sandbox shows %d refunds", n)
		}
	}
}

func openCases(t *testing.T, s *stage.Stage, paymentID string, kind exception.Kind) int64 {
	return s.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1 AND kind = $2", paymentID, kind)
}

func refundReturned(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	paid := paidBy(t, m, "tok_refund_returned")
	r := refunds("4.34")(t, m, paid)
	stage.Eventually(t, "the case of what came back", func() bool { return openCases(t, s, paid, refund.ReturnedCase) == 1 })
	if n := s.Balance(t, "merchant/"+m.ID+"/available"); n != -1234 {
		t.Errorf("%d are available, and everything came back", -n)
	}
	m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": r, "mode": "again"})
	stage.Eventually(t, "the callback said again is settled, too", func() bool {
		return s.Count(t, "SELECT count(*) FROM callbacks WHERE business_id = $1 AND disposition IS NULL", r) == 0
	})
	if n := openCases(t, s, paid, refund.ReturnedCase); n != 1 {
		t.Errorf("said twice it is %d cases (I-21)", n)
	}
}

func refundPaidAfterAll(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	paid := paidBy(t, m, "tok_refund_abnormal")
	for i, d := range []refund.Decision{refund.WriteOff, refund.PayElsewhere} {
		r := m.ReceiveRefund(t, paid, 100)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		decide(t, m, r, d)
		m.UntilRefund(t, r, "decided", func(a stage.RefundAnswer) bool { return a.Status.Terminal() })
		m.Sandboxes[0].Admin(t, "refund", map[string]any{"reference": r, "act": "settle"})
		stage.Eventually(t, "the case of what was paid after all", func() bool {
			return openCases(t, s, paid, refund.PaidAfterAll) == int64(i+1)
		})
	}
	if n := s.Balance(t, "suspense/"+m.Sandboxes[0].Account+"/"+string(refund.PaidAfterAll)); n != 200 {
		t.Errorf("%d stand on suspense for it", n)
	}
}

func refundOfPending(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{SettlementDays: 2})
	pending, available := "merchant/"+m.ID+"/pending", "merchant/"+m.ID+"/available"
	part, whole := paidBy(t, m, "tok_ok"), paidBy(t, m, "tok_ok")
	refunds("2.34")(t, m, part)
	refunds("")(t, m, whole)
	if p, v := s.Balance(t, pending), s.Balance(t, available); p != -1000 || v != 0 {
		t.Errorf("pending is %d and available %d", -p, -v)
	}
	s.Exec(t, "UPDATE payments SET mature_due_at = now() WHERE id = ANY($1)", []string{part, whole})
	stage.Eventually(t, "what is left is available", func() bool {
		return s.Balance(t, available) == -1000 && s.Balance(t, pending) == 0 &&
			s.Count(t, "SELECT count(*) FROM payments WHERE id = ANY($1) AND mature_due_at IS NOT NULL", []string{part, whole}) == 0
	})
	if n := s.Count(t, "SELECT count(*) FROM journals WHERE kind = 'matured' AND cause LIKE $1 || ':%'", whole); n != 0 {
		t.Error("nothing was left to mature, and something was posted")
	}
}

func refundFailsAfterMaturity(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{SettlementDays: 2})
	pending, available := "merchant/"+m.ID+"/pending", "merchant/"+m.ID+"/available"
	paid := paidBy(t, m, "tok_refund_abnormal")
	r := m.ReceiveRefund(t, paid, 1000)
	m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
	s.Exec(t, "UPDATE payments SET mature_due_at = now() WHERE id = $1", paid)
	stage.Eventually(t, "the rest is available", func() bool { return s.Balance(t, available) == -234 })
	decide(t, m, r, refund.WriteOff)
	if p, v := s.Balance(t, pending), s.Balance(t, available); p != 0 || v != -1234 {
		t.Errorf("pending is %d and available %d", -p, -v)
	}
}

func refundDebt(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 1000, FeeOnRefund: "keep", DebtLimit: 150})
	debt, available := "merchant/"+m.ID+"/debt", "merchant/"+m.ID+"/available"
	first, second := paidBy(t, m, "tok_ok"), paidBy(t, m, "tok_ok")
	refunds("")(t, m, first)
	if r := m.Refund(t, second, "too-much-to-owe", ""); r.Code != 409 || r.Problem != "insufficient_balance" {
		t.Errorf("beyond the debt limit answered %d %s", r.Code, r.Raw)
	}
	refunds("11.00")(t, m, second)
	owed := s.Balance(t, debt)
	if owed != 1234+1100-2*1111 || s.Balance(t, available) != 0 {
		t.Errorf("%d are owed, and %d available", owed, -s.Balance(t, available))
	}
	paidBy(t, m, "tok_ok")
	if d, v := s.Balance(t, debt), s.Balance(t, available); d != 0 || -v != 1111-owed {
		t.Errorf("after the next payment %d are owed and %d available", d, -v)
	}
}

func fiftyEqualRefunds(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	paid := paidBy(t, m, "tok_ok")
	answers := make([]stage.RefundAnswer, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = m.Refund(t, paid, "one-key", "1.00") })
	}
	wg.Wait()
	for _, a := range answers {
		if a.ID != answers[0].ID || a.Code != http.StatusCreated {
			t.Fatalf("two equal refunds were answered differently:\n%s\n%d %s", answers[0].Raw, a.Code, a.Raw)
		}
	}
	if n := m.Sandboxes[0].Summarize().Refunds[server.Succeeded]; n != 1 {
		t.Errorf("the sandbox shows %d refunds (I-20)", n)
	}
}

func refundDecisionRefused(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, silent...)
	paid := paidBy(t, m, "tok_refund_pending")
	r := m.ReceiveRefund(t, paid, 100)
	in := workflows.OutResolution{Decision: refund.WriteOff, Actor: "ada", Reason: "no"}
	if err := s.UpdateRefund(r, workflows.UpdateResolve, in); err == nil {
		t.Error("a refund that is on its way was written off")
	}
	m.UntilRefund(t, r, "done", func(a stage.RefundAnswer) bool { return a.Status == refund.Succeeded })
}
