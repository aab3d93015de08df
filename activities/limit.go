package activities

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// Limiter holds back what a channel account's limits don't let through: calls
// per second and calls at once, of the account and of single operations. It
// bounds what this process does, on the express lane too.
type Limiter struct {
	mu    sync.Mutex
	gates map[gateKey]*turnstile
}

type gateKey struct {
	account string
	op      channels.Operation // empty: of all
}

type turnstile struct {
	limit  channels.Limit
	bucket *rate.Limiter // nil: as many per second as there are
	busy   int
}

// NewLimiter returns a Limiter through which nothing has come yet.
func NewLimiter() *Limiter { return &Limiter{gates: map[gateKey]*turnstile{}} }

// busyFor is when to come again where all calls at once are taken: nobody knows
// when one ends.
const busyFor = 250 * time.Millisecond

// Entry asks for a place among the calls of an account.
type Entry struct {
	Account   string
	Operation channels.Operation
	Limits    channels.Limits
	Now       time.Time
	Patience  time.Duration // how long the caller would wait for its turn
}

// Enter asks whether a call may be made, at once or after a wait within the
// caller's patience. What exceeds a limit is fault.Unavailable
// "channel_limited", with when to come again: nothing was sent. Whoever got
// through waits, makes the call, and calls leave when it is over.
func (l *Limiter) Enter(e Entry) (wait time.Duration, leave func(), err error) {
	account, limits, op, now := e.Account, e.Limits, e.Operation, e.Now
	l.mu.Lock()
	defer l.mu.Unlock()
	gates := []*turnstile{l.gate(gateKey{account, ""}, limits.Limit), l.gate(gateKey{account, op}, limits.Operations[op])}
	for _, g := range gates {
		if g.limit.AtOnce > 0 && g.busy >= g.limit.AtOnce {
			return 0, nil, limited(busyFor)
		}
	}
	var taken []*rate.Reservation
	for _, g := range gates {
		if g.bucket == nil {
			continue
		}
		r := g.bucket.ReserveN(now, 1)
		taken = append(taken, r)
		if wait = max(wait, r.DelayFrom(now)); wait > e.Patience {
			for _, r := range taken {
				r.CancelAt(now)
			}
			return 0, nil, limited(wait)
		}
	}
	for _, g := range gates {
		g.busy++
	}
	return wait, sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, g := range gates {
			g.busy--
		}
	}), nil
}

// gate finds an account's gate; limits that were changed hold at once, and what
// is under way counts on.
func (l *Limiter) gate(k gateKey, limit channels.Limit) *turnstile {
	g := l.gates[k]
	if g == nil {
		g = &turnstile{}
		l.gates[k] = g
	}
	if g.limit == limit {
		return g
	}
	g.limit, g.bucket = limit, nil
	if limit.PerSecond > 0 {
		burst := limit.Burst
		if burst == 0 {
			burst = max(1, int(limit.PerSecond))
		}
		g.bucket = rate.NewLimiter(rate.Limit(limit.PerSecond), burst)
	}
	return g
}

func limited(wait time.Duration) error {
	return fault.Unavailable("channel_limited", "the account's limit is reached: nothing was sent", nil).WithRetryAfter(wait)
}

// Meter counts what is done at channels. It must not block.
type Meter interface {
	// Begin notes that a call begins; the function it returns, that it ended.
	Begin(channels.CallLine) func()
	// Ended notes what a call came to, as its line says.
	Ended(channels.CallLine)
	// Limited notes a call that a limit held back.
	Limited(channels.CallLine)
}

type noMeter struct{}

func (noMeter) Begin(channels.CallLine) func() { return func() {} }
func (noMeter) Ended(channels.CallLine)        {}
func (noMeter) Limited(channels.CallLine)      {}

// patience is the share of a call's time that it may wait for its turn: a
// burst is spread without a word to anybody.
const patience = 5

// admitted makes a call within its account's limits: its slot is taken before
// anything is sent, and its time-out is the account's where that is shorter.
func (s *Steps) admitted(ctx context.Context, line channels.CallLine, limits channels.Limits, longest time.Duration) (context.Context, func(), error) {
	wait, leave, err := s.c.Limiter.Enter(Entry{line.ChannelAccount, line.Operation, limits, s.c.Now(), longest / patience})
	if err != nil {
		s.c.Meter.Limited(line)
		return ctx, nil, err
	}
	if wait > 0 {
		turn := time.NewTimer(wait)
		defer turn.Stop()
		select {
		case <-turn.C:
		case <-ctx.Done():
			leave()
			return ctx, nil, fault.Unavailable("channel_limited", "the caller went before its turn came: nothing was sent", nil)
		}
	}
	for _, l := range []channels.Limit{limits.Limit, limits.Operations[line.Operation]} {
		if t := l.Timeout(); t > 0 {
			longest = min(longest, t)
		}
	}
	bounded, stop := context.WithTimeout(ctx, longest)
	ended := s.c.Meter.Begin(line)
	return bounded, func() { stop(); ended(); leave() }, nil
}
