package trade

import (
	"encoding/json"
	"time"

	"paysaga/domain/id"
)

// APIVersion is the version of the API whose objects events carry.
const APIVersion = "2026-11-21"

// Event is the envelope in which a state move leaves us, from the first one
// on. It is written in the Step of its move (I-23); Object.Sequence counts the
// moves of the object, and receivers order by it.
type Event struct {
	ID         string          `json:"id"` // evt_…
	Type       string          `json:"type"`
	APIVersion string          `json:"api_version"`
	CreatedAt  time.Time       `json:"created_at"`
	Livemode   bool            `json:"livemode"`
	MerchantID string          `json:"merchant_id,omitempty"`
	BusinessID string          `json:"business_id"`
	Object     EventObject     `json:"object"`
	Data       json.RawMessage `json:"data"` // the object as the API shows it; may hold a secret: never log it
	Book       id.Book         `json:"-"`
}

// EventObject names what the event is about.
type EventObject struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"` // counts the object's events from 1 without a gap
}
