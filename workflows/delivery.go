package workflows

import (
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/delivery"
)

// DeliveryInput starts the saga that tells one event to one endpoint until it was heard: ids, and the schedule that stands from
// here on. No URL, no secret and no body is in its history (I-26).
type DeliveryInput struct {
	delivery.Ref
	Schedule delivery.Schedule `json:"schedule"`
	// NextAt is when its first try is due: the relay's has failed before, or none was made.
	NextAt time.Time `json:"next_at"`
}

// DeliveryResult is how a delivery ended, for this time: a held or failed one can be told again.
type DeliveryResult struct {
	State delivery.State `json:"state"`
	Tries int            `json:"tries"`
}

// Delivery tries until the endpoint has heard the event, wants nothing more, is paused, or the schedule ends. It holds
// nothing else back: later events have sagas of their own, if they need any.
func Delivery(ctx workflow.Context, in DeliveryInput) (DeliveryResult, error) {
	d := &deliverySaga{in: in, last: activities.DeliverAnswer{State: delivery.StatePending, NextAt: in.NextAt}}
	if err := d.setup(ctx); err != nil {
		return DeliveryResult{}, err
	}
	for d.last.State.Open() || d.nudges > 0 {
		d.wait(ctx)
		d.try(ctx)
	}
	d.show(ctx, string(d.last.State), false)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		return DeliveryResult{}, err
	}
	return DeliveryResult{State: d.last.State, Tries: d.last.Tries}, nil
}

// deliverySaga is the state of one run. Everything in it is rebuilt by replay.
type deliverySaga struct {
	in     DeliveryInput
	last   activities.DeliverAnswer
	nudges int
	shown  string
}

// DeliveryState is what an Update of a delivery answers.
type DeliveryState struct {
	State delivery.State `json:"state"`
	Tries int            `json:"tries"`
}

func (d *deliverySaga) setup(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateRetry, d.onNudge,
		workflow.UpdateHandlerOptions{Description: "don't wait for the next try", Validator: d.canNudge})
}

// canNudge refuses a run that is about to end: whoever asks comes again, and starts a new one.
func (d *deliverySaga) canNudge(workflow.Context) error {
	if !d.last.State.Open() {
		return invalid("the delivery has ended: " + string(d.last.State))
	}
	return nil
}

func (d *deliverySaga) onNudge(workflow.Context) (DeliveryState, error) {
	d.nudges++
	return DeliveryState{State: d.last.State, Tries: d.last.Tries}, nil
}

// wait waits until the next try is due, or somebody wants it now.
func (d *deliverySaga) wait(ctx workflow.Context) {
	rest := d.last.NextAt.Sub(workflow.Now(ctx))
	if rest <= 0 || d.nudges > 0 {
		d.nudges = 0
		return
	}
	text := "waiting until " + d.last.NextAt.UTC().Format("2006-01-02 15:04:05 UTC")
	if d.last.Reason != "" {
		text += ": the last try came to " + d.last.Reason
	}
	d.tell(ctx, text, "it is told again; the Update retry_now doesn't wait")
	timers, stop := workflow.WithCancel(ctx)
	over := workflow.NewTimerWithOptions(timers, rest, workflow.TimerOptions{Summary: "then it is told again"})
	_ = workflow.Await(ctx, func() bool { return over.IsReady() || d.nudges > 0 })
	stop()
	d.nudges = 0
}

// try makes one. What keeps us from making it is our own trouble, and is tried on without limit; a bug of ours parks the run.
func (d *deliverySaga) try(ctx workflow.Context) {
	d.tell(ctx, "telling the endpoint", "")
	in := activities.DeliverInput{Ref: d.in.Ref, Schedule: d.in.Schedule}
	for {
		var a activities.DeliverAnswer
		err := workflow.ExecuteActivity(deliver(ctx, "try "+strconv.Itoa(d.last.Tries+1)), steps.Deliver, in).Get(ctx, &a)
		if err == nil {
			d.last = a
			return
		}
		if ctx.Err() != nil {
			d.last.State = delivery.StateGone // somebody cancelled the run: it can be told again over the API
			return
		}
		d.tell(ctx, "parked: "+message(err), "an operator sends the Update retry_now when the cause is gone")
		d.show(ctx, "parked", true)
		if workflow.Await(ctx, func() bool { return d.nudges > 0 }) != nil {
			d.last.State = delivery.StateGone
			return
		}
		d.nudges = 0
		d.show(ctx, string(delivery.StatePending), false)
	}
}

// show brings the search attributes up to date where an operator acts on them.
func (d *deliverySaga) show(ctx workflow.Context, state string, needs bool) {
	if state == d.shown || ctx.Err() != nil {
		return
	}
	_ = workflow.UpsertTypedSearchAttributes(ctx, attrState.ValueSet(state), attrNeedsOperator.ValueSet(needs)) // fails only for an empty list
	d.shown = state
}

// tell says in the Web UI what goes on and what comes next. It isn't history.
func (d *deliverySaga) tell(ctx workflow.Context, doing, next string) {
	text := "**" + string(d.last.State) + "**, " + strconv.Itoa(d.last.Tries) + " tries: " + doing
	if next != "" {
		text += "\n\nNext: " + next
	}
	workflow.SetCurrentDetails(ctx, text)
}

// deliveryAttributes are the search attributes that a delivery starts with: it is found by the payment it is about.
func deliveryAttributes(s delivery.Start) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(attrBook.ValueSet(string(s.Book)), attrBusinessID.ValueSet(s.ObjectID),
		attrMerchantID.ValueSet(s.MerchantID), attrState.ValueSet(string(delivery.StatePending)), attrNeedsOperator.ValueSet(false))
}
