package workflows

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/payment"
)

// GuardianInput names the attempt that is watched: ids only.
type GuardianInput struct {
	activities.CallInput
	Ordinal int    `json:"ordinal"`
	Channel string `json:"channel"`
	Pace    Pace   `json:"pace,omitempty"`
}

// GuardianResult is what the channel said in the end; empty: nothing, as long
// as anybody watched.
type GuardianResult struct {
	Verdict payment.Verdict `json:"verdict,omitempty"`
}

// Guardian watches an attempt that was given up because its channel knew
// nothing of it. Nothing found isn't proof that nothing comes: the channel is
// asked until it gives final proof, or until nothing can come any more. What
// comes after all opens a case (I-09, I-10).
func Guardian(ctx workflow.Context, in GuardianInput) (GuardianResult, error) {
	g := &guardian{in: in, pace: paces[in.Pace]}
	g.steady.look = func() sight { return sight{status: "watching", channel: in.Channel} }
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateAsk, g.onNudge, workflow.UpdateHandlerOptions{
		Description: "ask the channel now what became of the attempt"}); err != nil {
		return GuardianResult{}, err
	}
	g.run(ctx)
	err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	return GuardianResult{Verdict: g.answer.Verdict}, err
}

type guardian struct {
	steady
	in     GuardianInput
	pace   pace
	answer activities.Answer
}

func (g *guardian) onNudge(workflow.Context) error {
	g.nudges++
	return nil
}

func (g *guardian) run(ctx workflow.Context) {
	g.tell(ctx, "asking "+g.in.Channel+" now and then about "+g.in.Key, "it was given up; if it succeeds after all, a case opens")
	timers, stop := workflow.WithCancel(ctx)
	over := workflow.NewTimerWithOptions(timers, g.pace.guard, workflow.TimerOptions{Summary: "then nothing can come any more"})
	a, ok := g.patiently(ctx, func(ctx workflow.Context) workflow.Future {
		return workflow.ExecuteActivity(g.pace.watch(ctx, ChannelQueue(g.in.Channel), "ask about "+g.in.Key), steps.Guard, g.in.CallInput)
	}, over.IsReady)
	stop()
	if !ok {
		return
	}
	if a.Verdict == payment.Authorized { // nobody will take it: it is given back
		a, _ = g.patiently(ctx, func(ctx workflow.Context) workflow.Future {
			return workflow.ExecuteActivity(g.pace.ask(ctx, ChannelQueue(g.in.Channel), "close "+g.in.Key), steps.Close, g.in.CallInput)
		}, func() bool { return false })
	}
	g.answer = a
	var booked activities.Booked
	g.commit(ctx, "book "+string(a.Verdict), steps.Book,
		activities.BookInput{Ref: g.in.Ref, Ordinal: g.in.Ordinal, Answer: a}, &booked)
}

// guard leaves a guardian behind for the attempt in hand: it outlives the
// payment's saga.
func (p *paymentSaga) guard(ctx workflow.Context) {
	if workflow.GetVersion(ctx, "guardian", workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            "guardian/" + p.ref.PaymentID + "/ch" + ordinal(p.ordinal),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(attrBook.ValueSet(string(p.ref.Book)), attrBusinessID.ValueSet(p.ref.PaymentID),
			attrChannel.ValueSet(p.opened.Channel)),
		StaticSummary: "watches " + p.opened.Key + " at " + p.opened.Channel + ", which was given up",
	})
	in := GuardianInput{CallInput: p.callInput(), Ordinal: p.ordinal, Channel: p.opened.Channel, Pace: p.paceName}
	child := workflow.ExecuteChildWorkflow(ctx, Guardian, in)
	// It stands from a run before a reset, or it stands now.
	_ = child.GetChildWorkflowExecution().Get(ctx, nil)
}
