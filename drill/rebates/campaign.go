package rebates

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/audit"
	"paysaga/drill/harness"
	"paysaga/store"
	"paysaga/store/throwaway"
)

// Campaign is a number of rounds, each on a database of its own that is audited at its end. It keeps what is finished, and goes on where
// it stopped, as long as the commit is the same.
type Campaign struct {
	Seed       int
	Sequences  int // in all
	Rounds     int
	Workers    int
	PerShop    int // sequences one after the other in a shop
	StateFile  string
	ResultFile string        // written after the last round; empty: nowhere
	Most       time.Duration // no round begins later than this
	Say        func(string)
	Show       func(string)
}

// Result counts one round, or all of them.
type Result struct {
	Sequences  int            `json:"sequences"`
	Judgements int            `json:"judgements"` // after every act
	Audits     int            `json:"audits"`
	Acts       map[string]int `json:"acts"` // refused_… counts what was refused as it should be
	Violations []string       `json:"violations"`
	Seconds    float64        `json:"seconds"`
}

func (r *Result) add(o Result) {
	if r.Acts == nil {
		r.Acts, r.Violations = map[string]int{}, []string{}
	}
	for kind, n := range o.Acts {
		r.Acts[kind] += n
	}
	r.Sequences += o.Sequences
	r.Judgements += o.Judgements
	r.Audits += o.Audits
	r.Violations = append(r.Violations, o.Violations...)
	r.Seconds += o.Seconds
}

// Line is the result in one line.
func (r Result) Line(seed int) string {
	return fmt.Sprintf("sequences=%d judgements=%d audits=%d orders=%d refunds=%d settlements=%d violations=%d seed=%d", r.Sequences, r.Judgements, r.Audits,
		r.Acts[string(Pay)], r.Acts[string(Refund)], r.Acts[string(Settle)], len(r.Violations), seed)
}

// Report is a campaign's result as it is committed.
type Report struct {
	Campaign string    `json:"campaign"`
	Commit   string    `json:"commit"`
	Binary   string    `json:"binary_sha256"`
	Seed     int       `json:"seed"`
	Machine  string    `json:"machine"`
	At       time.Time `json:"finished_at"`
	Rounds   int       `json:"rounds"`
	Result
}

// state is what is kept between runs.
type state struct {
	Binary string   `json:"binary_sha256"`
	Plan   string   `json:"plan"`
	Rounds []Result `json:"rounds"`
}

// Run runs the rounds that aren't finished yet, and returns the sum of all that are. done is false if the time ran out first.
func (c Campaign) Run(ctx context.Context) (sum Result, done bool, err error) {
	if err := os.MkdirAll(filepath.Dir(c.StateFile), 0o755); err != nil {
		return sum, false, err
	}
	binary, err := harness.Self()
	if err != nil {
		return sum, false, err
	}
	kept := state{Binary: binary, Plan: fmt.Sprintf("seed %d, %d sequences in %d rounds", c.Seed, c.Sequences, c.Rounds)}
	before := state{}
	if err := harness.ReadJSON(c.StateFile, &before); err != nil {
		return sum, false, err
	}
	if before.Binary == kept.Binary && before.Plan == kept.Plan {
		kept = before
		c.Say(fmt.Sprintf("going on after round %d", len(kept.Rounds)))
	}
	for _, r := range kept.Rounds {
		sum.add(r)
	}
	for began := time.Now(); len(kept.Rounds) < c.Rounds; {
		if time.Since(began) > c.Most {
			return sum, false, nil
		}
		n := len(kept.Rounds)
		r, err := c.round(ctx, n)
		if err != nil {
			return sum, false, err
		}
		c.Say(fmt.Sprintf("round %d of %d: %s %.0fs", n+1, c.Rounds, r.Line(c.Seed), r.Seconds))
		sum.add(r)
		if len(r.Violations) > 0 { // not kept: it is to be mended and run again
			return sum, false, harness.ErrBroken
		}
		kept.Rounds = append(kept.Rounds, r)
		if err := harness.WriteJSON(c.StateFile, kept); err != nil {
			return sum, false, err
		}
	}
	if c.ResultFile != "" {
		err = harness.WriteJSON(c.ResultFile, Report{Campaign: "rebate", Commit: harness.Commit(), Binary: kept.Binary, Seed: c.Seed, At: time.Now().UTC().Truncate(time.Second),
			Machine: harness.Machine(), Rounds: len(kept.Rounds), Result: sum})
	}
	return sum, true, errors.Join(err, os.Remove(c.StateFile))
}

// round runs its share of the sequences; which they are follows from the seed and the round.
func (c Campaign) round(ctx context.Context, n int) (Result, error) {
	began := time.Now()
	h, stop, err := NewThrowaway(ctx)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	size := (c.Sequences + c.Rounds - 1) / c.Rounds
	r := &roundOf{Campaign: c, house: h, n: n, size: size}
	r.sum.add(Result{})
	var all sync.WaitGroup
	for range c.Workers {
		all.Go(func() { r.work(ctx) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return r.sum, harness.ErrStopped
	}
	if r.err != nil {
		return r.sum, r.err
	}
	report, err := audit.Check(ctx, h.Owner, audit.Options{Full: true, UndeliveredAfter: -1})
	for _, v := range report.Violations {
		r.sum.Violations = append(r.sum.Violations, "audit: "+v.String())
	}
	r.sum.Audits, r.sum.Seconds = 1, time.Since(began).Seconds()
	return r.sum, err
}

// roundOf is a round under way.
type roundOf struct {
	Campaign
	house *House
	n     int
	size  int
	next  atomic.Int64
	mu    sync.Mutex
	sum   Result
	err   error
}

// work takes a shop's worth of sequences at a time, until there are none, or something is wrong.
func (r *roundOf) work(ctx context.Context) {
	generator := Sequences()
	for ctx.Err() == nil {
		first := int(r.next.Add(int64(r.PerShop))) - r.PerShop
		if first >= r.size {
			return
		}
		shop, err := NewShop(ctx, r.house, r.n+first/r.PerShop)
		for i := first; err == nil && i < min(first+r.PerShop, r.size); i++ {
			err = r.walk(ctx, shop, generator.Example(r.Seed*1_000_003+r.n*r.size+i))
		}
		if err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.err == nil && len(r.sum.Violations) == 0 {
				r.err = err
			}
			return
		}
	}
}

func (r *roundOf) walk(ctx context.Context, s *Shop, seq Sequence) error {
	r.mu.Lock()
	over := len(r.sum.Violations) > 0 || r.err != nil
	r.mu.Unlock()
	if over {
		return errors.New("stopped")
	}
	done, judged, err := s.Walk(ctx, seq)
	r.mu.Lock()
	defer r.mu.Unlock()
	one := Result{Sequences: 1, Judgements: judged, Acts: done}
	var b Broken
	if errors.As(err, &b) {
		one.Violations, err = []string{err.Error()}, nil
	}
	r.sum.add(one)
	if r.sum.Sequences%100 == 0 {
		r.Show(fmt.Sprintf("%s round %d of %d", harness.Bar(r.sum.Sequences, r.size), r.n+1, r.Rounds))
	}
	return err
}

const appRole = "paysaga_drill"

// NewThrowaway is a house on a PostgreSQL of its own. Nothing is killed here, so nothing has to be on a disk.
func NewThrowaway(ctx context.Context) (*House, func(), error) {
	server, err := throwaway.Start(throwaway.Config{})
	if err != nil {
		return nil, nil, err
	}
	fail := func(err error) (*House, func(), error) { server.Stop(); return nil, nil, err }
	if err := store.Migrate(ctx, server.URL, store.AppRole{Name: appRole}); err != nil {
		return fail(err)
	}
	at, err := url.Parse(server.URL)
	if err != nil {
		return fail(err)
	}
	at.User = url.User(appRole)
	owner, err := pgxpool.New(ctx, server.URL)
	if err != nil {
		return fail(err)
	}
	s, err := store.Open(ctx, store.Config{URL: at.String(), MaxConns: 24,
		SealKeys: store.SealKeys{Current: "drill", Keys: map[string][]byte{"drill": []byte("only for drills: 32 bytes of key")[:32]}}})
	if err != nil {
		owner.Close()
		return fail(err)
	}
	return NewHouse(s, owner), func() { s.Close(); owner.Close(); server.Stop() }, nil
}
