package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
)

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
		p.guard(ctx)
	case again.Verdict == payment.Succeeded, p.closed.Verdict != payment.Closed:
		p.closed = again // what was closed stays closed, whatever an old reading says
	}
}
