package ledger

import (
	"time"

	"paysaga/domain/fault"
)

// How far a journal's effective time may lie from its booking. A channel's
// clock may run a little ahead of ours; what is known only after a year is
// booked under the day on which it became known.
const (
	MaxAhead  = 5 * time.Minute
	MaxBehind = 366 * 24 * time.Hour
)

// Displaced is how far behind its booking a journal's effective time may lie
// before a balance by effective time has to look for it apart.
const Displaced = time.Minute

// LatePolicy says what happens to a journal whose date is closed.
type LatePolicy int

// The zero policy refuses. Sagas post what has happened in the world: that is
// booked under the first date that is still open.
const (
	RefuseLate LatePolicy = iota
	ToNextOpen
)

// Calendar knows which dates of a book are closed.
type Calendar struct {
	// Through is midnight UTC of the last closed date; zero: none is closed.
	Through time.Time
}

// Opens is the first instant that isn't closed.
func (c Calendar) Opens() time.Time {
	if c.Through.IsZero() {
		return time.Time{}
	}
	return c.Through.AddDate(0, 0, 1)
}

// Date is the effective time under which j is booked at booked: its own, or
// booked if it has none. It refuses "effective_at_out_of_range" beyond MaxAhead
// and MaxBehind, and "period_closed".
func (c Calendar) Date(j Journal, booked time.Time) (time.Time, error) {
	at := j.effectiveAt
	if at.IsZero() {
		at = booked
	}
	at = at.UTC().Truncate(time.Microsecond)
	if j.late == ToNextOpen {
		if oldest := booked.Add(-MaxBehind); at.Before(oldest) {
			at = booked
		}
		if newest := booked.Add(MaxAhead); at.After(newest) {
			at = booked
		}
		if opens := c.Opens(); at.Before(opens) {
			at = opens
		}
	}
	switch {
	case at.Before(booked.Add(-MaxBehind)), at.After(booked.Add(MaxAhead)):
		return at, fault.Invalid("effective_at_out_of_range", "effective_at",
			"a journal is dated at most five minutes ahead of its booking, and 366 days behind")
	case at.Before(c.Opens()):
		return at, fault.Invalid("period_closed", "effective_at", "the books are closed through "+c.Through.Format(time.DateOnly))
	}
	return at, nil
}
