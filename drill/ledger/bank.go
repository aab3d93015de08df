package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Bank is a round of Jepsen's bank test: writers transfer between accounts with a floor at zero and a few hot ones, readers sum
// everything up in one snapshot, and PostgreSQL is killed under both. Every reader sees the same total, and what was
// acknowledged is there after each crash.
type Bank struct {
	Seed    uint64
	Round   int
	Reads   int // how many at least
	Kills   int // how many exactly
	Writers int
	Readers int
	Dir     string // for the server; may be removed afterwards
	Show    func(reads, kills int)
}

const (
	purses  = 40 // with a floor
	hot     = 3  // and without
	deposit = 1000
)

// bank is a Bank on its way.
type bank struct {
	Bank
	*house
	judge     *judge
	total     int64 // a credit: negative
	opened    time.Time
	reads     atomic.Int64
	transfers atomic.Int64
	declined  atomic.Int64
	kills     atomic.Int64

	mu    sync.Mutex
	acked []string // causes since the last crash was judged
}

// Run runs the round. An error means that it could not be run or judged, not that a promise was broken.
func (b Bank) Run(ctx context.Context) (Result, error) {
	began := time.Now()
	h, err := newHouse(ctx, b.Dir, true)
	defer h.close()
	if err != nil {
		return Result{}, err
	}
	run := &bank{Bank: b, house: h}
	if err := run.open(ctx); err != nil {
		return Result{}, err
	}
	if err := run.run(ctx); err != nil {
		return Result{}, err
	}
	if err := run.judge.batch(ctx, true); err != nil {
		return Result{}, err
	}
	return Result{Outcomes: h.notes.counts, Transfers: int(run.transfers.Load()), Declined: int(run.declined.Load()), Reads: int(run.reads.Load()), Kills: int(run.kills.Load()),
		Judgements: run.judge.audits, Violations: h.notes.violations, Seconds: time.Since(began).Seconds()}, ctx.Err()
}

// open funds the accounts.
func (b *bank) open(ctx context.Context) (err error) {
	for i := range hot {
		if err := b.heat(ctx, b.Round, bankFrom+purses+i); err != nil {
			return err
		}
	}
	if b.judge, err = newJudge(ctx, b.house); err != nil {
		return err
	}
	for i := range purses + hot {
		s := transfer(fmt.Sprintf("bank_r%d:f%d", b.Round, i), bankVault, bankFrom+i, deposit)
		a, _ := b.insist(s, i, 0)
		if a.Kind != "" {
			return fmt.Errorf("the bank can't be funded: %+v", a)
		}
		b.notes.stood(s, a)
		b.total -= deposit
	}
	b.opened = time.Now()
	return nil
}

// transfer moves money from one account to another: the accounts are liabilities, so the giver is debited.
func transfer(cause string, from, to int, minor int64) Spec {
	return Spec{Cause: cause, Journals: []Posting{{Cause: cause, Legs: []Leg{{from, minor}, {to, -minor}}}}}
}

// run lets everybody work until there were enough reads and kills.
func (b *bank) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	working, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i := range b.Writers {
		wg.Go(func() { b.write(working, i) })
	}
	for i := range b.Readers {
		wg.Go(func() {
			if err := b.read(working, i); err != nil {
				fail(err)
			}
		})
	}
	wg.Go(func() { b.fold(working) })
	wg.Go(func() { b.look(working) })
	wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for working.Err() == nil {
			select {
			case <-working.Done():
			case <-tick.C:
				b.Show(int(b.reads.Load()), int(b.kills.Load()))
			}
		}
	})
	err := b.crash(ctx)
	for err == nil && b.sound() && int(b.reads.Load()) < b.Reads {
		err = rest(ctx, 10*time.Millisecond)
	}
	stop()
	wg.Wait()
	if cause := context.Cause(ctx); err == nil && cause != nil {
		err = cause
	}
	return err
}

// sound says whether nothing was broken so far.
func (b *bank) sound() bool {
	b.notes.mu.Lock()
	defer b.notes.mu.Unlock()
	return len(b.notes.violations) == 0
}

// write makes transfers, now in this process, now in the other, until the end.
func (b *bank) write(ctx context.Context, n int) {
	r := rand.New(rand.NewPCG(b.Seed, uint64(b.Round)<<32|uint64(n)|1<<30))
	for i := 0; ctx.Err() == nil; i++ {
		from, to := bankFrom+r.IntN(purses), bankFrom+r.IntN(purses)
		if r.IntN(8) == 0 {
			to = bankFrom + purses + r.IntN(hot)
		}
		if r.IntN(8) == 0 {
			from = bankFrom + purses + r.IntN(hot)
		}
		if from == to {
			continue
		}
		s := transfer(fmt.Sprintf("bank_r%d_w%d:t%d", b.Round, n, i), from, to, 1+r.Int64N(300))
		switch a, _ := b.insist(s, r.IntN(2), 0); {
		case a.outcome() == "fresh":
			b.transfers.Add(1)
			b.notes.stood(s, a)
			b.mu.Lock()
			b.acked = append(b.acked, s.Cause)
			b.mu.Unlock()
		case a.outcome() == "insufficient_balance" && from < bankFrom+purses:
			b.declined.Add(1)
			b.notes.left(s, a.Code)
		default:
			b.notes.broken("%s: %+v", s.Cause, a)
		}
	}
}

// pace is the least time between two crashes: some work has to be lost.
const pace = 700 * time.Millisecond

// crash kills PostgreSQL and starts it again, as often as it has to, and between the kills lets a share of the reads pass.
func (b *bank) crash(ctx context.Context) error {
	r := rand.New(rand.NewPCG(b.Seed, uint64(b.Round)<<32|1<<31))
	for i := 1; i <= b.Kills && b.sound(); i++ {
		if err := rest(ctx, pace+time.Duration(r.Int64N(int64(pace)))); err != nil {
			return err
		}
		for int(b.reads.Load()) < b.Reads*i/(b.Kills+1) {
			if err := rest(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
		b.mu.Lock()
		acked := b.acked
		b.acked = nil
		b.mu.Unlock()
		if err := b.server.kill(); err != nil {
			return err
		}
		b.kills.Add(1)
		if err := b.server.start(ctx); err != nil {
			return err
		}
		if err := b.survived(ctx, acked); err != nil {
			return err
		}
	}
	return nil
}

// survived holds that all those causes stand.
func (b *bank) survived(ctx context.Context, acked []string) error {
	found, err := b.judge.rows(ctx, acked)
	for try := 0; err != nil && try < 50; try++ { // a pool's connections may be those of before
		if err := rest(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		found, err = b.judge.rows(ctx, acked)
	}
	if err != nil {
		return err
	}
	for _, cause := range acked {
		if r := found[cause]; r == nil || len(r.entries) != 2 {
			b.notes.broken("%s was acknowledged, and is gone after a crash: %+v", cause, r)
		}
	}
	return nil
}
