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
	last   func(ordinal int) bool // whether an attempt is the last of its plan
	books  []activities.BookInput
	charge func(n int) (activities.Answer, error)
	local  []bool // of each charge: whether it was made inside a workflow task
	closed int    // how often the channel was asked to close the charge
	end    activities.BookInput
	looks  int               // how often it was read where the payment stands
	held   activities.Booked // what a success comes to; zero: the payment is paid
}

func newCharging(t *testing.T) *charging {
	var suite testsuite.WorkflowTestSuite
	c := &charging{T: t, env: suite.NewTestWorkflowEnvironment(), open: func(bool) error { return nil }, last: func(int) bool { return true }}
	c.env.SetTestTimeout(30 * time.Second)
	c.env.SetCurrentHistoryLength(3)
	c.env.RegisterWorkflowWithOptions(workflows.Payment, workflow.RegisterOptions{Name: "Payment"})
	step := func(name string, f any) { c.env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	step("Open", func(ctx context.Context, in activities.OpenInput) (activities.Opened, error) {
		if err := c.open(activity.GetInfo(ctx).IsLocalActivity); err != nil {
			return activities.Opened{}, err
		}
		return activities.Opened{Status: payment.Processing, Key: id.Key(in.PaymentID, id.Step{Code: id.Charge, Ordinal: in.Ordinal}), Channel: "sandbox", Lane: payment.Express, Last: c.last(in.Ordinal),
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
		c.end, c.books = in, append(c.books, in)
		switch {
		case in.Answer.Verdict == payment.Succeeded && c.held.Status != "":
			return c.held, nil
		case in.Answer.Verdict == payment.Succeeded:
			return activities.Booked{Status: payment.Paid}, nil
		case !in.Last && in.Answer.Verdict == payment.Declined:
			return activities.Booked{Status: payment.Processing}, nil
		}
		return activities.Booked{Status: payment.Failed}, nil
	})
	step("Look", func(context.Context, activities.Ref) (activities.Booked, error) {
		c.looks++
		return activities.Booked{Status: payment.Paid}, nil
	})
	step("Heed", func(context.Context, activities.HeedInput) (activities.Heard, error) {
		return activities.Heard{Answer: refusedDead, Ordinal: 1}, nil
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
	paidNow     = activities.Answer{Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "CNY", ChannelID: "sbx_1"}}
	notNow      = temporal.NewApplicationError("the database can't be reached", string(fault.KindUnavailable))
	refusedDead = activities.Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "do_not_honor"}}}
	noSuch      = temporal.NewNonRetryableApplicationError("refused as such", string(fault.KindInvalid), nil)
	notThere    = temporal.NewNonRetryableApplicationError("the channel can't be reached", string(fault.KindUnavailable), nil)
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

// A channel may say its no a second time, by callback, while the saga is on its way to the next channel. Whether one is left is for the run
// to know: the repeat ends nothing.
func TestANoToldAgainEndsNoPaymentThatGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	c := newCharging(t)
	c.last = func(ordinal int) bool { return ordinal > 1 }
	heard := &told{T: t, done: make(chan struct{})}
	c.charge = func(n int) (activities.Answer, error) {
		if n == 1 {
			return refusedDead, nil
		}
		return paidNow, nil
	}
	opens := 0
	c.open = func(local bool) error {
		switch opens++; {
		case opens > 1 && local:
			return notNow
		case opens > 1: // the intent of the second attempt is on its way
			c.env.UpdateWorkflow(workflows.UpdateCallback, "", heard, workflows.CallbackNote{CallbackID: "clb_1"})
			<-heard.done
		}
		return nil
	}
	c.run()
	require.Len(t, c.books, 3)
	assert.False(t, c.books[1].Last)
	assert.Equal(t, payment.Succeeded, c.end.Answer.Verdict)
}

// told hears what becomes of one Update.
type told struct {
	*testing.T
	done chan struct{}
}

// Accept, Reject and Complete hear what becomes of it.
func (o *told) Accept()          {}
func (o *told) Reject(err error) { o.Errorf("refused: %v", err) }
func (o *told) Complete(_ any, err error) {
	close(o.done)
	if err != nil {
		o.Error(err)
	}
}

// Whoever says "try again" to a payment that waits for its case makes it read what was decided, whether the case's word came or not.
func TestANudgeReadsWhatWasDecided(t *testing.T) {
	t.Parallel()
	c := newCharging(t)
	c.charge = func(int) (activities.Answer, error) { return paidNow, nil }
	c.held = activities.Booked{Status: payment.RequiresAction, Parked: "amount_mismatch"}
	c.env.RegisterDelayedCallback(func() {
		require.Zero(t, c.looks)
		c.env.UpdateWorkflow(workflows.UpdateRetry, "", &told{T: t, done: make(chan struct{})})
	}, time.Hour)
	c.run()
	assert.Equal(t, 1, c.looks)
}
