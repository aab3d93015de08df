package refund

import (
	"time"

	"paysaga/domain/payment"
	"paysaga/domain/remit"
)

// Dossier is everything a step of the saga reads of one refund, in one go.
type Dossier struct {
	Refund   Refund
	Attempts []Attempt       // by ordinal
	Charge   payment.Attempt // whose money goes back
	Sent     int             // how often the charge was, or may have been, refunded at its channel, whatever came of it
}

// Attempt finds a try by ordinal, or nil.
func (d *Dossier) Attempt(ordinal int) *Attempt { return remit.Find(d.Attempts, ordinal) }

// Slots are the places in a row of refunds of one charge that have to be apart.
type Slots struct {
	Mine time.Time // the place that this refund has; zero: none
	Next time.Time // the first place that nobody has
	Sent time.Time // when the last one was told to leave
}

// Claim takes a place, or keeps the one it has. One that has come is told to
// leave, unless another left too short before it: it was late, and takes a new
// place. Mine is when; not later than now is the word to leave.
func (s Slots) Claim(now time.Time, apart time.Duration) Slots {
	free := s.Sent.Add(apart)
	if s.Sent.IsZero() {
		free = now
	}
	if s.Mine.IsZero() || (!s.Mine.After(now) && free.After(now)) {
		s.Mine = latest(now, free, s.Next)
		s.Next = s.Mine.Add(apart)
	}
	if !s.Mine.After(now) {
		s.Sent, s.Next = now, latest(s.Next, now.Add(apart))
	}
	return s
}

func latest(list ...time.Time) time.Time {
	var t time.Time
	for _, other := range list {
		if other.After(t) {
			t = other
		}
	}
	return t
}
