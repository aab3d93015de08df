package trade

import (
	"encoding/json"
	"time"
)

// APIVersion is the version of the API whose objects events carry.
const APIVersion = "2026-11-01"

// Event is the envelope in which a state move leaves us, from the first one
// on. It is written in the Step of its move (I-23); Object.Sequence counts the
// moves of the object, and receivers order by it.
type Event struct {
	ID         string          `json:"id"` // evt_…
	Type       string          `json:"type"`
	APIVersion string          `json:"api_version"`
	CreatedAt  time.Time       `json:"created_at"`
	Livemode   bool            `json:"livemode"`
	MerchantID string          `json:"merchant_id"`
	BusinessID string          `json:"business_id"`
	Object     EventObject     `json:"object"`
	Data       json.RawMessage `json:"data"` // the object as the API shows it
}

// EventObject names what the event is about.
type EventObject struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"`
}
