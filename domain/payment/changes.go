package payment

import (
	"encoding/json"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/trade"
)

// The changes a Step can make to payments. Each is plain data: the store keeps
// one writer per type, and judges it under the row's lock.

// Idempotency is access.Idempotency, as every receiving change carries it.
type Idempotency = access.Idempotency

// Receive brings a payment into being, with everything that came in its
// request: one Step, one commit (I-19).
type Receive struct {
	Idempotency Idempotency
	// Order is a new order, or one with the same merchant reference that stands
	// already with the same content; nil when Payment.OrderID names one.
	Order        *trade.Order
	AllowPartial bool
	Payment      Payment // an empty Amount.Minor takes what the order leaves unpaid
	Customer     *Customer
	Secrets      Secrets
}

// Content implements ledger.Change.
func (r Receive) Content() any { return []any{"receive", r.Payment.ID, r.Idempotency} }

// Customer is the person who pays, upserted by the merchant's reference.
// Details are personal data: stored sealed, apart, erasable.
type Customer struct {
	ID        string // of a user that stands already; or the one to mint
	Existing  bool   // ID was given by the caller
	Reference string
	Details   map[string]string // name, email, phone
}

// Secrets are what the saga needs of the request and nobody else may see;
// stored sealed beside the payment.
type Secrets struct {
	Token       string `json:"token,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // of the card, as the merchant's vault names it
	Device      Device `json:"device,omitempty"`
	CustomerIP  string `json:"customer_ip,omitempty"`
	ReturnURL   string `json:"return_url,omitempty"`
	Description string `json:"description,omitempty"`
}

// Intend commits the intent of an attempt: nothing is sent before (I-13).
type Intend struct {
	Attempt Attempt
	Request json.RawMessage // the frozen canonical request; stored sealed
}

// Content implements ledger.Change.
func (i Intend) Content() any {
	return []any{"intend", i.Attempt.Key, i.Attempt.ChannelAccount, i.Attempt.RequestHash}
}

// Update moves a payment from Before to After by compare-and-swap on
// Before.Sequence and Before.Status. With Event set, After.Sequence is one more
// and the move leaves an outbox event of that type under it, whose data is
// After.Public(). Without Event nothing that a merchant sees has changed, and
// the sequence stays (I-23).
type Update struct {
	Before, After Payment
	Event         string
	// Case is the case by whose decision a payment that had ended succeeds after
	// all; empty: the move has to be an edge of the state machine.
	Case   string
	Opened bool   // the saga has taken the payment over: the relay needn't start it
	Plan   []byte // JSON of the routing plan with its reason, set by Open
	Risk   []byte // JSON of the risk verdict, set by Open
}

// Content implements ledger.Change.
func (u Update) Content() any {
	return []any{"update", u.After.ID, u.After.Status, u.After.InDoubt, u.After.Parked, u.After.Captured.Minor, u.After.DeclineCode}
}

// AttemptUpdate writes what is known of an attempt now.
type AttemptUpdate struct {
	Before Verdict // compare-and-swap
	After  Attempt
}

// Content implements ledger.Change. The channel's id is part of it: two charges
// of one amount under one reference are two facts, not a repetition (I-10).
func (a AttemptUpdate) Content() any {
	return []any{"attempt", a.After.Key, a.After.Verdict, a.After.Dead, a.After.AmountMinor, a.After.DeclineCode, a.After.ChannelID}
}

// MatureAt notes when a payment's captured money becomes available; with a zero
// At, that it has.
type MatureAt struct {
	PaymentID string
	At        time.Time
	// Adds is what the Step adds to the money that isn't available yet, in minor
	// units: captures mature one by one, and what is there already is read under
	// the lock, since maturing counts no sequence. Zero: all of the payment's
	// money isn't available.
	Adds int64
}

// Content implements ledger.Change.
func (m MatureAt) Content() any { return []any{"mature", m.PaymentID, m.At.IsZero()} }

// MatureRest makes available what of a payment's money isn't yet: what was
// captured, without what refunds have taken of it meanwhile. It is judged under
// the payment's lock; where nothing is left, nothing is posted. A merchant that
// owes us pays its debt back in the same Step.
type MatureRest struct {
	PaymentID  string
	MerchantID string
	Currency   money.Currency
	Cause      string // of the journal
	Debt       string // the cause of the journal that pays a debt back
	At         time.Time
	// Of a payment that is captured in parts: what of it isn't due yet, when it
	// is, and how much was captured when that was read.
	Later    int64
	Next     time.Time
	Captured int64
}

// Content implements ledger.Change.
func (m MatureRest) Content() any { return []any{"mature_rest", m.PaymentID, m.Cause} }

// RecheckAt notes when a payment that was let through blind is to be judged
// again; with a zero At, that it was.
type RecheckAt struct {
	PaymentID string
	At        time.Time
}

// Content implements ledger.Change.
func (r RecheckAt) Content() any { return []any{"recheck", r.PaymentID, r.At.IsZero()} }

// RequestCancel notes that somebody wants the payment cancelled. It is refused
// as Conflict "payment_not_cancelable" once the payment is terminal; a second
// request changes nothing.
type RequestCancel struct {
	Idempotency Idempotency
	PaymentID   string
	At          time.Time
}

// Content implements ledger.Change.
func (c RequestCancel) Content() any { return []any{"cancel", c.PaymentID, c.Idempotency} }

// OpenCase records an exception that a person or a policy has to settle.
type OpenCase struct {
	ID             string // "case/<payment>/<kind>/<n>"
	Book           id.Book
	MerchantID     string
	PaymentID      string // empty for an orphan
	ChannelAccount string
	Kind           exception.Kind
	Amount         money.Amount
	Reason         string

	Attempt     int       // the ordinal of the attempt in question; 0: none
	ChannelID   string    // the channel's own id of the charge in question
	EffectiveAt time.Time // the channel's time of it
	Booked      bool      // the money is the merchant's already; else it is put on suspense
	// Policy is frozen with the case; zero is the kind's default.
	Policy exception.Policy
}

// Content implements ledger.Change. The channel's id is part of it: two charges
// of one amount are two facts, not a repetition (I-10).
func (c OpenCase) Content() any { return []any{"case", c.ID, c.Kind, c.Amount.Minor, c.ChannelID} }

// PayOrder moves the sums of a payment's order. Where that pays more than the
// order's total, the payment, or a part of it, is one too many: Excess is
// opened for what is too much, as it shows under the order's lock. The zero
// Excess opens nothing: somebody took the money knowing what it was.
type PayOrder struct {
	trade.Move
	Excess OpenCase // its Amount.Minor is filled in
}

// Act records what an operator did, who and why.
type Act struct {
	PaymentID string
	Act       string // ask_channel, retry_now, resolve
	Decision  string
	Actor     string
	Verified  bool // by a signature or an authenticated request
	Reason    string
}

// Content implements ledger.Change.
func (a Act) Content() any { return []any{"act", a.PaymentID, a.Act, a.Decision, a.Actor} }

// SeeCallback marks a stored callback as dealt with.
type SeeCallback struct {
	ID          string // clb_…
	Disposition string // applied, already_booked, case, orphan
}

// Content implements ledger.Change.
func (s SeeCallback) Content() any { return []any{"callback", s.ID, s.Disposition} }
