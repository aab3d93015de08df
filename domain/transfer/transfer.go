// Package transfer is money that goes from one wallet to another as rules. Nothing of it leaves the platform, so a transfer has no
// channel, no doubt and no way back: it is judged once, under the locks of what it moves.
package transfer

import (
	"slices"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Transfer moves an amount from one user's wallet to another's, both of one merchant. What it is of never changes once it is
// received; the rest moves once, under its row's lock.
type Transfer struct {
	Book        id.Book
	ID          string // trf_…
	MerchantID  string
	From, To    string // usr_…
	Amount      money.Amount
	Description string
	Metadata    map[string]string
	CreatedAt   time.Time

	Status      Status
	FailureCode string
	Sequence    int64
	UpdatedAt   time.Time
}

// Chart is the chart of the transfer's accounts.
func (t Transfer) Chart() ledger.Chart {
	return ledger.Chart{Book: t.Book, Currency: t.Amount.Currency}
}

// Status is where a transfer stands, as the API shows it.
type Status string

// The statuses of a transfer.
const (
	Processing Status = "processing" // received, and nothing has moved
	Succeeded  Status = "succeeded"  // moved
	Failed     Status = "failed"     // nothing has moved, and nothing will
)

// edges is the whole state machine (I-15).
var edges = map[Status][]Status{Processing: {Succeeded, Failed}, Succeeded: {}, Failed: {}}

// Valid says whether s is a status.
func (s Status) Valid() bool { _, ok := edges[s]; return ok }

// CanBecome says whether the state machine has an edge from s to t.
func (s Status) CanBecome(t Status) bool { return slices.Contains(edges[s], t) }

// Terminal says that nothing follows s.
func (s Status) Terminal() bool { return len(edges[s]) == 0 }

// Standing is what is found under lock of both sides.
type Standing struct {
	// From and To say why a wallet may not move now: fault.NotFound for a stranger, fault.Conflict "wallet_frozen" or
	// "wallet_closed"; nil: it may.
	From, To error
	// Available is what the sender's wallet holds, in minor units.
	Available int64
}

// Admit refuses what can't be moved as things stand: NotFound for a user of another merchant (I-25), Conflict with one of the codes of
// a transfer's failure_code, and for "insufficient_balance" with what is there. The Param is the field of the request.
func Admit(t Transfer, s Standing) error {
	switch {
	case t.From == t.To:
		return fault.Invalid("transfer_to_self", "to", "a transfer goes to another user")
	case s.From != nil:
		return fault.As(s.From).WithParam("from")
	case s.To != nil:
		return ofRecipient(fault.As(s.To)).WithParam("to")
	case s.Available < t.Amount.Minor:
		return fault.Conflict("insufficient_balance", "the wallet holds less than that").WithParam("amount").
			WithDetail("available", money.New(max(s.Available, 0), t.Amount.Currency).Decimal())
	}
	return nil
}

// ofRecipient tells the recipient's refusal apart from the sender's.
func ofRecipient(f *fault.Error) *fault.Error {
	switch f.Code {
	case "wallet_frozen":
		return fault.Conflict("recipient_frozen", "the recipient's wallets are frozen")
	case "wallet_closed":
		return fault.Conflict("recipient_closed", "the recipient's wallets are closed")
	}
	return f
}

// Ruling is what becomes of a transfer.
type Ruling struct {
	After    Transfer
	Event    string
	Journals []ledger.Journal
}

// Cause is the cause of the Step that settles t: there is one, ever.
func Cause(transferID string) string { return id.Key(transferID, id.Step{Code: id.Move, Ordinal: 1}) }

// Settle moves the money, or fails the transfer for the reason that Admit gives. One that has ended is Conflict "transfer_ended".
func Settle(t Transfer, s Standing, now time.Time) (Ruling, error) {
	if t.Status.Terminal() {
		return Ruling{}, fault.Conflict("transfer_ended", "the transfer is "+string(t.Status)+" already")
	}
	r := Ruling{After: t, Event: "transfer.succeeded"}
	r.After.Sequence++
	if r.After.UpdatedAt = now; now.Before(t.UpdatedAt) {
		r.After.UpdatedAt = t.UpdatedAt
	}
	if refused := Admit(t, s); refused != nil {
		r.Event, r.After.Status, r.After.FailureCode = "transfer.failed", Failed, fault.As(refused).Code
		return r, nil
	}
	r.After.Status = Succeeded
	j, err := ledger.Transferred(Cause(t.ID), t.Chart(), t.From, t.To, t.Amount)
	r.Journals = []ledger.Journal{j}
	return r, err
}
