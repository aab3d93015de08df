package activities

import (
	"context"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// judgement is a decision of a case, and who made it.
type judgement struct {
	exception.Decision
	exception.By
	principal   ledger.Principal // zero: the saga, by a policy
	idempotency access.Idempotency
}

func (j judgement) person() bool { return j.principal.Kind != "" }

// decide carries a decision out, in one Step: the case, the money that stands
// under it, its payment, and the refund that brings it back. The answer is the
// case as it is then.
func (s *Steps) decide(ctx context.Context, v caseView, j judgement) (exception.Case, error) {
	k := v.Case
	if err := k.Check(j.Decision); err != nil {
		return k, err
	}
	if j.person() && j.Decision == exception.Accept && k.Kind == exception.LateSuccess && !v.OrderWants {
		return k, fault.Conflict("order_paid", "the order takes no more money: return it").WithParam("decision")
	}
	step := ledger.Step{Book: k.Book, Cause: id.Key(k.ID, k.Step()), Business: business(k), By: j.principal}
	if !j.person() {
		step.By = ledger.Service("case-saga")
	}
	if k.PaymentID != "" {
		r, err := payment.Conclude(v.of(), k, j.Decision, j.person())
		if err != nil {
			return k, err
		}
		if !r.Quiet {
			step.Changes, step.Journals = r.Changes(v.d.Payment, v.of().Attempt), r.Journals
			step.Changes = append(step.Changes, recovers(v.d, id.Key(k.PaymentID, r.Step), r.Journals)...)
		}
		if j.person() {
			step.Changes = append(step.Changes, payment.Act{PaymentID: k.PaymentID, Act: "resolve_case", Decision: string(j.Decision),
				Actor: j.Actor, Verified: j.Verified, Reason: j.Reason})
		}
	}
	move, err := s.conclude(v.d, k, j, &step)
	if err != nil {
		return k, err
	}
	_, err = s.c.Committer.Commit(ctx, step)
	return move.After, err
}

// conclude adds to a Step what its decision does to the case: its move, the
// refund of a return, and what is remembered of a person's act.
func (s *Steps) conclude(d payment.Dossier, k exception.Case, j judgement, step *ledger.Step) (exception.Move, error) {
	refundID := ""
	if j.Decision == exception.Return {
		refundID = s.c.Cases.Mint(id.Refund)
	}
	move, err := k.Decide(j.Decision, j.By, refundID, s.c.Now())
	if err != nil {
		return move, err
	}
	move.Idempotency = j.idempotency
	step.Changes = append(step.Changes, move)
	if refundID != "" {
		step.Changes = append(step.Changes, refund.Receive{Refund: returning(d, k, refundID)})
	}
	return move, nil
}

// returning is the refund of a case's money: out of the merchant's balance,
// where it was booked as the merchant's, else out of suspense, of just the
// charge that brought it.
func returning(d payment.Dossier, k exception.Case, refundID string) refund.Refund {
	r := refund.Refund{Book: k.Book, ID: refundID, PaymentID: k.PaymentID, OrderID: d.Payment.OrderID, MerchantID: k.MerchantID,
		Amount: k.Amount, Reason: string(k.Kind), Source: refund.FromMerchant, CaseID: k.ID, User: walletOf(d.Payment)}
	if k.Booked {
		return r
	}
	r.Source, r.Charge, r.ChannelAccount, r.ChargeID = refund.FromSuspense, k.Attempt, k.ChannelAccount, k.ChannelID
	if a := d.Attempt(k.Attempt); a != nil {
		r.Part, r.Channel = a.Part, a.Channel
	}
	return r
}

// walletOf is whose wallet a refund of a payment may go to; empty: none.
func walletOf(p payment.Payment) string {
	if p.WalletPart() == nil {
		return ""
	}
	return p.CustomerID
}

// DecideCase carries a person's decision out, at once. Its errors are faults:
// fault.Conflict where it doesn't fit the case, fault.Denied where it isn't the
// caller's to make.
func (s *Steps) DecideCase(ctx context.Context, in exception.Resolution) (exception.Case, error) {
	for try := 1; ; try++ {
		k, err := s.c.Cases.Case(ctx, in.Book, in.MerchantID, in.CaseID)
		if err != nil {
			return k, err
		}
		if in.Decision.ForOperators() && in.By.Kind != ledger.ByOperator {
			return k, fault.Denied("operators_only", string(in.Decision)+" is for operators: it leaves money on suspense, or passes over what a channel said").WithParam("decision")
		}
		v, err := s.view(ctx, k)
		if err != nil {
			return k, err
		}
		k, err = s.decide(ctx, v, judgement{Decision: in.Decision, principal: in.By, idempotency: in.Idempotency,
			By: exception.By{Actor: in.By.ID, Verified: true, Reason: in.By.Reason}})
		if !overtaken(err) || try == staleTries {
			return k, err
		}
	}
}

// ResolveCaseInput is an operator's decision of a case, as typed into the Web
// UI.
type ResolveCaseInput struct {
	CaseRef
	Decision exception.Decision `json:"decision"`
	Actor    string             `json:"actor"`
	Reason   string             `json:"reason"`
	Code     string             `json:"code,omitempty"` // from `paysaga operator sign`
}

// ResolveCase verifies who decided, and carries it out. In the live book an
// unsigned decision is fault.Denied; in the others it counts, and is recorded as
// unverified. Repeated, it answers with what stands.
func (s *Steps) ResolveCase(ctx context.Context, in ResolveCaseInput) (CaseStands, error) {
	verified, actor, err := s.verify(ctx, Verdict{Book: in.Book, BusinessID: in.CaseID, Decision: string(in.Decision), Actor: in.Actor, Reason: in.Reason, Code: in.Code})
	if err != nil {
		return CaseStands{}, failure(ctx, err)
	}
	for try := 1; ; try++ {
		k, err := s.resolveCase(ctx, in, actor, verified)
		if !overtaken(err) || try == staleTries {
			return stands(k, ""), failure(ctx, err)
		}
	}
}

func (s *Steps) resolveCase(ctx context.Context, in ResolveCaseInput, actor string, verified bool) (exception.Case, error) {
	k, err := s.c.Cases.Case(ctx, in.Book, "", in.CaseID)
	if err != nil || (k.Decision == in.Decision && k.Actor == actor) {
		return k, err
	}
	v, err := s.view(ctx, k)
	if err != nil {
		return k, err
	}
	return s.decide(ctx, v, judgement{Decision: in.Decision, By: exception.By{Actor: actor, Verified: verified, Reason: in.Reason},
		principal: ledger.Principal{Kind: ledger.ByOperator, ID: actor, Reason: in.Reason}})
}

// mismatched is the open case of what a channel took instead of what was meant;
// nil if there is none.
func (s *Steps) mismatched(ctx context.Context, book id.Book, paymentID string) (*exception.Case, error) {
	list, _, err := s.c.Cases.Cases(ctx, exception.Filter{Book: book, PaymentID: paymentID, State: exception.Open, Limit: 100})
	for i, k := range list {
		if k.Holds() {
			return &list[i], err
		}
	}
	return nil, err
}
