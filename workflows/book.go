package workflows

import (
	"strconv"

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
	in := activities.BookInput{Ref: p.ref, Ordinal: p.ordinal, Answer: *p.heard}
	p.heard = p.taken
	p.commit(ctx, "book "+string(in.Answer.Verdict)+", which a callback said besides", steps.Book, in, &p.booked)
}

// flag shows the payment to a person; whatever goes on goes on. It may be shown
// once about the attempt in hand, and once about each capture.
func (p *paymentSaga) flag(ctx workflow.Context, captureID, why string) {
	p.commit(ctx, "park", steps.Park, activities.ParkInput{Ref: p.ref, Ordinal: p.ordinal, CaptureID: captureID, Reason: why}, &p.booked)
	p.show(ctx)
}

// stable says that whoever waits for the payment can be answered.
func (p *paymentSaga) stable() bool { return p.booked.Status.Stable() }
