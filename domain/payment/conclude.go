package payment

import (
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// Conclude is what the decision of a case does to its payment, and to the money
// that stands on suspense under it: what is accepted becomes the merchant's
// sale, and a payment that waited for the decision ends. Quiet: nothing of the
// payment moves. c.Attempt is the attempt in question. knowing: whoever decides
// has looked at the order; else what is too much for it opens a case.
//
// It refuses, as fault.Conflict "decision_refused", to accept another currency,
// a success for a payment that is still under way, and a second one for a
// payment that succeeded.
func Conclude(c Case, k exception.Case, d exception.Decision, knowing bool) (Ruling, error) {
	waits := k.Holds() && !c.Payment.Status.Terminal()
	switch {
	case d == exception.Wait:
	case d == exception.Accept && waits:
		return acceptCase(c, k, knowing)
	case d == exception.Accept && k.Kind == exception.LateSuccess:
		return acceptLate(c, k, knowing)
	case waits:
		return refuse(c, k)
	case c.Payment.Parked == k.Reason && !c.Payment.Status.Terminal(): // a capture's: nobody is needed any more
		s := begin(c)
		s.r.Step, s.r.After.Parked, s.r.Event = s.step(id.End), "", "payment.updated"
		return s.done()
	}
	return Ruling{Quiet: true, After: c.Payment}, nil
}

// acceptCase books what the channel took as the merchant's, out of suspense.
func acceptCase(c Case, k exception.Case, knowing bool) (Ruling, error) {
	if c.Attempt == nil || c.Attempt.Verdict != Succeeded || k.Amount.Currency != c.Payment.Amount.Currency || !k.OnSuspense() {
		return Ruling{}, fault.Conflict("decision_refused", "only money of the payment's own currency can be taken as the payment").WithParam("decision")
	}
	return explain(begin(c), k, knowing)
}

// acceptLate takes what came after the end as the payment. The attempt learns
// that it succeeded after all.
func acceptLate(c Case, k exception.Case, knowing bool) (Ruling, error) {
	switch p := c.Payment; {
	case c.Attempt == nil || k.Amount.Currency != p.Amount.Currency || !k.OnSuspense():
		return Ruling{}, fault.Conflict("decision_refused", "only money of the payment's own currency can be taken as the payment").WithParam("decision")
	case !p.Status.CanBecomeByCase(Paid):
		return Ruling{}, fault.Conflict("decision_refused", "the payment is "+string(p.Status)+": it can't take this money").WithParam("decision")
	}
	s := begin(c)
	a := *c.Attempt
	a.Verdict, a.AmountMinor, a.Currency, a.EffectiveAt = Succeeded, k.Amount.Minor, string(k.Amount.Currency), k.EffectiveAt
	if k.ChannelID != "" {
		a.ChannelID = k.ChannelID
	}
	s.r.Attempt, s.r.ByCase = &a, k.ID
	return explain(s, k, knowing)
}

func explain(s *settling, k exception.Case, knowing bool) (Ruling, error) {
	s.r.Step = s.step(id.Explain)
	s.r.Knowing = knowing
	at := k.EffectiveAt
	if at.IsZero() {
		at = s.Attempt.EffectiveAt
	}
	sale, err := s.sale(k.Amount, at)
	if err != nil {
		return Ruling{}, err
	}
	j, err := s.booked(s.cause(id.Explain), sale, string(k.Kind))
	if err != nil {
		return Ruling{}, err
	}
	if err := s.capture(sale, j); err != nil {
		return Ruling{}, err
	}
	return s.done()
}

// refuse ends a payment whose money isn't taken. What came stays on suspense
// until it is returned.
func refuse(c Case, k exception.Case) (Ruling, error) {
	s := begin(c)
	s.r.Step = s.step(id.End)
	as, code := Failed, string(k.Kind)
	if c.Payment.Status == Reserved { // the state machine has no edge to failed from there
		as, code = Canceled, ""
	}
	if err := s.end(as, code); err != nil {
		return Ruling{}, err
	}
	return s.done()
}
