package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func (p *paymentSaga) queue() string { return ChannelQueue(p.opened.Channel) }

func (p *paymentSaga) callInput() activities.CallInput {
	return activities.CallInput{Ref: p.ref, Key: p.opened.Key}
}

// task names the workflow task that is at work, the same on every replay.
func task(ctx workflow.Context) int { return workflow.GetInfo(ctx).GetCurrentHistoryLength() }

// elsewhere: the intent was committed in another workflow task than the one at
// work. A task that is lost with its worker leaves nothing in the history: that
// its express call may have got through shows only by the intent, which stands
// already when the task is done over, and only if both were in that one task.
func (p *paymentSaga) elsewhere(ctx workflow.Context) bool {
	return task(ctx) != p.openedAt && since(ctx, "express in one task")
}

// charge sends the intent: on the express lane inside this workflow task, if
// the channel is marked fast and the intent is of this task too; else, or if
// that didn't happen, on the channel's queue.
func (p *paymentSaga) charge(ctx workflow.Context) activities.Answer {
	p.tell(ctx, "charging "+p.opened.Channel+" under "+p.opened.Key, "its outcome is booked, or asked for while it is unknown")
	if p.opened.Lane != payment.Express || p.elsewhere(ctx) {
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
	p.sent = p.sent || p.elsewhere(ctx) // the call took so long that its own task ended meanwhile
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
		case kind == fault.KindInvalid: // this try was refused as such; one before it may have arrived (I-09)
			return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Declined, Dead: !p.maySent(ctx),
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

// confirm says the second word about a charge that its customer approved.
// Whatever isn't a certain answer is asked about: the channel's own state of the
// charge keeps this word from counting twice.
func (p *paymentSaga) confirm(ctx workflow.Context) activities.Answer {
	p.sent = true
	if p.confirms++; p.confirms > 1 { // the word before this one has got no certain answer, so this one takes its time
		p.pause(ctx, min(p.pace.callFirst<<min(p.confirms, 20), p.pace.askCap), "then "+p.opened.Channel+" is told once more")
		if !p.mayConfirm(ctx) {
			return p.best(unknown("it wasn't confirmed"))
		}
	}
	p.tell(ctx, "the customer approved: confirming at "+p.opened.Channel, "its outcome is booked, or asked for while it is unknown")
	pause := p.pace.callFirst
	for {
		var a activities.Answer
		regular := call(ctx, p.queue(), "confirm "+p.opened.Key+" at "+p.opened.Channel)
		err := workflow.ExecuteActivity(regular, steps.Confirm, p.callInput()).Get(ctx, &a)
		kind := kindOf(err)
		switch {
		case err == nil:
			return p.best(a)
		case timedOut(err):
			return p.best(unknown("the call wasn't answered in time"))
		case !p.mayConfirm(ctx):
			return p.best(unknown("it wasn't confirmed"))
		case kind == activities.Unsent, kind == fault.KindUnavailable:
			p.pause(ctx, max(pause, wishOf(err)), "then "+p.opened.Channel+" is told again")
			pause = min(2*pause, p.pace.askCap)
		default:
			p.park(ctx, "confirming at "+p.opened.Channel+": "+message(err))
		}
	}
}

// mayConfirm: nobody wants the payment back, and its time isn't over.
func (p *paymentSaga) mayConfirm(ctx workflow.Context) bool {
	return !p.closing && !p.cancelWanted() && !p.terminal() && workflow.Now(ctx).Before(p.opened.ExpiresAt)
}

// pause waits, unless an operator or the customer's cancel makes it shorter.
func (p *paymentSaga) pause(ctx workflow.Context, d time.Duration, summary string) {
	p.rest(ctx, d, summary, p.cancelWanted)
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
	if !p.maySent(ctx) {
		return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}}
	}
	return p.close(ctx)
}

// maySent: a try may have reached the channel. What a run sent before it was
// reset to after its intent, this one doesn't remember, and its history must
// not seem to: so a step looks which run had committed the intent, and that it
// looked is in the history.
func (p *paymentSaga) maySent(ctx workflow.Context) bool {
	switch {
	case p.sent:
	case workflow.GetVersion(ctx, "which run sent", workflow.DefaultVersion, 1) == workflow.DefaultVersion:
		info := workflow.GetInfo(ctx)
		p.sent = info.WorkflowExecution.RunID != info.OriginalRunID
	default:
		in := activities.SentBeforeInput{OpenedIn: p.opened.Run}
		p.commit(ctx, "see whether a run before this one sent", steps.SentBefore, in, &p.sent)
	}
	return p.sent
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
