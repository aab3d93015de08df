package payment

import (
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
)

// Decision is what a person decides about a payment that waits for one.
type Decision string

// The decisions.
const (
	// Accept takes what a mismatched success brought as the payment.
	Accept Decision = "accept"
	// Reject fails a mismatched payment; what came in goes back, if it can.
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

// Decide says what a decision means; k is the open case of what a channel took
// instead of what was meant, if there is one. A decision that doesn't fit the
// payment's state is fault.Conflict "decision_refused". The Step of the ruling is
// the caller's: an operator's act has a cause of its own.
func Decide(c Case, k *exception.Case, d Decision) (Ruling, error) {
	p := c.Payment
	if c.Attempt == nil || p.Status.Terminal() {
		return Ruling{}, refused(p, d)
	}
	if err := c.possible(); err != nil {
		return Ruling{}, err
	}
	switch {
	case d == Accept && k != nil && k.Check(exception.Accept) == nil:
		return Conclude(c, *k, exception.Accept, true)
	case d == Reject && k != nil && k.State() == exception.Open:
		return Conclude(c, *k, exception.Return, true)
	case d == MarkSucceeded && p.InDoubt:
		c.Outcome = Outcome{Verdict: Succeeded, AmountMinor: p.part(c.Attempt.Part).Amount.Minor, Currency: string(p.Amount.Currency), EffectiveAt: c.Now}
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

// Changes are the moves of r as a Step commits them.
func (r Ruling) Changes(before Payment, attempt *Attempt) []ledger.Change {
	var list []ledger.Change
	if r.Event != "" {
		list = append(list, Update{Before: before, After: r.After, Event: r.Event, Case: r.ByCase, Opened: true})
	}
	if r.Attempt != nil {
		list = append(list, AttemptUpdate{Before: attempt.Verdict, After: *r.Attempt})
	}
	if !r.MaturesAt.IsZero() {
		list = append(list, MatureAt{PaymentID: before.ID, At: r.MaturesAt, Adds: r.After.Pending.Minor - before.Pending.Minor})
	}
	if r.Order != (trade.Change{}) {
		list = append(list, r.payOrder(before, attempt))
	}
	if r.Case != nil {
		list = append(list, *r.Case)
	}
	return list
}

func (r Ruling) payOrder(p Payment, a *Attempt) ledger.Change {
	move := trade.Move{OrderID: p.OrderID, Change: r.Order}
	if r.Order.Paid <= 0 || r.Knowing {
		return move
	}
	return PayOrder{Move: move, Excess: r.excess(p, a)}
}
