package workflows_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// behaviours are promises about more than one way through the saga.
var behaviours = map[string]func(*testing.T, *stage.Stage){
	"fifty equal requests at once are one payment":               fiftyEqualRequests,
	"a reset to any workflow task changes no book":               resetEverywhere,
	"a reset behind a failover replays what led to it":           resetBehindFailover,
	"Temporal down at the request: 202, and the relay starts it": temporalDown,
	"a poll doesn't grow the history":                            pollKeepsHistoryShort,
	"a callback after the end has no effect":                     callbackAfterTheEnd,
	"a success after the end opens a case":                       lateSuccess,
	"a second charge opens a case, also while a person decides":  secondCharge,
	"a settlement delay keeps money pending until it matures":    matures,
	"forged, stale and foreign callbacks change nothing":         forgedCallbacks,
	"an unknown reference becomes an orphan's case":              orphanCallback,
	"what waits for its customer isn't unknown":                  customersTurn,
	"a decision waits for the run that it is ahead of":           earlyDecision,
	"a decision whose answer got lost is repeated":               repeatedDecision,
	"an unsigned decision is refused in the live book":           unsignedInLive,
}

// customersTurn: a run that was done over asks what the book knows already. If
// that takes long nobody is called, since nothing is unknown; while a close
// hasn't been answered, somebody is.
func customersTurn(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	m.UntilStatus(t, a.ID, payment.RequiresAction)
	late := activities.ParkInput{Ref: activities.Ref{Book: m.Book, PaymentID: a.ID}, Ordinal: 1, Reason: "the outcome at sandbox is unknown for 5s"}
	if b, err := s.Steps.Park(context.Background(), late); err != nil || b.Parked != "" || m.Get(t, a.ID).NeedsOperator {
		t.Errorf("it waits for its customer, and a person was called: %+v %v", b, err)
	}
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID})
	m.UntilStatus(t, a.ID, payment.Paid)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "cancel", "fault": "timeout_before", "times": 3})
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "timeout_before", "times": 8})
	b := m.Pay(t, stage.QR, nil)
	m.UntilStatus(t, b.ID, payment.RequiresAction)
	cancel(t, m, b.ID)
	if after, err := s.Steps.Park(context.Background(), activities.ParkInput{Ref: activities.Ref{Book: m.Book, PaymentID: b.ID}, Ordinal: 1, Reason: "unknown"}); err != nil || (after.Parked == "" && after.Status != payment.Canceled) {
		t.Errorf("a close that isn't answered calls nobody: %+v %v", after, err)
	}
	m.Sandboxes[0].ClearScripts(t)
	m.UntilStatus(t, b.ID, payment.Canceled)
}

func fiftyEqualRequests(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	body := m.Order(stage.Card("tok_ok"), nil)
	answers := make([]stage.Answer, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = m.Do(t, http.MethodPost, "/v1/payments", "one-key", body) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.Code != answers[0].Code || a.ID != answers[0].ID || a.Status != answers[0].Status {
			t.Fatalf("two equal requests were answered differently:\n%d %s\n%d %s", answers[0].Code, answers[0].Raw, a.Code, a.Raw)
		}
	}
	if a := answers[0]; a.Code != 201 || a.Status != payment.Paid {
		t.Errorf("answered %d %s", a.Code, a.Raw)
	}
	if n := len(m.Sandboxes[0].Lookup(answers[0].ID).Charges); n != 1 || m.Sandboxes[0].Summarize().Charges["succeeded"] != 1 {
		t.Errorf("the sandbox shows %d charges (I-20)", n)
	}
}

// resetEverywhere resets a finished payment to each of its workflow tasks: the
// steps run again, under the same keys, and nothing happens twice (I-13).
func resetEverywhere(t *testing.T, s *stage.Stage) {
	for _, lane := range []payment.Lane{payment.Express, payment.Standard} {
		m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: lane})
		a := m.Pay(t, stage.Card("tok_timeout_after"), nil)
		before := m.UntilStatus(t, a.ID, payment.Paid)
		for _, event := range workflowTasks(t, s, a.ID) {
			resetTo(t, s, a.ID, event)
		}
		if after := m.Get(t, a.ID); after.Sequence != before.Sequence || after.UpdatedAt != before.UpdatedAt {
			t.Errorf("a reset moved the payment from %s to %s", before.Raw, after.Raw)
		}
		if n := len(m.Sandboxes[0].Lookup(a.ID).Charges); n != 1 {
			t.Errorf("after the resets the sandbox shows %d charges", n)
		}
	}
}

// resetBehindFailover resets a payment to a task that comes after its first
// channel was given up: what the run knew then must not have changed since.
func resetBehindFailover(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{URL: nowhere, Lane: payment.Standard}, stage.AccountSpec{Lane: payment.Standard})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	before := m.UntilStatus(t, a.ID, payment.Paid)
	resetTo(t, s, a.ID, workflowTasks(t, s, a.ID)[0])
	if after := m.Get(t, a.ID); after.Sequence != before.Sequence {
		t.Errorf("a reset moved the payment from %s to %s", before.Raw, after.Raw)
	}
	if n := len(m.Sandboxes[1].Lookup(a.ID).Charges); n != 1 {
		t.Errorf("after the reset the sandbox shows %d charges", n)
	}
}

// resetTo runs a paid payment's saga again from a workflow task on.
func resetTo(t *testing.T, s *stage.Stage, paymentID string, event int64) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	_, err := s.Client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: s.Dev.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: workflows.PaymentID(paymentID)}, Reason: "test",
		WorkflowTaskFinishEventId: event, RequestId: fmt.Sprintf("%s-%d", paymentID, event),
	})
	if err != nil {
		t.Fatal(err)
	}
	var r workflows.PaymentResult
	if err := s.Client.GetWorkflow(ctx, workflows.PaymentID(paymentID), "").Get(ctx, &r); err != nil || r.Status != payment.Paid {
		t.Errorf("after a reset to event %d the saga ended with %v, %v", event, r, err)
	}
}

// temporalDown asks an API that can't reach Temporal.
func temporalDown(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	down := *m
	down.Stage = s.WithoutTemporal(t)
	a := down.Pay(t, stage.Card("tok_ok"), nil)
	if a.Code != 202 || a.Status != payment.Processing {
		t.Fatalf("with Temporal down the API answered %d %s", a.Code, a.Raw)
	}
	m.UntilStatus(t, a.ID, payment.Paid) // the relay's work (I-19)
}

func pollKeepsHistoryShort(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, silent...)
	a := m.Pay(t, stage.QR, nil)
	length := len(historyOf(t, s, a.ID).Events)
	stage.Eventually(t, "the channel was asked five times", func() bool {
		return s.Count(t, "SELECT count(*) FROM channel_calls WHERE business_id = $1 AND operation = 'ask'", a.ID) >= 5
	})
	if n := len(historyOf(t, s, a.ID).Events); n != length {
		t.Errorf("the history grew from %d to %d events while the saga was only asking", length, n)
	}
	cancel(t, m, a.ID)
}

func callbackAfterTheEnd(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	for range 3 {
		m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": a.ID, "mode": "again"})
	}
	m.UntilTimeline(t, a.ID, "callback", "already_booked", "settled")
	cases := s.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1", a.ID)
	if after := m.Get(t, a.ID); after.Sequence != a.Sequence || cases != 0 {
		t.Errorf("a callback after the end changed the payment: %s, %d cases", after.Raw, cases)
	}
}

func lateSuccess(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	cancel(t, m, a.ID)
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "after_close": true})
	m.UntilTimeline(t, a.ID, "case", "late_success")
	// The order still wants it: the merchant's policy fulfils it, through the case and its suspense alone (I-15, I-17).
	m.UntilStatus(t, a.ID, payment.Paid)
	m.UntilTimeline(t, a.ID, "journal", "unexplained")
	if got := s.Balance(t, "suspense/"+m.Sandboxes[0].Account+"/late_success"); got != 0 {
		t.Errorf("suspense holds %d, and the case is settled (I-17)", -got)
	}
}

// secondCharge pays a QR code twice, with another amount than meant: the first
// waits for a person, and the second must not be lost meanwhile (I-10, I-17).
func secondCharge(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "amount_minor": 1300, "times": 2})
	m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
	m.UntilTimeline(t, a.ID, "case", "duplicate_payment")
	account := m.Sandboxes[0].Account
	if held := s.Balance(t, "suspense/"+account+"/amount_mismatch"); held != -1300 {
		t.Errorf("suspense holds %d of the first charge, which a person decides about", -held)
	}
	stage.Eventually(t, "the second charge is given back, by policy", func() bool {
		back := int64(0)
		for _, c := range m.Sandboxes[0].Lookup(a.ID).Charges {
			back += c.RefundedMinor
		}
		return back == 1300 && s.Balance(t, "suspense/"+account+"/duplicate_payment") == 0
	})
	operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.Accept))
	m.UntilStatus(t, a.ID, payment.Paid)
}

// matures takes a payment of a merchant that is settled two days later, and
// lets the days pass in the row.
func matures(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{SettlementDays: 2})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	pending, available := "merchant/"+m.ID+"/pending", "merchant/"+m.ID+"/available"
	if p, v := s.Balance(t, pending), s.Balance(t, available); p != -1234 || v != 0 {
		t.Fatalf("pending is %d and available %d after the capture", -p, -v)
	}
	if n := s.Count(t, "SELECT count(*) FROM payments WHERE id = $1 AND mature_due_at BETWEEN now() + interval '1 day' AND now() + interval '2 days'", a.ID); n != 1 {
		t.Error("the money isn't due as the second next day begins")
	}
	s.Exec(t, "UPDATE payments SET mature_due_at = now() WHERE id = $1", a.ID)
	stage.Eventually(t, "the money is available", func() bool { return s.Balance(t, available) == -1234 && s.Balance(t, pending) == 0 })
	if n := s.Count(t, "SELECT count(*) FROM payments WHERE id = $1 AND mature_due_at IS NOT NULL", a.ID); n != 0 {
		t.Error("what has matured is still waited for")
	}
}

func forgedCallbacks(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	for _, mode := range []string{"forged", "stale"} {
		m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": a.ID, "mode": mode})
	}
	body, signature := m.Sandboxes[0].Callback(a.ID)
	for name, send := range map[string]func(*http.Request){
		"no signature":    func(r *http.Request) { r.Header.Del("Sandbox-Signature") },
		"another body":    func(r *http.Request) { r.Body = http.NoBody; r.ContentLength = 0 },
		"another account": func(r *http.Request) { r.URL.Path = "/v1/callbacks/sandbox/" + s.Store.Mint(id.ChannelAccount) },
		"another channel": func(r *http.Request) { r.URL.Path = "/v1/callbacks/stripe/" + m.Sandboxes[0].Account },
		"re-encoded body": func(r *http.Request) {
			r.Body = io.NopCloser(bytes.NewReader(append([]byte(" "), body...)))
			r.ContentLength++
		},
	} {
		req, err := http.NewRequest(http.MethodPost, s.API.URL+"/v1/callbacks/sandbox/"+m.Sandboxes[0].Account, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sandbox-Signature", signature)
		req.Header.Set("Content-Type", "application/json")
		send(req)
		res, err := s.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: answered %d", name, res.StatusCode)
		}
	}
	if n := s.Count(t, "SELECT count(*) FROM callbacks WHERE channel_account = $1", m.Sandboxes[0].Account); n != 0 {
		t.Errorf("%d forged callbacks were stored (I-21)", n)
	}
	if after := m.Get(t, a.ID); after.Status != payment.RequiresAction {
		t.Errorf("a forged callback moved the payment: %s", after.Raw)
	}
	cancel(t, m, a.ID)
}

func orphanCallback(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	m.Sandboxes[0].ChargeUnknown(t, s.Store.Mint(id.Payment), s.API.URL+"/v1/callbacks/sandbox/"+m.Sandboxes[0].Account)
	stage.Eventually(t, "an orphan's case", func() bool {
		return s.Count(t, "SELECT count(*) FROM cases WHERE channel_account = $1 AND kind = 'orphan'", m.Sandboxes[0].Account) == 1
	})
}

// unsignedInLive decides about a live payment with nothing but a name.
func unsignedInLive(t *testing.T, s *stage.Stage) {
	m := s.MerchantOf(t, id.Live, payment.Terms{})
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "wrong_amount", "times": -1})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
	err := s.Update(t, a.ID, workflows.UpdateResolve, resolve(payment.Accept))
	if err == nil || !strings.Contains(err.Error(), "code_missing") {
		t.Errorf("an unsigned decision about live money: %v", err)
	}
	r := resolve(payment.Accept)
	r.Code = s.Sign(t, a.ID, r)
	forged := r
	forged.Reason = "another reason"
	if err := s.Update(t, a.ID, workflows.UpdateResolve, forged); err == nil {
		t.Error("a code for another reason was taken")
	}
	operate(t, m, a.ID, workflows.UpdateResolve, r)
	m.UntilStatus(t, a.ID, payment.Paid)
	if n := s.Count(t, "SELECT count(*) FROM acts WHERE payment_id = $1 AND verified", a.ID); n != 1 {
		t.Errorf("%d verified acts are recorded", n)
	}
}

func workflowTasks(t *testing.T, s *stage.Stage, id string) []int64 {
	t.Helper()
	var list []int64
	for _, e := range historyOf(t, s, id).Events {
		if e.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			list = append(list, e.EventId)
		}
	}
	slices.Reverse(list) // each reset starts from the run before
	return list
}
