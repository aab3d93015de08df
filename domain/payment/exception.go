package payment

import (
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// differs: the channel took another amount, or another currency, than meant.
func (s *settling) differs() bool {
	return s.Outcome.AmountMinor != s.meant().Minor || s.Outcome.Currency != string(s.Payment.Amount.Currency)
}

// open is the case of this ruling.
func (s *settling) open(kind exception.Kind, step string, took money.Amount, reason string) *OpenCase {
	p := s.Payment
	return &OpenCase{ID: exception.ID(p.ID, kind, step), Book: p.Book, MerchantID: p.MerchantID, PaymentID: p.ID,
		ChannelAccount: s.Attempt.ChannelAccount, Kind: kind, Amount: took, Reason: reason, Attempt: s.Attempt.Ordinal,
		ChannelID: s.Outcome.ChannelID, EffectiveAt: s.when(s.Outcome.EffectiveAt), Policy: s.Terms.Policies.Of(kind)}
}

// mismatch puts what came in on suspense, opens a case, and parks: only a
// person or a policy may say whose it is. What isn't credible is parked the
// same, with nothing posted.
func (s *settling) mismatch() error {
	took := money.New(s.Outcome.AmountMinor, money.Currency(s.Outcome.Currency))
	text := took.Text()
	if took.Currency == "" {
		text = "an amount in no currency that we know"
	}
	kind := exception.AmountMismatch
	if took.Currency == s.Payment.Amount.Currency && took.Minor > 0 && took.Minor < s.meant().Minor {
		kind = exception.PartialPayment
	}
	s.wait()
	p := &s.r.After
	p.Parked = string(kind) + ": the channel took " + text + ", meant was " + s.meant().Text()
	s.r.Event = "payment.parked"
	s.r.Case = s.open(kind, "1", took, p.Parked)
	return s.suspend(id.Key(p.ID, s.r.Step), kind, took)
}

// suspend posts what came, if it can be believed, to the suspense account of
// its kind.
func (s *settling) suspend(cause string, kind exception.Kind, took money.Amount) error {
	if !exception.Credible(took) {
		return nil
	}
	chart := s.chart().In(took.Currency)
	j, err := ledger.Unexplained(cause, chart, s.Attempt.ChannelAccount, string(kind), took, s.when(s.Outcome.EffectiveAt))
	s.r.Journals = append(s.r.Journals, j)
	return err
}

// Contradict is the ruling about an outcome that Settle found to contradict
// what is known: nothing moves but a case is opened, and money that came beyond
// what is booked is put on suspense until somebody decides whose it is. Where a
// channel only changes its word about one charge, no money came: the case names
// what it says now. Each charge has at most one such ruling with money, which
// Case.Again tells apart, and each attempt one without. Without a step left for
// one more charge it is fault.Conflict "steps_exhausted".
func Contradict(c Case) (Ruling, error) {
	c.Outcome = c.Outcome.Vetted()
	if c.Attempt == nil {
		return Ruling{}, fault.Internal("a contradiction without an attempt", nil)
	}
	s := begin(c)
	kind, took := exception.LateSuccess, money.New(c.Outcome.AmountMinor, money.Currency(c.Outcome.Currency))
	came := c.Outcome.Verdict == Succeeded
	switch {
	case came && c.Attempt.Verdict == Succeeded:
		kind, came = exception.DuplicatePayment, c.Outcome.otherCharge(c.Attempt)
	case came && c.Payment.Status == Paid: // over another channel
		kind = exception.DuplicatePayment
	}
	s.r.Step = s.step(id.Case)
	s.r.Step.Ordinal += 10 * c.Again
	if !s.r.Step.Valid() {
		return Ruling{}, fault.Conflict("steps_exhausted", "no ordinal is left for one more charge of this payment")
	}
	if !came {
		kind, s.r.Step = exception.Contradiction, s.step(id.Contradict)
	}
	if took.Minor == 0 {
		took = money.Zero(c.Payment.Amount.Currency)
	}
	s.r.Case = s.open(kind, s.r.Step.String(), took, fault.As(c.contradiction()).Message)
	if !came {
		return s.r, nil
	}
	return s.r, s.suspend(id.Key(c.Payment.ID, s.r.Step), kind, took)
}

// excess is the case that opens if this ruling pays its order more than the
// order's total: the money is the merchant's, and what is too much goes back.
// Without an attempt a wallet alone has paid.
func (r Ruling) excess(p Payment, a *Attempt) OpenCase {
	if a == nil {
		a = &Attempt{}
	}
	kind := exception.DuplicatePayment
	return OpenCase{ID: exception.ID(p.ID, kind, r.Step.String()), Book: p.Book, MerchantID: p.MerchantID, PaymentID: p.ID,
		ChannelAccount: a.ChannelAccount, Kind: kind, Amount: money.Zero(p.Amount.Currency),
		Reason:  "the order is paid beyond its total",
		Attempt: a.Ordinal, ChannelID: a.ChannelID, EffectiveAt: r.After.EffectiveAt, Booked: true, Policy: r.duplicates}
}
