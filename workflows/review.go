package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/risk"
)

// UpdateReview is a person's word on a payment that risk holds.
const UpdateReview = "review"

// Judgement is that word, as typed or as the API passes it.
type Judgement struct {
	Decision string `json:"decision"` // approve or refuse
	Actor    string `json:"actor"`
	Reason   string `json:"reason"`
	Code     string `json:"code,omitempty"` // of `paysaga operator sign`, or the API's; needed in the live book
}

// held: risk holds the payment for a person, and no channel has heard of it.
func (p *paymentSaga) held() bool { return !p.opened.Review.IsZero() }

// awaitReview waits until somebody has judged, the time for it is over, or the
// payment is to be cancelled, and opens it again: the row says how it goes on.
func (p *paymentSaga) awaitReview(ctx workflow.Context) {
	for p.held() && !p.terminal() {
		due := p.opened.Review
		p.booked.Parked = "review"
		p.tell(ctx, "held for a review until "+due.UTC().Format("2006-01-02 15:04:05 UTC"),
			"an operator sends the Update review with approve or refuse; nobody's word is a refusal")
		p.show(ctx)
		timers, stop := workflow.WithCancel(ctx)
		over := workflow.NewTimerWithOptions(timers, due.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "the payment is refused unless somebody has approved it"})
		_ = workflow.Await(ctx, func() bool { return p.judged || p.cancelWanted() || over.IsReady() })
		stop()
		if !p.judged && !p.cancelWanted() {
			in := activities.ReviewInput{Ref: p.ref, Decision: risk.Deadline}
			p.commit(ctx, "nobody has reviewed it in time", steps.Review, in, &p.booked)
		}
		p.judged = false
		if p.cancelWanted() {
			p.opened.Review, p.opened.Cancel = time.Time{}, true
			return
		}
		p.booked.Parked = ""
		p.open(ctx)
		p.show(ctx)
	}
}

func (p *paymentSaga) canReview(_ workflow.Context, j Judgement) error {
	switch {
	case p.terminal():
		return invalid("the payment has ended: " + string(p.booked.Status))
	case j.Decision != risk.Approve && j.Decision != risk.Refuse:
		return invalid("decision must be approve or refuse")
	case j.Actor == "" || j.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// onReview records a person's word, and lets the run go on by it. A refusal of
// ours is an answer to the operator and changes nothing.
func (p *paymentSaga) onReview(ctx workflow.Context, j Judgement) (State, error) {
	p.reach(ctx, 1)
	in := activities.ReviewInput{Ref: p.ref, Decision: j.Decision, Actor: j.Actor, Reason: j.Reason, Code: j.Code}
	var after activities.Booked
	if err := workflow.ExecuteActivity(book(ctx, "review: "+j.Decision), steps.Review, in).Get(ctx, &after); err != nil {
		return p.state(), refusal(err)
	}
	p.judged = true
	_ = workflow.Await(ctx, func() bool { return !p.held() || p.terminal() })
	return p.state(), nil
}
