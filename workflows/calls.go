package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func (p *paymentSaga) queue() string { return ChannelQueue(p.opened.Channel) }

func (p *paymentSaga) callInput() activities.CallInput {
	return activities.CallInput{Ref: p.ref, Key: p.opened.Key}
}

// charge sends the intent: on the express lane inside this workflow task, if
// the channel is marked fast; else, or if that didn't happen, on the channel's
// queue.
func (p *paymentSaga) charge(ctx workflow.Context) activities.Answer {
	p.tell(ctx, "charging "+p.opened.Channel+" under "+p.opened.Key, "its outcome is booked, or asked for while it is unknown")
	if p.opened.Lane != payment.Express {
		return p.send(ctx)
	}
	var a activities.Answer
	local := callLocally(ctx, "charge "+p.opened.Key+" at "+p.opened.Channel)
	err := workflow.ExecuteLocalActivity(local, steps.Charge, p.callInput()).Get(ctx, &a)
	if err == nil {
		return p.best(a)
	}
	if timedOut(err) { // it may have got through: ask, never assume (I-14)
		p.sent = true
		return p.best(unknown("the call wasn't answered in time"))
	}
	return p.send(ctx)
}

// send charges on the standard lane, under the same key, again and again while
// it provably didn't happen.
func (p *paymentSaga) send(ctx workflow.Context) activities.Answer {
	pause := p.pace.callFirst
	for try := 1; ; try++ {
		var a activities.Answer
		regular := call(ctx, p.queue(), "charge "+p.opened.Key+" at "+p.opened.Channel)
		err := workflow.ExecuteActivity(regular, steps.Charge, p.callInput()).Get(ctx, &a)
		kind := kindOf(err)
		switch {
		case err == nil:
			return p.best(a)
		case timedOut(err):
			p.sent = true
			return p.best(unknown("the call wasn't answered in time"))
		case kind == fault.KindInvalid: // the channel refused the request as such: nothing was done
			return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Dead: true,
				Decline: &payment.Decline{Code: "refused_by_channel"}}}
		case kind == activities.Unsent: // our own store didn't answer: no word about the channel
			p.pause(ctx, pause, "then the intent is read again")
			try--
		case kind == fault.KindUnavailable && try < p.pace.callTries && !p.cancelWanted():
			p.pause(ctx, max(pause, wishOf(err)), "then "+p.opened.Channel+" is tried again")
			pause *= 2
		case kind == fault.KindUnavailable:
			return p.unreachable(ctx)
		default:
			p.sent = true
			p.park(ctx, "charging "+p.opened.Channel+": "+message(err))
		}
	}
}

// pause waits, unless an operator or the customer's cancel makes it shorter.
func (p *paymentSaga) pause(ctx workflow.Context, d time.Duration, summary string) {
	nudge := p.nudges
	timers, stop := workflow.WithCancel(ctx)
	over := workflow.NewTimerWithOptions(timers, d, workflow.TimerOptions{Summary: summary})
	_ = workflow.Await(ctx, func() bool { return over.IsReady() || p.nudges != nudge || p.cancelWanted() })
	stop()
}

// unreachable gives up a channel that could not be reached. If each try
// provably did not happen, the attempt is dead; otherwise that is proven by
// closing it at the channel, once it answers again (I-09).
func (p *paymentSaga) unreachable(ctx workflow.Context) activities.Answer {
	switch {
	case p.cancelWanted():
		p.end = payment.Canceled
	case p.opened.Last:
		p.end, p.endCode = payment.Failed, "channel_unavailable"
	}
	if !p.sent {
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}}
	}
	return p.close(ctx)
}

// sendAgain sends an intent that never arrived once more, under its key, a few
// times; then it is closed, so that it never arrives.
func (p *paymentSaga) sendAgain(ctx workflow.Context) activities.Answer {
	if p.cancelWanted() {
		p.end = payment.Canceled
		return p.close(ctx)
	}
	if p.resends++; p.resends > p.pace.resends {
		return p.unreachable(ctx)
	}
	return p.send(ctx)
}

// askUntilCertain asks what became of an unknown outcome until the channel
// knows, for as long as it takes. After a day a person is shown it too.
func (p *paymentSaga) askUntilCertain(ctx workflow.Context) activities.Answer {
	p.sent = true
	p.tell(ctx, "the outcome at "+p.opened.Channel+" is unknown: asking", "it is booked as the channel says; nothing is assumed")
	timers, stop := workflow.WithCancel(ctx)
	late := workflow.NewTimerWithOptions(timers, p.pace.parkAfter, workflow.TimerOptions{Summary: "then a person is shown the unknown outcome too"})
	a, ok := p.patiently(ctx, p.ask(false), func() bool { return p.heard != nil || p.terminal() || late.IsReady() })
	if !ok && late.IsReady() && p.heard == nil && !p.terminal() {
		p.flag(ctx, "the outcome at "+p.opened.Channel+" is unknown for "+p.pace.parkAfter.String())
		a, ok = p.patiently(ctx, p.ask(false), func() bool { return p.heard != nil || p.terminal() })
	}
	stop()
	if !ok {
		return p.best(unknown("the channel hasn't said"))
	}
	return p.best(a)
}

// awaitCustomer waits for whichever comes first: a callback, the poll, the
// cancel, the expiry. Before it ends unpaid it is closed at the channel.
func (p *paymentSaga) awaitCustomer(ctx workflow.Context) activities.Answer {
	if p.closing { // it couldn't be closed: only the channel's word counts now
		p.tell(ctx, "the channel is still working on it", "it is booked as the channel says")
		a, _ := p.patiently(ctx, p.ask(true), func() bool { return p.heard != nil || p.terminal() })
		return p.best(a)
	}
	p.tell(ctx, "waiting for the customer until "+p.opened.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC"),
		"a callback or the poll books it; at expiry it is closed at "+p.opened.Channel)
	timers, stop := workflow.WithCancel(ctx)
	expiry := workflow.NewTimerWithOptions(timers, p.opened.ExpiresAt.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "the payment expires"})
	a, ok := p.patiently(ctx, p.ask(true), func() bool {
		return p.heard != nil || p.terminal() || p.cancelWanted() || expiry.IsReady()
	})
	stop()
	switch {
	case ok, p.heard != nil, p.terminal():
		return p.best(a)
	case p.cancelWanted():
		p.end = payment.Canceled
	default:
		p.end = payment.Expired
	}
	return p.close(ctx)
}

// hold keeps an authorization until it is cancelled, or voids it before it
// lapses. One for another amount than meant is voided at once.
func (p *paymentSaga) hold(ctx workflow.Context, authorized activities.Answer) activities.Answer {
	p.closing = false
	if len(p.undo.undos) == 0 { // authorized while it was being closed
		p.undo.before("authorization", p.closeAttempt)
	}
	if p.booked.Parked != "" {
		p.end, p.endCode = payment.Failed, "amount_mismatch"
		return p.close(ctx)
	}
	timers, stop := workflow.WithCancel(ctx)
	defer stop()
	lapses := p.lapse(timers, authorized.ExpiresAt)
	p.tell(ctx, "authorized: waiting for a cancel", "it is voided before the authorization lapses")
	for {
		nudge := p.nudges
		_ = workflow.Await(ctx, func() bool {
			return p.cancelWanted() || p.terminal() || p.nudges != nudge || p.moved() || (lapses != nil && lapses.IsReady())
		})
		if p.moved() || p.terminal() {
			return p.best(unknown("settled elsewhere"))
		}
		if p.nudges != nudge && !p.cancelWanted() {
			if a, ok := p.patiently(ctx, p.ask(false), p.cancelWanted); ok && a.Verdict != payment.Authorized {
				return a
			}
			continue
		}
		p.end = payment.Canceled
		return p.close(ctx)
	}
}

// moved: a callback said that the authorization is one no longer.
func (p *paymentSaga) moved() bool { return p.heard != nil && p.heard.Verdict != payment.Authorized }

// lapse is the timer that voids an authorization in time; nil if the channel
// names no end.
func (p *paymentSaga) lapse(ctx workflow.Context, at time.Time) workflow.Future {
	if at.IsZero() {
		return nil
	}
	return workflow.NewTimerWithOptions(ctx, at.Add(-p.pace.voidBefore).Sub(workflow.Now(ctx)),
		workflow.TimerOptions{Summary: "the authorization is voided before it lapses"})
}

// close takes the attempt back at its channel: the saga's compensation. It
// answers with what the channel says in the end, and that may be a success.
func (p *paymentSaga) close(ctx workflow.Context) activities.Answer {
	if len(p.undo.undos) == 0 { // taken back already: nothing new to learn
		return p.closed
	}
	p.undo.compensate(ctx)
	return p.closed
}

// closeAttempt is the undo of a charge: close at the channel, and ask once
// more, since the money may have been there first.
func (p *paymentSaga) closeAttempt(ctx workflow.Context) {
	p.tell(ctx, "closing at "+p.opened.Channel, "it is asked once more, and then booked")
	p.closing = true
	p.closed, _ = p.patiently(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(p.pace.ask(ctx, p.queue(), "close "+p.opened.Key+" at "+p.opened.Channel),
			steps.Close, p.callInput())
	}, p.terminal)
	if p.terminal() || p.closed.Verdict == payment.Succeeded {
		return
	}
	if p.closed.Verdict == payment.Absent { // give what may still be on its way the time to arrive
		_ = workflow.NewTimerWithOptions(ctx, p.pace.absence, workflow.TimerOptions{Summary: "nothing may still be on its way"}).Get(ctx, nil)
	}
	again, ok := p.patiently(ctx, p.ask(false), p.terminal)
	switch {
	case !ok:
	case again.Verdict == payment.Absent:
		p.closed = activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}}
	case again.Verdict == payment.Succeeded, p.closed.Verdict != payment.Closed:
		p.closed = again // what was closed stays closed, whatever an old reading says
	}
}

// ask makes a question of the attempt in hand, for patiently.
func (p *paymentSaga) ask(final bool) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(p.pace.ask(ctx, p.queue(), "ask "+p.opened.Channel+" about "+p.opened.Key),
			steps.Ask, activities.AskInput{CallInput: p.callInput(), Final: final})
	}
}

// patiently runs a question until it is answered, or until nobody needs the
// answer any more. A nudge asks anew at once; a question that can't be asked
// parks the run until a nudge. Only questions and closes are ever cancelled.
func (p *paymentSaga) patiently(ctx workflow.Context, question func(workflow.Context) workflow.Future, until func() bool) (activities.Answer, bool) {
	for {
		nudge := p.nudges
		asking, stop := workflow.WithCancel(ctx)
		f := question(asking)
		_ = workflow.Await(ctx, func() bool { return f.IsReady() || p.nudges != nudge || until() })
		var a activities.Answer
		switch {
		case f.IsReady():
			err := f.Get(ctx, &a)
			stop()
			if err == nil {
				return a, true
			}
			p.park(ctx, "asking "+p.opened.Channel+": "+message(err))
		default:
			stop()
			if until() {
				return a, false
			}
		}
	}
}

// best is the better known of an answer and what a callback said meanwhile;
// what is known never moves to a worse answer.
func (p *paymentSaga) best(a activities.Answer) activities.Answer {
	if !a.Verdict.Known() && p.heard != nil {
		return *p.heard
	}
	return a
}

func unknown(why string) activities.Answer {
	return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Unknown, Reason: why}}
}

func timedOut(err error) bool {
	var t *temporal.TimeoutError
	return errors.As(err, &t)
}

// wishOf is how long the other side asked us to wait.
func wishOf(err error) time.Duration {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return a.NextRetryDelay()
	}
	return 0
}

// kindOf reads the fault's kind out of a step's error.
func kindOf(err error) fault.Kind {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return fault.Kind(a.Type())
	}
	return fault.KindInternal
}

func message(err error) string {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return a.Message()
	}
	return err.Error()
}
