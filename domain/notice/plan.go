package notice

import (
	"slices"
	"strconv"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// Stale is how old an event may be when somebody first thinks of telling it. Who hears a week later that a payment failed is only
// startled.
const Stale = 72 * time.Hour

// schedule says how long a message is tried: about a day. Messages are small news; what is late enough is none.
var schedule = delivery.Schedule{Name: "notice", JitterPercent: 20, Waits: []delivery.Wait{
	delivery.Wait(10 * time.Second), delivery.Wait(time.Minute), delivery.Wait(5 * time.Minute), delivery.Wait(30 * time.Minute),
	delivery.Wait(2 * time.Hour), delivery.Wait(6 * time.Hour), delivery.Wait(12 * time.Hour)}}

// Schedule returns how long a message is tried.
func Schedule() delivery.Schedule {
	s := schedule
	s.Waits = slices.Clone(s.Waits)
	return s
}

// Ruling says what is to become of a message now.
type Ruling struct {
	Send bool
	// Until is when to look again, if quiet hours hold it.
	Until time.Time
	// Reason is why it isn't sent at all.
	Reason string
}

// The reasons of what is skipped.
const (
	ReasonErased    = "user_erased"
	ReasonUnwanted  = "unwanted"
	ReasonNoAddress = "no_address"
	ReasonUnused    = "medium_unused"
	ReasonStale     = "stale"
	ReasonUnknown   = "type_unknown"
)

// Rule decides about telling a person of an event of this type by a medium, at a time, as both stand then. It is asked when a message is
// planned and again before each try: whoever opts out in between isn't told.
func Rule(p Person, s Settings, kind string, m Medium, at time.Time, in *time.Location) Ruling {
	t, known := topics[kind]
	switch {
	case !known:
		return Ruling{Reason: ReasonUnknown}
	case !slices.Contains(s.Media, m):
		return Ruling{Reason: ReasonUnused}
	case p.Erased:
		return Ruling{Reason: ReasonErased}
	case !p.Preferences.wants(t.subject, m, slices.Contains(t.media, m)):
		return Ruling{Reason: ReasonUnwanted}
	case len(p.Address(m)) == 0:
		return Ruling{Reason: ReasonNoAddress}
	}
	quiet := p.Preferences.Quiet
	if quiet == nil {
		quiet = s.Quiet
	}
	if m != Mail {
		if until, holds := quiet.Until(at, in); holds {
			return Ruling{Until: until}
		}
	}
	return Ruling{Send: true}
}

// Zone names the time zone that a person's quiet hours go by, IANA.
func Zone(p Person, s Settings) string {
	switch {
	case p.Preferences.TimeZone != "":
		return p.Preferences.TimeZone
	case s.TimeZone != "":
		return s.TimeZone
	}
	return "UTC"
}

// LanguageOf is the language that a person is written to in.
func LanguageOf(p Person, s Settings) Language {
	for _, l := range []Language{p.Language, s.Language} {
		if l.Valid() {
			return l
		}
	}
	return Languages()[0]
}

// Outcome is what a try came to, as a sender says.
type Outcome struct {
	Sent bool
	// Never means that no later try can succeed: the address isn't one.
	Never  bool
	Reason string // stable snake_case for a try that failed; names nobody
}

// Verdict is what becomes of a message.
type Verdict struct {
	State  State
	Reason string
	NextAt time.Time // while it is pending
	Tried  bool
}

// Judge says what a try that ended at a time means, after so many before it.
func Judge(ref Ref, tries int, o Outcome, at time.Time) Verdict {
	switch {
	case o.Sent:
		return Verdict{State: Sent, Tried: true}
	case o.Never:
		return Verdict{State: Failed, Reason: o.Reason, Tried: true}
	}
	wait, more := schedule.Next(tries+1, ref.Key()+strconv.Itoa(tries))
	if !more {
		return Verdict{State: Failed, Reason: o.Reason, Tried: true}
	}
	return Verdict{State: Pending, Reason: o.Reason, NextAt: at.Add(wait), Tried: true}
}

const maxSender = 60

// Check refuses settings that can't be gone by.
func (s Settings) Check() error {
	for i, m := range s.Media {
		if !m.Valid() || slices.Contains(s.Media[:i], m) {
			return fault.Invalid("media_invalid", "media["+strconv.Itoa(i)+"]", "the media are mail, sms and push, each once")
		}
	}
	switch {
	case !s.Language.Valid():
		return fault.Invalid("language_unknown", "language", "messages are written in en and zh")
	case len(s.Media) > 0 && s.Sender == "":
		return fault.Invalid("field_required", "sender", "people are to see who tells them: name the shop")
	case len([]rune(s.Sender)) > maxSender:
		return fault.Invalid("sender_invalid", "sender", "a sender's name has at most 60 characters")
	}
	return s.Quiet.Check("quiet_hours")
}
