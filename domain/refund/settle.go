package refund

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// Settling is all that Settle looks at.
type Settling struct {
	Refund  Refund
	Payment Payment
	Ordinal int // of the try at the channel: rf1
	Outcome payment.Outcome
	Now     time.Time
}

// Ruling is what an outcome does: one Step's worth.
type Ruling struct {
	Quiet   bool // everything stands already
	Step    id.Step
	After   Refund
	Payment Payment
	Event   string
	Journal *ledger.Journal
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
	note(&ruling.After, o)
	switch {
	case o.Verdict == payment.Succeeded && !s.asMeant(o):
		return s.move(ruling, id.Park, "refund.parked", func(after *Refund) { after.Parked = "amount_mismatch: the channel gave another amount back" })
	case o.Verdict == payment.Succeeded:
		return s.succeeded(ruling, o)
	case (o.Verdict == payment.Declined || o.Verdict == payment.Closed) && o.Dead:
		return s.failed(ruling, o)
	case o.Verdict == payment.Declined: // no, but not for ever: a person decides
		return s.move(ruling, id.Park, "refund.parked", func(after *Refund) { after.Parked = "refund_abnormal: " + declineCode(o) })
	case o.Verdict == payment.Unknown || o.Verdict == payment.Absent:
		return s.move(ruling, id.InDoubt, "refund.in_doubt", func(after *Refund) { after.InDoubt = true })
	default:
		return s.move(ruling, id.Undo, "refund.updated", func(after *Refund) { after.InDoubt = false })
	}
}

// ended holds an outcome against a refund that has ended.
func (s Settling) ended(o payment.Outcome) (Ruling, error) {
	repeats := s.Refund.Status == Succeeded && o.Verdict == payment.Succeeded && s.asMeant(o) ||
		s.Refund.Status == Failed && (o.Verdict == payment.Declined || o.Verdict == payment.Closed)
	if repeats || !o.Verdict.Known() || (s.Refund.Status == Succeeded && !o.Dead && o.Verdict == payment.Declined) {
		return Ruling{Quiet: true, After: s.Refund, Payment: s.Payment}, nil
	}
	return Ruling{}, fault.Conflict("contradicts_state", "the channel says "+string(o.Verdict)+", the refund is "+string(s.Refund.Status))
}

// asMeant: the channel speaks of the money that was to be given back.
func (s Settling) asMeant(o payment.Outcome) bool {
	return o.AmountMinor == s.Refund.Amount.Minor && o.Currency == string(s.Refund.Amount.Currency)
}

func note(r *Refund, o payment.Outcome) {
	if o.ChannelID != "" {
		r.ChannelID = o.ChannelID
	}
	if !o.EffectiveAt.IsZero() {
		r.EffectiveAt = o.EffectiveAt
	}
}

func (s Settling) step(code id.Code) id.Step { return id.Step{Code: code, Ordinal: s.Ordinal} }

// move changes what a merchant sees without moving money; what stands already is quiet.
func (s Settling) move(r Ruling, code id.Code, event string, change func(*Refund)) (Ruling, error) {
	before := r.After
	change(&r.After)
	if r.After.InDoubt == before.InDoubt && r.After.Parked == before.Parked {
		return Ruling{Quiet: true, After: s.Refund, Payment: s.Payment}, nil
	}
	return s.count(r, code, event), nil
}

func (s Settling) count(r Ruling, code id.Code, event string) Ruling {
	r.Step, r.Event = s.step(code), event
	r.After.Sequence++
	r.After.UpdatedAt = s.Now
	return r
}

func (s Settling) succeeded(r Ruling, o payment.Outcome) (Ruling, error) {
	posting := s.Refund.ledger()
	posting.At = o.EffectiveAt
	j, err := ledger.RefundDone(id.Key(r.After.ID, s.step(id.RefundOut)), posting)
	if err != nil {
		return Ruling{}, err
	}
	r.Journal, r.After.Status = &j, Succeeded
	r.After.InDoubt, r.After.Parked = false, ""
	r.Payment.Refunding.Minor -= r.After.Amount.Minor
	r.Payment.Refunded.Minor += r.After.Amount.Minor
	return s.count(r, id.RefundOut, "refund.succeeded"), nil
}

// failed gives everything back to where Open took it from: the exact reversal
// (I-07), so a payment that can be refunded again is just as it was.
func (s Settling) failed(r Ruling, o payment.Outcome) (Ruling, error) {
	first, err := opened(s.Refund)
	if err != nil {
		return Ruling{}, err
	}
	j, err := first.Reverse(id.Key(r.After.ID, s.step(id.RefundOut)), s.Now)
	if err != nil {
		return Ruling{}, err
	}
	r.Journal, r.After.Status, r.After.FailureCode = &j, Failed, declineCode(o)
	r.After.InDoubt, r.After.Parked = false, ""
	taken := s.Refund.Taken
	r.Payment.Refunding.Minor -= r.After.Amount.Minor
	r.Payment.FeeReturned.Minor -= taken.Fee.Minor
	r.Payment.Pending.Minor += taken.Pending.Minor
	return s.count(r, id.RefundOut, "refund.failed"), nil
}

func declineCode(o payment.Outcome) string {
	if o.Decline != nil && o.Decline.Code != "" {
		return o.Decline.Code
	}
	return "refused_by_channel"
}
