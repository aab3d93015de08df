package refund

import (
	"encoding/json"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// The changes a Step can make to refunds. Each is plain data, and is judged
// under the locks of the refund's and the payment's rows, with the rules of this
// package: however many refunds of a payment move at once, none is judged on
// sums that another has moved.

// Receive brings a refund into being and sets its money aside, or refuses it
// (I-12): see Open. One from suspense names its case, its channel account, the
// charge and the amount; of one from a merchant only payment, amount, reason and
// metadata are read.
type Receive struct {
	Idempotency access.Idempotency // empty: a Step of paysaga's own
	Refund      Refund
	// All asks for whatever is left; Refund.Amount then only names the currency.
	All bool
}

// Content implements ledger.Change.
func (r Receive) Content() any {
	return []any{"receive_refund", r.Refund.ID, r.Idempotency, r.Refund.CaseID}
}

// Attempt is one try to give a refund's money back at its channel.
type Attempt = remit.Attempt

// Intend commits the intent of an attempt: nothing is sent before (I-13).
type Intend struct {
	Attempt Attempt
	Request json.RawMessage // the frozen canonical request; stored sealed
}

// Content implements ledger.Change.
func (i Intend) Content() any {
	return []any{"intend_refund", i.Attempt.Key, i.Attempt.ChannelAccount, i.Attempt.RequestHash}
}

// Move settles a refund by what a channel said, or by what an operator
// decided. Refund is as it was read: only what never changes of it counts, the
// rest is judged as it stands under the lock.
type Move struct {
	Refund  Refund
	Ordinal int             // of the attempt; 0: none was made
	Outcome payment.Outcome // what the channel said
	// Decision is an operator's, instead of an outcome.
	Decision Decision
	// Told is what Settling.Told was when it was decided; if it is another
	// amount under the lock, the decision is refused.
	Told money.Amount
	// Contradicts: Settle has refused the outcome as one that can't be any more;
	// this opens the case.
	Contradicts bool
	// Park only shows the refund to a person, and why.
	Park string
	Now  time.Time
}

// Content implements ledger.Change.
func (m Move) Content() any {
	return []any{"move_refund", m.Refund.ID, m.Ordinal, m.Outcome.Verdict, m.Outcome.Dead, m.Outcome.AmountMinor, m.Decision, m.Contradicts, m.Park != ""}
}

// Told is remit.Told of tries as they are read.
func Told(tries []Attempt) money.Amount {
	return remit.Told(remit.Judged(tries))
}

// Step is the move's place in the refund: a function of what was said and of
// what was read, so it is known before anybody judges (I-05). What settles a
// try bears its ordinal and happens once; what may happen again, a doubt, a
// person's look or decision, bears the sequence that it follows.
func (m Move) Step() id.Step {
	n, again := max(m.Ordinal, 1), min(max(int(m.Refund.Sequence), 1), id.MaxOrdinal)
	switch {
	case m.Decision != "":
		return id.Step{Code: id.Act, Ordinal: again}
	case m.Park != "":
		return id.Step{Code: id.Park, Ordinal: again}
	case m.Contradicts && m.money():
		return id.Step{Code: id.Return, Ordinal: n}
	case m.Contradicts:
		return id.Step{Code: id.Contradict, Ordinal: n}
	}
	code := m.Refund.word(m.Outcome.Vetted()).Code(id.RefundOut)
	if code != id.RefundOut {
		n = again
	}
	return id.Step{Code: code, Ordinal: n}
}

// Recover pays a merchant's debt back out of what its Step makes available.
type Recover struct {
	MerchantID string
	Currency   money.Currency
	Cause      string // "<id>:dr<n>"
}

// Content implements ledger.Change.
func (r Recover) Content() any { return []any{"recover", r.MerchantID, r.Currency, r.Cause} }

// Filter selects refunds of one book for a list, newest first.
type Filter struct {
	Book          id.Book
	MerchantID    string // empty: every merchant of the book (operators)
	PaymentID     string
	Status        Status
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
	After         string    // the id after which the page starts
	Limit         int       // 1–100
}
