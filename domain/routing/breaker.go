package routing

import (
	"cmp"
	"time"

	"paysaga/domain/id"
)

// State is a circuit's.
type State string

// The states. The zero State is Closed.
const (
	Closed   State = ""
	Open     State = "open"      // nothing goes through
	HalfOpen State = "half_open" // one probe at a time goes through
)

// BreakerConfig says when a circuit opens and closes. Zero values have the
// defaults in the comments.
type BreakerConfig struct {
	Window       time.Duration // 1 min: what is looked at
	MinCalls     int           // 10: fewer say nothing
	FailPerMille int           // 500: at this rate of failures it opens
	OpenFor      time.Duration // 30 s: then probes begin
	Probes       int           // 3 good ones in a row close it
	ProbeFor     time.Duration // 1 min: a probe that nobody reported is lost then
}

func (c BreakerConfig) filled() BreakerConfig {
	return BreakerConfig{
		Window: cmp.Or(c.Window, time.Minute), MinCalls: cmp.Or(c.MinCalls, 10), FailPerMille: cmp.Or(c.FailPerMille, 500),
		OpenFor: cmp.Or(c.OpenFor, 30*time.Second), Probes: cmp.Or(c.Probes, 3), ProbeFor: cmp.Or(c.ProbeFor, time.Minute),
	}
}

// Breaker is the circuit of one channel account: a value that changes only by
// what it is told, with the time it is told. It stops new attempts; asking about
// old ones is never stopped (I-14).
type Breaker struct {
	Seen     Window    `json:"seen"`
	OpenedAt time.Time `json:"opened_at,omitzero"` // zero: closed
	Good     int       `json:"good,omitempty"`     // probes in a row
	ProbeAt  time.Time `json:"probe_at,omitzero"`  // when the probe under way began
	ProbeBy  string    `json:"probe_by,omitempty"` // the payment that probes
	FailedAt time.Time `json:"failed_at,omitzero"` // the last failure, for people
	Fault    string    `json:"fault,omitempty"`    // kind and code of it
}

// Watched is a channel account with its circuit, as all processes share it.
type Watched struct {
	Book             id.Book
	Channel, Account string
	Breaker
}

// Span is how long a result counts.
func (c BreakerConfig) Span() time.Duration { return c.filled().Window }

// State is the circuit's at a time.
func (b Breaker) State(now time.Time, c BreakerConfig) State {
	switch c = c.filled(); {
	case b.OpenedAt.IsZero():
		return Closed
	case now.Sub(b.OpenedAt) < c.OpenFor:
		return Open
	}
	return HalfOpen
}

// Health is what a plan wants to know.
func (b Breaker) Health(now time.Time, c BreakerConfig) Health {
	c = c.filled()
	return Health{State: b.State(now, c), ProbeFree: b.probeFree(now, c), Stats: b.Seen.Stats(now, c.Window)}
}

func (b Breaker) probeFree(now time.Time, c BreakerConfig) bool {
	return b.State(now, c) == HalfOpen && (b.ProbeAt.IsZero() || now.Sub(b.ProbeAt) >= c.ProbeFor)
}

// Admit asks whether an attempt of a payment may begin, and returns the breaker
// after it. A half-open circuit admits one payment, however often it asks; the
// caller keeps the new breaker under a lock, or two would probe.
func (b Breaker) Admit(now time.Time, c BreakerConfig, paymentID string) (Breaker, bool) {
	c = c.filled()
	switch b.State(now, c) {
	case Closed:
		return b, true
	case HalfOpen:
		if b.probeFree(now, c) {
			b.ProbeAt, b.ProbeBy = now, paymentID
			return b, true
		}
		return b, b.ProbeBy == paymentID
	}
	return b, false
}

// Observe counts a result and returns the breaker after it. While the circuit
// is open, late results of calls from before don't move it.
func (b Breaker) Observe(r Result, c BreakerConfig) Breaker {
	c = c.filled()
	state := b.State(r.At, c)
	b.Seen = b.Seen.Add(r, c.Window)
	if !r.Well && r.At.After(b.FailedAt) {
		b.FailedAt, b.Fault = r.At, r.Fault
	}
	switch state {
	case Closed:
		s := b.Seen.Stats(r.At, c.Window)
		if !r.Well && s.Calls >= c.MinCalls && s.Failures*1000 >= c.FailPerMille*s.Calls {
			b.OpenedAt, b.Good, b.ProbeAt, b.ProbeBy = r.At, 0, time.Time{}, ""
		}
	case HalfOpen:
		if b.ProbeAt.IsZero() { // not a probe: an old call that ends now
			return b
		}
		b.ProbeAt, b.ProbeBy = time.Time{}, ""
		if !r.Well {
			b.OpenedAt, b.Good = r.At, 0
			return b
		}
		if b.Good++; b.Good >= c.Probes { // closed, with a clean sheet: what opened it is over
			return Breaker{Seen: Window{}.Add(r, c.Window), FailedAt: b.FailedAt, Fault: b.Fault}
		}
	}
	return b
}

// ObserveAll is Observe of several results, in order.
func (b Breaker) ObserveAll(list []Result, c BreakerConfig) Breaker {
	for _, r := range list {
		b = b.Observe(r, c)
	}
	return b
}
