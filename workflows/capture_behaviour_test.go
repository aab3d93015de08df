package workflows_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

func init() {
	maps.Copy(behaviours, map[string]func(*testing.T, *stage.Stage){
		"captures at once never exceed the authorization":     capturesAtOnce,
		"a capture of another amount opens a case":            captureOfAnotherAmount,
		"a capture is carried out once, whatever is reset":    captureReset,
		"captures that can't be are refused, and leave none":  capturesRefused,
		"a timeline tells of captures":                        captureTimeline,
		"captured money matures as its own time comes":        captureMatures,
		"a capture whose key is old is asked about":           captureOfAnOldKey,
		"an unknown capture is shown, sent again, never lost": captureUnknown,
		"each capture that stays unknown is shown":            capturesUnknown,
	})
}

func capturesAtOnce(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60})
	id := authorize(t, m)
	var wg sync.WaitGroup
	codes := make([]int, 20)
	for i := range codes {
		wg.Go(func() {
			codes[i] = m.Do(t, "POST", "/v1/payments/"+id+"/capture", fmt.Sprint("at-once-", i), part("1.00")).Code
		})
	}
	wg.Wait()
	count := map[int]int{}
	for _, c := range codes {
		count[c]++
	}
	if count[200]+count[202] != 12 || count[409] != 8 {
		t.Errorf("20 captures of 1.00 of 12.34 were answered %v", count)
	}
	stage.Eventually(t, "all are settled", func() bool { return m.Get(t, id).AmountCaptured == "12.00" })
	cancel(t, m, id)
	m.UntilStatus(t, id, payment.Paid)
	if got := m.Sandboxes[0].Lookup(id).Charges[0].CapturedMinor; got != 1200 {
		t.Errorf("the channel captured %d", got)
	}
}

func captureOfAnotherAmount(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "wrong_amount"})
	a := took(t, m, id, part("5.00"), payment.Reserved)
	if !a.NeedsOperator || a.AmountCaptured != "0.00" {
		t.Errorf("answered %s", a.Raw)
	}
	if n := s.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1 AND kind = 'amount_mismatch'", id); n != 1 {
		t.Errorf("%d cases", n)
	}
	account := "suspense/" + m.Sandboxes[0].Account + "/amount_mismatch"
	if got := s.Balance(t, account); got != -499 {
		t.Errorf("suspense holds %d, and 4.99 came", -got)
	}
	took(t, m, id, part("2.00"), payment.Reserved)
	cancel(t, m, id)
	if a := m.UntilStatus(t, id, payment.Paid); a.AmountCaptured != "2.00" {
		t.Errorf("ended as %s", a.Raw)
	}
	if got := s.Balance(t, account); got != -499 {
		t.Errorf("suspense holds %d after the end: what went astray was booked twice", -got)
	}
}

// captureReset resets a captured payment to each of its workflow tasks.
func captureReset(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	took(t, m, id, part("3.00"), payment.Reserved)
	took(t, m, id, nil, payment.Paid)
	before := m.Get(t, id)
	for _, event := range workflowTasks(t, s, id) {
		ctx := context.Background()
		_, err := s.Client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace: s.Dev.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflows.PaymentID(id)}, Reason: "test",
			WorkflowTaskFinishEventId: event, RequestId: fmt.Sprintf("%s-%d", id, event),
		})
		if err != nil {
			t.Fatal(err)
		}
		var r workflows.PaymentResult
		if err := s.Client.GetWorkflow(ctx, workflows.PaymentID(id), "").Get(ctx, &r); err != nil || r.Status != payment.Paid {
			t.Errorf("after a reset to event %d the saga ended with %v, %v", event, r, err)
		}
	}
	settled(t, m, id, done, done)
	if after := m.Get(t, id); after.Sequence != before.Sequence {
		t.Errorf("a reset moved the payment from %s to %s", before.Raw, after.Raw)
	}
}

func capturesRefused(t *testing.T, s *stage.Stage) {
	m, other := s.Merchant(t, payment.Terms{}), s.Merchant(t, payment.Terms{})
	id, automatic := authorize(t, m), m.Pay(t, stage.Card("tok_ok"), nil).ID
	for _, bad := range []struct {
		m    *stage.Merchant
		id   string
		body map[string]any
		code int
		name string
	}{
		{m, id, part("12.35"), 409, "amount_not_capturable"}, {m, id, part("0.00"), 422, ""}, {m, id, part("1.001"), 422, ""},
		{m, id, map[string]any{"amount": 1}, 422, ""}, {m, id, map[string]any{"amount": "1.00", "currency": "EUR"}, 422, "field_unknown"},
		{m, automatic, nil, 409, "payment_not_capturable"}, {other, id, nil, 404, "not_found"},
	} {
		if a := take(t, bad.m, bad.id, bad.body); a.Code != bad.code || (bad.name != "" && a.Problem != bad.name) {
			t.Errorf("%v: answered %d %s", bad.body, a.Code, a.Raw)
		}
	}
	if list := m.Captures(t, id); len(list) != 0 {
		t.Errorf("refusals left %d captures", len(list))
	}
	cancel(t, m, id)
}

func captureTimeline(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	took(t, m, id, nil, payment.Paid)
	m.UntilTimeline(t, id, "intent", "capture 1 at sandbox, the last")
	m.UntilTimeline(t, id, "channel_call", "capture at sandbox: succeeded")
	m.UntilTimeline(t, id, "journal", "booked: captured")
	m.UntilTimeline(t, id, "event", "capture.succeeded")
}

func captureMatures(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{SettlementDays: 2})
	id := authorize(t, m)
	took(t, m, id, part("4.00"), payment.Reserved)
	took(t, m, id, nil, payment.Paid)
	available := "merchant/" + m.ID + "/available"
	s.Exec(t, "UPDATE captures SET matures_at = now() - interval '1 minute' WHERE payment_id = $1 AND ordinal = 1", id)
	s.Exec(t, "UPDATE payments SET mature_due_at = now() WHERE id = $1", id)
	stage.Eventually(t, "the first capture is available", func() bool { return s.Balance(t, available) == -400 })
	s.Exec(t, "UPDATE captures SET matures_at = now() - interval '1 second' WHERE payment_id = $1 AND ordinal = 2", id)
	s.Exec(t, "UPDATE payments SET mature_due_at = now() WHERE id = $1", id)
	stage.Eventually(t, "all is available", func() bool { return s.Balance(t, available) == -1234 })
}

// captureUnknown has a channel that captures and never says so: the capture
// stays open and in doubt, a person is shown it, nothing is voided, and once the
// channel answers it is booked, once.
func captureUnknown(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "garbage", "times": -1})
	open(t, m, id, "3.00")
	stage.Eventually(t, "the capture is in doubt", func() bool { list := m.Captures(t, id); return len(list) == 1 && list[0].InDoubt })
	waiting, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	if err := s.Starter.Cancel(waiting, payment.Payment{Book: "test", ID: id, MerchantID: m.ID}); err == nil {
		t.Error("the payment ended while its capture was unknown")
	}
	m.Until(t, id, "shown to a person", func(a stage.Answer) bool { return a.NeedsOperator })
	if n := len(m.Sandboxes[0].Lookup(id).Charges[0].Captures); n != 1 {
		t.Errorf("the channel shows %d captures", n)
	}
	m.Sandboxes[0].ClearScripts(t)
	if a := m.UntilStatus(t, id, payment.Paid); a.AmountCaptured != "3.00" || a.NeedsOperator {
		t.Errorf("ended as %s", a.Raw)
	}
	settled(t, m, id, done)
}

// capturesUnknown has one capture after the other stay unknown for so long that a
// person is shown it. The saga must survive the second as it does the first.
func capturesUnknown(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	for i, amount := range []string{"3.00", "4.00"} {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "garbage", "times": -1})
		open(t, m, id, amount)
		m.Until(t, id, "shown to a person", func(a stage.Answer) bool { return a.NeedsOperator })
		m.Sandboxes[0].ClearScripts(t)
		stage.Eventually(t, "the capture is known", func() bool {
			list := m.Captures(t, id)
			return len(list) == i+1 && list[0].Status == payment.CaptureSucceeded && list[i].Status == payment.CaptureSucceeded
		})
	}
	if a := m.Get(t, id); a.NeedsOperator || a.AmountCaptured != "7.00" {
		t.Errorf("ended as %s", a.Raw)
	}
}

// captureOfAnOldKey has a channel that captured, and may have forgotten the key
// by the time it can be reached again: the key is not sent any more (I-14).
func captureOfAnOldKey(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	id := authorize(t, m)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "capture", "fault": "garbage", "times": -1})
	open(t, m, id, "12.34")
	stage.Eventually(t, "the capture is in doubt", func() bool { list := m.Captures(t, id); return len(list) == 1 && list[0].InDoubt })
	s.Exec(t, "UPDATE captures SET born_at = born_at - interval '13 hours' WHERE payment_id = $1", id)
	m.UntilStatus(t, id, payment.Paid)
	s.Exec(t, "UPDATE captures SET born_at = born_at + interval '13 hours' WHERE payment_id = $1", id)
	settled(t, m, id, done)
}
