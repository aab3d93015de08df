package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/workflows"
)

// charging runs the payment's saga over scripted steps, where it matters in which workflow task each of them runs.
type charging struct {
	*testing.T
	env    *testsuite.TestWorkflowEnvironment
	open   func(local bool) error
	charge func(n int) (activities.Answer, error)
	local  []bool // of each charge: whether it was made inside a workflow task
	closed int    // how often the channel was asked to close the charge
	end    activities.BookInput
}

func newCharging(t *testing.T) *charging {
	var suite testsuite.WorkflowTestSuite
	c := &charging{T: t, env: suite.NewTestWorkflowEnvironment(), open: func(bool) error { return nil }}
	c.env.SetTestTimeout(30 * time.Second)
	c.env.SetCurrentHistoryLength(3)
	c.env.RegisterWorkflowWithOptions(workflows.Payment, workflow.RegisterOptions{Name: "Payment"})
	step := func(name string, f any) { c.env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	step("Open", func(ctx context.Context, in activities.OpenInput) (activities.Opened, error) {
		if err := c.open(activity.GetInfo(ctx).IsLocalActivity); err != nil {
			return activities.Opened{}, err
		}
		return activities.Opened{Status: payment.Processing, Key: in.PaymentID + ":ch1", Channel: "sandbox", Lane: payment.Express, Last: true,
			ExpiresAt: c.env.Now().Add(time.Hour), Run: activity.GetInfo(ctx).WorkflowExecution.RunID}, nil
	})
	step("Charge", func(ctx context.Context, _ activities.CallInput) (activities.Answer, error) {
		c.local = append(c.local, activity.GetInfo(ctx).IsLocalActivity)
		return c.charge(len(c.local))
	})
	step("Close", func(context.Context, activities.CallInput) (activities.Answer, error) {
		c.closed++
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}}, nil
	})
	step("Ask", func(context.Context, activities.AskInput) (activities.Answer, error) {
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}}, nil
	})
	step("SentBefore", func(context.Context, activities.SentBeforeInput) (bool, error) { return false, nil })
	step("Book", func(_ context.Context, in activities.BookInput) (activities.Booked, error) {
		c.end = in
		status := payment.Failed
		if in.Answer.Verdict == payment.Succeeded {
			status = payment.Paid
		}
		return activities.Booked{Status: status}, nil
	})
	return c
}

func (c *charging) run() {
	c.Helper()
	c.env.ExecuteWorkflow("Payment", workflows.PaymentInput{Book: id.Test, PaymentID: "pay_01m7zym9jb1waa1twbh14agxby", Pace: workflows.Drill})
	require.True(c, c.env.IsWorkflowCompleted())
	require.NoError(c, c.env.GetWorkflowError())
}

var (
	paidNow  = activities.Answer{Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "CNY", ChannelID: "sbx_1"}}
	notNow   = temporal.NewApplicationError("the database can't be reached", string(fault.KindUnavailable))
	noSuch   = temporal.NewNonRetryableApplicationError("refused as such", string(fault.KindInvalid), nil)
	notThere = temporal.NewNonRetryableApplicationError("the channel can't be reached", string(fault.KindUnavailable), nil)
)

func TestAnExpressCallIsMadeInTheTaskOfItsIntent(t *testing.T) {
	t.Parallel()
	c := newCharging(t)
	c.charge = func(int) (activities.Answer, error) { return paidNow, nil }
	c.run()
	assert.Equal(t, []bool{true}, c.local)
}

// A task that is lost after its express call leaves no trace but an intent that stands already, and that only if the task had
// committed it. So no other task makes such a call.
func TestNoExpressCallInALaterTaskThanItsIntent(t *testing.T) {
	t.Parallel()
	c := newCharging(t)
	c.open = func(local bool) error {
		if local {
			return notNow
		}
		c.env.SetCurrentHistoryLength(11) // what a regular activity answers is read in another task
		return nil
	}
	c.charge = func(int) (activities.Answer, error) { return paidNow, nil }
	c.run()
	assert.Equal(t, []bool{false}, c.local)
}

// An express call that takes longer than its task is repeated by whoever takes the run over; that the repeat wasn't sent proves
// nothing about the first.
func TestAnExpressCallThatOutlivedItsTaskMayHaveGotThrough(t *testing.T) {
	t.Parallel()
	for outlived, closed := range map[bool]int{true: 1, false: 0} {
		c := newCharging(t)
		c.charge = func(n int) (activities.Answer, error) {
			if n > 1 {
				return activities.Answer{}, noSuch
			}
			if outlived {
				c.env.SetCurrentHistoryLength(7)
			}
			return activities.Answer{}, notThere
		}
		c.run()
		assert.Equal(t, closed, c.closed, "outlived: %v", outlived)
		assert.True(t, c.end.Answer.Dead)
	}
}
