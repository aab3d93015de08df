// Package workflows holds the sagas: durable, deterministic and thin. They say
// what happens in which order; what things mean is decided in domain.
package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// PaymentInput starts a payment's saga: ids only.
type PaymentInput struct {
	Book      id.Book `json:"book"`
	PaymentID string  `json:"payment_id"`
	Pace      Pace    `json:"pace,omitempty"`
}

// PaymentResult is how a payment ended.
type PaymentResult struct {
	Status payment.Status `json:"status"`
}

// Payment is the saga of one pay-in, from the received row to booked money.
func Payment(ctx workflow.Context, in PaymentInput) (PaymentResult, error) {
	p := &paymentSaga{
		ref: activities.Ref{Book: in.Book, PaymentID: in.PaymentID}, pace: paces[in.Pace], paceName: in.Pace,
		root: ctx, booked: activities.Booked{Status: payment.Processing},
	}
	p.look = p.sight
	if err := p.setup(ctx); err != nil {
		return PaymentResult{}, err
	}
	// A cancellation from the Web UI is a wish like the customer's (see
	// cancelWanted); it must not tear a step that moves money.
	work, _ := workflow.NewDisconnectedContext(ctx)
	p.run(work)
	if err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) }); err != nil {
		return PaymentResult{}, err
	}
	return PaymentResult{Status: p.booked.Status}, nil
}

// steps only names activities; it is never called.
var steps *activities.Steps

// paymentSaga is the state of one run. Everything in it is rebuilt by replay.
type paymentSaga struct {
	steady
	ref      activities.Ref
	pace     pace
	paceName Pace
	root     workflow.Context // only to see whether somebody cancelled the run
	undo     saga

	ordinal  int                // the attempt in hand
	opened   activities.Opened  // its intent
	openedAt int                // the workflow task that began to commit it
	booked   activities.Booked  // where the payment stands, as last committed
	heard    *activities.Answer // what a callback said of the attempt in hand, if that is certain
	taken    *activities.Answer // the certain answer that was, or is being, booked

	closed   activities.Answer // what the channel said when the attempt was taken back
	sent     bool              // a try may have reached the channel
	resends  int               // how often the intent was sent again
	confirms int               // how often the second word was said
	asked    bool              // the customer's or an operator's wish to cancel
	closing  bool              // a close was tried: from here on only the channel's answer counts
	end      payment.Status
	endCode  string

	wanted int  // captures that were heard of
	doubt  bool // a capture found the authorization gone: what does the charge say?
	looked int  // of these, those that were there when the open captures were last settled

	judged bool // a person has spoken about a payment that risk holds
}

func (p *paymentSaga) sight() sight {
	return sight{status: string(p.booked.Status), inDoubt: p.booked.InDoubt, parked: p.booked.Parked, terminal: p.terminal(),
		businessDate: p.booked.BusinessDate, channel: p.opened.Channel}
}

func (p *paymentSaga) cancelWanted() bool { return p.asked || p.root.Err() != nil }

func (p *paymentSaga) terminal() bool { return p.booked.Status.Terminal() }

// run tries one channel after the other, each only when the one before is
// provably dead (I-09).
func (p *paymentSaga) run(ctx workflow.Context) {
	for p.ordinal = 1; p.try(ctx); p.ordinal++ {
		p.undo.passed()
		p.heard, p.taken, p.closing, p.resends, p.confirms, p.end, p.endCode = nil, nil, false, 0, 0, "", ""
	}
}

// try carries one attempt to its end, and says whether the next channel of the
// plan is to be tried.
func (p *paymentSaga) try(ctx workflow.Context) (next bool) {
	p.open(ctx)
	if p.held() {
		p.awaitReview(ctx)
	}
	switch {
	case p.terminal():
		return false
	case p.opened.Cancel:
		p.end = payment.Canceled
		p.book(ctx, activities.Answer{Outcome: payment.Outcome{Verdict: payment.Closed, Dead: true}})
		return false
	}
	p.undo.before("charge", p.closeAttempt)
	answer := p.begin(ctx)
	for !p.terminal() {
		switch answer.Verdict {
		case payment.Unknown:
			if !p.booked.InDoubt {
				p.book(ctx, answer)
			}
			answer = p.askUntilCertain(ctx)
		case payment.Absent:
			answer = p.sendAgain(ctx)
		case payment.Pending:
			p.book(ctx, answer)
			if answer.Approved && p.mayConfirm(ctx) {
				answer = p.confirm(ctx)
				continue
			}
			answer = p.awaitCustomer(ctx)
		case payment.Authorized:
			p.book(ctx, answer)
			answer = p.hold(ctx, answer)
		case payment.Succeeded:
			p.undo.passed()
			p.book(ctx, answer)
			p.awaitDecision(ctx)
		case payment.Declined:
			answer = p.decline(ctx, answer)
			if answer.Verdict == payment.Declined {
				return !p.terminal()
			}
		case payment.Closed:
			p.book(ctx, answer)
			return !p.terminal()
		}
	}
	return false
}

// begin charges, unless the payment is to be cancelled by now.
func (p *paymentSaga) begin(ctx workflow.Context) activities.Answer {
	if p.cancelWanted() {
		return p.unreachable(ctx)
	}
	return p.charge(ctx)
}

// open commits the intent of the attempt: nothing is sent before (I-13).
func (p *paymentSaga) open(ctx workflow.Context) {
	p.tell(ctx, "committing the intent of attempt "+ordinal(p.ordinal), "the channel is called")
	in := activities.OpenInput{Ref: p.ref, Ordinal: p.ordinal, Reviews: true}
	p.opened, p.openedAt = activities.Opened{}, task(ctx)
	p.commit(ctx, "open attempt "+ordinal(p.ordinal), steps.Open, in, &p.opened)
	p.booked.Status = p.opened.Status
	p.sent = p.opened.Existing
	if p.terminal() {
		p.show(ctx)
	}
}

// decline settles a "no". A soft one leads to the next channel of the plan,
// but only from an attempt that can't succeed any more (I-09).
func (p *paymentSaga) decline(ctx workflow.Context, no activities.Answer) activities.Answer {
	if !no.Dead {
		if closed := p.close(ctx); closed.Verdict != payment.Closed && closed.Verdict != payment.Declined {
			return closed // it wasn't dead: the customer got through meanwhile
		}
		no.Dead = true
	}
	last := p.opened.Last || p.cancelWanted() || no.Decline == nil || no.Decline.Hard
	p.settle(ctx, activities.BookInput{Ref: p.ref, Ordinal: p.ordinal, Answer: no, Last: last})
	return no
}

// awaitDecision waits, after a success that doesn't match its intent, for a
// person: nothing else may say whose the money is.
func (p *paymentSaga) awaitDecision(ctx workflow.Context) {
	if p.terminal() {
		return
	}
	p.tell(ctx, "parked: "+p.booked.Parked, "its case decides; an operator may send the Update resolve with accept or reject")
	settled := workflow.GetSignalChannel(ctx, SignalSettled)
	for !p.terminal() {
		nudge := p.nudges
		_ = workflow.Await(ctx, func() bool { return p.terminal() || settled.Len() > 0 || p.nudges != nudge })
		asked := p.nudges != nudge && since(ctx, "a nudge reads what was decided")
		if told := settled.ReceiveAsync(nil); (told || asked) && !p.terminal() {
			p.commit(ctx, "read what was decided", steps.Look, p.ref, &p.booked)
			p.show(ctx)
		}
	}
}
