package payout

import (
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// Open receives a payout: has is what its owner has, in minor units. It
// refuses, as fault.Conflict "insufficient_balance", what isn't there, and as
// fault.Invalid an amount of nothing.
func Open(p Payout, has int64) (Payout, ledger.Journal, error) {
	switch there := money.New(max(0, has), p.Amount.Currency); {
	case p.Amount.Minor <= 0:
		return p, ledger.Journal{}, fault.Invalid("amount_invalid", "amount", "a payout is of more than nothing")
	case p.Amount.Minor > has:
		return p, ledger.Journal{}, fault.Conflict("insufficient_balance", "there are "+there.Text()+" to take out").WithParam("amount").
			WithDetail("available", there.Decimal())
	}
	p.Status, p.Sequence, p.UpdatedAt = Processing, 1, p.CreatedAt
	j, err := opened(p)
	return p, j, err
}

func opened(p Payout) (ledger.Journal, error) {
	return ledger.PayoutOpened(id.Key(p.ID, id.Step{Code: id.Receive, Ordinal: 1}), p.ledger())
}

// Settling is all that Settle, Decide and Contradict look at.
type Settling struct {
	Payout  Payout
	Ordinal int // of the try at the channel: po1
	// Followed: another try was made after this one. Only that it succeeded
	// after all still counts.
	Followed bool
	Outcome  payment.Outcome
	// Told is what the channel says that it paid while the payout still stands
	// as not done, since that isn't what was meant; zero: it says nothing.
	Told money.Amount
	Now  time.Time
}

// Ruling is what an outcome does: one Step's worth.
type Ruling struct {
	Quiet    bool // everything stands already
	After    Payout
	Event    string
	Journals []ledger.Journal
	Case     *payment.OpenCase
}

// word is a channel's outcome as this payout hears it: a "no" for good ends it,
// since its owner gets the money back.
func (p Payout) word(o payment.Outcome) remit.Word {
	return remit.Word{Outcome: o, Meant: p.Amount, GivesUp: true}
}

// Settle says what a channel's outcome means for a payout. What is unknown
// stays in transit and is asked about (I-14); a "no" that proves nothing, too. A
// payout that has ended stays: an outcome that contradicts it is fault.Conflict
// "contradicts_state", for a case.
func Settle(s Settling) (Ruling, error) {
	p, word := s.Payout, s.Payout.word(s.Outcome.Vetted())
	r := Ruling{After: p}
	switch {
	case p.Status.Terminal() && word.Contradicts(p.Status, p.ChannelID, p.Elsewhere, s.Followed):
		return r, fault.Conflict("contradicts_state", "the channel says "+string(word.Verdict)+", the payout is "+string(p.Status))
	case p.Status.Terminal(), s.Followed && word.Verdict != payment.Succeeded:
		r.Quiet = true
		return r, nil
	}
	if word.ChannelID != "" {
		r.After.ChannelID = word.ChannelID
	}
	if !word.EffectiveAt.IsZero() {
		r.After.EffectiveAt = word.EffectiveAt
	}
	switch {
	case word.Verdict == payment.Pending && word.Action != nil:
		r.After.NextAction = word.Action // a later answer without one takes nothing back: some channels say it once
	case word.No():
		r.After.NextAction = nil
	}
	switch word.Code(id.PayoutOut) {
	case id.PayoutOut:
		if word.Verdict == payment.Succeeded {
			return s.succeeded(r, id.PayoutOut, s.Ordinal, word.EffectiveAt)
		}
		return s.failed(r, id.PayoutOut, s.Ordinal, word.DeclineCode())
	case id.Park:
		return s.mark(r, "payout.parked", false, word.Why("payout")), nil
	case id.InDoubt:
		return s.mark(r, "payout.in_doubt", true, r.After.Parked), nil
	}
	return s.mark(r, "payout.updated", false, r.After.Parked), nil
}

// Show lets a person see a payout, and why; whatever goes on goes on.
func Show(s Settling, why string) Ruling {
	r := Ruling{After: s.Payout}
	if s.Payout.Status.Terminal() || s.Payout.Parked != "" {
		r.Quiet = true
		return r
	}
	return s.mark(r, "payout.parked", r.After.InDoubt, why)
}

// mark changes what its owner sees without moving money; what stands already is
// quiet.
func (s Settling) mark(r Ruling, event string, inDoubt bool, parked string) Ruling {
	if s.Payout.InDoubt == inDoubt && s.Payout.Parked == parked && sameAction(s.Payout.NextAction, r.After.NextAction) {
		return Ruling{Quiet: true, After: s.Payout}
	}
	r.After.InDoubt, r.After.Parked = inDoubt, parked
	return s.count(r, event)
}

func sameAction(a, b *payment.Action) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

func (s Settling) count(r Ruling, event string) Ruling {
	r.Event = event
	if r.After.Status.Terminal() {
		r.After.NextAction = nil
	}
	r.After.Sequence++
	r.After.UpdatedAt = s.Now
	return r
}

func (s Settling) cause(code id.Code, ordinal int) string {
	return id.Key(s.Payout.ID, id.Step{Code: code, Ordinal: ordinal})
}

// succeeded books what has left. Where it left from is the only difference an
// operator's "paid elsewhere" makes.
func (s Settling) succeeded(r Ruling, code id.Code, ordinal int, at time.Time) (Ruling, error) {
	posting := s.Payout.ledger()
	posting.At = at
	post := ledger.PayoutDone
	if r.After.Elsewhere {
		post = ledger.PayoutPaidElsewhere
	}
	j, err := post(s.cause(code, ordinal), posting)
	r.Journals = []ledger.Journal{j}
	r.After.Status, r.After.InDoubt, r.After.Parked = Succeeded, false, ""
	return s.count(r, "payout.succeeded"), err
}

// failed gives everything back to where Open took it from: the exact reversal
// (I-07).
func (s Settling) failed(r Ruling, code id.Code, ordinal int, why string) (Ruling, error) {
	first, err := opened(s.Payout)
	if err != nil {
		return r, err
	}
	j, err := first.Reverse(s.cause(code, ordinal), s.Now)
	r.Journals = []ledger.Journal{j}
	r.After.Status, r.After.FailureCode = Failed, why
	r.After.InDoubt, r.After.Parked = false, ""
	return s.count(r, "payout.failed"), err
}

// The decisions about a payout that a person was shown.
const (
	Retry = remit.Retry
	// PayElsewhere says that it was paid another way. The money waits on
	// suspense/X/paid_elsewhere for the bank's word.
	PayElsewhere remit.Decision = "pay_elsewhere"
	// GiveBack ends it as failed: its owner has the money again.
	GiveBack remit.Decision = "give_back"
	// MarkSucceeded says that the channel did pay it, as meant.
	MarkSucceeded remit.Decision = "mark_succeeded"
)

// Decisions returns every decision once.
func Decisions() []remit.Decision {
	return []remit.Decision{Retry, PayElsewhere, GiveBack, MarkSucceeded}
}

// Decide carries a decision out. Only what a person was shown can be decided;
// otherwise it is fault.Conflict "decision_refused". What the channel still says
// against it later opens a case.
func Decide(s Settling, d remit.Decision, act int) (Ruling, error) {
	r := Ruling{After: s.Payout}
	if s.Payout.Status.Terminal() || s.Payout.Parked == "" {
		return r, fault.Conflict("decision_refused", "the payout is "+string(s.Payout.Status)+" and not parked: there is nothing to decide")
	}
	var err error
	booked := money.Zero(s.Payout.Amount.Currency) // what our book says the channel paid
	switch d {
	case Retry:
		return s.mark(r, "payout.updated", r.After.InDoubt, ""), nil
	case PayElsewhere:
		r.After.Elsewhere = true
		r, err = s.succeeded(r, id.Act, act, s.Now)
	case MarkSucceeded:
		booked = s.Payout.Amount
		r, err = s.succeeded(r, id.Act, act, s.Now)
	case GiveBack:
		r, err = s.failed(r, id.Act, act, "given_back")
	default:
		return r, fault.Invalid("decision_unknown", "decision", "a decision is retry, pay_elsewhere, give_back or mark_succeeded")
	}
	if err != nil || s.Told.IsZero() {
		return r, err
	}
	if booked.IsZero() {
		booked.Currency = s.Told.Currency
	}
	if booked.Currency != s.Told.Currency {
		return Ruling{}, fault.Conflict("decision_refused", "the channel paid another currency: pay it another way, or give it back")
	}
	return s.difference(r, booked, act)
}

// difference keeps our book with the channel's where the channel told of another amount than is booked now: what it paid beyond that
// stands on suspense as paid after all, what it kept as returned, and a case tells of it (I-10, I-17).
func (s Settling) difference(r Ruling, booked money.Amount, act int) (Ruling, error) {
	kind, post, more := exception.PayoutPaidAfterAll, ledger.PayoutUnexplained, money.New(s.Told.Minor-booked.Minor, booked.Currency)
	switch {
	case more.IsZero():
		return r, nil
	case more.Sign() < 0:
		kind, post, more.Minor = exception.PayoutReturned, ledger.PayoutFound, -more.Minor
	}
	step := id.Step{Code: id.Case, Ordinal: act}
	posting := s.Payout.ledger()
	posting.At, posting.Amount, posting.Chart.Currency = s.Now, more, more.Currency
	j, err := post(id.Key(s.Payout.ID, step), posting)
	if err != nil {
		return r, err
	}
	r.Journals = append(r.Journals, j)
	r.Case = s.newCase(kind, step, more, "the channel paid "+s.Told.Text()+" instead of "+booked.Text())
	return r, nil
}

func (s Settling) newCase(kind exception.Kind, step id.Step, amount money.Amount, what string) *payment.OpenCase {
	p := s.Payout
	return &payment.OpenCase{ID: exception.ID(p.ID, kind, step.String()), Book: p.Book, MerchantID: p.MerchantID, ChannelAccount: p.ChannelAccount,
		Kind: kind, Amount: amount, Reason: "payout " + p.ID + ": " + what}
}

// money: the contradiction is one that moved money.
func (m Move) money() bool {
	p, word := m.Payout, m.Payout.word(m.Outcome.Vetted())
	if word.Verdict != payment.Succeeded {
		return true
	}
	told := p.Status == Succeeded && !p.Elsewhere && !word.Another(p.ChannelID) // of another amount than before: whose word is right, nobody knows
	return !told && exception.Credible(money.New(word.AmountMinor, money.Currency(word.Currency)))
}

// Contradict is the ruling about an outcome that Settle found to contradict
// what is known: a case, and the posting that keeps our book with the channel's.
// A payout that came back is its owner's again; one that was paid although our
// book says that it wasn't stands on suspense until somebody says who bears it.
func Contradict(s Settling) (Ruling, error) {
	p, word := s.Payout, s.Payout.word(s.Outcome.Vetted())
	r := Ruling{After: p}
	step := Move{Payout: p, Ordinal: s.Ordinal, Outcome: s.Outcome, Contradicts: true}.Step()
	kind, took := exception.PayoutReturned, p.Amount
	if word.Verdict == payment.Succeeded {
		kind, took = exception.PayoutPaidAfterAll, money.New(word.AmountMinor, money.Currency(word.Currency))
	}
	r.Case = s.newCase(kind, step, took, "the channel says "+string(word.Verdict)+", the payout is "+string(p.Status))
	r.Case.Booked = step.Code == id.Contradict || kind == exception.PayoutReturned // nothing stands on suspense
	if step.Code == id.Contradict {
		return r, nil // no money moved that we can name: only the case tells
	}
	posting := p.ledger()
	posting.At, posting.Amount = word.EffectiveAt, took
	posting.Chart.Currency = took.Currency
	post := ledger.PayoutReturned
	if kind == exception.PayoutPaidAfterAll {
		post = ledger.PayoutUnexplained
	}
	j, err := post(id.Key(p.ID, step), posting)
	r.Journals = []ledger.Journal{j}
	if kind == exception.PayoutReturned { // its owner has the money again, and hears of it
		r = s.count(r, "payout.returned")
	}
	return r, err
}
