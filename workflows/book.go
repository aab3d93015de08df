package workflows

import (
	"strconv"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
)

func ordinal(n int) string { return strconv.Itoa(n) }

// book commits what the attempt in hand came to.
func (p *paymentSaga) book(ctx workflow.Context, a activities.Answer) {
	n := p.ordinal
	if p.opened.Key == "" {
		n = 0
	}
	p.settle(ctx, activities.BookInput{Ref: p.ref, Ordinal: n, Answer: a, Last: p.opened.Last, End: p.end, EndCode: p.endCode})
}

func (p *paymentSaga) settle(ctx workflow.Context, in activities.BookInput) {
	if in.Answer.Verdict.Known() {
		p.taken = &in.Answer
	}
	p.tell(ctx, "booking "+string(in.Answer.Verdict), "")
	p.commit(ctx, "book "+string(in.Answer.Verdict), steps.Book, in, &p.booked)
	p.settleHeard(ctx)
	p.show(ctx)
}

// settleHeard settles what a callback said while another certain answer was on
// its way, a second charge for one: the run took that answer, and nobody else
// will look at what was heard (I-10).
func (p *paymentSaga) settleHeard(ctx workflow.Context) {
	if p.heard == nil || p.taken == nil || !p.contradicts(*p.heard) {
		return
	}
	in := activities.BookInput{Ref: p.ref, Ordinal: p.ordinal, Answer: *p.heard, Last: true}
	p.heard = p.taken
	p.commit(ctx, "book "+string(in.Answer.Verdict)+", which a callback said besides", steps.Book, in, &p.booked)
}

// commit runs a step that commits to the ledger: inside this workflow task,
// and if that fails the same step as a regular activity, as often as it takes.
// One that can't be done parks the run, and is tried again at a nudge.
func (p *paymentSaga) commit(ctx workflow.Context, what string, step, in, out any) {
	if workflow.ExecuteLocalActivity(bookLocally(ctx, what), step, in).Get(ctx, out) == nil {
		return
	}
	for {
		err := workflow.ExecuteActivity(book(ctx, what), step, in).Get(ctx, out)
		if err == nil {
			return
		}
		p.park(ctx, what+": "+message(err))
	}
}

// park waits, with a reason that operators see, until somebody nudges.
func (p *paymentSaga) park(ctx workflow.Context, why string) {
	p.parked = why
	p.tell(ctx, "parked: "+why, "an operator sends the Update retry_now when the cause is gone")
	p.show(ctx)
	nudge := p.nudges
	_ = workflow.Await(ctx, func() bool { return p.nudges != nudge })
	p.parked = ""
	p.show(ctx)
}

// flag shows the payment to a person; whatever goes on goes on.
func (p *paymentSaga) flag(ctx workflow.Context, why string) {
	p.commit(ctx, "park", steps.Park, activities.ParkInput{Ref: p.ref, Ordinal: p.ordinal, Reason: why}, &p.booked)
	p.show(ctx)
}

// show brings the search attributes up to date where an operator acts on them:
// unknown, parked, ended. Each change costs a write, so the rest isn't shown.
func (p *paymentSaga) show(ctx workflow.Context) {
	state, needs := string(p.booked.Status), p.parked != "" || p.booked.Parked != ""
	switch {
	case needs:
		state = "parked"
	case p.booked.InDoubt:
		state = "in_doubt"
	}
	if state == p.shown || (p.shown == "" && !needs && !p.booked.InDoubt && !p.terminal()) {
		return
	}
	list := []temporal.SearchAttributeUpdate{attrState.ValueSet(state)}
	if needs != p.flagged {
		list = append(list, attrNeedsOperator.ValueSet(needs))
	}
	if p.booked.BusinessDate != "" {
		list = append(list, attrBusinessDate.ValueSet(p.booked.BusinessDate))
	}
	if p.opened.Channel != "" {
		list = append(list, attrChannel.ValueSet(p.opened.Channel))
	}
	_ = workflow.UpsertTypedSearchAttributes(ctx, list...) // fails only for an empty list
	p.shown, p.flagged = state, needs
}

// tell says in the Web UI what goes on and what comes next. It isn't history.
func (p *paymentSaga) tell(ctx workflow.Context, doing, next string) {
	p.doing, p.next = doing, next
	text := "**" + string(p.booked.Status) + "**: " + doing + ", since " + workflow.Now(ctx).UTC().Format("2006-01-02 15:04:05 UTC")
	if next != "" {
		text += "\n\nNext: " + next
	}
	workflow.SetCurrentDetails(ctx, text)
}

// stable says that whoever waits for the payment can be answered.
func (p *paymentSaga) stable() bool { return p.booked.Status.Stable() }
