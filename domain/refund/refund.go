// Package refund is the way back as rules: how much of a payment may still be
// given back, where the money is taken from, and what a channel's outcome means
// for it.
package refund

import (
	"slices"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Refund gives a part of a captured payment back. Its mutable fields change by
// compare-and-swap on Sequence.
type Refund struct {
	Book           id.Book
	ID             string // rfd_…
	PaymentID      string
	MerchantID     string
	Part           int // of the payment
	ChannelAccount string
	Amount         money.Amount
	Reason         string
	Metadata       map[string]string
	CreatedAt      time.Time

	// Taken is where Open took the amount from. A refund that fails gives it
	// back to just there.
	Taken Taken

	Status      Status
	InDoubt     bool   // the outcome at the channel is unknown
	Parked      string // why a person is needed; empty: nobody is
	FailureCode string
	Sequence    int64
	ChannelID   string
	EffectiveAt time.Time
	UpdatedAt   time.Time
}

// Taken is what a refund's amount is made of.
type Taken struct {
	Fee       money.Amount // of ours, that goes back to the merchant with it
	Pending   money.Amount // of this payment's money that hasn't matured
	Available money.Amount
	Debt      money.Amount // what the merchant owes us for it
}

// Sum is the refund's amount again (I-08).
func (t Taken) Sum() (money.Amount, error) {
	sum := t.Fee
	for _, a := range []money.Amount{t.Pending, t.Available, t.Debt} {
		var err error
		if sum, err = sum.Add(a); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Status is where a refund stands, as the API shows it.
type Status string

// The statuses of a refund.
const (
	Processing Status = "processing" // received and posted; the channel hasn't settled it yet
	Succeeded  Status = "succeeded"
	Failed     Status = "failed" // nothing was given back; the money is where it was
)

// edges is the whole state machine (I-15).
var edges = map[Status][]Status{Processing: {Succeeded, Failed}, Succeeded: {}, Failed: {}}

// CanBecome says whether the state machine has an edge from s to t.
func (s Status) CanBecome(t Status) bool { return s == t || slices.Contains(edges[s], t) }

// Terminal says that nothing follows s.
func (s Status) Terminal() bool { return len(edges[s]) == 0 }

// Payment is what a refund has to know of its payment, under lock.
type Payment struct {
	payment.Payment
	Refunding   money.Amount // received and not settled
	FeeReturned money.Amount // with refunds that are open or done
	Pending     money.Amount // of its money that hasn't matured
}

// Left is what may still be given back (I-12).
func (p Payment) Left() money.Amount {
	left := p.Captured
	left.Minor -= p.Refunded.Minor + p.Refunding.Minor
	return left
}
