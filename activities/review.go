package activities

import (
	"context"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
)

// The places of a payment's review among its steps.
var (
	stepHeld     = id.Step{Code: id.Review, Ordinal: 1} // risk holds it
	stepReviewed = id.Step{Code: id.Review, Ordinal: 2} // somebody has judged it, or nobody in time
	stepAgain    = id.Step{Code: id.Review, Ordinal: 3} // judged blind, it was judged again
)

// hold parks a payment for a person, before any channel hears of it.
func (s *Steps) hold(ctx context.Context, p payment.Payment, in OpenInput, j riskVerdict) (Opened, error) {
	if !in.Reviews {
		return Opened{}, fault.Unavailable("review_unsupported", "this run was begun by a build that can't wait for reviews", nil)
	}
	after := p
	after.Parked = "review: " + j.record.Reason
	after.ReviewDue = s.c.Now().Add(j.reviewFor)
	if p.ExpiresAt.Before(after.ReviewDue) {
		after.ReviewDue = p.ExpiresAt
	}
	after.Sequence++
	after.UpdatedAt = s.c.Now()
	_, err := s.c.Committer.Commit(ctx, ledger.Step{
		Book: p.Book, Cause: id.Key(p.ID, stepHeld), Business: p.ID, By: ledger.Service("payment-saga"),
		Changes: append([]ledger.Change{payment.Update{Before: p, After: after, Event: "payment.review", Opened: true, Risk: asJSON(j.record)}}, j.changes...),
	})
	return Opened{Status: p.Status, Review: after.ReviewDue}, err
}

// ReviewInput is a person's word on a payment that risk holds, as typed or as
// the API passed it; Decision risk.Deadline is the saga's own, when nobody has
// spoken in time.
type ReviewInput struct {
	Ref
	Decision string `json:"decision"` // approve, refuse or deadline
	Actor    string `json:"actor,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Code     string `json:"code,omitempty"` // from `paysaga operator sign`, or the API's seal
}

// Review verifies who decides, records it, and lets the payment go on or fails
// it. In the live book an unproven decision is fault.Denied. Repeated, it
// answers with what stands; another decision after the first is Conflict
// "review_over".
func (s *Steps) Review(ctx context.Context, in ReviewInput) (Booked, error) {
	actor, verified, err := s.reviewer(ctx, in)
	if err != nil {
		return Booked{}, failure(ctx, err)
	}
	for try := 1; ; try++ {
		b, err := s.review(ctx, in, actor, verified)
		if !overtaken(err) || try == staleTries {
			return b, failure(ctx, err)
		}
	}
}

func (s *Steps) review(ctx context.Context, in ReviewInput, actor string, verified bool) (Booked, error) {
	d, b, err := s.c.Rules.Opening(ctx, in.Book, in.PaymentID)
	if err != nil {
		return Booked{}, err
	}
	p := d.Payment
	if p.ReviewDue.IsZero() || b.Record == nil {
		led := b.Record != nil && b.Record.Review != nil && b.Record.Review.Decision == in.Decision && b.Record.Review.Actor == actor
		if in.Decision == risk.Deadline || led {
			return booked(p), nil
		}
		return Booked{}, fault.Conflict("review_over", "nobody has to judge this payment: it is "+string(p.Status))
	}
	record, after := *b.Record, p
	record.Review = &risk.Judgement{Decision: in.Decision, Actor: actor, Reason: in.Reason, At: s.c.Now().UTC()}
	after.Parked, after.ReviewDue, after.UpdatedAt = "", time.Time{}, s.c.Now()
	after.Sequence++
	event := "payment.approved"
	if in.Decision != risk.Approve {
		after.Status, after.DeclineCode, event = payment.Failed, "risk_refused", "payment.failed"
	}
	var back []ledger.Journal
	if after.Status == payment.Failed {
		if back, err = p.GiveBack(s.c.Now()); err != nil {
			return Booked{}, err
		}
	}
	step := ledger.Step{Book: p.Book, Cause: id.Key(p.ID, stepReviewed), Business: p.ID, By: ledger.Service("payment-saga"), Journals: back,
		Changes: []ledger.Change{payment.Update{Before: p, After: after, Event: event, Opened: true, Risk: asJSON(record)}}}
	if in.Decision != risk.Deadline {
		step.By = ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}
		step.Changes = append(step.Changes, payment.Act{PaymentID: p.ID, Act: "review", Decision: in.Decision, Actor: actor,
			Verified: verified, Reason: in.Reason})
	}
	_, err = s.c.Committer.Commit(ctx, step)
	return booked(after), err
}

// reviewer says who decides, and whether that is proven.
func (s *Steps) reviewer(ctx context.Context, in ReviewInput) (actor string, verified bool, err error) {
	switch in.Decision {
	case risk.Deadline:
		return "", false, nil
	case risk.Approve, risk.Refuse:
	default:
		return "", false, fault.Invalid("decision_unknown", "decision", "the decision is approve or refuse")
	}
	verified, actor, err = s.verify(ctx, Verdict{Book: in.Book, BusinessID: in.PaymentID, Decision: in.Decision, Actor: in.Actor, Reason: in.Reason, Code: in.Code})
	return actor, verified, err
}

// Recheck judges a payment again that was let through while lists or counters
// couldn't be read, and counts it. One that would have been refused is flagged,
// an event says so, and unless it came to nothing anyway a case lets a person
// decide; it goes on meanwhile. It stays due while there is still nothing to be
// read.
func (s *Steps) Recheck(ctx context.Context, ref Ref) error {
	for try := 1; ; try++ {
		err := s.recheck(ctx, ref)
		if !overtaken(err) || try == staleTries {
			return err
		}
	}
}

// passedBlind is the case of a payment that risk would have refused; nil if it
// came to nothing. What it brought can be returned if it has succeeded by now.
// A wallet's money has moved on: a top-up's is for an operator to take back.
func passedBlind(p payment.Payment, v risk.Verdict) *payment.OpenCase {
	if p.Status.Terminal() && p.Status != payment.Paid {
		return nil
	}
	return &payment.OpenCase{ID: exception.ID(p.ID, exception.RiskRecheck, stepAgain.String()), Book: p.Book, MerchantID: p.MerchantID, PaymentID: p.ID,
		Kind: exception.RiskRecheck, Amount: p.Amount, Reason: "let through while risk's data couldn't be read; " + v.Rule + " would have refused it",
		Booked: p.Status == payment.Paid && !p.TopUp()}
}

func (s *Steps) recheck(ctx context.Context, ref Ref) error {
	d, b, err := s.c.Rules.Opening(ctx, ref.Book, ref.PaymentID)
	if err != nil {
		return err
	}
	p := d.Payment
	if b.Record != nil && b.Record.Again != nil {
		return nil // it was: the same Step took it off the relay's queue
	}
	changes := []ledger.Change{payment.RecheckAt{PaymentID: p.ID}}
	if b.Record != nil && b.Record.Recheck {
		set, err := s.rules.get(ctx, p.Book, "risk", b.Risk)
		if err != nil {
			return err
		}
		screening, values, err := s.screen(ctx, set.risk, p, b)
		if err != nil {
			return err
		}
		verdict, _ := screening.Decide(values)
		record, update := *b.Record, payment.Update{Before: p, After: p}
		record.Again = &risk.Rejudged{Verdict: verdict, At: s.c.Now().UTC()}
		if verdict.Decision == risk.Refuse {
			update.After.RiskFlag, update.Event = verdict.Rule, "risk.recheck_failed"
			update.After.Sequence++
			update.After.UpdatedAt = s.c.Now()
			if k := passedBlind(p, verdict); k != nil {
				changes = append(changes, *k)
			}
		}
		update.Risk = asJSON(record)
		changes = append(changes, update, risk.Count{Screening: screening, Decision: verdict.Decision, Passed: true})
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: p.Book, Cause: id.Key(p.ID, stepAgain), Business: p.ID,
		By: ledger.Service("risk-recheck"), Changes: changes})
	if err == nil {
		s.c.CaseOpened()
	}
	return err
}
