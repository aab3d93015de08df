package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// OutState is what an Update of a refund or a payout answers.
type OutState struct {
	Status remit.Status `json:"status"`
	Doing  string       `json:"doing,omitempty"`
}

// OutResolution is an operator's decision, as typed.
type OutResolution struct {
	Decision remit.Decision `json:"decision"`
	Actor    string         `json:"actor"`
	Reason   string         `json:"reason"`
	Code     string         `json:"code,omitempty"` // of `paysaga operator sign`; needed in the live book
}

// setup registers the handlers, before anything can block.
func (r *outSaga) setup(ctx workflow.Context) error {
	for _, u := range []struct {
		name, what         string
		handler, validator any
	}{
		{UpdateAccept, "answers once the " + r.kind.name + " has ended, or waits for somebody", r.onAccept, nil},
		{UpdateCallback, "a stored callback has come", r.onCallback, isCallback},
		{UpdateAsk, "ask the channel now what became of the " + r.kind.name, r.onNudge, r.canNudge},
		{UpdateRetry, "don't wait for the next try of what is being retried or parked", r.onNudge, r.canNudge},
		{UpdateResolve, "decide: {decision: " + r.kind.choice() + "; actor, reason, code}", r.onResolve, r.canResolve},
	} {
		options := workflow.UpdateHandlerOptions{Description: u.what, Validator: u.validator}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler, options); err != nil {
			return err
		}
	}
	return nil
}

// choice are the decisions, for people.
func (o outgoing) choice() string {
	names := make([]string, len(o.decisions))
	for i, d := range o.decisions {
		names[i] = string(d)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func (r *outSaga) state() OutState { return OutState{Status: r.booked.Status, Doing: r.doing} }

func (r *outSaga) onAccept(ctx workflow.Context) (OutState, error) {
	err := workflow.Await(ctx, r.terminal)
	return r.state(), err
}

// onCallback reads the stored callback and lets the run hear it. What isn't
// certain is left to the poll; what is about another try, or comes after the
// end, is settled at once, and opens a case where it contradicts.
func (r *outSaga) onCallback(ctx workflow.Context, n CallbackNote) (OutState, error) {
	var h activities.Heard
	in := activities.HeedOutInput{Out: r.ref, CallbackID: n.CallbackID}
	if err := r.read(ctx, "read callback "+n.CallbackID, r.kind.heed, in, &h); err != nil {
		return r.state(), err
	}
	// The run may be behind what was sent: see paymentSaga.reach.
	_ = workflow.Await(ctx, func() bool { return r.ordinal >= h.Ordinal || r.terminal() })
	switch {
	case !h.Verdict.Known():
	case r.knows(h) && since(ctx, "known_refusal"):
	case h.Ordinal != r.ordinal, r.terminal(), r.booked.Parked != "", r.heard != nil:
		var after activities.Sent
		in := activities.BookOutInput{Out: r.ref, Ordinal: h.Ordinal, Answer: h.Answer}
		if err := r.read(ctx, "settle callback "+n.CallbackID, r.kind.book, in, &after); err != nil {
			return r.state(), err
		}
		r.booked = after
		r.show(ctx)
	default:
		r.heard = &h.Answer
	}
	return r.state(), nil
}

// knows: the channel refuses, though not for good, what it is known to have
// refused before. Whoever decided to try again has decided about that; should it
// refuse once more, the answer or the poll says so.
func (r *outSaga) knows(h activities.Heard) bool {
	return r.refusal && h.Ordinal == r.ordinal && h.Verdict == payment.Declined && !h.Dead
}

func (r *outSaga) canNudge(workflow.Context) error {
	if r.terminal() {
		return invalid("the " + r.kind.name + " has ended: " + string(r.booked.Status))
	}
	return nil
}

func (r *outSaga) onNudge(workflow.Context) (OutState, error) {
	r.nudges++
	return r.state(), nil
}

func (r *outSaga) canResolve(_ workflow.Context, d OutResolution) error {
	switch {
	case r.terminal():
		return invalid("the " + r.kind.name + " has ended: " + string(r.booked.Status))
	case !slices.Contains(r.kind.decisions, d.Decision):
		return invalid("decision must be " + r.kind.choice())
	case d.Actor == "" || d.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// onResolve records and carries out an operator's decision. A refusal is an
// answer to the operator and changes nothing.
func (r *outSaga) onResolve(ctx workflow.Context, d OutResolution) (OutState, error) {
	in := activities.ResolveOutInput{Out: r.ref, Decision: d.Decision, Actor: d.Actor, Reason: d.Reason, Code: d.Code}
	var after activities.Sent
	if err := workflow.ExecuteActivity(book(ctx, "resolve: "+string(d.Decision)), r.kind.resolve, in).Get(ctx, &after); err != nil {
		return r.state(), refusal(err)
	}
	if d.Decision == remit.Retry {
		r.again, r.early = true, !r.showed
		r.nudges++
	}
	r.booked = after
	r.show(ctx)
	return r.state(), nil
}
