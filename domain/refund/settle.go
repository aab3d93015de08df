package refund

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
	"paysaga/domain/trade"
)

// Settling is all that Settle, Decide and Contradict look at.
type Settling struct {
	Refund  Refund
	Payment Payment
	// Matured: what of the payment had to become available by now has.
	Matured bool
	Ordinal int // of the try at the channel: rf1
	// Followed: another try was made after this one. Only that it succeeded
	// after all still counts.
	Followed bool
	Outcome  payment.Outcome
	// Told is what the channel says that it gave back while the refund still
	// stands as not done, since that isn't what was meant; zero: it says nothing.
	Told money.Amount
	Now  time.Time
}

// Ruling is what an outcome does: one Step's worth.
type Ruling struct {
	Quiet        bool // everything stands already
	After        Refund
	Event        string // empty: nothing that a merchant sees changed
	Payment      Payment
	PaymentEvent string       // empty: the payment stays as it is
	Order        trade.Change // what the order's sums change by
	Journals     []ledger.Journal
	Case         *payment.OpenCase
}

// word is a channel's outcome as this refund hears it. Of what stands on
// suspense somebody has to decide anew; so they have of a payment that was made
// in part out of a wallet, since that can take all of it.
func (r Refund) word(o payment.Outcome) remit.Word {
	return remit.Word{Outcome: o, Meant: money.New(r.OverChannel(), r.Amount.Currency), GivesUp: r.Source != FromSuspense && !r.Combined}
}

// Settle says what a channel's outcome means for a refund. What is unknown
// stays set aside and is asked about (I-14); a "no" that proves nothing, too.
// A refund that has ended stays: an outcome that contradicts it is
// fault.Conflict "contradicts_state", for a case.
func Settle(s Settling) (Ruling, error) {
	o, r := s.Outcome.Vetted(), s.Refund
	if r.Status.Terminal() {
		return s.ended(o)
	}
	ruling := Ruling{After: r, Payment: s.Payment}
	if s.Followed && o.Verdict != payment.Succeeded {
		ruling.Quiet = true
		return ruling, nil
	}
	note(&ruling.After, o)
	word := r.word(o)
	switch word.Code(id.RefundOut) {
	case id.RefundOut:
		if o.Verdict == payment.Succeeded {
			return s.succeeded(ruling, id.RefundOut, s.Ordinal, o.EffectiveAt)
		}
		return s.failed(ruling, id.RefundOut, s.Ordinal, word.DeclineCode())
	case id.Park:
		why := word.Why("refund")
		return s.move(ruling, "refund.parked", func(after *Refund) { after.InDoubt, after.Parked = false, why })
	case id.InDoubt:
		return s.move(ruling, "refund.in_doubt", func(after *Refund) { after.InDoubt = true })
	}
	return s.move(ruling, "refund.updated", func(after *Refund) { after.InDoubt = false })
}

// Show lets a person see a refund, and why; whatever goes on goes on.
func Show(s Settling, why string) (Ruling, error) {
	ruling := Ruling{After: s.Refund, Payment: s.Payment}
	if s.Refund.Status.Terminal() || s.Refund.Parked != "" {
		ruling.Quiet = true
		return ruling, nil
	}
	return s.move(ruling, "refund.parked", func(after *Refund) { after.Parked = why })
}

// ended holds an outcome against a refund that has ended.
func (s Settling) ended(o payment.Outcome) (Ruling, error) {
	r := s.Refund
	if !r.word(o).Contradicts(r.Status, r.ChannelID, r.otherwise(), s.Followed) {
		return Ruling{Quiet: true, After: r, Payment: s.Payment}, nil
	}
	return Ruling{}, fault.Conflict("contradicts_state", "the channel says "+string(o.Verdict)+", the refund is "+string(r.Status))
}

func note(r *Refund, o payment.Outcome) {
	if o.ChannelID != "" {
		r.ChannelID = o.ChannelID
	}
	if !o.EffectiveAt.IsZero() {
		r.EffectiveAt = o.EffectiveAt
	}
}

// move changes what a merchant sees without moving money; what stands already is quiet.
func (s Settling) move(r Ruling, event string, change func(*Refund)) (Ruling, error) {
	before := r.After
	change(&r.After)
	if r.After.InDoubt == before.InDoubt && r.After.Parked == before.Parked {
		return Ruling{Quiet: true, After: s.Refund, Payment: s.Payment}, nil
	}
	return s.count(r, event), nil
}

func (s Settling) count(r Ruling, event string) Ruling {
	r.Event = event
	r.After.Sequence++
	r.After.UpdatedAt = s.Now
	return r
}

func (s Settling) countPayment(r *Ruling, event string) {
	r.PaymentEvent = event
	r.Payment.Sequence++
	r.Payment.UpdatedAt = s.Now
}

// cause is of a journal beside the Step's own.
func (s Settling) cause(code id.Code, ordinal int) string {
	return id.Key(s.Refund.ID, id.Step{Code: code, Ordinal: ordinal})
}

// succeeded books what has left. Where it left from is the only difference an
// operator's "paid elsewhere" makes.
func (s Settling) succeeded(r Ruling, code id.Code, ordinal int, at time.Time) (Ruling, error) {
	posting := s.Refund.ledger()
	posting.At = at
	post := ledger.RefundDone
	switch {
	case r.After.ToWallet:
		post = ledger.RefundToWallet
	case s.Refund.Source == FromSuspense:
		post = ledger.SuspenseReturned
	case r.After.Elsewhere:
		post = ledger.RefundPaidElsewhere
	}
	j, err := post(s.cause(code, ordinal), posting)
	if err != nil {
		return Ruling{}, err
	}
	r.Journals = []ledger.Journal{j}
	r.After.Status, r.After.InDoubt, r.After.Parked = Succeeded, false, ""
	if s.Refund.Source != FromSuspense {
		r.Payment.Refunding.Minor -= r.After.Amount.Minor
		r.Payment.Refunded.Minor += r.After.Amount.Minor
		r.Payment.Parts = bear(r.Payment.Parts, r.After, -1, 1)
		if s.Refund.OrderID != "" { // a top-up has none
			r.Order.Refunded = r.After.Amount.Minor
		}
		s.countPayment(&r, "payment.refunded")
	}
	return s.count(r, "refund.succeeded"), nil
}

// failed gives everything back to where Open took it from: the exact reversal
// (I-07), so a payment that can be refunded again is just as it was. What was
// pending then, and would have matured by now, is made available in one go.
func (s Settling) failed(r Ruling, code id.Code, ordinal int, why string) (Ruling, error) {
	r.After.Status, r.After.FailureCode = Failed, why
	r.After.InDoubt, r.After.Parked = false, ""
	if s.Refund.Source == FromSuspense { // nothing was set aside; the case is open still
		return s.count(r, "refund.failed"), nil
	}
	first, err := opened(s.Refund)
	if err != nil {
		return Ruling{}, err
	}
	j, err := first.Reverse(s.cause(code, ordinal), s.Now)
	if err != nil {
		return Ruling{}, err
	}
	r.Journals = []ledger.Journal{j}
	fee, err := s.Refund.feeReturned()
	if err != nil {
		return Ruling{}, err
	}
	if fee != nil {
		_, cause := FeeCauses(s.Refund.ID)
		again, err := fee.Reverse(cause, s.Now)
		if err != nil {
			return Ruling{}, err
		}
		r.Journals = append(r.Journals, again)
	}
	taken := s.Refund.Taken
	r.Payment.Refunding.Minor -= r.After.Amount.Minor
	r.Payment.FeeReturned.Minor -= taken.Fee.Minor
	r.Payment.Parts = bear(r.Payment.Parts, r.After, -1, 0)
	s.countPayment(&r, "payment.updated")
	if !s.Matured {
		r.Payment.Pending.Minor += taken.Pending.Minor
	} else if taken.Pending.Minor > 0 {
		m, err := ledger.Matured(s.cause(id.Mature, ordinal), ledger.Capture{Chart: s.Refund.Chart(), Merchant: s.Refund.MerchantID,
			Gross: taken.Pending, Fee: money.Zero(taken.Pending.Currency), At: s.Now})
		if err != nil {
			return Ruling{}, err
		}
		r.Journals = append(r.Journals, m)
	}
	return s.count(r, "refund.failed"), nil
}
