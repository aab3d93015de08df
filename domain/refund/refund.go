// Package refund is the way back as rules: how much of a payment may still be
// given back, where the money is taken from, and what a channel's outcome means
// for it.
package refund

import (
	"strings"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// Refund gives a part of a captured payment back. What it is of, its amount and
// Taken never change once it is received; the rest moves under its row's lock.
type Refund struct {
	Book           id.Book
	ID             string // rfd_…
	PaymentID      string // or a top-up's
	OrderID        string // of the payment; empty: it is a top-up
	MerchantID     string
	Part           int // of the payment
	Charge         int // the ordinal of the attempt whose charge is given back
	Channel        string
	ChannelAccount string
	OwnFunds       bool   // that account's money never becomes ours: the merchant gives its own back
	ChargeID       string // the channel's own id of that charge, if it is known
	Amount         money.Amount
	Reason         string
	Metadata       map[string]string
	CreatedAt      time.Time

	// Wallet is what of Amount goes to the wallet of User, the payment's
	// customer. Combined: the payment has a part from that wallet.
	Wallet   money.Amount
	User     string // usr_…; empty: the payment has no customer
	Combined bool

	Source Source
	CaseID string // the case whose money this returns; empty without one

	// Taken is where Open took the amount from. A refund that fails gives it
	// back to just there. Of a refund from suspense nothing is taken.
	Taken Taken

	Status      Status
	InDoubt     bool   // the outcome at the channel is unknown
	Parked      string // why a person is needed; empty: nobody is
	FailureCode string
	Elsewhere   bool // an operator says that it was paid another way than over its channel
	ToWallet    bool // an operator gave it all to the wallet: its channel can't give it back
	Sequence    int64
	ChannelID   string
	EffectiveAt time.Time
	UpdatedAt   time.Time
}

// Source says whose money goes back.
type Source string

// The sources of a refund.
const (
	// FromMerchant is a merchant's refund of a payment: its money is set aside
	// when it is received.
	FromMerchant Source = "merchant"
	// FromSuspense returns money that was never anybody's: it stands on suspense,
	// and a case says that it goes back. It is no part of the payment's sums.
	FromSuspense Source = "suspense"
)

// reasonOf is why a case's money stands on suspense: the kind of the case,
// "case/<payment>/<kind>/<n>".
func reasonOf(caseID string) string {
	parts := strings.Split(caseID, "/")
	if len(parts) != 4 || parts[0] != "case" {
		return ""
	}
	return parts[2]
}

// SuspenseReason names the suspense account that a refund from suspense takes
// its money from; empty for one from a merchant.
func (r Refund) SuspenseReason() string {
	if r.Source != FromSuspense {
		return ""
	}
	return reasonOf(r.CaseID)
}

// otherwise: what the channel was to give back has gone another way.
func (r Refund) otherwise() bool { return r.Elsewhere || r.ToWallet }

// OfTopUp says whether the refund is of a top-up: its money is a user's.
func (r Refund) OfTopUp() bool { return id.Is(id.TopUp, r.PaymentID) }

// Taken is what a refund's amount is made of.
type Taken struct {
	Fee       money.Amount // of ours, that goes back to the merchant with it
	Pending   money.Amount // of this payment's money that hasn't matured
	Available money.Amount
	Debt      money.Amount // what the merchant owes us for it
	Wallet    money.Amount // of the user whose top-up goes back: all of it, and nothing else
}

// Sum is the refund's amount again (I-08).
func (t Taken) Sum() (money.Amount, error) {
	sum := t.Fee
	for _, a := range []money.Amount{t.Pending, t.Available, t.Debt, t.Wallet} {
		var err error
		if sum, err = sum.Add(a); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// Status is where a refund stands, as the API shows it.
type Status = remit.Status

// The statuses of a refund. Failed: nothing was given back.
const (
	Processing = remit.Processing
	Succeeded  = remit.Succeeded
	Failed     = remit.Failed
)

// Payment is what a refund has to know of its payment, under lock.
type Payment = payment.Payment
