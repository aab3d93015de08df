package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"paysaga/domain/ledger"
	"paysaga/store"
)

// Opposite is a round in which two processes bring the same causes again and again, each from another end: every cause has to
// happen once, and nobody may wait in a circle.
type Opposite struct {
	Round   int
	Times   int
	Causes  int // of each time
	Dir     string
	Durable bool
	Show    func(done int)
}

// Shared is one time: all its Steps at once, in one direction.
type Shared struct {
	Round    int  `json:"round"`
	Time     int  `json:"time"`
	Causes   int  `json:"causes"`
	Backward bool `json:"backward,omitempty"`
}

// Sharing is what a process was told.
type Sharing struct {
	Fresh    int      `json:"fresh"`
	Replayed int      `json:"replayed"`
	Refused  []string `json:"refused,omitempty"`
}

// Run runs the round. An error means that it could not be run or judged, not that a promise was broken.
func (o Opposite) Run(ctx context.Context) (Result, error) {
	began := time.Now()
	h, err := newHouse(ctx, o.Dir, o.Durable)
	defer h.close()
	if err != nil {
		return Result{}, err
	}
	if err := h.heat(ctx, o.Round, hotA); err != nil {
		return Result{}, err
	}
	j, err := newJudge(ctx, h)
	if err != nil {
		return Result{}, err
	}
	for n := 1; n <= o.Times && ctx.Err() == nil; n++ {
		h.share(Shared{Round: o.Round, Time: n, Causes: o.Causes})
		if n%50 == 0 {
			o.Show(n)
		}
		if n%1000 == 0 || n == o.Times || len(h.notes.violations) > 0 {
			if err := j.batch(ctx, n == o.Times); err != nil {
				return Result{}, err
			}
		}
		if len(h.notes.violations) > 0 {
			break
		}
	}
	return Result{Opposite: h.notes.of("opposite"), Outcomes: map[string]int{"opposite_fresh": h.notes.of("fresh"), "opposite_replayed": h.notes.of("replayed")},
		Judgements: j.audits, Violations: h.notes.violations, Seconds: time.Since(began).Seconds()}, ctx.Err()
}

// share lets both processes bring the same Steps.
func (h *house) share(s Shared) {
	var told [2]Sharing
	var wg sync.WaitGroup
	for i, p := range h.procs {
		mine := s
		mine.Backward = i == 1
		wg.Go(func() {
			a := p.commit(Call{Shared: &mine})
			if a.Sharing == nil {
				h.notes.broken("a process ended: %+v", a)
				return
			}
			told[i] = *a.Sharing
		})
	}
	wg.Wait()
	h.notes.count("opposite")
	fresh, replayed := told[0].Fresh+told[1].Fresh, told[0].Replayed+told[1].Replayed
	if fresh != s.Causes || replayed != s.Causes {
		h.notes.broken("time %d: of %d causes that each process brought, %d were told to be the first and %d a repetition: %q", s.Time, s.Causes,
			fresh, replayed, append(told[0].Refused, told[1].Refused...))
	}
	h.notes.mu.Lock()
	defer h.notes.mu.Unlock()
	h.notes.counts["fresh"] += fresh
	h.notes.counts["replayed"] += replayed
	for i := range s.Causes {
		spec := s.spec(i)
		h.notes.lasting++
		h.notes.stands[spec.Cause] = kept{spec: spec, hash: hashOf(spec)}
	}
}

// spec is the i-th Step. Every third moves no money: nothing but its cause orders it.
func (s Shared) spec(i int) Spec {
	cause := fmt.Sprintf("o%d_t%d:s%d", s.Round, s.Time, i)
	switch i % 3 {
	case 0:
		return Spec{Cause: cause}
	case 1:
		return transfer(cause, sharedFrom, sharedFrom+1, 1)
	}
	return transfer(cause, i%7*private, hotA, 2)
}

func hashOf(s Spec) string {
	step, err := (&builder{}).step(context.Background(), s)
	if err != nil {
		return err.Error()
	}
	return step.ContentHash()
}

// commit brings all Steps at once.
func (s Shared) commit(to *store.Store) *Sharing {
	out := &Sharing{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range s.Causes {
		i := n
		if s.Backward {
			i = s.Causes - 1 - n
		}
		step, err := (&builder{}).step(context.Background(), s.spec(i))
		wg.Go(func() {
			var r ledger.Receipt
			if err == nil {
				r, err = to.Commit(context.Background(), step)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				out.Refused = append(out.Refused, err.Error())
			case r.Replayed:
				out.Replayed++
			default:
				out.Fresh++
			}
		})
	}
	wg.Wait()
	return out
}
