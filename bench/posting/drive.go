package posting

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"paysaga/domain/ledger"
	"paysaga/store"
)

// clock is when a measurement counts.
type clock struct {
	Lead, Window time.Duration
}

// calls are what clients do in a closed loop, each once at most.
type calls struct {
	n        int
	journals int // of each call
	do       func(ctx context.Context, client, i int) error
}

// sample is what one measurement found.
type sample struct {
	Rate  float64 // journals per second
	calls float64 // calls per second
	took  []time.Duration
	all   int64 // journals of all calls that succeeded, those outside the window, too
}

// ended is a call that succeeded.
type ended struct {
	i    int
	at   time.Duration // since the start
	took time.Duration
}

// drive runs c: each client begins the next call when its last has ended. What
// ends within the window counts; what is under way after it is finished, and
// doesn't. If the calls don't last, the window ends with them. It returns the
// numbers of all that succeeded, and the first error.
func drive(ctx context.Context, c calls, clients int, t clock) (sample, []int, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	logs := make([][]ended, clients)
	var next atomic.Int64
	var wg sync.WaitGroup
	var over atomic.Int64 // when the calls were used up
	until := t.Lead + t.Window
	over.Store(int64(until))
	start := time.Now()
	for client := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Since(start)
				i := int(next.Add(1) - 1)
				if i >= c.n && i < c.n+1 {
					over.Store(min(over.Load(), int64(began)))
				}
				if i >= c.n || began > until {
					return
				}
				if err := c.do(ctx, client, i); err != nil {
					stop(err)
					return
				}
				at := time.Since(start)
				logs[client] = append(logs[client], ended{i, at, at - began})
			}
		})
	}
	wg.Wait()
	until = time.Duration(over.Load())
	s, done := count(logs, c.journals, t.Lead, until)
	err := context.Cause(ctx)
	if err == nil && until < t.Lead+t.Window/4 {
		err = errTooFew
	}
	return s, done, err
}

// errTooFew means that the prepared calls ended long before the window.
var errTooFew = errors.New("too little was prepared")

func count(logs [][]ended, journals int, from, until time.Duration) (s sample, done []int) {
	for _, l := range logs {
		for _, e := range l {
			done = append(done, e.i)
			if e.at > from && e.at <= until {
				s.took = append(s.took, e.took)
			}
		}
	}
	slices.Sort(s.took)
	s.all = int64(len(done) * journals)
	s.calls = float64(len(s.took)) / max(until-from, time.Millisecond).Seconds()
	s.Rate = s.calls * float64(journals)
	return s, done
}

// errReplayed means that a Step was answered as a repeat of itself.
var errReplayed = errors.New("a Step that is new was answered as a repeat")

// commits runs steps through a store, and counts what was acknowledged.
func commits(ctx context.Context, s *store.Store, t *tally, steps []ledger.Step, clients int, at clock) (sample, error) {
	journals := 1
	if len(steps) > 0 {
		journals = len(steps[0].Journals)
	}
	found, done, err := drive(ctx, calls{n: len(steps), journals: journals, do: func(ctx context.Context, _, i int) error {
		r, err := s.Commit(ctx, steps[i])
		if err == nil && (r.Replayed || r.Cause != steps[i].Cause) {
			err = errReplayed
		}
		return err
	}}, clients, at)
	var sum sums
	for _, i := range done {
		sum.step(steps[i])
	}
	t.merge(sum)
	return found, err
}

// commitAll commits all of steps, each by one of so many clients.
func commitAll(ctx context.Context, s *store.Store, t *tally, steps []ledger.Step, clients int) error {
	_, err := commits(ctx, s, t, steps, clients, clock{Window: 24 * time.Hour})
	if errors.Is(err, errTooFew) { // all of them: that is the point
		return nil
	}
	return err
}
