package notice

import (
	"slices"
	"strconv"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// MaxResend is how many messages one request tells again at most.
const MaxResend = 1000

// Resend asks for messages to be told again that weren't: one of them by its id, or what a filter chooses. What was sent isn't told twice,
// and what waits is tried anyway; whoever has opted out meanwhile still isn't told.
type Resend struct {
	Book        id.Book
	MerchantID  string
	Idempotency access.Idempotency
	By          ledger.Principal

	NoticeID string // ntf_…; empty: what the rest chooses, and all of it that is left empty
	UserID   string
	Media    []Medium
	Types    []string
	States   []State   // empty: Failed
	From, To time.Time // when the message was made; inclusive
}

// Resent is what became of a Resend.
type Resent struct {
	Count    int  // told again; MaxResend may mean that there are more
	Replayed bool // the request came before, and nothing happened now
}

// Check refuses what can't be chosen.
func (r Resend) Check() error {
	for i, m := range r.Media {
		if !m.Valid() {
			return fault.Invalid("medium_unknown", "media["+strconv.Itoa(i)+"]", "a medium is mail, sms or push")
		}
	}
	for i, kind := range r.Types {
		if !Concerns(kind) {
			return fault.Invalid("type_unknown", "types["+strconv.Itoa(i)+"]", "people are told of no such event")
		}
	}
	for i, s := range r.States {
		if s != Failed && s != Skipped {
			return fault.Invalid("status_invalid", "statuses["+strconv.Itoa(i)+"]", "what was sent isn't told again, and what is pending is tried anyway")
		}
	}
	for _, at := range []struct {
		param string
		time.Time
	}{{"from", r.From}, {"to", r.To}} {
		if !at.IsZero() && (at.Year() < 1970 || at.Year() >= 2200) {
			return fault.Invalid("time_invalid", at.param, "a time between 1970 and 2199")
		}
	}
	if !r.From.IsZero() && !r.To.IsZero() && r.To.Before(r.From) {
		return fault.Invalid("time_invalid", "to", "the end comes before the beginning")
	}
	return nil
}

// Chosen are the states that r chooses from.
func (r Resend) Chosen() []State {
	if r.NoticeID != "" {
		return []State{Failed, Skipped}
	}
	if len(r.States) == 0 {
		return []State{Failed}
	}
	return slices.Clone(r.States)
}

// Again says whether a message that stands so may be told again: one that was sent is fault.Conflict "notification_sent".
func Again(s State) error {
	if s == Sent {
		return fault.Conflict("notification_sent", "a carrier has taken this message; it isn't told twice")
	}
	return nil
}
