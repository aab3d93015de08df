package workflows_test

import (
	"context"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// earlyDecision: a worker dies after it has booked, and before Temporal has
// heard of it. Whoever reads the payment sees it parked and decides; their
// Update reaches the next worker together with the run's first task, before the
// run itself. It has to wait for the run, not to be refused.
func earlyDecision(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	p := m.Receive(t, payment.Method{Type: payment.MethodCardToken, Token: "tok_wrong_amount"}, time.Hour)
	queue := "early-" + p.ID
	run := s.Client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{ID: workflows.PaymentID(p.ID), TaskQueue: queue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING}, "Payment", workflows.PaymentInput{Book: id.Test, PaymentID: p.ID, Pace: workflows.Drill})
	answered := make(chan error, 1)
	go func() {
		h, err := s.Client.UpdateWithStartWorkflow(context.Background(), client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: run,
			UpdateOptions: client.UpdateWorkflowOptions{UpdateName: workflows.UpdateResolve, Args: []any{resolve(payment.Accept)},
				WaitForStage: client.WorkflowUpdateStageCompleted}})
		if err == nil {
			err = h.Get(context.Background(), nil)
		}
		answered <- err
	}()
	stage.Eventually(t, "the run is there, and nobody works on it", func() bool {
		_, err := s.Client.DescribeWorkflowExecution(context.Background(), workflows.PaymentID(p.ID), "")
		return err == nil
	})
	w := worker.New(s.Client, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(workflows.Payment, workflow.RegisterOptions{Name: "Payment"})
	for name, step := range map[string]any{"Open": s.Steps.Open, "Charge": s.Steps.Charge, "Book": s.Steps.Book, "Resolve": s.Steps.Resolve} {
		w.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: name})
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	m.UntilStatus(t, p.ID, payment.Paid)
}

// repeatedDecision: a worker dies between the commit of a decision and its
// answer. The step runs again, finds the decision carried out, and the saga
// ends; another decision is refused.
func repeatedDecision(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.Card("tok_wrong_amount"), nil)
	m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
	in := activities.ResolveInput{Ref: activities.Ref{Book: id.Test, PaymentID: a.ID}, Ordinal: 1, Act: 1,
		Decision: payment.Accept, Actor: "ada", Reason: "seen in the channel's back office"}
	if _, err := s.Steps.Resolve(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t, a.ID, workflows.UpdateResolve, resolve(payment.Reject)); err == nil {
		t.Error("a payment that was accepted was rejected")
	}
	// The case's saga may have told the payment's of the decision meanwhile; then that has ended, the same way.
	if err := s.Update(t, a.ID, workflows.UpdateResolve, resolve(payment.Accept)); err != nil && !strings.Contains(err.Error(), "already completed") &&
		!strings.Contains(err.Error(), "aborted by closing workflow") {
		t.Error(err)
	}
	var r workflows.PaymentResult
	if err := s.Client.GetWorkflow(context.Background(), workflows.PaymentID(a.ID), "").Get(context.Background(), &r); err != nil || r.Status != payment.Paid {
		t.Errorf("the saga ended with %v, %v", r, err)
	}
}
