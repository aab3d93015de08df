package posting

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"paysaga/bench/gauge"
	"paysaga/domain/ledger"
)

// Growth is a book of so many journals beside an empty one.
type Growth struct {
	Journals   int64        `json:"journals"`
	FillRate   float64      `json:"fill_per_s"`     // how fast it was filled up, by its many clients
	Rate       gauge.Spread `json:"journals_per_s"` // of random pairs with the most clients
	Empty      gauge.Spread `json:"empty_per_s"`    // the same on an empty book, in the same rounds
	Ratio      gauge.Spread `json:"ratio"`
	P99        float64      `json:"p99_ms"`
	BalanceP99 float64      `json:"balance_p99_ms"` // at a random instant
	PageP99    float64      `json:"page_p99_ms"`    // 50 entries of a statement from a random instant on
	Sizes      []Size       `json:"sizes"`          // what the filling added, per journal, after VACUUM
}

const (
	fillClients = 1024
	fillChunk   = 100_000
	fillGuess   = 12_000 // journals per second, to say how long it takes
	// fillBytes is how much room a journal may take, its share of the log included.
	fillBytes = 1600
	reads     = 2000
)

// room refuses to fill a disk: the temporary folder's, where our own server is.
func (r *run) room(n int) error {
	if r.server.own == nil || len(r.c.Growth) == 0 {
		return nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil {
		return err
	}
	if free, need := int64(fs.Bavail)*int64(fs.Bsize), int64(n)*fillBytes+10<<30; free < need {
		return fmt.Errorf("%d journals need %d GB of disk, and %d are free: --growth says how many", n, need>>30, free>>30)
	}
	return nil
}

// grow fills the book up to each number of journals in turn.
func (r *run) grow(ctx context.Context) error {
	for _, n := range r.c.Growth {
		g, err := r.growTo(ctx, int64(n))
		if err != nil {
			return err
		}
		r.res.Growth = append(r.res.Growth, g)
	}
	return nil
}

func (r *run) growTo(ctx context.Context, n int64) (Growth, error) {
	p := r.main
	before, err := p.sizes(ctx)
	if err != nil {
		return Growth{}, err
	}
	had, began := p.tally.Journals, time.Now()
	if err := r.fillTo(ctx, n); err != nil {
		return Growth{}, err
	}
	g := Growth{Journals: p.tally.Journals, FillRate: float64(p.tally.Journals-had) / time.Since(began).Seconds()}
	if g.Sizes, err = p.grown(ctx, before, g.Journals-had); err != nil {
		return g, err
	}
	if err := p.exec(ctx, "ANALYZE", "CHECKPOINT"); err != nil {
		return g, err
	}
	if err := r.besideEmpty(ctx, &g); err != nil {
		return g, err
	}
	return g, r.read(ctx, &g)
}

// fillTo commits random pairs, one Step each, until the book has n journals.
func (r *run) fillTo(ctx context.Context, n int64) error {
	bar := gauge.NewBar(r.c.Progress, int((n-r.main.tally.Journals)/1000))
	defer bar.End()
	from := r.main.tally.Journals
	type chunk struct {
		steps []ledger.Step
		err   error
	}
	next := make(chan chunk, 1)
	left := n - from
	if left <= 0 {
		return nil
	}
	deal := func() { // the next chunk is made while the last is committed
		steps, err := maker(randomPair).make(int(min(left, fillChunk)))
		next <- chunk{steps, err}
	}
	go deal()
	for left > 0 {
		c := <-next
		if c.err != nil {
			return c.err
		}
		if left -= int64(len(c.steps)); left > 0 {
			go deal()
		}
		if err := r.main.commitAll(ctx, c.steps, fillClients); err != nil {
			return err
		}
		bar.Reach(int((r.main.tally.Journals-from)/1000), fmt.Sprintf("thousand journals towards %d", n))
	}
	return nil
}

// besideEmpty measures the full book and an empty one by turns.
func (r *run) besideEmpty(ctx context.Context, g *Growth) error {
	empty, err := r.server.create(ctx, fmt.Sprintf("empty_%d", g.Journals))
	if err != nil {
		return err
	}
	defer func() { _ = r.server.drop(context.WithoutCancel(ctx), empty) }() // it ends with the server at the latest
	if err := empty.furnish(ctx); err != nil {
		return err
	}
	books := []*place{r.main, empty}
	rates := [2][]float64{}
	var ratios []float64
	var took []time.Duration
	for round := range r.c.Rounds + 1 { // the first warms up
		for i := range books {
			i = (i + round) % 2
			s := shape{"random", []int{r.c.most()}, 1500, books[i].committing(randomPair, usual)}
			cell, err := r.cell(ctx, s, r.c.most())
			if err != nil {
				return err
			}
			if rates[i] = append(rates[i], cell.Rate); i == 0 && round > 0 {
				took = append(took, cell.took...)
			}
		}
		if round > 0 {
			ratios = append(ratios, rates[0][round]/rates[1][round])
		}
	}
	slices.Sort(took)
	g.Rate, g.Empty, g.Ratio, g.P99 = gauge.Of(rates[0][1:]), gauge.Of(rates[1][1:]), gauge.Of(ratios), gauge.Percentile(took, 0.99)
	_, err = empty.stands(ctx)
	return err
}

// read asks for balances and pages of statements at random instants of the
// book's life, one after the other.
func (r *run) read(ctx context.Context, g *Growth) error {
	s, err := r.main.store(ctx, usual)
	if err != nil {
		return err
	}
	ids, err := r.main.accountIDs(ctx)
	if err != nil {
		return err
	}
	var balances, pages []time.Duration
	for range reads {
		account := ids[rand.IntN(len(ids))]
		now, err := s.Balance(ctx, book, "", account, time.Time{}, ledger.ByBooking)
		if err != nil {
			return err
		}
		span := now.FinalUpTo.Sub(now.OpenedAt)
		at := now.OpenedAt.Add(time.Duration(rand.Int64N(max(int64(span), 1))))
		began := time.Now()
		if _, err := s.Balance(ctx, book, "", account, at, ledger.ByBooking); err != nil {
			return err
		}
		balances = append(balances, time.Since(began))
		began = time.Now()
		if _, err := s.Statement(ctx, ledger.StatementFilter{Book: book, Account: account, From: at, Limit: 50}); err != nil {
			return err
		}
		pages = append(pages, time.Since(began))
	}
	slices.Sort(balances)
	slices.Sort(pages)
	g.BalanceP99, g.PageP99 = gauge.Percentile(balances, 0.99), gauge.Percentile(pages, 0.99)
	return nil
}
