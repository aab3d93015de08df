// Package exception is what goes wrong with money that came, as rules: a part
// of what was meant, another amount, too late, twice. Each is a case: it says
// where the money stands meanwhile, who decides, by when, and what may be
// decided.
package exception

import (
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Kind says what went wrong.
type Kind string

// The kinds of cases.
const (
	PartialPayment   Kind = "partial_payment"   // the channel took less than meant, in the same currency
	AmountMismatch   Kind = "amount_mismatch"   // it took more, or another currency
	LateSuccess      Kind = "late_success"      // it took money for a payment that had ended, or whose attempt was given up
	DuplicatePayment Kind = "duplicate_payment" // the customer paid once more
	Contradiction    Kind = "contradiction"     // it took its word back; no money came
	Orphan           Kind = "orphan"            // it speaks of a charge that nobody knows
	RefundReturned   Kind = "refund_returned"   // a refund came back after it had succeeded
	// RefundPaidAfterAll is a refund that the channel paid after it had ended
	// another way: what went out stands on suspense until somebody says who
	// bears it.
	RefundPaidAfterAll Kind = "refund_paid_after_all"
	// RebateRefused are rebates whose wallet is frozen or closed: they went back to
	// their campaign's budget.
	RebateRefused      Kind = "rebate_refused"
	PayoutReturned     Kind = "payout_returned"       // a payout came back after it had succeeded
	PayoutPaidAfterAll Kind = "payout_paid_after_all" // it was paid after it had ended another way
	// Chargeback is a dispute that somebody has to look at: its merchant can't bear
	// it, or it took more than was left of the payment. The dispute says how much.
	Chargeback Kind = "chargeback"
	// RiskRecheck is a payment that was let through while the risk data couldn't be
	// read, and that would have been refused.
	RiskRecheck Kind = "risk_recheck"
)

// Kinds returns every kind once.
func Kinds() []Kind {
	return []Kind{PartialPayment, AmountMismatch, LateSuccess, DuplicatePayment, Contradiction, Orphan, RefundReturned, RefundPaidAfterAll,
		PayoutReturned, PayoutPaidAfterAll, RebateRefused, Chargeback, RiskRecheck}
}

// Decision is what becomes of a case.
type Decision string

// The decisions. The first two stand in policies only.
const (
	Ask    Decision = "ask"    // a person decides
	Fulfil Decision = "fulfil" // accept if the order still wants it, else return

	Accept   Decision = "accept"    // it is the merchant's sale
	Wait     Decision = "wait"      // hold it until the rest of the order is paid, then accept
	Return   Decision = "return"    // it goes back to the customer
	WriteOff Decision = "write_off" // it stays on suspense, under the name of this case
	Dismiss  Decision = "dismiss"   // there is nothing to do
)

// State says how far a case has come.
type State string

// The states of a case.
const (
	Open    State = "open"    // nobody has decided
	Decided State = "decided" // it goes back: its refund is on its way
	Closed  State = "closed"
)

// States returns every state once, in their order.
func States() []State { return []State{Open, Decided, Closed} }

// Case is one exception. Its decision changes by compare-and-swap on Sequence.
type Case struct {
	Book           id.Book
	ID             string // "case/<payment>/<kind>/<step>", also its saga's id
	MerchantID     string // empty for an orphan
	PaymentID      string // empty for an orphan
	ChannelAccount string
	Kind           Kind
	Amount         money.Amount // what came, as the channel says
	Reason         string
	OpenedAt       time.Time

	Attempt     int    // the ordinal of the payment's attempt in question; 0: none
	ChannelID   string // the channel's own id of the charge in question
	EffectiveAt time.Time
	// Booked: the money is the merchant's already, as that of a payment that
	// succeeded although its order was paid. Else it stands on suspense.
	Booked bool

	Policy   Policy // as it was when the case was opened, or as a person changed it
	Deadline time.Time

	Decision       Decision
	Actor          string
	Verified       bool // by a signature or an authenticated request
	DecisionReason string
	DecidedAt      time.Time
	RefundID       string
	Parked         string // why it doesn't go on; empty: it does
	ClosedAt       time.Time
	Sequence       int64 // counts the moves; the event of a move carries it
	Taken          bool  // its saga has taken it over
}

// State is how far the case has come.
func (c Case) State() State {
	switch {
	case !c.ClosedAt.IsZero():
		return Closed
	case c.Decision != "":
		return Decided
	}
	return Open
}

// OnSuspense says that the case's money was put on suspense when it was
// opened: money came, and in an amount that can be booked.
func (c Case) OnSuspense() bool {
	switch c.Kind {
	case PartialPayment, AmountMismatch, LateSuccess, DuplicatePayment, RefundReturned, RefundPaidAfterAll, PayoutReturned, PayoutPaidAfterAll:
		return !c.Booked && Credible(c.Amount)
	}
	return false
}

// Holds says that the case's payment waits for its decision: what a charge took
// isn't what was meant. What a capture took beside its amount holds nothing up.
func (c Case) Holds() bool {
	return (c.Kind == PartialPayment || c.Kind == AmountMismatch) && strings.HasSuffix(c.ID, "/1")
}

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

// Allowed are the decisions that a person may make about the case as it is.
func (c Case) Allowed() []Decision {
	list := c.fits()
	if c.RefundID != "" { // what came back once has no second refund
		list = slices.DeleteFunc(list, func(d Decision) bool { return d == Return })
	}
	return list
}

func (c Case) fits() []Decision {
	switch {
	case c.State() != Open:
		return nil
	case c.cameBack() && c.Booked: // it is its owner's again
		return []Decision{Accept, Dismiss}
	case (c.cameBack() || c.Kind == RefundPaidAfterAll || c.Kind == PayoutPaidAfterAll) && c.OnSuspense():
		return []Decision{WriteOff}
	case c.Kind == DuplicatePayment && c.Booked:
		return []Decision{Return, Accept}
	case c.Kind == RiskRecheck && c.Booked:
		return []Decision{Return, Dismiss}
	case !c.OnSuspense():
		return []Decision{Dismiss}
	case (c.Kind == AmountMismatch || c.Kind == PartialPayment) && !c.Holds(): // the payment goes its own way
		return []Decision{Return, WriteOff}
	case c.Kind == PartialPayment:
		return []Decision{Accept, Wait, Return, WriteOff}
	case c.Kind == DuplicatePayment:
		return []Decision{Return, WriteOff}
	}
	return []Decision{Accept, Return, WriteOff}
}

// cameBack: money that had left came back.
func (c Case) cameBack() bool { return c.Kind == RefundReturned || c.Kind == PayoutReturned }

// ForOperators says that d leaves money where only the platform may leave it,
// or passes over what a channel said: no merchant decides that.
func (d Decision) ForOperators() bool { return d == WriteOff || d == Dismiss }

// Check refuses what is no decision, as fault.Invalid "decision_invalid".
func (d Decision) Check() error {
	if slices.Contains([]Decision{Accept, Wait, Return, WriteOff, Dismiss}, d) {
		return nil
	}
	return fault.Invalid("decision_invalid", "decision", "a decision is accept, wait, return, write_off or dismiss")
}

// Check refuses a decision that doesn't fit: fault.Invalid "decision_invalid"
// if there is none of the name, fault.Conflict "case_closed" if the case is
// decided, and fault.Conflict "decision_refused", with those that fit, if it
// isn't for this case.
func (c Case) Check(d Decision) error {
	switch err := d.Check(); {
	case err != nil:
		return err
	case c.State() != Open:
		return fault.Conflict("case_closed", "the case is "+string(c.State())+": "+string(c.Decision))
	case slices.Contains(c.Allowed(), d):
		return nil
	}
	return fault.Conflict("decision_refused", string(d)+" doesn't apply to this "+string(c.Kind)+": "+c.fitting()).WithParam("decision")
}

func (c Case) fitting() string {
	var names []string
	for _, d := range c.Allowed() {
		names = append(names, string(d))
	}
	return strings.Join(names, ", ")
}

// ID is the id of a case: of one payment, and one kind, under the step that
// found it.
func ID(about string, k Kind, step string) string {
	return "case/" + about + "/" + string(k) + "/" + step
}

// FromPath reads a case's id out of a URL, where dots stand for its slashes.
// What isn't the id of a case is fault.NotFound.
func FromPath(text string) (string, error) {
	caseID := strings.ReplaceAll(text, ".", "/")
	parts := strings.Split(caseID, "/")
	if len(parts) != 4 || parts[0] != "case" || len(caseID) > 100 || !slices.Contains(Kinds(), Kind(parts[2])) || !plain(parts[1]) || !plain(parts[3]) {
		return "", fault.NotFound("case")
	}
	return caseID, nil
}

func plain(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
