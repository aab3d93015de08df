package cells

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
)

// Sweep runs cells on a house, those that strike only themselves first.
type Sweep struct {
	House    *House
	Cells    []Cell
	Parallel int        // how many at once (64)
	Rand     *rand.Rand // their order, and the weather; nil: the order they have, and fair
	Done     func(Verdict)
}

// calmer is how often a cell that missed its moment, or the bound of I-18, is run again, with few beside it.
const calmer = 3

// Run runs them all, and returns the first that could not be run. A cell that missed its moment, or the bound of I-18, while many
// ran beside it is run again with few, three times at most, since a fault that never struck proves nothing either way: only what it
// does in the end counts, and all of it is told to Done.
func (s Sweep) Run(ctx context.Context) error {
	if s.Rand != nil {
		s.Rand.Shuffle(len(s.Cells), func(i, j int) { s.Cells[i], s.Cells[j] = s.Cells[j], s.Cells[i] })
	}
	var quiet, cutting []Cell
	for _, c := range s.Cells {
		if c.Quiet() {
			quiet = append(quiet, c)
		} else {
			cutting = append(cutting, c)
		}
	}
	if s.Parallel == 0 {
		s.Parallel = 64
	}
	again, err := s.all(ctx, quiet, s.Parallel, true)
	if err != nil {
		return err
	}
	more, err := s.all(ctx, cutting, s.Parallel, true)
	if err != nil {
		return err
	}
	again = append(again, more...)
	for n := 1; n <= calmer && len(again) > 0 && err == nil; n++ {
		again, err = s.all(ctx, again, 4, n < calmer)
	}
	return err
}

// all runs cells at once, and returns those that are to be run again.
func (s Sweep) all(ctx context.Context, list []Cell, parallel int, forgive bool) (again []Cell, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, c := range list {
		mu.Lock()
		stop := err != nil || ctx.Err() != nil
		mu.Unlock()
		if stop {
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			v, e := s.House.Do(ctx, Find(c.Scenario), c)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case e != nil:
				err = fmt.Errorf("%s could not be run: %w", c, e)
				return
			case ctx.Err() != nil:
				return
			case forgive && v.Untimely():
				v.Again = true
				again = append(again, c)
			}
			s.Done(v)
		})
	}
	wg.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return again, err
}

// Untimely: nothing was found but that something came too late, or that the fault never struck, which a machine with too much to do
// explains as well.
func (v Verdict) Untimely() bool {
	for _, what := range v.Violations {
		if !strings.HasPrefix(what, "I-18: settled only") && !strings.HasPrefix(what, "drill: the fault never struck") {
			return false
		}
	}
	return len(v.Violations) > 0
}
