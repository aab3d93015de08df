package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
)

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
