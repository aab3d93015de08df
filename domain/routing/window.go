package routing

import "time"

// Result is one finished call to a channel account. Well is false for what the
// channel is to blame for (Unavailable, Unknown); a decline is the bank's
// answer, and a channel that answers is well.
type Result struct {
	At      time.Time
	Well    bool
	Latency time.Duration
	Fault   string // kind and code of what went wrong; empty if Well
}

// Stats are what a window saw.
type Stats struct {
	Calls           int           `json:"calls"`
	Failures        int           `json:"failures"`
	SuccessPerMille int           `json:"success_per_mille"` // 1000 without calls
	P95             time.Duration `json:"p95"`               // an upper bound; 0 without calls
}

const slots = 12

// bounds are the upper ends of the latency classes; slower calls share the last.
var bounds = [...]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, 2 * time.Minute}

type slot struct {
	Epoch    int64            `json:"epoch,omitzero"` // which stretch of time it holds
	Calls    int              `json:"calls,omitzero"`
	Failures int              `json:"failures,omitzero"`
	Latency  [len(bounds)]int `json:"latency,omitzero"`
}

// Window counts results of the last while, in twelve slots. It is a value: Add
// returns the next one. The zero Window is empty; its length is given each time
// and must stay the same.
type Window struct {
	Slots [slots]slot `json:"slots"`
}

func epoch(at time.Time, length time.Duration) int64 {
	width := max(int64(length)/slots, int64(time.Millisecond))
	return at.UnixNano() / width
}

// Add counts a result; one that is older than what its slot holds by now is
// forgotten, so a clock that jumps back can't bring old failures to life.
func (w Window) Add(r Result, length time.Duration) Window {
	e := epoch(r.At, length)
	s := &w.Slots[((e%slots)+slots)%slots]
	if s.Calls > 0 && s.Epoch > e {
		return w
	}
	if s.Epoch != e {
		*s = slot{Epoch: e}
	}
	s.Calls++
	if !r.Well {
		s.Failures++
	}
	class := 0
	for class < len(bounds)-1 && r.Latency > bounds[class] {
		class++
	}
	s.Latency[class]++
	return w
}

// Stats sums what the window holds at a time.
func (w Window) Stats(now time.Time, length time.Duration) Stats {
	out := Stats{SuccessPerMille: 1000}
	var classes [len(bounds)]int
	e := epoch(now, length)
	for _, s := range w.Slots {
		if s.Epoch > e-slots && s.Epoch <= e {
			out.Calls += s.Calls
			out.Failures += s.Failures
			for i, n := range s.Latency {
				classes[i] += n
			}
		}
	}
	if out.Calls == 0 {
		return out
	}
	out.SuccessPerMille = (out.Calls - out.Failures) * 1000 / out.Calls
	need := (out.Calls*95 + 99) / 100
	for i, n := range classes {
		if need -= n; need <= 0 {
			out.P95 = bounds[i]
			break
		}
	}
	return out
}
