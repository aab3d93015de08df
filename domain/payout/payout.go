// Package payout is money that its owner takes out, as rules: from a user's
// wallet, or from what a merchant has available, over a channel to a
// destination. It says what may leave, and what a channel's outcome means for
// it.
package payout

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// Payout takes an amount out of a balance. Whose it is, where to, over what and
// how much never change once it is received; the rest moves under its row's
// lock.
type Payout struct {
	Book           id.Book
	ID             string // pyt_…
	MerchantID     string
	UserID         string // of the merchant, whose wallet it leaves; empty: it leaves what the merchant has available
	Channel        string
	ChannelAccount string
	Lane           payment.Lane
	Amount         money.Amount
	To             Masked
	Note           string // for who receives it
	Metadata       map[string]string
	CreatedAt      time.Time

	Status      Status
	InDoubt     bool   // the outcome at the channel is unknown
	Parked      string // why a person is needed; empty: nobody is
	FailureCode string
	Elsewhere   bool // an operator says that it was paid another way than over its channel
	Sequence    int64
	ChannelID   string
	EffectiveAt time.Time
	UpdatedAt   time.Time
	// NextAction is what whoever is paid has to do before the channel pays, while it is processing; nil: nothing. A secret: it
	// is kept sealed, and gone once the payout has ended.
	NextAction *payment.Action
}

// Status is where a payout stands, as the API shows it.
type Status = remit.Status

// The statuses of a payout. Failed: nothing has left, and its owner has the
// money again.
const (
	Processing = remit.Processing
	Succeeded  = remit.Succeeded
	Failed     = remit.Failed
)

// Attempt is one try to pay out at the channel.
type Attempt = remit.Attempt

// Chart makes the accounts of the payout's book and currency.
func (p Payout) Chart() ledger.Chart {
	return ledger.Chart{Book: p.Book, Currency: p.Amount.Currency, AtBank: p.Channel == payment.BankRail}
}

// From is the account that the payout leaves.
func (p Payout) From() ledger.Account {
	if p.UserID != "" {
		return p.Chart().Wallet(p.UserID)
	}
	return p.Chart().Available(p.MerchantID)
}

// Source is the account that is less once the payout is done.
func (p Payout) Source() ledger.Account { return p.ledger().Source() }

// ledger is the payout as its postings need it.
func (p Payout) ledger() ledger.Payout {
	return ledger.Payout{Chart: p.Chart(), ChannelAccount: p.ChannelAccount, From: p.From(), Amount: p.Amount}
}

// Dossier is everything a step of the saga reads of one payout, in one go.
type Dossier struct {
	Payout   Payout
	Attempts []Attempt // by ordinal
}

// Attempt finds a try by ordinal, or nil.
func (d *Dossier) Attempt(ordinal int) *Attempt { return remit.Find(d.Attempts, ordinal) }
