package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// RefundInput starts a refund's saga: ids only.
type RefundInput struct {
	Book     id.Book `json:"book"`
	RefundID string  `json:"refund_id"`
	Pace     Pace    `json:"pace,omitempty"`
}

// RefundResult is how a refund ended.
type RefundResult struct {
	Status refund.Status `json:"status"`
}

// Refund is the saga of one refund, whose money was set aside when it was
// received: intent, channel, known outcome, final posting or exact reversal.
func Refund(ctx workflow.Context, in RefundInput) (RefundResult, error) {
	r := &refundSaga{ref: activities.RefundRef{Book: in.Book, RefundID: in.RefundID}, pace: paces[in.Pace], ordinal: 1}
	r.booked.Status = refund.Processing
	r.look = r.sight
	if err := r.setup(ctx); err != nil {
		return RefundResult{}, err
	}
	// Nothing cancels a refund: its money is on its way, or a person decides.
	work, _ := workflow.NewDisconnectedContext(ctx)
	for !r.terminal() {
		r.try(work)
	}
	r.tell(work, "ended", "")
	if err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) }); err != nil {
		return RefundResult{}, err
	}
	return RefundResult{Status: r.booked.Status}, nil
}

// refundSaga is the state of one run. Everything in it is rebuilt by replay.
type refundSaga struct {
	steady
	ref  activities.RefundRef
	pace pace

	ordinal int                     // the try in hand
	opened  activities.OpenedRefund // its intent
	booked  activities.BookedRefund // where the refund stands, as last committed
	heard   *activities.Answer      // what a callback said of the try in hand, if that is certain
	called  bool                    // the express lane had its one call
	again   bool                    // an operator wants it tried again
	repeat  bool                    // the channel is to try again what it has refused
}

func (r *refundSaga) sight() sight {
	return sight{status: string(r.booked.Status), inDoubt: r.booked.InDoubt, parked: r.booked.Parked, terminal: r.terminal(), channel: r.opened.Channel}
}

func (r *refundSaga) terminal() bool { return r.booked.Status.Terminal() }

// try carries one try to its end: the refund has ended, or the next one is to
// be made.
func (r *refundSaga) try(ctx workflow.Context) {
	if r.open(ctx); r.terminal() || r.opened.Key == "" {
		return
	}
	answer := r.send(ctx)
	for !r.terminal() {
		switch answer.Verdict {
		case payment.Unknown:
			if !r.booked.InDoubt {
				r.book(ctx, answer)
			}
			answer = r.askUntilCertain(ctx)
		case payment.Absent: // never arrived, or still on its way: the same key (I-14)
			r.rest(ctx, r.pace.absence, "then it is sent again under its key", r.told)
			answer = r.send(ctx)
		case payment.Declined, payment.Closed:
			if answer = r.refused(ctx, answer); answer.Verdict == "" {
				return
			}
		case payment.Succeeded:
			r.book(ctx, answer)
			if answer = r.awaitDecision(ctx); answer.Verdict == "" {
				return
			}
		default: // pending
			r.book(ctx, answer)
			answer = r.askToTheEnd(ctx)
		}
	}
}

// told: there is nothing more to ask.
func (r *refundSaga) told() bool { return r.heard != nil || r.terminal() }

// open commits the intent of the try: nothing is sent before (I-13). A channel
// that wants refunds of a charge apart is waited for, durably.
func (r *refundSaga) open(ctx workflow.Context) {
	in := activities.OpenRefundInput{RefundRef: r.ref, Ordinal: r.ordinal}
	for {
		r.tell(ctx, "committing the intent of try "+ordinal(r.ordinal), "the channel is called")
		r.opened, r.heard = activities.OpenedRefund{}, nil
		r.commit(ctx, "open try "+ordinal(r.ordinal), steps.OpenRefund, in, &r.opened)
		r.booked = r.opened.BookedRefund
		switch {
		case r.opened.Key != "", r.terminal():
			r.ordinal = max(r.ordinal, r.opened.Ordinal)
			r.show(ctx)
			return
		case r.booked.Parked != "": // by a run before this one
			r.show(ctx)
			r.awaitDecision(ctx)
		case r.opened.Limit != "":
			r.flag(ctx, r.opened.Limit)
			r.awaitDecision(ctx)
		case !r.opened.NotBefore.IsZero():
			r.tell(ctx, r.opened.Channel+" wants refunds of one charge apart", "sent at "+r.opened.NotBefore.UTC().Format("2006-01-02 15:04:05 UTC"))
			r.rest(ctx, r.opened.NotBefore.Sub(workflow.Now(ctx)), "the next refund of this charge may leave", r.terminal)
		}
		if r.terminal() {
			return
		}
	}
}

// send gives the money back under the try's key: on the express lane inside
// this workflow task if the charge went over it, else on the channel's queue.
func (r *refundSaga) send(ctx workflow.Context) activities.Answer {
	r.tell(ctx, "refunding at "+r.opened.Channel+" under "+r.opened.Key, "its outcome is booked, or asked for while it is unknown")
	if r.opened.Lane == payment.Express && !r.called {
		r.called = true
		var a activities.Answer
		local := callLocally(ctx, "refund "+r.opened.Key+" at "+r.opened.Channel)
		err := workflow.ExecuteLocalActivity(local, steps.Refund, r.callInput()).Get(ctx, &a)
		if err == nil {
			return r.best(a)
		}
		if timedOut(err) { // it may have got through: ask, never assume (I-14)
			return r.best(unknown("the call wasn't answered in time"))
		}
	}
	return r.sendRegularly(ctx)
}

// sendRegularly calls on the channel's queue, under the same key, until the
// channel has it. Nobody else can give the money back, so it isn't given up;
// after a while a person is shown it.
func (r *refundSaga) sendRegularly(ctx workflow.Context) activities.Answer {
	pause, since := r.pace.callFirst, workflow.Now(ctx)
	for {
		var a activities.Answer
		regular := call(ctx, ChannelQueue(r.opened.Channel), "refund "+r.opened.Key+" at "+r.opened.Channel)
		err := workflow.ExecuteActivity(regular, steps.Refund, r.callInput()).Get(ctx, &a)
		kind := kindOf(err)
		switch {
		case err == nil:
			return r.best(a)
		case timedOut(err):
			return r.best(unknown("the call wasn't answered in time"))
		case kind == fault.KindInvalid:
			return r.refusedAsSuch(ctx)
		case kind == activities.Unsent, kind == fault.KindUnavailable:
			if workflow.Now(ctx).Sub(since) > r.pace.parkAfter && r.booked.Parked == "" {
				r.flag(ctx, r.opened.Channel+" can't be reached: "+message(err))
			}
			r.rest(ctx, max(pause, wishOf(err)), "then "+r.opened.Channel+" is tried again", r.told)
			pause = min(2*pause, r.pace.askCap)
			if r.told() {
				return r.best(unknown("the channel wasn't reached"))
			}
		default:
			r.park(ctx, "refunding at "+r.opened.Channel+": "+message(err))
		}
	}
}

// refusedAsSuch settles a request that the channel can't do. Another call under
// the key may have got through, by a run before a reset for one, so it is asked
// first; only of what it has never seen the "no" is final (I-11).
func (r *refundSaga) refusedAsSuch(ctx workflow.Context) activities.Answer {
	a, ok := r.patiently(ctx, r.ask(false), r.told)
	if ok && a.Verdict == payment.Absent {
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true,
			Decline: &payment.Decline{Code: "refused_by_channel"}}}
	}
	if !ok {
		a = unknown("the channel hasn't said")
	}
	return r.best(a)
}

func (r *refundSaga) callInput() activities.RefundCallInput {
	return activities.RefundCallInput{RefundRef: r.ref, Key: r.opened.Key, Again: r.repeat}
}

// best is the better known of an answer and what a callback said meanwhile.
func (r *refundSaga) best(a activities.Answer) activities.Answer {
	if !a.Verdict.Known() && r.heard != nil {
		return *r.heard
	}
	return a
}

// ask makes a question of the try in hand, for patiently.
func (r *refundSaga) ask(final bool) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(r.pace.ask(ctx, ChannelQueue(r.opened.Channel), "ask "+r.opened.Channel+" about "+r.opened.Key),
			steps.AskRefund, activities.AskRefundInput{RefundCallInput: r.callInput(), Final: final})
	}
}

// askUntilCertain asks what became of an unknown outcome until the channel
// knows, for as long as it takes. After a day a person is shown it too.
func (r *refundSaga) askUntilCertain(ctx workflow.Context) activities.Answer {
	r.tell(ctx, "the outcome at "+r.opened.Channel+" is unknown: asking", "it is booked as the channel says; nothing is assumed")
	return r.askFor(ctx, false, "the outcome at "+r.opened.Channel+" is unknown")
}

// askToTheEnd waits for the end of what the channel is working on.
func (r *refundSaga) askToTheEnd(ctx workflow.Context) activities.Answer {
	r.tell(ctx, r.opened.Channel+" is working on it", "a callback or the poll books it")
	return r.askFor(ctx, true, r.opened.Channel+" is still working on it")
}

func (r *refundSaga) askFor(ctx workflow.Context, final bool, late string) activities.Answer {
	timers, stop := workflow.WithCancel(ctx)
	defer stop()
	waited := workflow.NewTimerWithOptions(timers, r.pace.parkAfter, workflow.TimerOptions{Summary: "then a person is shown it too"})
	a, ok := r.patiently(ctx, r.ask(final), func() bool { return r.told() || waited.IsReady() })
	if !ok && !r.told() {
		r.flag(ctx, late+" for "+r.pace.parkAfter.String())
		a, ok = r.patiently(ctx, r.ask(final), r.told)
	}
	if !ok {
		return r.best(unknown("the channel hasn't said"))
	}
	return r.best(a)
}

// refused settles a "no". A dead one ends the refund; of any other a person
// decides. An empty answer says that this try is over.
func (r *refundSaga) refused(ctx workflow.Context, no activities.Answer) activities.Answer {
	r.book(ctx, no)
	if r.terminal() {
		return no
	}
	if r.booked.Parked == "" { // somebody decided meanwhile
		r.again = true
	}
	return r.awaitDecision(ctx)
}

// awaitDecision waits for a person. One who wants it tried again gets the
// channel asked first. What isn't refused for good is sent again under the same
// key; only a try that is dead is followed by another one (I-11), and an empty
// answer says so.
func (r *refundSaga) awaitDecision(ctx workflow.Context) activities.Answer {
	for !r.again && !r.terminal() {
		r.tell(ctx, "parked: "+r.booked.Parked, "an operator sends the Update resolve with retry, pay_elsewhere, write_off or mark_succeeded")
		nudge := r.nudges
		_ = workflow.Await(ctx, func() bool { return r.again || r.terminal() || r.nudges != nudge })
		if !r.again && !r.terminal() { // nudged: after a reset the row may be ahead of us
			var now activities.OpenedRefund
			r.commit(ctx, "read the refund", steps.OpenRefund, activities.OpenRefundInput{RefundRef: r.ref, Ordinal: r.ordinal}, &now)
			r.booked = now.BookedRefund
			r.show(ctx)
			r.again = r.booked.Parked == ""
		}
	}
	if r.again = false; r.terminal() || r.opened.Key == "" {
		return activities.Answer{}
	}
	r.heard = nil
	r.tell(ctx, "asking "+r.opened.Channel+" what became of the try before", "what it has refused is tried again")
	a, ok := r.patiently(ctx, r.ask(false), r.told)
	switch a = r.best(a); {
	case !ok && r.heard == nil:
		return activities.Answer{}
	case (a.Verdict == payment.Declined || a.Verdict == payment.Closed) && a.Dead && r.booked.Suspense:
		r.ordinal++
		return activities.Answer{}
	case a.Verdict == payment.Declined && !a.Dead:
		r.repeat = true
		return r.sendRegularly(ctx)
	}
	return a
}

// book commits what the try in hand came to.
func (r *refundSaga) book(ctx workflow.Context, a activities.Answer) {
	r.tell(ctx, "booking "+string(a.Verdict), "")
	r.again = false
	in := activities.BookRefundInput{RefundRef: r.ref, Ordinal: r.ordinal, Answer: a}
	r.commit(ctx, "book "+string(a.Verdict), steps.BookRefund, in, &r.booked)
	r.heard = nil
	r.show(ctx)
}

// flag shows the refund to a person; whatever goes on goes on.
func (r *refundSaga) flag(ctx workflow.Context, why string) {
	r.commit(ctx, "park", steps.ParkRefund, activities.ParkRefundInput{RefundRef: r.ref, Reason: why}, &r.booked)
	r.show(ctx)
}
