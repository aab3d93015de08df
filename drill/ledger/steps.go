package ledger

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Steps is a round of random Steps: clerks in two processes, whose connections and processes are killed in every other
// batch, and a judgement after each batch.
type Steps struct {
	Seed    uint64
	Round   int
	Steps   int // how many at least
	Batch   int // how many between two judgements
	Clerks  int
	Dir     string // for the server; may be removed afterwards
	Durable bool   // write as in production
	Show    func(done int, kills int)
}

// killEvery is how long a connection may live in a batch with faults, on average.
const killEvery = 150 * time.Millisecond

// Run runs the round. An error means that it could not be run or judged, not that a promise was broken.
func (s Steps) Run(ctx context.Context) (Result, error) {
	began := time.Now()
	h, err := newHouse(ctx, s.Dir, s.Durable)
	defer h.close()
	if err != nil {
		return Result{}, err
	}
	if err := h.heat(ctx, s.Round, hotA, hotB); err != nil {
		return Result{}, err
	}
	payments, err := h.payments(ctx, s.Clerks)
	if err != nil {
		return Result{}, err
	}
	j, err := newJudge(ctx, h)
	if err != nil {
		return Result{}, err
	}
	clerks := make([]*clerk, s.Clerks)
	for i := range clerks {
		clerks[i] = newClerk(h, s.Seed, s.Round, i, payments[i])
	}
	chance := rand.New(rand.NewPCG(s.Seed, uint64(s.Round)<<32|1<<31))
	for n := 1; h.notes.of("steps") < s.Steps && ctx.Err() == nil; n++ {
		if err := s.batch(ctx, h, clerks, n, chance); err != nil {
			return Result{}, err
		}
		last := h.notes.of("steps") >= s.Steps
		if err := j.batch(ctx, last); err != nil {
			return Result{}, err
		}
		if len(h.notes.violations) > 0 {
			break
		}
	}
	r := Result{Steps: h.notes.of("steps"), Outcomes: map[string]int{}, Backends: h.notes.of("backends"), Processes: h.notes.of("processes"),
		Judgements: j.audits, Violations: h.notes.violations, Seconds: time.Since(began).Seconds()}
	for what, count := range h.notes.counts {
		if what != "steps" && what != "backends" && what != "processes" {
			r.Outcomes[what] = count
		}
	}
	return r, ctx.Err()
}

// batch lets the clerks work, and kills under them if it is the turn of that.
func (s Steps) batch(ctx context.Context, h *house, clerks []*clerk, n int, chance *rand.Rand) error {
	goal := min(s.Steps, n*s.Batch)
	killing, stop := context.WithCancel(ctx)
	var failed error
	var killer, working sync.WaitGroup
	if n%2 == 0 {
		h.notes.disturb("batches_with_faults") // so that nobody counts on calm
		killer.Go(func() { failed = h.torment(killing, chance, n%4 == 0) })
	}
	for _, c := range clerks {
		working.Go(func() {
			for h.notes.of("steps") < goal && ctx.Err() == nil {
				c.act()
			}
		})
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-tick.C:
			s.Show(h.notes.of("steps"), h.notes.of("backends")+h.notes.of("processes"))
		}
	}
	stop()
	killer.Wait()
	return failed
}

// sqlTerminate takes one of the application's connections.
const sqlTerminate = `SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
	WHERE datname = current_database() AND usename = $1 ORDER BY random() LIMIT 1) one`

// torment kills connections, and once the other process, until ctx ends.
func (h *house) torment(ctx context.Context, chance *rand.Rand, process bool) error {
	for n := 0; rest(ctx, time.Duration(chance.Int64N(int64(2*killEvery)))) == nil; n++ {
		if process && n == 3 {
			if err := h.remote.kill(); err != nil {
				return err
			}
			h.notes.disturb("processes")
			continue
		}
		var killed int
		if err := h.owner.QueryRow(context.WithoutCancel(ctx), sqlTerminate, appRole).Scan(&killed); err != nil {
			return err
		}
		if killed > 0 {
			h.notes.disturb("backends")
		}
	}
	return nil
}
