package refund

import (
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// Decision is what an operator decides about a refund that a person was shown.
type Decision = remit.Decision

// The decisions.
const (
	// Retry sends it again: under a new ordinal once the try before has been
	// asked about and stands as refused.
	Retry = remit.Retry
	// PayElsewhere says that the customer was paid another way. The money waits on
	// suspense/X/paid_elsewhere for the bank's word.
	PayElsewhere Decision = "pay_elsewhere"
	// ToWallet gives all of it to the wallet of the payment's customer: the
	// channel's way is dead.
	ToWallet Decision = "to_wallet"
	// WriteOff ends it as failed: the merchant keeps the money.
	WriteOff Decision = "write_off"
	// MarkSucceeded says that the refund is done. If the channel told of another
	// amount, what differs goes to suspense, under a case.
	MarkSucceeded Decision = "mark_succeeded"
)

// Decisions returns every decision once.
func Decisions() []Decision {
	return []Decision{Retry, PayElsewhere, ToWallet, WriteOff, MarkSucceeded}
}

// Decide carries a decision out. Only what a person was shown can be decided;
// otherwise it is fault.Conflict "decision_refused". What the channel still says
// against it later opens a case.
func Decide(s Settling, d Decision, act int) (Ruling, error) {
	r := Ruling{After: s.Refund, Payment: s.Payment}
	if s.Refund.Status.Terminal() || s.Refund.Parked == "" {
		return r, fault.Conflict("decision_refused", "the refund is "+string(s.Refund.Status)+" and not parked: there is nothing to decide")
	}
	var err error
	booked := money.Zero(s.Refund.Amount.Currency) // what our book says the channel gave back
	switch d {
	case Retry:
		return s.move(r, "refund.updated", func(after *Refund) { after.Parked = "" })
	case PayElsewhere:
		r.After.Elsewhere = true
		r, err = s.succeeded(r, id.Act, act, s.Now)
	case ToWallet:
		if s.Refund.OfTopUp() && s.Refund.Source == FromMerchant {
			return r, fault.Conflict("decision_refused", "its money came out of that very wallet: write it off, and it is there again")
		}
		if s.Refund.OwnFunds {
			return r, fault.Conflict("decision_refused", "the money is the merchant's own and never was ours: it can't go to a wallet with us")
		}
		if s.Refund.User == "" || s.Refund.InDoubt {
			return r, fault.Conflict("decision_refused", "only a refund whose payment has a customer, and of which the channel has said what became, goes to a wallet")
		}
		r.After.ToWallet = true
		r, err = s.succeeded(r, id.Act, act, s.Now)
	case MarkSucceeded:
		booked = money.New(s.Refund.OverChannel(), s.Refund.Amount.Currency)
		r, err = s.succeeded(r, id.Act, act, s.Now)
	case WriteOff:
		r, err = s.failed(r, id.Act, act, "written_off")
	default:
		return r, fault.Invalid("decision_unknown", "decision", "a decision is retry, pay_elsewhere, to_wallet, write_off or mark_succeeded")
	}
	if err != nil || s.Told.IsZero() {
		return r, err
	}
	if booked.IsZero() {
		booked.Currency = s.Told.Currency
	}
	if booked.Currency != s.Told.Currency {
		return Ruling{}, fault.Conflict("decision_refused", "the channel gave another currency back: pay it another way, or write it off")
	}
	return s.difference(r, booked, act)
}

// difference keeps our book with the channel's where the channel told of another amount than is booked now: what it gave beyond that
// stands on suspense as paid after all, what it kept as returned, and a case tells of it (I-10, I-17).
func (s Settling) difference(r Ruling, booked money.Amount, act int) (Ruling, error) {
	kind, post, more := PaidAfterAll, ledger.SuspenseReturned, money.New(s.Told.Minor-booked.Minor, booked.Currency)
	switch {
	case more.IsZero():
		return r, nil
	case more.Sign() < 0:
		kind, post, more.Minor = ReturnedCase, ledger.SuspenseFound, -more.Minor
	}
	step := id.Step{Code: id.Case, Ordinal: act}
	reference, err := id.Reference(id.Key(s.Refund.ID, step))
	if err != nil {
		return r, err
	}
	posting := s.Refund.ledger()
	posting.At, posting.Gross, posting.Reason = s.Now, more, string(kind)
	posting.Chart.Currency = more.Currency
	j, err := post(id.Key(s.Refund.ID, step), posting)
	if err != nil {
		return r, err
	}
	r.Journals = append(r.Journals, j)
	r.Case = &payment.OpenCase{ID: exception.ID(s.Refund.PaymentID, kind, reference), Book: s.Refund.Book, MerchantID: s.Refund.MerchantID,
		PaymentID: s.Refund.PaymentID, ChannelAccount: s.Refund.ChannelAccount, Kind: kind, Amount: more,
		Reason: "refund " + s.Refund.ID + ": the channel gave " + s.Told.Decimal() + " " + string(s.Told.Currency) + " back instead of " + booked.Decimal()}
	return r, nil
}

// ReturnedCase is the kind of case of a refund that came back after it had
// succeeded; PaidAfterAll that of one which the channel paid after it had ended
// another way.
const (
	ReturnedCase = exception.RefundReturned
	PaidAfterAll = exception.RefundPaidAfterAll
)

// money: the contradiction is one that moved money.
func (m Move) money() bool {
	o := m.Outcome.Vetted()
	if o.Verdict != payment.Succeeded {
		return true
	}
	told := m.Refund.Status == Succeeded && !m.Refund.otherwise() && !m.Refund.word(o).Another(m.Refund.ChannelID) // of another amount than before: whose word is right, nobody knows
	return !told && exception.Credible(money.New(o.AmountMinor, money.Currency(o.Currency)))
}

// Contradict is the ruling about an outcome that Settle found to contradict
// what is known: a case, and the posting that keeps our book with the
// channel's. A refund that came back is the merchant's again; one that was paid
// although our book says that it wasn't stands on suspense until somebody
// decides who bears it.
func Contradict(s Settling) (Ruling, error) {
	o, r := s.Outcome.Vetted(), s.Refund
	ruling := Ruling{After: r, Payment: s.Payment}
	step := Move{Refund: r, Ordinal: s.Ordinal, Outcome: s.Outcome, Contradicts: true}.Step()
	kind, took := ReturnedCase, money.New(r.OverChannel(), r.Amount.Currency)
	if o.Verdict == payment.Succeeded {
		kind, took = PaidAfterAll, money.New(o.AmountMinor, money.Currency(o.Currency))
	}
	reference, err := id.Reference(id.Key(r.ID, step)) // a payment has many refunds: the case's number names which
	if err != nil {
		return ruling, err
	}
	ruling.Case = &payment.OpenCase{ID: exception.ID(r.PaymentID, kind, reference), Book: r.Book, MerchantID: r.MerchantID,
		PaymentID: r.PaymentID, ChannelAccount: r.ChannelAccount, Kind: kind, Amount: took,
		Booked: step.Code == id.Contradict || (kind == ReturnedCase && r.Source == FromMerchant && !r.otherwise()), // nothing stands on suspense
		Reason: "refund " + r.ID + ": the channel says " + string(o.Verdict) + ", the refund is " + string(r.Status)}
	if step.Code == id.Contradict {
		return ruling, nil // no money moved that we can name: only the case tells
	}
	posting := r.ledger()
	posting.At, posting.Gross, posting.Wallet = o.EffectiveAt, took, money.Zero(took.Currency)
	posting.Chart.Currency = took.Currency
	post := ledger.RefundReturned
	switch {
	case kind == PaidAfterAll:
		posting.Reason = string(kind)
		post = ledger.SuspenseReturned
	case r.Source == FromSuspense, r.otherwise(): // whose it is was never settled
		posting.Reason = string(kind)
		post = ledger.SuspenseFound
	}
	j, err := post(id.Key(r.ID, step), posting)
	ruling.Journals = []ledger.Journal{j}
	return ruling, err
}
