package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
)

// askUntilCertain asks what became of an unknown outcome until the channel
// knows, for as long as it takes. After a day a person is shown it too.
func (p *paymentSaga) askUntilCertain(ctx workflow.Context) activities.Answer {
	p.sent = true
	p.tell(ctx, "the outcome at "+p.opened.Channel+" is unknown: asking", "it is booked as the channel says; nothing is assumed")
	timers, stop := workflow.WithCancel(ctx)
	late := workflow.NewTimerWithOptions(timers, p.pace.parkAfter, workflow.TimerOptions{Summary: "then a person is shown the unknown outcome too"})
	a, ok := p.patiently(ctx, p.ask(false), func() bool { return p.heard != nil || p.terminal() || late.IsReady() })
	if !ok && late.IsReady() && p.heard == nil && !p.terminal() {
		p.flag(ctx, "", "the outcome at "+p.opened.Channel+" is unknown for "+p.pace.parkAfter.String())
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

// hold keeps an authorization: it captures what is asked for, and gives back what
// is left when it is cancelled, or before it lapses. One for another amount than meant is voided at once.
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
	for {
		p.tell(ctx, "authorized: waiting for a capture or a cancel", "what isn't captured is voided before the authorization lapses")
		nudge := p.nudges
		_ = workflow.Await(ctx, func() bool {
			return p.wanted != p.looked || p.doubt || p.cancelWanted() || p.terminal() || p.nudges != nudge || p.moved() || (lapses != nil && lapses.IsReady())
		})
		if p.wanted != p.looked && !p.terminal() {
			p.captureAll(ctx)
			continue
		}
		if p.terminal() {
			return p.best(unknown("settled elsewhere"))
		}
		if p.doubt && !p.moved() {
			p.doubt = false
			if a, ok := p.patiently(ctx, p.ask(false), p.terminal); ok && a.Verdict != payment.Authorized {
				p.settleCaptures(ctx)
				return p.best(a)
			}
			continue
		}
		if p.moved() {
			p.settleCaptures(ctx)
			return p.best(unknown("settled elsewhere"))
		}
		if p.nudges != nudge && !p.cancelWanted() {
			if a, ok := p.patiently(ctx, p.ask(false), p.cancelWanted); ok && a.Verdict != payment.Authorized {
				p.settleCaptures(ctx)
				return p.best(a)
			}
			continue
		}
		p.settleCaptures(ctx)
		if p.terminal() {
			return p.best(unknown("settled elsewhere"))
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
