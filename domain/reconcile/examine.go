package reconcile

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"paysaga/domain/fault"
)

// The bounds of a line. What lies beyond them is no statement of a payment channel's, whatever its format allows.
const (
	maxText     = 255
	maxIdentity = 512
	maxMonths   = 36 // over which one file's lines may spread
)

// Group is what sums of a statement are kept apart by.
type Group struct {
	Currency string
	Kind     Kind
}

// Examined is what a whole file came to, read to its end.
type Examined struct {
	Control Control
	Sums    map[Group]Total
	Months  []Date // the first days of the months that its lines are of, in order
	First   Date
	Last    Date
}

// Examiner looks at a file before anything of it is kept: it believes neither the file nor the parser. Add is to be
// given each line, End what the parser says at the end.
type Examiner struct {
	file   File
	now    time.Time
	sum    Control
	groups map[Group]Total
	months map[Date]bool
	out    Examined
}

// Examine begins with a file. now bounds the days that its lines may be of.
func Examine(f File, now time.Time) *Examiner {
	return &Examiner{file: f, now: now, groups: map[Group]Total{}, months: map[Date]bool{}}
}

// Add looks at a line; what is wrong with it is the file's "statement_broken".
func (e *Examiner) Add(l *Line) error {
	reason := e.judge(l)
	if reason == "" {
		reason = e.sum.Add(l)
	}
	if reason == "" {
		reason = e.group(l)
	}
	if reason != "" {
		return e.file.Broken(l.Row, reason)
	}
	return nil
}

// On is the day that a line is kept under: when it counts at the channel, else when it happened, in UTC.
func (l *Line) On() Date {
	if l.SettledOn.IsZero() && !l.OccurredAt.IsZero() {
		return On(l.OccurredAt.UTC())
	}
	return l.SettledOn
}

func (e *Examiner) judge(l *Line) (reason string) {
	switch {
	case l.Account != e.file.Account || l.Book != e.file.Book || l.FileHash != e.file.Hash:
		return "the line is another file's"
	case l.Row < 1:
		return "the line has no row"
	case l.Identity == "" || len(l.Identity) > maxIdentity || !storable(l.Identity):
		return "nothing makes the row unique"
	case !slices.Contains(allKinds, l.Kind):
		return "the kind of the line is unknown"
	}
	if _, known := l.Currency.Exponent(); !known {
		return "the currency is unknown"
	}
	for _, text := range []string{l.Detail, l.Reference, l.ChannelID, l.OriginalID, l.Batch, l.Settled.Rate} {
		if len(text) > maxText || !storable(text) {
			return "a text is too long, or isn't one"
		}
	}
	if _, known := l.Settled.Currency.Exponent(); !known && l.Settled != (Exchanged{}) {
		return "the currency of settlement is unknown"
	}
	on := l.On()
	if on.IsZero() {
		return "the line has no day"
	}
	if day := on.time(); day.Year() < 2000 || day.After(e.now.AddDate(0, 6, 0)) {
		return "the day of the line is too far away"
	}
	return ""
}

var allKinds = []Kind{Charge, Refund, RefundReturned, Payout, PayoutReturned, Chargeback, ChargebackWon, Fee, Settlement, TopUp,
	Transfer, Adjustment, Other}

func storable(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}

func (e *Examiner) group(l *Line) (reason string) {
	g := Group{string(l.Currency), l.Kind}
	t := e.groups[g]
	if !t.add(l) { // a part may be larger than a whole of many signs
		return "the sums are beyond what can be counted"
	}
	e.groups[g] = t
	on := l.On()
	if e.out.First.IsZero() || on.before(e.out.First) {
		e.out.First = on
	}
	if e.out.Last.before(on) {
		e.out.Last = on
	}
	if e.months[Date{on.Year, on.Month, 1}] = true; len(e.months) > maxMonths {
		return "the lines are spread over too many months"
	}
	return ""
}

// End holds what the parser says against what it handed out.
func (e *Examiner) End(said Control) (Examined, error) {
	same := said.Lines == e.sum.Lines && len(said.Totals) == len(e.sum.Totals)
	for currency, t := range e.sum.Totals {
		same = same && said.Totals[currency] == t
	}
	if !same {
		return Examined{}, fault.Internal("a statement's lines aren't what its parser says they come to", nil)
	}
	e.out.Control, e.out.Sums = said, e.groups
	e.out.Months = slices.SortedFunc(maps.Keys(e.months), func(a, b Date) int { return a.time().Compare(b.time()) })
	return e.out, nil
}

func (d Date) time() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

func (d Date) before(o Date) bool { return d.time().Before(o.time()) }
