package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
)

// ask makes a question of the attempt in hand, for patiently.
func (p *paymentSaga) ask(final bool) func(workflow.Context) workflow.Future {
	return func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(p.pace.ask(ctx, p.queue(), "ask "+p.opened.Channel+" about "+p.opened.Key),
			steps.Ask, activities.AskInput{CallInput: p.callInput(), Final: final, Approval: final && p.mayConfirm(ctx)})
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
