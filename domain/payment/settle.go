package payment

import (
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
)

// Case is all that Settle looks at.
type Case struct {
	Payment Payment
	Attempt *Attempt // nil: no intent was ever committed, or all of them are dead
	Terms   Terms
	// Calendar says which business dates are closed.
	Calendar ledger.Calendar
	Now      time.Time
	Outcome  Outcome
	// Captures are the payment's, by ordinal.
	Captures []Capture
	// Strayed is what captures of another amount than meant took, in minor units:
	// it stands on suspense already.
	Strayed int64
	// Again counts the charges beyond the first that were found under this
	// attempt before: each has a case of its own.
	Again int
	// Last: no other channel is left to try after a "no".
	Last bool
	// Followed: another attempt was opened after this one. What a channel still
	// says of this one can't end the payment any more.
	Followed bool
	// End is what a closed attempt makes of the payment: Canceled, Expired or,
	// when no channel could be reached, Failed. Empty: closed only to make room
	// for the next channel; if there is none, Settle finds the end itself. What
	// was authorized ends as Canceled, whatever End says.
	End Status
	// EndCode is the decline code when End is Failed.
	EndCode string
}

// Ruling is what an outcome does: one Step's worth of moves and postings.
// Nothing set but Quiet means that everything stands already.
type Ruling struct {
	Quiet bool
	// Step is the Step's place in the payment: its cause is <id>:<Step>. No two
	// rulings about one payment that do different things share it (I-05).
	Step     id.Step
	After    Payment
	Event    string // empty: nothing that a merchant sees changed
	Attempt  *Attempt
	Journals []ledger.Journal
	Case     *OpenCase
	// Order is what the order's sums change by. Knowing: whoever decided this
	// knows what the order needs; else what is too much for it opens a case.
	Order   trade.Change
	Knowing bool
	// ByCase is the case that takes a payment out of its end; empty: none does.
	ByCase string
	// duplicates is the merchant's policy for what is too much.
	duplicates exception.Policy
	// MaturesAt is when what was captured becomes available; zero: it is.
	MaturesAt time.Time
}

// Settle says what an outcome means for a payment (I-15, I-16). Whatever a
// channel answers gets a ruling: the outcome is Vetted first. It never moves to
// a worse answer than it has: a terminal payment stays, so does an attempt that
// is dead, and an outcome that contradicts what is known is fault.Conflict
// "contradicts_state", for a case of its own. fault.Internal means that the
// caller's case can't be.
func Settle(c Case) (Ruling, error) {
	c.Outcome = c.Outcome.Vetted()
	if err := c.possible(); err != nil {
		return Ruling{}, err
	}
	news, err := c.news()
	if err != nil {
		return Ruling{}, err
	}
	if !news {
		return Ruling{Quiet: true, After: c.Payment}, nil
	}
	s := begin(c)
	if c.Attempt != nil && !c.Attempt.Dead {
		a := *c.Attempt
		s.r.Attempt = &a
		s.note()
	}
	switch c.Outcome.Verdict {
	case Unknown, Absent:
		err = s.unknown()
	case Pending:
		err = s.pending()
	case Succeeded:
		err = s.succeeded()
	case Authorized:
		err = s.authorized()
	case Declined:
		err = s.declined()
	case Closed:
		err = s.closed()
	}
	if err != nil {
		return Ruling{}, err
	}
	return s.done()
}

// possible refuses what no caller should ask.
func (c Case) possible() error {
	p := c.Payment
	switch {
	case !p.Status.Valid():
		return fault.Internal("a payment without a status", nil)
	case c.End != "" && c.End != Canceled && c.End != Expired && c.End != Failed:
		return fault.Internal("a closed attempt can't make a payment "+string(c.End), nil)
	case c.Attempt != nil && p.part(c.Attempt.Part) == nil:
		return fault.Internal("an attempt of a part that the payment hasn't", nil)
	case c.Attempt != nil || p.Status.Terminal():
		return nil
	case c.Outcome.Verdict != Closed:
		return fault.Internal("an outcome without an attempt", nil)
	case p.InDoubt || p.Status == Reserved:
		return fault.Internal("a payment with a live attempt is closed without naming it", nil)
	}
	return nil
}

// news holds an outcome against what is known of its attempt and its payment:
// true if it says more, false if it repeats or is an older reading (I-21), and
// fault.Conflict "contradicts_state" if both can't be.
func (c Case) news() (bool, error) {
	a, v, ended := c.Attempt, c.Outcome.Verdict, c.Payment.Status.Terminal()
	if a == nil {
		a = &Attempt{}
	}
	over := ended || a.Dead || c.Followed
	second := c.Outcome.otherCharge(a) // two charges under one reference: the customer paid twice
	switch v {
	case Succeeded, Authorized:
		switch {
		case second && (a.Verdict == Succeeded || a.Verdict == v):
			return false, c.contradiction()
		case a.Verdict == Succeeded && v == Authorized: // read before the capture
			return false, nil
		case a.Verdict == v && c.Outcome.sameMoney(a):
			return false, nil
		case a.Verdict == Closed && v == Authorized && c.Outcome.sameMoney(a): // read before the void
			return false, nil
		case over, a.Verdict == v, a.Verdict == Succeeded:
			return false, c.contradiction()
		}
	case Declined, Closed:
		final := v == Closed || c.Outcome.Dead
		switch {
		case a.Verdict == Succeeded && final && !second:
			return false, c.contradiction()
		case a.Verdict == Succeeded, ended, c.Followed:
			return false, nil
		case a.Verdict == Authorized && (!final || (second && c.End == "")): // another try than the one that got through
			return false, nil
		case a.Dead || !final:
			return c.Last || (v == Closed && c.End != ""), nil // else nothing is proven that wasn't
		}
	default:
		return !over && !a.Verdict.Known(), nil
	}
	return true, nil
}

func (c Case) contradiction() error {
	was := ""
	if c.Attempt != nil && c.Attempt.Verdict != "" {
		was = ", its attempt is " + string(c.Attempt.Verdict)
	}
	return fault.Conflict("contradicts_state", "the channel says "+string(c.Outcome.Verdict)+", the payment is "+string(c.Payment.Status)+was)
}

// sameMoney: o speaks of the money that is known of a.
func (o Outcome) sameMoney(a *Attempt) bool {
	return o.AmountMinor == a.AmountMinor && o.Currency == a.Currency
}

// otherCharge: o speaks of another charge than the one that is known of a.
func (o Outcome) otherCharge(a *Attempt) bool {
	return o.ChannelID != "" && a.ChannelID != "" && o.ChannelID != a.ChannelID
}

// part finds a part by ordinal, or nil.
func (p *Payment) part(ordinal int) *Part {
	for i := range p.Parts {
		if p.Parts[i].Ordinal == ordinal {
			return &p.Parts[i]
		}
	}
	return nil
}
