package channels

import (
	"time"

	"paysaga/domain/payment"
)

// ChargeRequest is what an attempt's intent freezes as canonical JSON (I-13):
// a repeat under the same key carries exactly this.
type ChargeRequest struct {
	AmountMinor int64          `json:"amount_minor"` // in the currency's ISO 4217 minor unit
	Currency    string         `json:"currency"`
	Method      payment.Method `json:"method"`
	Capture     bool           `json:"capture"` // false: authorize only
	Description string         `json:"description,omitempty"`
	ReturnURL   string         `json:"return_url,omitempty"`
	CallbackURL string         `json:"callback_url,omitempty"`
	ExpiresAt   *time.Time     `json:"expires_at,omitempty"` // when an unpaid charge should lapse at the channel
}

// CaptureRequest takes money from an authorization.
type CaptureRequest struct {
	ChargeKey   string `json:"charge_key"` // the key of the charge that authorized
	ChannelID   string `json:"channel_id"` // the channel's own id of that charge
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
	Final       bool   `json:"final"` // true releases what stays uncaptured
}

// RefundRequest gives captured money back.
type RefundRequest struct {
	ChargeKey   string `json:"charge_key"`
	ChannelID   string `json:"channel_id"`
	AmountMinor int64  `json:"amount_minor"`
	TotalMinor  int64  `json:"total_minor"` // of the whole charge; some channels want it
	Currency    string `json:"currency"`
	Reason      string `json:"reason,omitempty"`
}

// PayoutRequest sends money out. Destination is "<type>:<account>", as
// domain/payout writes it. An intent freezes payout.Reference in its place: what
// that stands for is opened for the call alone, and erasable.
type PayoutRequest struct {
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
	Destination string `json:"destination"`
	// Name is the holder of the destination. Like it, it is a personal datum: opened for the call, and in no frozen request.
	Name        string `json:"name,omitempty"`
	Note        string `json:"note,omitempty"`
	CallbackURL string `json:"callback_url,omitempty"`
}

// StatementRequest asks for one day in the account's statement zone.
type StatementRequest struct {
	Kind string // the adapter's own: "trade", "fundflow", "balance"
	Day  time.Time
}
