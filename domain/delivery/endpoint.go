package delivery

import (
	"slices"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/trade"
)

// EndpointStatus says whether an endpoint is told of anything.
type EndpointStatus string

const (
	// Enabled is told of each event that it asked for.
	Enabled EndpointStatus = "enabled"
	// Paused failed for too long: what it would be told is held until it is enabled again.
	Paused EndpointStatus = "paused"
	// Disabled wants nothing: by its merchant's word, or by its own (410). What happens meanwhile is never told to it.
	Disabled EndpointStatus = "disabled"
)

// EndpointStatuses returns every status once.
func EndpointStatuses() []EndpointStatus { return []EndpointStatus{Enabled, Paused, Disabled} }

// Endpoint is where a merchant is told of events. Its secrets aren't part of it.
type Endpoint struct {
	Book        id.Book
	ID          string // whk_…
	MerchantID  string
	URL         string
	Description string
	// Events are the types that it hears, exact or "payment.*"; empty: all.
	Events []string
	// IncludeChildren: it hears the events of the merchants below its own, too.
	IncludeChildren bool
	APIVersion      string
	Schedule        Schedule
	Status          EndpointStatus
	Reason          string // why it is paused or disabled; snake_case, empty while enabled
	FailingSince    time.Time
	LastSuccessAt   time.Time
	// Sequence counts the events about the endpoint itself.
	Sequence             int64
	CreatedAt, UpdatedAt time.Time
}

// EndpointRef names an endpoint for its merchant: another's is nobody's (I-25).
type EndpointRef struct {
	Book           id.Book
	MerchantID, ID string
}

// Ref names the endpoint.
func (e Endpoint) Ref() EndpointRef { return EndpointRef{e.Book, e.MerchantID, e.ID} }

// The types of events about endpoints.
const (
	EventPing             = "endpoint.ping"
	EventEndpointPaused   = "endpoint.paused"
	EventEndpointEnabled  = "endpoint.enabled"
	EventEndpointDisabled = "endpoint.disabled"
)

const (
	maxFilters     = 50
	maxDescription = 500
	// MaxEndpoints bounds the endpoints of a merchant: each event is told to every one of them.
	MaxEndpoints = 20
)

// objects are what types of events begin with.
var objects = []string{"order", "payment", "capture", "refund", "case", "endpoint", "routing", "risk", "transfer", "topup", "payout", "rebate", "campaign", "settlement", "rerating", "user", "dispute"}

// Check refuses an endpoint that can't work. The URL is judged by whoever dials.
func (e Endpoint) Check() error {
	if len([]rune(e.Description)) > maxDescription {
		return fault.Invalid("description_invalid", "description", "a description has at most 500 characters")
	}
	if err := e.CheckEvents(); err != nil {
		return err
	}
	if err := CheckVersion("api_version", e.APIVersion); err != nil {
		return err
	}
	return fault.Under("schedule", e.Schedule.Check())
}

// CheckEvents refuses a filter that no event passes.
func (e Endpoint) CheckEvents() error {
	if len(e.Events) > maxFilters {
		return fault.Invalid("events_invalid", "events", "a filter has at most 50 types; leave it out to hear all")
	}
	for i, f := range e.Events {
		object, move, found := strings.Cut(f, ".")
		if !found || !slices.Contains(objects, object) || move != "*" && (move == "" || strings.Trim(move, "abcdefghijklmnopqrstuvwxyz_") != "") {
			return fault.Invalid("events_invalid", "events["+itoa(i)+"]", "a filter is a type of events, payment.succeeded, or all of an object's, payment.*")
		}
		if slices.Contains(e.Events[:i], f) {
			return fault.Invalid("events_invalid", "events["+itoa(i)+"]", "a type stands in a filter once")
		}
	}
	return nil
}

// Hears reports whether the endpoint is told of an event that its merchant, or one below it, is concerned by. Of itself
// it hears pings alone, and nobody else hears those.
func (e Endpoint) Hears(of trade.Event) bool {
	switch {
	case of.Book != e.Book || of.MerchantID == "" || of.MerchantID != e.MerchantID && !e.IncludeChildren:
		return false // I-25; whether a merchant is below another the store knows
	case of.Object.ID == e.ID:
		return of.Type == EventPing
	case of.Type == EventPing:
		return false
	}
	return e.Asked(of.Type)
}

// Asked reports whether a type of events passes the filter.
func (e Endpoint) Asked(kind string) bool {
	object, _, _ := strings.Cut(kind, ".")
	return len(e.Events) == 0 || slices.Contains(e.Events, kind) || slices.Contains(e.Events, object+".*")
}

// MinFailing is how long an endpoint fails before it is paused, however short its schedule.
const MinFailing = time.Hour

// PauseAfter is how long an endpoint with this schedule may fail without one success before it is paused: as long as one
// delivery would be tried.
func (s Schedule) PauseAfter() time.Duration { return max(s.Span(), MinFailing) }
