package payment

import (
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// maxCredible is the largest amount, in minor units, that is booked on a
// channel's word alone. Beyond it the balances could overflow, and the posting
// would be refused for ever; such a word gets a case without a posting.
const maxCredible int64 = 1_000_000_000_000_000

// Credible says whether what a channel claims to have taken, other than what
// was meant, can stand on suspense: more than nothing, in a currency we know,
// and not beyond all measure.
func Credible(took money.Amount) bool {
	_, err := money.ParseCurrency(string(took.Currency))
	return err == nil && took.Minor > 0 && took.Minor <= maxCredible
}

// MismatchCase is the id of the case that an amount mismatch opens.
func MismatchCase(paymentID string) string { return "case/" + paymentID + "/amount_mismatch/1" }

// differs: the channel took another amount, or another currency, than meant.
func (s *settling) differs() bool {
	return s.Outcome.AmountMinor != s.Payment.Amount.Minor || s.Outcome.Currency != string(s.Payment.Amount.Currency)
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
	s.wait()
	p := &s.r.After
	p.Parked = "amount_mismatch: the channel took " + text + ", meant was " + s.Payment.Amount.Text()
	s.r.Event = "payment.parked"
	s.r.Case = &OpenCase{ID: MismatchCase(p.ID), Book: p.Book, MerchantID: p.MerchantID, PaymentID: p.ID,
		ChannelAccount: s.Attempt.ChannelAccount, Kind: "amount_mismatch", Amount: took, Reason: p.Parked}
	if !Credible(took) {
		return nil
	}
	chart := ledger.Chart{Book: p.Book, Currency: took.Currency}
	j, err := ledger.Unexplained(id.Key(p.ID, s.r.Step), chart, s.Attempt.ChannelAccount, "amount_mismatch", took, s.when(s.Outcome.EffectiveAt))
	if err != nil {
		return err
	}
	s.r.Journals = append(s.r.Journals, j)
	return nil
}

// Contradict is the ruling about an outcome that Settle found to contradict
// what is known: nothing moves but a case is opened, and money that came beyond
// what is booked is put on suspense until somebody decides whose it is. Where a
// channel only changes its word about one charge, no money came: the case names
// what it says now. One attempt has at most one such ruling with money and one
// without.
func Contradict(c Case) (Ruling, error) {
	c.Outcome = c.Outcome.Vetted()
	if c.Attempt == nil {
		return Ruling{}, fault.Internal("a contradiction without an attempt", nil)
	}
	s := begin(c)
	p, kind, took := c.Payment, "late_success", money.New(c.Outcome.AmountMinor, money.Currency(c.Outcome.Currency))
	came := c.Outcome.Verdict == Succeeded
	if came && c.Attempt.Verdict == Succeeded {
		kind, came = "duplicate_payment", c.Outcome.otherCharge(c.Attempt)
	}
	s.r.Step = s.step(id.Case)
	if !came {
		kind, s.r.Step = "contradiction", s.step(id.Contradict)
	}
	if took.Minor == 0 {
		took = money.Zero(p.Amount.Currency)
	}
	s.r.Case = &OpenCase{ID: "case/" + p.ID + "/" + kind + "/" + s.r.Step.String(), Book: p.Book, MerchantID: p.MerchantID,
		PaymentID: p.ID, ChannelAccount: c.Attempt.ChannelAccount, Kind: kind, Amount: took,
		Reason: fault.As(c.contradiction()).Message}
	if !came || !Credible(took) {
		return s.r, nil
	}
	chart := ledger.Chart{Book: p.Book, Currency: took.Currency}
	j, err := ledger.Unexplained(s.cause(id.Case), chart, c.Attempt.ChannelAccount, kind, took, s.when(c.Outcome.EffectiveAt))
	s.r.Journals = append(s.r.Journals, j)
	return s.r, err
}
