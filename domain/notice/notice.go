// Package notice holds the rules by which people are told of what happened to their orders and their money: which events concern
// them, by which media, in which language, when not, and how often it is tried. The sending itself is package notify. A message
// holds no name and no address; those are read when it is sent, and stay where they are sealed (I-26).
package notice

import (
	"encoding/json"
	"slices"
	"time"

	"paysaga/domain/id"
)

// Medium is a way to reach a person.
type Medium string

// The media. Mail doesn't ring, so quiet hours hold only the others.
const (
	Mail Medium = "mail"
	SMS  Medium = "sms"
	Push Medium = "push"
)

// Media returns every medium once.
func Media() []Medium { return []Medium{Mail, SMS, Push} }

// Valid reports whether it is one of Media.
func (m Medium) Valid() bool { return slices.Contains(Media(), m) }

// Language is one that messages are written in.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Languages returns every language once; the first stands in where nobody has said anything.
func Languages() []Language { return []Language{English, Chinese} }

// Valid reports whether it is one of Languages.
func (l Language) Valid() bool { return slices.Contains(Languages(), l) }

// State is where one message stands.
type State string

const (
	// Pending means that it waits for its time, or for a provider.
	Pending State = "pending"
	// Sent means that a provider has taken it. Whether it was read nobody knows.
	Sent State = "sent"
	// Failed means that no provider took it until the schedule was over, or that one will never take it.
	Failed State = "failed"
	// Skipped means that the person doesn't want it, or can't be reached so any more.
	Skipped State = "skipped"
)

// States returns every state once.
func States() []State { return []State{Pending, Sent, Failed, Skipped} }

// Valid reports whether it is one of States.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Ref names one message: an event is told to a person by a medium once (dedup).
type Ref struct {
	Book    id.Book
	EventID string
	UserID  string
	Medium  Medium
}

// Key is the same for every try, so that a provider which knows it can drop a second one.
func (r Ref) Key() string { return r.EventID + "." + r.UserID + "." + string(r.Medium) }

// Row is a message as it is kept: ids only.
type Row struct {
	Ref
	ID         string // ntf_…
	MerchantID string
	Type       string // of the event
	ObjectType string
	ObjectID   string
	Sequence   int64
	Language   Language
	State      State
	Reason     string // why it is skipped or failed, or the last try did; snake_case
	Tries      int
	NextAt     time.Time // while it is pending
	CreatedAt  time.Time
	TriedAt    time.Time
	SentAt     time.Time
	// Event is the event's data, OrderReference the order that it is about, for whoever writes the message out.
	Event          json.RawMessage
	OrderReference string
	EventAt        time.Time
	// Digest is the message's, if it tells of many events; Sum what they come to, in minor units, where that is a sum.
	Digest string
	Sum    int64
}

// Person is whom a message is for, as they stand now. It is personal: it is made where a message is sent, and belongs in no row, log
// or error (I-26).
type Person struct {
	ID          string
	Erased      bool
	Language    Language // empty: the merchant's
	Mail, Phone string
	PushTokens  []string
	Preferences Preferences
}

// Address is where the person is reached, empty if nowhere.
func (p Person) Address(m Medium) []string {
	switch {
	case m == Mail && p.Mail != "":
		return []string{p.Mail}
	case m == SMS && p.Phone != "":
		return []string{p.Phone}
	case m == Push:
		return p.PushTokens
	}
	return nil
}

// Settings are a merchant's. Without any, nobody is told anything.
type Settings struct {
	Book       id.Book
	MerchantID string
	Media      []Medium // that it uses at all; none: nobody is told anything
	Language   Language // of who has said nothing
	Sender     string   // its name, as people know it
	TimeZone   string   // IANA, of quiet hours; the merchant's own
	Quiet      *Quiet   // of who has said nothing; nil: none
}

// Due is a message whose time has come, with all that sending needs.
type Due struct {
	Row      Row
	Person   Person
	Settings Settings
}

// Filter chooses messages for a list, newest first.
type Filter struct {
	Book       id.Book
	MerchantID string
	UserID     string
	State      State
	Medium     Medium
	After      string // the last of the page before
	Limit      int
}
