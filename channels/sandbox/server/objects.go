package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// State is what became of an object of the book.
type State string

// The states of charges. Refunds and payouts know pending, succeeded, declined and abnormal.
const (
	Pending    State = "pending"
	Authorized State = "authorized"
	Succeeded  State = "succeeded"
	Declined   State = "declined"
	Closed     State = "closed"
	Expired    State = "expired"
	Abnormal   State = "abnormal" // of what leaves: a no that isn't final
)

// Method is how the customer pays; see docs/sandbox.md for the tokens.
type Method struct {
	Type  string `json:"type"`
	Token string `json:"token,omitempty"`
}

// Decline says why the sandbox's bank refused.
type Decline struct {
	Code string `json:"code"`
	Hard bool   `json:"hard"`
}

// Action is what the customer has to do next.
type Action struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

// Capture is one capture of an authorization.
type Capture struct {
	ID          string    `json:"id"`
	Key         string    `json:"key"`
	Reference   string    `json:"reference,omitempty"`
	BodyHash    string    `json:"body_hash"`
	AskedMinor  int64     `json:"asked_minor,omitempty"` // what the caller asked for, where the bank took another amount
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	Decline     *Decline  `json:"decline,omitempty"` // the bank's no: nothing was taken
	Final       bool      `json:"final"`
	At          time.Time `json:"at"`
	Calls       int       `json:"calls"`
}

// Dispute is money of a charge that the customer's bank asks back.
type Dispute struct {
	ID          string    `json:"id"`
	Status      string    `json:"status"` // open, lost or won
	AmountMinor int64     `json:"amount_minor"`
	FeeMinor    int64     `json:"fee_minor,omitempty"`
	Reason      string    `json:"reason"`
	At          time.Time `json:"at"`   // when it came to be so
	Said        int       `json:"said"` // how often the caller was told of it
}

// Charge is one charge in the sandbox's book. It is the channel's truth: what stands here was charged.
type Charge struct {
	ID            string    `json:"id"`
	Account       string    `json:"account"` // a hash of the secret that made it
	Key           string    `json:"key"`
	Reference     string    `json:"reference"`
	BodyHash      string    `json:"body_hash"`
	AskedMinor    int64     `json:"asked_minor"`  // what the caller asked for
	AmountMinor   int64     `json:"amount_minor"` // what was charged or reserved
	Currency      string    `json:"currency"`
	Method        Method    `json:"method"`
	Capture       bool      `json:"capture"`
	State         State     `json:"state"`
	CapturedMinor int64     `json:"captured_minor"`
	RefundedMinor int64     `json:"refunded_minor"`
	Captures      []Capture `json:"captures,omitempty"`
	Disputes      []Dispute `json:"disputes,omitempty"`
	Decline       *Decline  `json:"decline,omitempty"`
	Action        *Action   `json:"action,omitempty"`
	Description   string    `json:"description,omitempty"`
	CallbackURL   string    `json:"callback_url,omitempty"`
	ReturnURL     string    `json:"return_url,omitempty"`
	Tombstone     bool      `json:"tombstone,omitempty"` // cancelled before it was ever created
	Extra         bool      `json:"extra,omitempty"`     // the customer paid the same charge once more
	Late          bool      `json:"late,omitempty"`      // paid after it was closed
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	SettlesAt     time.Time `json:"settles_at,omitzero"` // a pending charge that succeeds by itself
	SucceededAt   time.Time `json:"succeeded_at,omitzero"`
	Calls         int       `json:"calls"`  // create requests under the key
	Events        int       `json:"events"` // callbacks made so far
	Owed          bool      `json:"owed"`   // a callback is still to be delivered
}

// Move is a refund or a payout.
type Move struct {
	Kind            string    `json:"kind"` // "refund" or "payout"
	ID              string    `json:"id"`
	Account         string    `json:"account"`
	Key             string    `json:"key"`
	Reference       string    `json:"reference"`
	BodyHash        string    `json:"body_hash"`
	ChargeReference string    `json:"charge_reference,omitempty"`
	ChargeID        string    `json:"charge_id,omitempty"`
	Destination     string    `json:"destination,omitempty"`
	AskedMinor      int64     `json:"asked_minor"`
	AmountMinor     int64     `json:"amount_minor"`
	Currency        string    `json:"currency"`
	State           State     `json:"state"`
	Decline         *Decline  `json:"decline,omitempty"`
	Note            string    `json:"note,omitempty"`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	SettlesAt       time.Time `json:"settles_at,omitzero"`
	SucceededAt     time.Time `json:"succeeded_at,omitzero"`
	ReturnsAt       time.Time `json:"returns_at,omitzero"` // it comes back after its success
	CallbackURL     string    `json:"callback_url,omitempty"`
	Calls           int       `json:"calls"`
	Events          int       `json:"events"`
	Owed            bool      `json:"owed"`
}

// refresh applies what time alone has done to the charge.
func (c *Charge) refresh(now time.Time) (changed bool) {
	switch {
	case c.State == Pending && due(c.SettlesAt, now):
		c.succeed(c.AmountMinor, c.SettlesAt)
	case c.State == Pending && due(c.ExpiresAt, now):
		c.State, c.UpdatedAt = Expired, c.ExpiresAt
	case c.State == Authorized && due(c.ExpiresAt, now):
		c.release(c.ExpiresAt)
	default:
		return false
	}
	return true
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// succeed takes the whole amount.
func (c *Charge) succeed(amount int64, at time.Time) {
	c.State, c.AmountMinor, c.CapturedMinor = Succeeded, amount, amount
	c.SucceededAt, c.UpdatedAt = at, at
}

// release gives back what of an authorization was not captured.
func (c *Charge) release(at time.Time) {
	c.UpdatedAt = at
	if c.CapturedMinor == 0 {
		c.State = Closed
		return
	}
	c.State, c.AmountMinor = Succeeded, c.CapturedMinor
	for _, p := range c.Captures {
		if p.Decline == nil {
			c.SucceededAt = p.At
		}
	}
}

// refresh applies what time alone has done to the refund or payout.
func (m *Move) refresh(now time.Time) (changed bool) {
	if m.State != Pending || !due(m.SettlesAt, now) {
		return false
	}
	m.State, m.SucceededAt, m.UpdatedAt = Succeeded, m.SettlesAt, m.SettlesAt
	return true
}

// businessID is the part of a key before the step: "pay_…" of "pay_…:ch1".
func businessID(key string) string {
	id, _, _ := strings.Cut(key, ":")
	return id
}

func accountOf(secret string) string {
	sum := sha256.Sum256([]byte("account\n" + secret))
	return hex.EncodeToString(sum[:6])
}

// CallbackSecret is the secret that signs the callbacks of the account that a bearer secret opens. The sandbox has no
// sign-up, so it is derived: HMAC-SHA256(secret, "callback_secret") in hex.
func CallbackSecret(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("callback_secret"))
	return hex.EncodeToString(mac.Sum(nil))
}

// Signature is the value of the header Sandbox-Signature for a body sent at a time.
func Signature(callbackSecret string, at time.Time, body []byte) string {
	stamp := at.Unix()
	mac := hmac.New(sha256.New, []byte(callbackSecret))
	mac.Write([]byte(itoa(stamp) + "."))
	mac.Write(body)
	return "t=" + itoa(stamp) + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
