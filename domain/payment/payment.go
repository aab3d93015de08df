// Package payment is the payment core as rules: what a payment is, which state
// may follow which, and what a channel's outcome means for it. It knows money
// instructions, not orders and not channels.
package payment

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Payment is one pay-in. Its mutable fields change only by an Update, by
// compare-and-swap on Sequence.
type Payment struct {
	Book       id.Book
	ID         string // pay_…
	MerchantID string
	OrderID    string
	OrderRef   string // the merchant's reference of the order
	CustomerID string // usr_…; empty without a customer
	Amount     money.Amount
	Method     MethodType
	Capture    CaptureMethod
	Channel    string // the channel asked for, or the one in use; empty: not routed yet
	CreatedAt  time.Time
	ExpiresAt  time.Time // an unpaid payment is closed then
	Metadata   map[string]string

	Status       Status
	InDoubt      bool   // an outcome is unknown (§ memo/in_doubt)
	Parked       string // why a person is needed; empty: nobody is
	Sequence     int64  // counts the moves; the event of a move carries it
	Captured     money.Amount
	Capturing    money.Amount // of captures that are under way
	FinalCapture bool         // one of them is the last
	Refunded     money.Amount
	Refunding    money.Amount // of refunds that were received and haven't ended
	Disputed     money.Amount // charged back, and not won again
	Fee          money.Amount
	FeeReturned  money.Amount // with refunds that are open or done
	Pending      money.Amount // of its money that isn't available to the merchant yet
	DeclineCode  string
	DeclineClass string    // soft, hard or ask_customer, where a channel's no ended it
	BusinessDate string    // YYYY-MM-DD in the merchant's zone and cut; set once, at capture
	EffectiveAt  time.Time // the channel's time of the success
	UpdatedAt    time.Time

	Parts []Part

	// NextAction is what the customer has to do; opened only for the API's answer
	// and stored sealed.
	NextAction *Action
	// CancelRequested is when somebody asked for the cancel; zero: nobody did.
	CancelRequested time.Time
	// ReviewDue is until when a person may judge a payment that risk holds, before
	// any channel hears of it; zero: nobody has to.
	ReviewDue time.Time
	// RiskFlag is why a payment that was let through while the risk data couldn't
	// be read should not have been.
	RiskFlag string
}

// Left is what may still be given back (I-12).
func (p Payment) Left() money.Amount {
	left := p.Captured
	left.Minor -= p.Refunded.Minor + p.Refunding.Minor + p.Disputed.Minor
	return left
}

// CaptureMethod says who takes authorized money.
type CaptureMethod string

// The ways to capture.
const (
	CaptureAutomatic CaptureMethod = "automatic"
	CaptureManual    CaptureMethod = "manual"
)

// Source says where a part's money comes from.
type Source string

// The sources of a part.
const (
	FromChannel Source = "channel"
	FromWallet  Source = "wallet"
)

// Part is one source of a payment's money. Attempts, captures and refunds
// belong to a part.
type Part struct {
	Ordinal    int // from 1
	Source     Source
	Amount     money.Amount
	Authorized money.Amount // ever authorized and not voided; a charge authorizes and captures at once
	Captured   money.Amount
	Refunded   money.Amount
	// Refunding is of refunds under way, and MaturesAt when its money becomes
	// available where captures of a payment do so one by one; both are kept of a
	// wallet's part alone.
	Refunding money.Amount
	MaturesAt time.Time
}

// Attempt is one try to charge one part at one channel account. Its intent is
// committed before any call (I-13).
type Attempt struct {
	Book           id.Book
	PaymentID      string
	Part           int
	Ordinal        int    // 1–99 over the whole payment; the next only after this one is dead
	Key            string // "<payment id>:ch<ordinal>"
	Reference      string // the key as the channel sees it
	Channel        string
	ChannelAccount string
	OwnFunds       bool // what that account takes never becomes ours: it is its merchant's own
	Lane           Lane
	RequestHash    string // hex SHA-256 of the frozen canonical request
	BornAt         time.Time

	Verdict     Verdict // "" until the first answer
	ChannelID   string
	Dead        bool
	DeclineCode string
	HardDecline bool
	AmountMinor int64  // what the channel says it took or reserved
	Currency    string // of AmountMinor
	ExpiresAt   time.Time
	EffectiveAt time.Time
}

// Lane is how the saga calls the channel.
type Lane string

// The two lanes. Express runs the call inside the workflow task: for channels
// that answer fast and honour a repeated key.
const (
	Express  Lane = "express"
	Standard Lane = "standard"
)

// Outcome is what the attempt knows already, in the contract's words.
func (a Attempt) Outcome() Outcome {
	o := Outcome{
		Verdict: a.Verdict, ChannelID: a.ChannelID, Dead: a.Dead,
		AmountMinor: a.AmountMinor, Currency: a.Currency, ExpiresAt: a.ExpiresAt, EffectiveAt: a.EffectiveAt,
	}
	if a.Verdict == Declined {
		o.Decline = &Decline{Code: a.DeclineCode, Hard: a.HardDecline}
	}
	return o
}
