package payment

import (
	"maps"
	"time"
)

// Verdict is what a channel said became of an operation.
type Verdict string

// The verdicts of the channel contract.
const (
	Succeeded  Verdict = "succeeded"  // the money moved; stays so
	Authorized Verdict = "authorized" // reserved, not taken
	Declined   Verdict = "declined"   // a business "no": a result, not an error
	Pending    Verdict = "pending"    // waits for someone, see Action and ExpiresAt
	Unknown    Verdict = "unknown"    // may or may not have happened: only ask, or the same key (I-14)
	Absent     Verdict = "absent"     // Ask only: the channel has no such operation now
	Closed     Verdict = "closed"     // cancelled or voided: can never succeed any more
)

// Known reports whether the outcome ends all asking: the operation happened,
// or provably never will.
func (v Verdict) Known() bool {
	return v == Succeeded || v == Authorized || v == Declined || v == Closed
}

// Outcome is a channel's typed answer. It carries no personal datum; Action is
// a secret and travels sealed.
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	// AmountMinor and Currency are what the channel says moved or is reserved,
	// for Succeeded and Authorized. The caller compares them with its intent.
	AmountMinor int64  `json:"amount_minor,omitempty"`
	Currency    string `json:"currency,omitempty"`
	// ChannelID is the channel's own id of the charge, refund or payout.
	ChannelID string   `json:"channel_id,omitempty"`
	Decline   *Decline `json:"decline,omitempty"`
	// Dead is proof that this operation can never succeed any more. Only then
	// may another channel be tried (I-09).
	Dead   bool    `json:"dead,omitempty"`
	Action *Action `json:"action,omitempty"`
	// Approved: a Pending charge has its customer's consent, and its channel now waits for Confirm.
	Approved    bool      `json:"approved,omitempty"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`   // when Pending or Authorized lapses
	EffectiveAt time.Time `json:"effective_at,omitzero"` // the channel's time of success
	// Reason says in a few words why the outcome is Unknown; no bodies.
	Reason string `json:"reason,omitempty"`
}

// Decline says why a bank refused.
type Decline struct {
	Code    string `json:"code"`           // ours, snake_case: insufficient_funds, stolen_card, …
	Channel string `json:"channel_code"`   // the channel's own code, as it came
	Hard    bool   `json:"hard,omitempty"` // never try this instrument again
	// Class is what the table of declines makes of it; whoever settles fills it in.
	Class string `json:"class,omitempty"`
}

// Action is what the customer has to do next.
type Action struct {
	Type ActionType `json:"type"`
	URL  string     `json:"url"` // the text of the QR code, or where to send the customer; empty for the others
	// Parameters are what to hand to the channel's SDK, under its own names, or where to send a bank transfer: iban, bic,
	// name, reference.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Equal says whether a and b ask the same of the customer.
func (a Action) Equal(b Action) bool {
	return a.Type == b.Type && a.URL == b.URL && maps.Equal(a.Parameters, b.Parameters)
}

// ActionType says what an Action is.
type ActionType string

// The actions of the API.
const (
	ActionQR           ActionType = "qr_code"
	ActionRedirect     ActionType = "redirect"
	ActionSDK          ActionType = "sdk"
	ActionBankTransfer ActionType = "bank_transfer"
)
