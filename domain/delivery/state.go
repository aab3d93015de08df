package delivery

import (
	"strconv"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/trade"
)

// State is where the telling of one event to one endpoint stands.
type State string

const (
	// StatePending means that a try is under way, or waits for its time.
	StatePending State = "pending"
	// StateDelivered means that the endpoint answered 2xx.
	StateDelivered State = "delivered"
	// StateFailed means that every try of the schedule failed. It can be told again.
	StateFailed State = "failed"
	// StateGone means that the endpoint wants nothing more, or stands no longer.
	StateGone State = "gone"
	// StateHeld means that the endpoint is paused; enabling it goes on.
	StateHeld State = "held"
)

// States returns every state once.
func States() []State {
	return []State{StatePending, StateDelivered, StateFailed, StateGone, StateHeld}
}

// Valid reports whether it is one of States.
func (s State) Valid() bool {
	for _, known := range States() {
		if s == known {
			return true
		}
	}
	return false
}

// Open reports whether more tries follow by themselves.
func (s State) Open() bool { return s == StatePending }

// Ref names one delivery: ids only, fit for a history.
type Ref struct {
	Book       id.Book `json:"book"`
	EventID    string  `json:"event_id"`
	EndpointID string  `json:"endpoint_id"`
}

// ID is how a delivery is called: in its workflow's id, in lists, and as the seed of its waits.
func (r Ref) ID() string { return r.EventID + "/" + r.EndpointID }

// Row is a delivery as it is kept.
type Row struct {
	Ref
	MerchantID string // the endpoint's
	Type       string
	Object     trade.EventObject
	State      State
	Tries      int // in all
	Failed     int // since the schedule began: a redelivery begins it again
	Last       Result
	NextAt     time.Time // of the next try; zero: none is planned
	CreatedAt  time.Time
	At         time.Time // of the last try
	Delivered  time.Time
}

// Try is one line of a delivery's log.
type Try struct {
	No     int
	At     time.Time
	Result Result
}

// Verdict is what a try makes of its delivery.
type Verdict struct {
	State  State
	Failed int
	NextAt time.Time
}

// Judge says what a try that ended at a time means, after so many failed ones before it.
func (s Schedule) Judge(ref Ref, failed int, r Result, at time.Time) Verdict {
	switch r.Outcome {
	case Delivered:
		return Verdict{State: StateDelivered, Failed: failed}
	case Gone:
		return Verdict{State: StateGone, Failed: failed}
	}
	failed++
	wait, more := s.Next(failed, ref.ID())
	if !more {
		return Verdict{State: StateFailed, Failed: failed}
	}
	return Verdict{State: StatePending, Failed: failed, NextAt: at.Add(max(wait, r.RetryAfter))}
}

// Leaving is an event on its way out, with the endpoints that are to hear it.
type Leaving struct {
	Event trade.Event
	To    []Target
}

// Target is one endpoint with its secrets in force, newest first: it belongs in no history, log or error (I-26).
type Target struct {
	Endpoint
	Secrets []Secret
}

// Left is an event that was on its way out, and what it came to at each endpoint.
type Left struct {
	Event trade.Event
	Told  []Told
}

// Told is what a first try, or any later one, came to.
type Told struct {
	Ref
	MerchantID string // the endpoint's
	Type       string
	Object     trade.EventObject
	APIVersion string
	Body       []byte // what was signed; nil: it is kept already
	// Tried: there was a try, and Result says what it came to. Else the delivery is only kept, held or handed on.
	Tried   bool
	Result  Result
	At      time.Time
	Verdict Verdict
	// HandOver: a saga goes on with it.
	HandOver bool
	// Schedule is the one that the endpoint's patience is measured by.
	Schedule Schedule
}

// Due is a delivery as its next try needs it. It holds secrets (I-26).
type Due struct {
	Row    Row
	Target Target
	Body   []byte
}

// Start is what a delivery's saga begins with: ids, the schedule that stands from then on, and when the next try is due.
type Start struct {
	Ref
	MerchantID string
	Type       string
	ObjectID   string
	Schedule   Schedule
	NextAt     time.Time
	// Now: somebody asked for it to be told again, so an open saga shall not wait.
	Now bool
	// DueAt tells this claim from a later one.
	DueAt time.Time
}

// RedeliverFilter chooses deliveries of one endpoint to tell again.
type RedeliverFilter struct {
	Book                   id.Book
	MerchantID, EndpointID string
	From, To               time.Time // of the events; zero: no bound
	Types                  []string
	States                 []State // default: failed
}

// MaxRedeliver is how many deliveries one request tells again.
const MaxRedeliver = 10_000

// EventFilter chooses events for a list, newest first.
type EventFilter struct {
	Book                       id.Book
	MerchantID                 string
	Type                       string // exact, or payment.*
	ObjectID                   string
	CreatedFrom, CreatedBefore time.Time
	After                      string // the last event of the page before
	Limit                      int
}

// RowFilter chooses deliveries for a list, newest events first.
type RowFilter struct {
	Book                            id.Book
	MerchantID, EndpointID, EventID string
	State                           State
	After                           Ref // the last of the page before; its Book isn't read
	Limit                           int
}

// ParseID reads what Ref.ID writes.
func ParseID(text string) (Ref, error) {
	const event = 30
	if len(text) == 2*event+1 && text[event] == '/' && id.Is(id.Event, text[:event]) && id.Is(id.Endpoint, text[event+1:]) {
		return Ref{EventID: text[:event], EndpointID: text[event+1:]}, nil
	}
	return Ref{}, fault.Invalid("id_invalid", "", "this is not a delivery's id")
}

func itoa(n int) string { return strconv.Itoa(n) }
