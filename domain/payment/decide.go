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

// MismatchCase is the id of the case that an amount mismatch opens.
func MismatchCase(paymentID string) string { return "case/" + paymentID + "/amount_mismatch/1" }

// Decide says what a decision means. One that doesn't fit the payment's state
// is fault.Conflict "decision_refused".
func Decide(c Case, d Decision) (Ruling, error) {
	p := c.Payment
	mismatched := c.Attempt != nil && c.Attempt.Verdict == Succeeded && p.Parked != "" && !p.Status.Terminal()
	switch {
	case d == Accept && mismatched && c.Attempt.Currency == string(p.Amount.Currency):
		return accept(c)
	case d == Reject && mismatched:
		r := Ruling{After: p, Event: "payment.failed"}
		r.After.Status, r.After.Parked, r.After.DeclineCode = Failed, "", "amount_mismatch"
		r.After.Sequence++
		r.After.UpdatedAt = c.Now
		return r, nil
	case d == MarkSucceeded && p.InDoubt:
		c.Outcome = Outcome{Verdict: Succeeded, AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency), EffectiveAt: c.Now}
		return Settle(c)
	case d == MarkFailed && p.InDoubt:
		c.Outcome, c.End = Outcome{Verdict: Closed, Dead: true}, Failed
		r, err := Settle(c)
		r.After.DeclineCode = "operator_decision"
		return r, err
	}
	return Ruling{}, fault.Conflict("decision_refused", "the payment is "+string(p.Status)+": "+string(d)+" doesn't apply to it")
}

// accept books what the channel took as the merchant's, out of suspense.
func accept(c Case) (Ruling, error) {
	s := settling{Case: c, r: Ruling{After: c.Payment}}
	s.r.After.Parts = append([]Part(nil), c.Payment.Parts...)
	took := money.New(c.Attempt.AmountMinor, c.Payment.Amount.Currency)
	at := c.Attempt.EffectiveAt
	if at.IsZero() {
		at = c.Now
	}
	fee, err := c.Terms.Fee(took)
	if err != nil {
		return Ruling{}, err
	}
	sale := ledger.Capture{Chart: s.chart(), ChannelAccount: c.Attempt.ChannelAccount, Merchant: c.Payment.MerchantID, Gross: took, Fee: fee, At: at}
	j, err := ledger.Explained(s.cause(id.Capture), sale, "amount_mismatch")
	if err != nil {
		return Ruling{}, err
	}
	s.r.Journals = append(s.r.Journals, j)
	if err := s.mature(sale); err != nil {
		return Ruling{}, err
	}
	s.sold(took, fee, at)
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
	if r.Order != (trade.Change{}) {
		list = append(list, trade.Move{OrderID: before.OrderID, Change: r.Order})
	}
	if r.Case != nil {
		list = append(list, *r.Case)
	}
	return list
}
