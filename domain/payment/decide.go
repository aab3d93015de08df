package payment

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// Decision is what a person decides about a payment that waits for one.
type Decision string

// The decisions.
const (
	// Accept takes what a mismatched success brought as the payment.
	Accept Decision = "accept"
	// Reject fails a mismatched payment; what came in stays on suspense, under
	// its open case, until it is returned.
	Reject Decision = "reject"
	// MarkSucceeded and MarkFailed settle an unknown outcome on evidence from
	// outside paysaga, a channel's back office for one.
	MarkSucceeded Decision = "mark_succeeded"
	MarkFailed    Decision = "mark_failed"
)

// Valid says whether d is one of the decisions.
func (d Decision) Valid() bool {
	return d == Accept || d == Reject || d == MarkSucceeded || d == MarkFailed
}

// Led says whether s is where d leads: a decision that finds it there was
// carried out before, and its answer got lost.
func (d Decision) Led(s Status) bool {
	switch d {
	case Accept, MarkSucceeded:
		return s == Paid
	case Reject:
		return s == Failed || s == Canceled
	case MarkFailed:
		return s == Failed
	}
	return false
}

// Decide says what a decision means. One that doesn't fit the payment's state
// is fault.Conflict "decision_refused". The Step of the ruling is the caller's:
// an operator's act has a cause of its own.
func Decide(c Case, d Decision) (Ruling, error) {
	p := c.Payment
	if c.Attempt == nil || p.Status.Terminal() {
		return Ruling{}, refused(p, d)
	}
	if err := c.possible(); err != nil {
		return Ruling{}, err
	}
	mismatched := c.Attempt.Verdict == Succeeded && p.Parked != ""
	switch {
	case d == Accept && mismatched && c.Attempt.Currency == string(p.Amount.Currency) && Credible(took(c)):
		return accept(c)
	case d == Reject && mismatched:
		s := begin(c)
		s.r.Step = s.step(id.End)
		if p.Status == Reserved { // the state machine has no edge to failed from there
			s.end(Canceled, "")
		} else {
			s.end(Failed, "amount_mismatch")
		}
		return s.done()
	case d == MarkSucceeded && p.InDoubt:
		c.Outcome = Outcome{Verdict: Succeeded, AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency), EffectiveAt: c.Now}
		return Settle(c)
	case d == MarkFailed && p.InDoubt:
		c.Outcome, c.End, c.EndCode = Outcome{Verdict: Closed, Dead: true}, Failed, "operator_decision"
		return Settle(c)
	}
	return Ruling{}, refused(p, d)
}

func refused(p Payment, d Decision) error {
	return fault.Conflict("decision_refused", "the payment is "+string(p.Status)+": "+string(d)+" doesn't apply to it")
}

// took is what the channel says it took under c's attempt.
func took(c Case) money.Amount {
	return money.New(c.Attempt.AmountMinor, money.Currency(c.Attempt.Currency))
}

// accept books what the channel took as the merchant's, out of suspense.
func accept(c Case) (Ruling, error) {
	s := begin(c)
	s.r.Step = s.step(id.Explain)
	sale, err := s.sale(took(c), c.Attempt.EffectiveAt)
	if err != nil {
		return Ruling{}, err
	}
	j, err := ledger.Explained(s.cause(id.Explain), sale, "amount_mismatch")
	if err != nil {
		return Ruling{}, err
	}
	if err := s.capture(sale, j); err != nil {
		return Ruling{}, err
	}
	return s.done()
}

// Changes are the moves of r as a Step commits them.
func (r Ruling) Changes(before Payment, attempt *Attempt) []ledger.Change {
	var list []ledger.Change
	if r.Event != "" {
		list = append(list, Update{Before: before, After: r.After, Event: r.Event, Opened: true})
	}
	if r.Attempt != nil {
		list = append(list, AttemptUpdate{Before: attempt.Verdict, After: *r.Attempt})
	}
	if !r.MaturesAt.IsZero() {
		list = append(list, MatureAt{PaymentID: before.ID, At: r.MaturesAt})
	}
	if r.Order != (trade.Change{}) {
		list = append(list, trade.Move{OrderID: before.OrderID, Change: r.Order})
	}
	if r.Case != nil {
		list = append(list, *r.Case)
	}
	return list
}
