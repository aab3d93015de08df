package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// outgoing is what one kind of money that leaves over a channel calls its
// steps, and what people read of it.
type outgoing struct {
	name      string // "refund"
	doing     string // "refunding"
	apart     string // what a slot is waited for
	decisions []remit.Decision

	open, send, ask, book, park, heed, resolve any // the steps, of activities.Steps
}

// outSaga is the state of one run of a refund or a payout, whose money was set
// aside when it was received: intent, channel, known outcome, final posting or
// exact reversal. Everything in it is rebuilt by replay.
type outSaga struct {
	steady
	kind outgoing
	ref  activities.Out
	pace pace

	ordinal int                  // the try in hand
	opened  activities.OpenedOut // its intent
	booked  activities.Sent      // where it stands, as last committed
	heard   *activities.Answer   // what a callback said of the try in hand, if that is certain
	called  bool                 // the express lane had its one call
	again   bool                 // an operator wants it tried again
	early   bool                 // who wants so has seen the row ahead of this run
	showed  bool                 // this run has shown it to a person
	refusal bool                 // the channel has refused the try in hand, though not for good
	repeat  bool                 // and is to try it again
}

// runOut carries it to its end.
func runOut(ctx workflow.Context, kind outgoing, ref activities.Out, p Pace) (remit.Status, error) {
	r := &outSaga{kind: kind, ref: ref, pace: paces[p], ordinal: 1}
	r.booked.Status = remit.Processing
	r.look = r.sight
	if err := r.setup(ctx); err != nil {
		return "", err
	}
	// Nothing cancels it: its money is on its way, or a person decides.
	work, _ := workflow.NewDisconnectedContext(ctx)
	for !r.terminal() {
		r.try(work)
	}
	r.tell(work, "ended", "")
	if err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) }); err != nil {
		return "", err
	}
	return r.booked.Status, nil
}

func (r *outSaga) sight() sight {
	return sight{status: string(r.booked.Status), inDoubt: r.booked.InDoubt, parked: r.booked.Parked, terminal: r.terminal(), channel: r.opened.Channel}
}

func (r *outSaga) terminal() bool { return r.booked.Status.Terminal() }

// try carries one try to its end: it is over, or the next one is to
// be made.
func (r *outSaga) try(ctx workflow.Context) {
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
func (r *outSaga) told() bool { return r.heard != nil || r.terminal() }

// open commits the intent of the try: nothing is sent before (I-13). A channel
// that wants them apart is waited for, durably.
func (r *outSaga) open(ctx workflow.Context) {
	in := activities.OpenOutInput{Out: r.ref, Ordinal: r.ordinal}
	for {
		r.tell(ctx, "committing the intent of try "+ordinal(r.ordinal), "the channel is called")
		r.opened, r.heard, r.refusal = activities.OpenedOut{}, nil, false
		r.commit(ctx, "open try "+ordinal(r.ordinal), r.kind.open, in, &r.opened)
		r.booked = r.opened.Sent
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
			r.tell(ctx, r.opened.Channel+" "+r.kind.apart, "sent at "+r.opened.NotBefore.UTC().Format("2006-01-02 15:04:05 UTC"))
			r.rest(ctx, r.opened.NotBefore.Sub(workflow.Now(ctx)), "the next one may leave", r.terminal)
		}
		if r.terminal() {
			return
		}
	}
}

// send sends the money out under the try's key: on the express lane inside
// this workflow task if the charge went over it, else on the channel's queue.
func (r *outSaga) send(ctx workflow.Context) activities.Answer {
	r.tell(ctx, r.kind.doing+" at "+r.opened.Channel+" under "+r.opened.Key, "its outcome is booked, or asked for while it is unknown")
	if r.opened.Lane == payment.Express && !r.called {
		r.called = true
		var a activities.Answer
		local := callLocally(ctx, r.kind.name+" "+r.opened.Key+" at "+r.opened.Channel)
		err := workflow.ExecuteLocalActivity(local, r.kind.send, r.callInput()).Get(ctx, &a)
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
// channel has it. Nobody else can send the money, so it isn't given up;
// after a while a person is shown it.
func (r *outSaga) sendRegularly(ctx workflow.Context) activities.Answer {
	pause, since := r.pace.callFirst, workflow.Now(ctx)
	for {
		var a activities.Answer
		regular := call(ctx, ChannelQueue(r.opened.Channel), r.kind.name+" "+r.opened.Key+" at "+r.opened.Channel)
		err := workflow.ExecuteActivity(regular, r.kind.send, r.callInput()).Get(ctx, &a)
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
			r.park(ctx, r.kind.doing+" at "+r.opened.Channel+": "+message(err))
		}
	}
}

// refusedAsSuch settles a request that the channel can't do. Another call under
// the key may have got through, by a run before a reset for one, so it is asked
// first; only of what it has never seen the "no" is final (I-11).
func (r *outSaga) refusedAsSuch(ctx workflow.Context) activities.Answer {
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

func (r *outSaga) callInput() activities.OutCallInput {
	return activities.OutCallInput{Out: r.ref, Key: r.opened.Key, Again: r.repeat}
}

// best is the better known of an answer and what a callback said meanwhile.
func (r *outSaga) best(a activities.Answer) activities.Answer {
	if !a.Verdict.Known() && r.heard != nil {
		return *r.heard
	}
	return a
}

// ask makes a question of the try in hand, for patiently.
func (r *outSaga) ask(final bool) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(r.pace.ask(ctx, ChannelQueue(r.opened.Channel), "ask "+r.opened.Channel+" about "+r.opened.Key),
			r.kind.ask, activities.AskOutInput{OutCallInput: r.callInput(), Final: final})
	}
}

// askUntilCertain asks what became of an unknown outcome until the channel
// knows, for as long as it takes. After a day a person is shown it too.
func (r *outSaga) askUntilCertain(ctx workflow.Context) activities.Answer {
	r.tell(ctx, "the outcome at "+r.opened.Channel+" is unknown: asking", "it is booked as the channel says; nothing is assumed")
	return r.askFor(ctx, false, "the outcome at "+r.opened.Channel+" is unknown")
}

// askToTheEnd waits for the end of what the channel is working on.
func (r *outSaga) askToTheEnd(ctx workflow.Context) activities.Answer {
	r.tell(ctx, r.opened.Channel+" is working on it", "a callback or the poll books it")
	return r.askFor(ctx, true, r.opened.Channel+" is still working on it")
}

func (r *outSaga) askFor(ctx workflow.Context, final bool, late string) activities.Answer {
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

// refused settles a "no". A dead one ends it; of any other a person
// decides. An empty answer says that this try is over.
func (r *outSaga) refused(ctx workflow.Context, no activities.Answer) activities.Answer {
	r.refusal = !no.Dead
	r.book(ctx, no)
	r.showed = true
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
func (r *outSaga) awaitDecision(ctx workflow.Context) activities.Answer {
	for !r.again && !r.terminal() {
		r.tell(ctx, "parked: "+r.booked.Parked, "an operator sends the Update resolve with "+r.kind.choice())
		nudge := r.nudges
		_ = workflow.Await(ctx, func() bool { return r.again || r.terminal() || r.nudges != nudge })
		if !r.again && !r.terminal() { // nudged: after a reset the row may be ahead of us
			var now activities.OpenedOut
			r.commit(ctx, "read the "+r.kind.name, r.kind.open, activities.OpenOutInput{Out: r.ref, Ordinal: r.ordinal}, &now)
			r.booked = now.Sent
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
		if r.heard != nil && since(ctx, "retry_hears_anew") {
			r.heard = nil // that it was refused is known; only what comes of the repeat counts
		}
		return r.sendRegularly(ctx)
	}
	return a
}

// book commits what the try in hand came to. An operator's wish to try again
// has been about what was booked before, unless they saw the row ahead of this
// run: a worker that dies after it booked leaves it so.
func (r *outSaga) book(ctx workflow.Context, a activities.Answer) {
	r.tell(ctx, "booking "+string(a.Verdict), "")
	r.again = r.again && r.early && since(ctx, "early_decision")
	r.early = false
	known := r.heard
	in := activities.BookOutInput{Out: r.ref, Ordinal: r.ordinal, Answer: a}
	r.commit(ctx, "book "+string(a.Verdict), r.kind.book, in, &r.booked)
	r.settleHeard(ctx, known)
	r.show(ctx)
}

// settleHeard keeps what a callback said while something else was booked: the
// run takes it next or, where that ended it, books it besides, since nobody
// else will look at it (I-10).
func (r *outSaga) settleHeard(ctx workflow.Context, known *activities.Answer) {
	heard := r.heard
	switch {
	case heard == known, !since(ctx, "heard_while_booking"):
		r.heard = nil
	case r.terminal():
		r.heard = nil
		in := activities.BookOutInput{Out: r.ref, Ordinal: r.ordinal, Answer: *heard}
		r.commit(ctx, "book "+string(heard.Verdict)+", which a callback said besides", r.kind.book, in, &r.booked)
	}
}

// since says whether this run may do what runs before a change of the saga
// didn't. It is asked only where the change makes a difference, so that other
// histories don't grow by it.
func since(ctx workflow.Context, change string) bool {
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) == 1
}

// flag shows it to a person; whatever goes on goes on.
func (r *outSaga) flag(ctx workflow.Context, why string) {
	r.showed = true
	r.commit(ctx, "park", r.kind.park, activities.ParkOutInput{Out: r.ref, Reason: why}, &r.booked)
	r.show(ctx)
}
