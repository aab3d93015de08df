package workflows

import (
	"strconv"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
)

// The Updates of a payment's saga. The last three are for people, and work
// from the Temporal Web UI.
const (
	UpdateAccept   = "accept"      // answers with the first stable state
	UpdateCancel   = "cancel"      // answers once the payment has ended, or can't be cancelled
	UpdateCapture  = "capture"     // a capture was received; answers once it is settled
	UpdateCallback = "callback"    // a stored callback has come
	UpdateAsk      = "ask_channel" // ask the channel now
	UpdateRetry    = "retry_now"   // don't wait for the next try
	UpdateResolve  = "resolve"     // an operator's decision
)

// State is what an Update answers.
type State struct {
	Status payment.Status `json:"status"`
	Doing  string         `json:"doing,omitempty"` // what the saga waits for
}

// CallbackNote names a stored callback: ids only.
type CallbackNote struct {
	CallbackID string `json:"callback_id"`
}

// Resolution is an operator's decision, as typed.
type Resolution struct {
	Decision payment.Decision `json:"decision"`
	Actor    string           `json:"actor"`
	Reason   string           `json:"reason"`
	Code     string           `json:"code,omitempty"` // of `paysaga operator sign`; needed in the live book
}

// setup registers the handlers, before anything can block.
func (p *paymentSaga) setup(ctx workflow.Context) error {
	for _, u := range []struct {
		name, what string
		handler    any
		validator  any
	}{
		{UpdateAccept, "answers with the first stable state", p.onAccept, nil},
		{UpdateCancel, "cancels the payment if it still can be", p.onCancel, nil},
		{UpdateCapture, "a capture was received: carry it out", p.onCapture, isCapture},
		{UpdateCallback, "a stored callback has come", p.onCallback, isCallback},
		{UpdateAsk, "ask the channel now what became of the payment", p.onNudge, p.canNudge},
		{UpdateRetry, "don't wait for the next try of what is being retried or parked", p.onNudge, p.canNudge},
		{UpdateResolve, "decide: {decision: accept | reject | mark_succeeded | mark_failed, actor, reason, code}", p.onResolve, p.canResolve},
		{UpdateReview, "judge a payment that risk holds: {decision: approve | refuse, actor, reason, code}", p.onReview, p.canReview},
	} {
		options := workflow.UpdateHandlerOptions{Description: u.what, Validator: u.validator}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler, options); err != nil {
			return err
		}
	}
	return nil
}

func (p *paymentSaga) state() State { return State{Status: p.booked.Status, Doing: p.doing} }

// onAccept never fails for a passing reason: its answer is kept for whoever
// asks again.
func (p *paymentSaga) onAccept(ctx workflow.Context) (State, error) {
	err := workflow.Await(ctx, func() bool { return p.stable() || p.held() })
	return p.state(), err
}

func (p *paymentSaga) onCancel(ctx workflow.Context) (State, error) {
	p.asked = true
	err := workflow.Await(ctx, p.terminal)
	return p.state(), err
}

func isCallback(_ workflow.Context, n CallbackNote) error {
	if n.CallbackID == "" {
		return invalid("callback_id is missing")
	}
	return nil
}

// onCallback reads the stored callback and lets the run hear it. What isn't
// certain is left to the poll; what is about another attempt, comes after the
// end, or tells another certain thing than is known already (a second charge,
// for one), is settled at once, and opens a case where it contradicts.
func (p *paymentSaga) onCallback(ctx workflow.Context, n CallbackNote) (State, error) {
	var h activities.Heard
	if err := p.read(ctx, "read callback "+n.CallbackID, steps.Heed, activities.HeedInput{Ref: p.ref, CallbackID: n.CallbackID}, &h); err != nil {
		return p.state(), err
	}
	p.reach(ctx, h.Ordinal)
	switch {
	case h.Approved && h.Ordinal == p.ordinal:
		p.nudges++ // the question that is due finds it approved, and the run goes on
	case !h.Verdict.Known():
	case h.Ordinal != p.ordinal, p.terminal(), p.contradicts(h.Answer):
		var after activities.Booked
		in := activities.BookInput{Ref: p.ref, Ordinal: h.Ordinal, Answer: h.Answer} // the run alone knows whether a channel is left to try
		if err := p.read(ctx, "settle callback "+n.CallbackID, steps.Book, in, &after); err != nil {
			return p.state(), err
		}
		if h.Ordinal == p.ordinal && after.Status.Terminal() {
			p.booked = after
		}
	case p.asksAbout(ctx, h.Answer):
		p.nudges++
	case p.heard == nil || p.heard.Verdict == payment.Authorized:
		p.heard = &h.Answer
	}
	return p.state(), nil
}

// asksAbout: a callback that says no is never taken at its word. It may be an
// older reading than one that is still on its way, so the channel is asked what
// holds now: whatever order callbacks come in, they end the same (I-21).
func (p *paymentSaga) asksAbout(ctx workflow.Context, a activities.Answer) bool {
	no := a.Verdict == payment.Closed || a.Verdict == payment.Declined
	return no && workflow.GetVersion(ctx, "a no is asked about", workflow.DefaultVersion, 1) != workflow.DefaultVersion
}

// contradicts: a is certain, and so is something else that is known already.
func (p *paymentSaga) contradicts(a activities.Answer) bool {
	known := p.taken
	if known == nil {
		known = p.heard
	}
	return known != nil && known.Verdict != payment.Authorized && (a.Verdict != known.Verdict ||
		a.AmountMinor != known.AmountMinor || a.Currency != known.Currency || a.ChannelID != known.ChannelID)
}

// reach waits until the run has come to an attempt. The world may be ahead of
// it: of a worker that died with its task everything committed is seen, and a
// handler runs before the run has begun again.
func (p *paymentSaga) reach(ctx workflow.Context, ordinal int) {
	_ = workflow.Await(ctx, func() bool { return p.ordinal >= ordinal || p.terminal() })
}

func (p *paymentSaga) canNudge(workflow.Context) error {
	if p.terminal() {
		return invalid("the payment has ended: " + string(p.booked.Status))
	}
	return nil
}

func (p *paymentSaga) onNudge(workflow.Context) (State, error) {
	p.nudges++
	return p.state(), nil
}

func (p *paymentSaga) canResolve(_ workflow.Context, r Resolution) error {
	switch {
	case p.terminal():
		return invalid("the payment has ended: " + string(p.booked.Status))
	case !r.Decision.Valid():
		return invalid("decision must be accept, reject, mark_succeeded or mark_failed")
	case r.Actor == "" || r.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// onResolve records and carries out an operator's decision. A refusal is an
// answer to the operator and changes nothing.
func (p *paymentSaga) onResolve(ctx workflow.Context, r Resolution) (State, error) {
	p.reach(ctx, 1)
	p.acts++
	in := activities.ResolveInput{Ref: p.ref, Ordinal: p.ordinal, Act: p.acts, Decision: r.Decision, Actor: r.Actor, Reason: r.Reason, Code: r.Code}
	var after activities.Booked
	what := "resolve " + strconv.Itoa(p.acts) + ": " + string(r.Decision)
	if err := workflow.ExecuteActivity(book(ctx, what), steps.Resolve, in).Get(ctx, &after); err != nil {
		return p.state(), refusal(err)
	}
	p.booked = after
	p.show(ctx)
	return p.state(), nil
}

func invalid(message string) error {
	return temporal.NewNonRetryableApplicationError(message, "invalid", nil)
}
