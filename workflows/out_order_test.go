package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/workflows"
)

// orders are orders of events that a real server brings about once in thousands of runs. Each step is scripted here, by how
// often it has been called; the refund's row is kept as the steps would keep it.
type orders struct {
	*testing.T
	env    *testsuite.TestWorkflowEnvironment
	row    activities.Sent
	calls  map[string]int
	send   func(n int) (activities.Answer, error)
	ask    func(n int) (activities.Answer, error)
	book   func(n int, in activities.BookOutInput) // what happens while the booking is on its way
	heard  activities.Answer
	booked []payment.Verdict
	done   chan struct{} // an Update has been answered
}

const refundInOrder = "rfd_01m7zym9jb1waa1twbh14agxby"

var refusedForNow = activities.Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: "refund_abnormal"}}}

func inOrder(t *testing.T) *orders {
	var suite testsuite.WorkflowTestSuite
	o := &orders{T: t, env: suite.NewTestWorkflowEnvironment(), row: activities.Sent{Status: refund.Processing}, calls: map[string]int{}, done: make(chan struct{}, 8)}
	o.ask = func(int) (activities.Answer, error) { return refusedForNow, nil }
	o.book = func(int, activities.BookOutInput) {}
	o.env.RegisterWorkflowWithOptions(workflows.Refund, workflow.RegisterOptions{Name: "Refund"})
	o.env.SetTestTimeout(30 * time.Second)
	step := func(name string, f any) { o.env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	step("OpenRefund", func(context.Context, activities.OpenOutInput) (activities.OpenedOut, error) {
		return activities.OpenedOut{Sent: o.row, Key: refundInOrder + ":rf1", Ordinal: 1, Channel: "sandbox", Lane: payment.Standard}, nil
	})
	step("Refund", func(context.Context, activities.OutCallInput) (activities.Answer, error) {
		return o.send(o.next("send"))
	})
	step("AskRefund", func(context.Context, activities.AskOutInput) (activities.Answer, error) { return o.ask(o.next("ask")) })
	step("BookRefund", func(_ context.Context, in activities.BookOutInput) (activities.Sent, error) {
		o.booked = append(o.booked, in.Answer.Verdict)
		switch in.Answer.Verdict {
		case payment.Succeeded:
			o.row = activities.Sent{Status: refund.Succeeded}
		case payment.Declined:
			o.row.Parked = "refund_abnormal"
		}
		now := o.row
		o.book(o.next("book"), in)
		return now, nil
	})
	step("HeedRefund", func(context.Context, activities.HeedOutInput) (activities.Heard, error) {
		return activities.Heard{Answer: o.heard, Ordinal: 1}, nil
	})
	step("ResolveRefund", func(context.Context, activities.ResolveOutInput) (activities.Sent, error) {
		o.row.Parked = ""
		return o.row, nil
	})
	step("ParkRefund", func(context.Context, activities.ParkOutInput) (activities.Sent, error) { return o.row, nil })
	return o
}

func (o *orders) next(step string) int {
	o.calls[step]++
	return o.calls[step]
}

// run carries the refund to its end.
func (o *orders) run() {
	o.Helper()
	o.env.ExecuteWorkflow("Refund", workflows.RefundInput{Book: id.Test, RefundID: refundInOrder, Pace: workflows.Drill})
	require.True(o, o.env.IsWorkflowCompleted(), "the saga waits for somebody: booked %v, called %v", o.booked, o.calls)
	require.NoError(o, o.env.GetWorkflowError())
	require.Equal(o, refund.Succeeded, o.row.Status)
}

func (o *orders) callback(what payment.Outcome) {
	o.heard = activities.Answer{Outcome: what}
	o.env.UpdateWorkflow(workflows.UpdateCallback, "", o, workflows.CallbackNote{CallbackID: "clb_1"})
}

func (o *orders) retry() {
	o.env.UpdateWorkflow(workflows.UpdateResolve, "", o, workflows.OutResolution{Decision: refund.Retry, Actor: "ada", Reason: "the card lives again"})
}

// Accept, Reject and Complete hear what becomes of an Update.
func (o *orders) Accept()          {}
func (o *orders) Reject(err error) { o.Errorf("refused: %v", err) }
func (o *orders) Complete(_ any, err error) {
	o.done <- struct{}{}
	if err != nil {
		o.Errorf("failed: %v", err)
	}
}

func TestACallbackThatComesWhileSomethingElseIsBookedCounts(t *testing.T) {
	t.Parallel()
	o := inOrder(t)
	o.send = func(int) (activities.Answer, error) {
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Pending}}, nil
	}
	o.ask = func(int) (activities.Answer, error) { // no question is ever answered
		return activities.Answer{}, temporal.NewApplicationErrorWithOptions("later", string(fault.KindUnavailable),
			temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
	}
	o.book = func(n int, _ activities.BookOutInput) {
		if n == 1 {
			o.callback(payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY"})
			<-o.done // the run has heard it before this booking is answered
		}
	}
	o.run()
	require.Equal(t, []payment.Verdict{payment.Pending, payment.Succeeded}, o.booked)
}

func TestAnOldRefusalThatIsToldAgainDoesNotUndoADecision(t *testing.T) {
	t.Parallel()
	o := inOrder(t)
	o.send = func(n int) (activities.Answer, error) {
		switch n {
		case 1:
			return refusedForNow, nil
		case 2: // the repeat isn't sent at first; meanwhile the channel says once more what it had said
			o.callback(refusedForNow.Outcome)
			<-o.done // the decision's, long since
			<-o.done // the callback's
			return activities.Answer{}, temporal.NewNonRetryableApplicationError("not sent", activities.Unsent, errors.New("connection lost"))
		}
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY"}}, nil
	}
	o.env.RegisterDelayedCallback(o.retry, time.Minute)
	o.run()
	require.Equal(t, []payment.Verdict{payment.Declined, payment.Succeeded}, o.booked)
}

// A worker dies after it has booked a refusal. Whoever reads the row decides, and is heard by the next worker before that has
// carried the run to where it was.
func TestADecisionThatIsAheadOfTheRunCounts(t *testing.T) {
	t.Parallel()
	o := inOrder(t)
	o.row.Parked = "refund_abnormal"
	o.send = func(n int) (activities.Answer, error) {
		if n == 1 {
			o.retry()
			<-o.done
			return refusedForNow, nil
		}
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY"}}, nil
	}
	o.run()
	require.Equal(t, []payment.Verdict{payment.Declined, payment.Succeeded}, o.booked)
}
