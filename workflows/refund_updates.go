package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/refund"
)

// RefundState is what an Update of a refund answers.
type RefundState struct {
	Status refund.Status `json:"status"`
	Doing  string        `json:"doing,omitempty"`
}

// RefundResolution is an operator's decision, as typed.
type RefundResolution struct {
	Decision refund.Decision `json:"decision"`
	Actor    string          `json:"actor"`
	Reason   string          `json:"reason"`
	Code     string          `json:"code,omitempty"` // of `paysaga operator sign`; needed in the live book
}

// setup registers the handlers, before anything can block.
func (r *refundSaga) setup(ctx workflow.Context) error {
	for _, u := range []struct {
		name, what         string
		handler, validator any
	}{
		{UpdateAccept, "answers once the refund has ended, or waits for somebody", r.onAccept, nil},
		{UpdateCallback, "a stored callback has come", r.onCallback, isCallback},
		{UpdateAsk, "ask the channel now what became of the refund", r.onNudge, r.canNudge},
		{UpdateRetry, "don't wait for the next try of what is being retried or parked", r.onNudge, r.canNudge},
		{UpdateResolve, "decide: {decision: retry | pay_elsewhere | write_off | mark_succeeded, actor, reason, code}", r.onResolve, r.canResolve},
	} {
		options := workflow.UpdateHandlerOptions{Description: u.what, Validator: u.validator}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler, options); err != nil {
			return err
		}
	}
	return nil
}

func (r *refundSaga) state() RefundState { return RefundState{Status: r.booked.Status, Doing: r.doing} }

func (r *refundSaga) onAccept(ctx workflow.Context) (RefundState, error) {
	err := workflow.Await(ctx, r.terminal)
	return r.state(), err
}

// onCallback reads the stored callback and lets the run hear it. What isn't
// certain is left to the poll; what is about another try, or comes after the
// end, is settled at once, and opens a case where it contradicts.
func (r *refundSaga) onCallback(ctx workflow.Context, n CallbackNote) (RefundState, error) {
	var h activities.Heard
	in := activities.HeedRefundInput{RefundRef: r.ref, CallbackID: n.CallbackID}
	if err := r.read(ctx, "read callback "+n.CallbackID, steps.HeedRefund, in, &h); err != nil {
		return r.state(), err
	}
	// The run may be behind what was sent: see paymentSaga.reach.
	_ = workflow.Await(ctx, func() bool { return r.ordinal >= h.Ordinal || r.terminal() })
	switch {
	case !h.Verdict.Known():
	case h.Ordinal != r.ordinal, r.terminal(), r.booked.Parked != "", r.heard != nil:
		var after activities.BookedRefund
		in := activities.BookRefundInput{RefundRef: r.ref, Ordinal: h.Ordinal, Answer: h.Answer}
		if err := r.read(ctx, "settle callback "+n.CallbackID, steps.BookRefund, in, &after); err != nil {
			return r.state(), err
		}
		r.booked = after
		r.show(ctx)
	default:
		r.heard = &h.Answer
	}
	return r.state(), nil
}

func (r *refundSaga) canNudge(workflow.Context) error {
	if r.terminal() {
		return invalid("the refund has ended: " + string(r.booked.Status))
	}
	return nil
}

func (r *refundSaga) onNudge(workflow.Context) (RefundState, error) {
	r.nudges++
	return r.state(), nil
}

func (r *refundSaga) canResolve(_ workflow.Context, d RefundResolution) error {
	switch {
	case r.terminal():
		return invalid("the refund has ended: " + string(r.booked.Status))
	case !d.Decision.Valid():
		return invalid("decision must be retry, pay_elsewhere, write_off or mark_succeeded")
	case d.Actor == "" || d.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// onResolve records and carries out an operator's decision. A refusal is an
// answer to the operator and changes nothing.
func (r *refundSaga) onResolve(ctx workflow.Context, d RefundResolution) (RefundState, error) {
	in := activities.ResolveRefundInput{RefundRef: r.ref, Decision: d.Decision, Actor: d.Actor, Reason: d.Reason, Code: d.Code}
	var after activities.BookedRefund
	if err := workflow.ExecuteActivity(book(ctx, "resolve: "+string(d.Decision)), steps.ResolveRefund, in).Get(ctx, &after); err != nil {
		return r.state(), refusal(err)
	}
	r.booked = after
	if d.Decision == refund.Retry {
		r.again = true
		r.nudges++
	}
	r.show(ctx)
	return r.state(), nil
}
