package activities

import (
	"context"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/trade"
)

// Cases reads what the steps of cases need. A missing row is fault.NotFound.
type Cases interface {
	Case(ctx context.Context, book id.Book, merchantID, caseID string) (exception.Case, error)
	Cases(context.Context, exception.Filter) ([]exception.Case, bool, error)
	OrderSums(ctx context.Context, book id.Book, orderID string) (trade.Order, error)
	Refund(ctx context.Context, book id.Book, merchantID, refundID string) (refund.Refund, error)
	Mint(id.Prefix) string
}

// CaseRef names the case a step works on. Payloads carry ids only.
type CaseRef struct {
	Book   id.Book `json:"book"`
	CaseID string  `json:"case_id"`
}

// CaseStands is how far a case has come.
type CaseStands struct {
	State     exception.State    `json:"state"`
	Kind      exception.Kind     `json:"kind"`
	Decision  exception.Decision `json:"decision,omitempty"`
	PaymentID string             `json:"payment_id,omitempty"`
	RefundID  string             `json:"refund_id,omitempty"`
	Sequence  int64              `json:"sequence"`
	Deadline  time.Time          `json:"deadline,omitzero"`
	Parked    string             `json:"parked,omitempty"`
	Waits     string             `json:"waits,omitempty"` // for what
	Person    bool               `json:"person,omitempty"`
	Holds     bool               `json:"holds,omitempty"` // the payment's saga waits for the decision
}

func stands(k exception.Case, waits string) CaseStands {
	return CaseStands{State: k.State(), Kind: k.Kind, Decision: k.Decision, PaymentID: k.PaymentID, RefundID: k.RefundID,
		Sequence: k.Sequence, Deadline: k.Deadline, Parked: k.Parked, Waits: waits, Person: k.NeedsPerson(), Holds: k.Holds()}
}

// Advance does what can be done about a case now, without a person: it notes
// that the saga has it, carries out what its policy decides, and closes it once
// its money is back. Repeated, it answers with what stands.
func (s *Steps) Advance(ctx context.Context, in CaseRef) (CaseStands, error) {
	st, err := s.advance(ctx, in)
	return st, failure(ctx, err)
}

// WatchInput asks for news of a case.
type WatchInput struct {
	CaseRef
	Sequence int64 `json:"sequence"` // as it is known
}

// Watch is Advance as a poll: it fails with NotYet while nothing has moved.
// Temporal's retries are the poll, and the history stays short.
func (s *Steps) Watch(ctx context.Context, in WatchInput) (CaseStands, error) {
	st, err := s.advance(ctx, in.CaseRef)
	switch {
	case err != nil:
		return st, failure(ctx, err)
	case st.Sequence == in.Sequence:
		return st, notYet(st.Waits)
	}
	return st, nil
}

func (s *Steps) advance(ctx context.Context, in CaseRef) (CaseStands, error) {
	for try := 1; ; try++ {
		st, err := s.advanceOnce(ctx, in)
		if !overtaken(err) || try == staleTries {
			return st, err
		}
	}
}

func (s *Steps) advanceOnce(ctx context.Context, in CaseRef) (CaseStands, error) {
	k, err := s.c.Cases.Case(ctx, in.Book, "", in.CaseID)
	if err == nil && !k.Taken {
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: k.Book, Cause: id.Key(k.ID, id.Step{Code: id.Open, Ordinal: 1}),
			Business: business(k), By: ledger.Service("case-saga"), Changes: []ledger.Change{exception.Take{ID: k.ID}}})
	}
	if err != nil {
		return CaseStands{}, err
	}
	switch k.State() {
	case exception.Open:
		return s.byPolicy(ctx, k)
	case exception.Decided:
		return s.byRefund(ctx, k)
	}
	return stands(k, ""), nil
}

// business is what the timeline of a case's Steps follows: its payment, if it
// has one.
func business(k exception.Case) string {
	if k.PaymentID == "" {
		return k.ID
	}
	return k.PaymentID
}

// byPolicy decides an open case if its policy does. What is refused is noted,
// once: a person is shown it, and it is tried again.
func (s *Steps) byPolicy(ctx context.Context, k exception.Case) (CaseStands, error) {
	v, err := s.view(ctx, k)
	if err != nil {
		return CaseStands{}, err
	}
	d, waits := exception.Next(v.View)
	if d == "" {
		return stands(k, waits), nil
	}
	after, err := s.decide(ctx, v, judgement{Decision: d, By: exception.ByPolicy(k.Kind)})
	if fault.Of(err) != fault.KindConflict || overtaken(err) {
		return stands(after, ""), err
	}
	return s.stuck(ctx, k, string(d)+" isn't possible: "+fault.As(err).Message)
}

// stuck shows a case to a person; with the same words it changes nothing.
func (s *Steps) stuck(ctx context.Context, k exception.Case, why string) (CaseStands, error) {
	if k.Parked == why {
		return stands(k, why), nil
	}
	after, err := s.moveCase(ctx, k.Stuck(why))
	return stands(after, why), err
}

// byRefund closes a case whose money is back, and says so where it can't be
// brought back.
func (s *Steps) byRefund(ctx context.Context, k exception.Case) (CaseStands, error) {
	r, err := s.c.Cases.Refund(ctx, k.Book, "", k.RefundID)
	if err != nil {
		return CaseStands{}, err
	}
	var m exception.Move
	switch {
	case r.Status == refund.Succeeded:
		m = k.Returned(s.c.Now())
	case r.Status == refund.Failed:
		m = k.Reopened("the refund " + r.ID + " failed: " + r.FailureCode)
	case r.Parked != "":
		return s.stuck(ctx, k, "the refund "+r.ID+" waits for a person: "+r.Parked)
	case k.Parked != "":
		m = k.Stuck("")
	default:
		return stands(k, "its refund "+r.ID+" is on its way"), nil
	}
	after, err := s.moveCase(ctx, m)
	return stands(after, ""), err
}

func (s *Steps) moveCase(ctx context.Context, m exception.Move) (exception.Case, error) {
	_, err := s.c.Committer.Commit(ctx, ledger.Step{Book: m.Before.Book, Cause: id.Key(m.Before.ID, m.Before.Step()), Business: business(m.Before),
		By: ledger.Service("case-saga"), Changes: []ledger.Change{m}})
	return m.After, err
}

// caseView is a case with what it is decided by.
type caseView struct {
	exception.View
	d payment.Dossier // zero for an orphan
}

func (s *Steps) view(ctx context.Context, k exception.Case) (caseView, error) {
	v := caseView{View: exception.View{Case: k, Now: s.c.Now()}}
	if k.PaymentID == "" {
		return v, nil
	}
	var err error
	if v.d, err = s.c.Files.Dossier(ctx, k.Book, k.PaymentID); err != nil {
		return v, err
	}
	v.PaymentEnded, v.PaymentPaid = v.d.Payment.Status.Terminal(), v.d.Payment.Status == payment.Paid
	if v.d.Payment.TopUp() { // no order bounds what a wallet takes
		v.OrderWants = true
		return v, nil
	}
	o, err := s.c.Cases.OrderSums(ctx, k.Book, v.d.Payment.OrderID)
	if err != nil {
		return v, err
	}
	paid := o.Paid.Minor - o.Refunded.Minor
	v.Short = v.d.Payment.WalletPart() != nil
	v.OrderPaid = paid >= o.Total.Minor
	if k.Amount.Currency == o.Currency {
		brings := k.Amount.Minor
		if k.Holds() && !v.PaymentEnded { // a wallet's part is taken with it
			brings += v.d.Payment.FromWallet().Minor
		}
		v.OrderWants, v.RestPaid = o.Wants(brings), paid >= o.Total.Minor-brings
	}
	return v, nil
}

// of is what the rules of payments look at.
func (v caseView) of() payment.Case {
	return payment.Case{Payment: v.d.Payment, Attempt: v.d.Attempt(v.Case.Attempt), Terms: v.d.Terms, Calendar: v.d.Calendar, Now: v.Now, Captures: v.d.Captures, Last: true}
}
