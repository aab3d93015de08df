// Package remit is what refunds and payouts have in common: money that leaves
// over a channel. It says how far such money has come, what a try to send it
// is, and which step a channel's word makes of it.
package remit

import (
	"slices"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// Status is where money on its way out stands, as the API shows it.
type Status string

// The statuses.
const (
	Processing Status = "processing" // received and posted; the channel hasn't settled it yet
	Succeeded  Status = "succeeded"
	Failed     Status = "failed" // nothing has left; the money is where it was
)

// edges is the whole state machine (I-15).
var edges = map[Status][]Status{Processing: {Succeeded, Failed}, Succeeded: {}, Failed: {}}

// Valid says whether s is a status.
func (s Status) Valid() bool { _, ok := edges[s]; return ok }

// CanBecome says whether the state machine has an edge from s to t.
func (s Status) CanBecome(t Status) bool { return s == t || slices.Contains(edges[s], t) }

// Terminal says that nothing follows s.
func (s Status) Terminal() bool { return len(edges[s]) == 0 }

// Decision is what an operator decides about money that a person was shown.
// Which others there are, each kind of money says itself.
type Decision string

// Retry sends it again: under a new ordinal once the try before has been asked
// about and stands as refused.
const Retry Decision = "retry"

// Attempt is one try to send money out over a channel. Its intent is committed
// before any call (I-13).
type Attempt struct {
	Book           id.Book
	Of             string // rfd_… or pyt_…
	Ordinal        int    // 1–99; the next only after this one is dead, or an operator said so
	Key            string // "<id>:rf<ordinal>", "<id>:po<ordinal>"
	Reference      string // the key as the channel sees it
	Channel        string
	ChannelAccount string
	RequestHash    string // hex SHA-256 of the frozen canonical request
	BornAt         time.Time

	Verdict     payment.Verdict // "" until the first answer
	Dead        bool
	ChannelID   string
	DeclineCode string
	AmountMinor int64
	Currency    string
	EffectiveAt time.Time
}

// Outcome is what the try knows already, in the contract's words.
func (a Attempt) Outcome() payment.Outcome {
	o := payment.Outcome{Verdict: a.Verdict, ChannelID: a.ChannelID, Dead: a.Dead, AmountMinor: a.AmountMinor, Currency: a.Currency,
		EffectiveAt: a.EffectiveAt}
	if a.Verdict == payment.Declined {
		o.Decline = &payment.Decline{Code: a.DeclineCode}
	}
	return o
}

// Tried is the try as it is judged by.
func (a Attempt) Tried() Tried {
	return Tried{Ordinal: a.Ordinal, Verdict: a.Verdict, Dead: a.Dead, Amount: a.AmountMinor, Currency: a.Currency}
}

// Judged are tries as they are judged by.
func Judged(list []Attempt) []Tried {
	tries := make([]Tried, len(list))
	for i, a := range list {
		tries[i] = a.Tried()
	}
	return tries
}

// Find finds a try by ordinal, or nil.
func Find(list []Attempt, ordinal int) *Attempt {
	for i := range list {
		if list[i].Ordinal == ordinal {
			return &list[i]
		}
	}
	return nil
}

// Word is a channel's outcome, held against the money that was meant.
type Word struct {
	payment.Outcome
	Meant money.Amount
	// GivesUp: a dead "no" ends it, since the money has a place to go back to.
	GivesUp bool
}

// Code is the step that the word makes: out, the kind's own, where it ends it;
// else a person is shown it, it is in doubt, or that it is under way.
func (w Word) Code(out id.Code) id.Code {
	switch {
	case w.Verdict == payment.Succeeded && !w.AsMeant():
		return id.Park
	case w.Verdict == payment.Succeeded, w.No() && w.Dead && w.GivesUp:
		return out
	case w.No():
		return id.Park
	case w.Verdict == payment.Unknown || w.Verdict == payment.Absent:
		return id.InDoubt
	}
	return id.Undo
}

// No: the channel has refused, for good or not.
func (w Word) No() bool { return w.Verdict == payment.Declined || w.Verdict == payment.Closed }

// AsMeant: the channel speaks of the money that was to leave.
func (w Word) AsMeant() bool {
	return w.AmountMinor == w.Meant.Minor && w.Currency == string(w.Meant.Currency)
}

// Another: the channel speaks of something else than what is known under id.
func (w Word) Another(id string) bool { return id != "" && w.ChannelID != "" && id != w.ChannelID }

// Why says for people what keeps money of a kind ("refund", "payout") from
// leaving, where a person has to decide.
func (w Word) Why(kind string) string {
	switch {
	case w.Verdict == payment.Succeeded:
		return "amount_mismatch: the " + kind + " was of another amount at the channel"
	case w.Dead:
		return kind + "_refused: " + w.DeclineCode()
	}
	return kind + "_abnormal: " + w.DeclineCode()
}

// DeclineCode is the channel's reason, in our words.
func (w Word) DeclineCode() string {
	if w.Decline != nil && w.Decline.Code != "" {
		return w.Decline.Code
	}
	return "refused_by_channel"
}

// Contradicts: the word speaks against money that has ended. known is the
// channel's id of it, elsewhere says that it was paid another way, followed that
// another try was made after the one that the word is about.
func (w Word) Contradicts(s Status, known string, elsewhere, followed bool) bool {
	repeats := s == Succeeded && !elsewhere && w.Verdict == payment.Succeeded && w.AsMeant() && !w.Another(known) ||
		s == Failed && w.No() || elsewhere && w.No()
	return !repeats && w.Verdict.Known() && w.Verdict != payment.Authorized &&
		(s != Succeeded || !w.No() || (w.Dead && !followed && !w.Another(known)))
}

// Tried is what of a try is judged under its owner's lock.
type Tried struct {
	Ordinal  int             `json:"ordinal"`
	Verdict  payment.Verdict `json:"verdict"`
	Dead     bool            `json:"dead"`
	Amount   int64           `json:"amount"` // what the channel says that left, minor units
	Currency string          `json:"currency"`
}

// Told is what the channel says that left, by the tries of money that isn't
// done; zero: it says nothing.
func Told(tries []Tried) (told money.Amount) {
	for _, t := range tries {
		if t.Verdict == payment.Succeeded {
			told = money.New(t.Amount, money.Currency(t.Currency))
		}
	}
	return told
}

// Learn is the list of tries once the word about one of them is noted; false:
// it stays. What is certain stays (I-21).
func Learn(list []Tried, ordinal int, o payment.Outcome) ([]Tried, bool) {
	i := slices.IndexFunc(list, func(a Tried) bool { return a.Ordinal == ordinal })
	if i < 0 || list[i].Dead || list[i].Verdict == payment.Succeeded || (list[i].Verdict.Known() && !o.Verdict.Known()) {
		return list, false
	}
	list = slices.Clone(list)
	list[i] = Tried{Ordinal: ordinal, Verdict: o.Verdict, Dead: o.Dead, Amount: o.AmountMinor, Currency: o.Currency}
	return list, true
}
