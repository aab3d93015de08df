package payout

import (
	"encoding/json"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// The changes a Step can make to payouts. Each is plain data, and is judged
// under the locks of the payout's row and of the account that it leaves.

// Receive brings a payout into being and takes its money out of its owner's
// reach, or refuses it: see Open. Of the payout its owner, amount, channel
// account, note and metadata are read. Any Step can order one under an id of
// its own, without an Idempotency; the relay starts its saga.
type Receive struct {
	Idempotency access.Idempotency // empty: a Step of paysaga's own
	Payout      Payout
	Destination Destination // Checked; it is stored sealed
	// All asks for whatever is there, if it is AtLeast minor units;
	// Payout.Amount then only names the currency.
	All     bool
	AtLeast int64
}

// Content implements ledger.Change.
func (r Receive) Content() any {
	return []any{"receive_payout", r.Payout.ID, r.Idempotency, r.Payout.UserID, r.Payout.Amount, r.All, r.AtLeast}
}

// Intend commits the intent of an attempt: nothing is sent before (I-13).
type Intend struct {
	Attempt Attempt
	Request json.RawMessage // the frozen canonical request; stored sealed
}

// Content implements ledger.Change.
func (i Intend) Content() any {
	return []any{"intend_payout", i.Attempt.Key, i.Attempt.ChannelAccount, i.Attempt.RequestHash}
}

// Move settles a payout by what a channel said, or by what an operator decided.
// Payout is as it was read: only what never changes of it counts, the rest is
// judged as it stands under the lock.
type Move struct {
	Payout   Payout
	Ordinal  int             // of the attempt; 0: none was made
	Outcome  payment.Outcome // what the channel said
	Decision remit.Decision  // an operator's, instead of an outcome
	// Told is what Settling.Told was when it was decided; if it is another
	// amount under the lock, the decision is refused.
	Told money.Amount
	// Contradicts: Settle has refused the outcome as one that can't be any more;
	// this opens the case.
	Contradicts bool
	Park        string // only shows the payout to a person, and why
	Now         time.Time
}

// Content implements ledger.Change.
func (m Move) Content() any {
	content := []any{"move_payout", m.Payout.ID, m.Ordinal, m.Outcome.Verdict, m.Outcome.Dead, m.Outcome.AmountMinor, m.Decision, m.Contradicts, m.Park != ""}
	if m.Outcome.Action != nil { // what was said without one keeps its hash of before there was any
		content = append(content, m.Outcome.Action.Type)
	}
	return content
}

// Step is the move's place in the payout: a function of what was said and of
// what was read, so it is known before anybody judges (I-05). What settles a try
// bears its ordinal and happens once; what may happen again bears the sequence
// that it follows.
func (m Move) Step() id.Step {
	n, again := max(m.Ordinal, 1), min(max(int(m.Payout.Sequence), 1), id.MaxOrdinal)
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
	code := m.Payout.word(m.Outcome.Vetted()).Code(id.PayoutOut)
	if code != id.PayoutOut {
		n = again
	}
	return id.Step{Code: code, Ordinal: n}
}

// Filter selects payouts of one book for a list, newest first.
type Filter struct {
	Book          id.Book
	MerchantID    string // empty: every merchant of the book (operators)
	UserID        string // empty: all of the merchant's, and its own
	Status        Status
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
	After         string    // the id after which the page starts
	Limit         int       // 1–100
}
