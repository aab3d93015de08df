package payment

import (
	"encoding/json"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Dossier is everything a step of the saga reads of one payment, in one go.
type Dossier struct {
	Payment  Payment
	Attempts []Attempt // by ordinal
	Captures []Capture // by ordinal
	Terms    Terms
	Calendar ledger.Calendar // the dates of the book that are closed
	Secrets  Secrets
	MayOwe   bool            // its merchant owes us in this currency, or may come to
	Opened   bool            // the saga has taken it over
	Plan     json.RawMessage // the routing plan that Open stored; nil before
}

// Method is how the payment is paid, with what only its intent may see.
func (d *Dossier) Method() Method {
	return Method{Type: d.Payment.Method, Token: d.Secrets.Token, Device: d.Secrets.Device, CustomerIP: d.Secrets.CustomerIP}
}

// Attempt finds an attempt by ordinal, or nil.
func (d *Dossier) Attempt(ordinal int) *Attempt {
	for i := range d.Attempts {
		if d.Attempts[i].Ordinal == ordinal {
			return &d.Attempts[i]
		}
	}
	return nil
}

// Capture finds a capture by id, or nil.
func (d *Dossier) Capture(captureID string) *Capture {
	for i := range d.Captures {
		if d.Captures[i].ID == captureID {
			return &d.Captures[i]
		}
	}
	return nil
}

// NextCapture is the first capture that is under way, or nil.
func (d *Dossier) NextCapture() *Capture {
	for i := range d.Captures {
		if d.Captures[i].Status == CaptureProcessing {
			return &d.Captures[i]
		}
	}
	return nil
}

// Strayed is what captures of another amount than meant took, all together.
func (d *Dossier) Strayed() int64 {
	var sum int64
	for _, c := range d.Captures {
		sum += c.Strayed
	}
	return sum
}

// Occurrence is one line of a payment's timeline.
type Occurrence struct {
	At   time.Time      `json:"at"`
	Kind string         `json:"kind"` // request, risk, routing, intent, channel_call, callback, journal, event, act, case
	Text string         `json:"text"` // for people
	Data map[string]any `json:"data,omitempty"`
}

// Filter selects payments of one book for a list, newest first.
type Filter struct {
	Book          id.Book
	MerchantID    string // empty: every merchant of the book (operators)
	Status        Status
	OrderID       string
	TopUps        bool   // only top-ups; else only payments
	UserID        string // whose payments or top-ups
	Channel       string
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
	After         string    // the id after which the page starts
	Limit         int       // 1–100
}
