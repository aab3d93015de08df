package posting

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"paysaga/bench/gauge"
)

// run is a benchmark under way.
type run struct {
	meter
	main *place
	twin *ceiling // nil: it isn't wanted
	bar  *gauge.Bar
	res  Result
}

// Run measures, checks that nothing but what was acknowledged happened, and
// prints the tables and the line. An error means that the figures are worth
// nothing: a Step went wrong, or the book isn't in order.
func Run(ctx context.Context, c Config) (Result, error) {
	c, err := c.withDefaults()
	if err != nil {
		return Result{}, err
	}
	s, err := startServer(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer s.stop(ctx)
	r := &run{meter: meter{c: c, server: s, guess: map[string]float64{}}}
	defer r.close()
	if err := r.begin(ctx); err != nil {
		return Result{}, err
	}
	if err := r.measure(ctx); err != nil {
		return Result{}, err
	}
	if err := r.grow(ctx); err != nil {
		return Result{}, err
	}
	if err := r.check(ctx); err != nil {
		return r.res, fmt.Errorf("the figures don't count: %w", err)
	}
	return r.res, r.res.print(c.Out)
}

// begin makes the databases.
func (r *run) begin(ctx context.Context) error {
	if n := len(r.c.Growth); n > 0 {
		if err := r.room(r.c.Growth[n-1]); err != nil {
			return err
		}
	}
	r.res.Machine = fmt.Sprintf("%s/%s, %d cores, PostgreSQL %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), r.server.version)
	r.res.Clients, r.res.Settings = r.c.Clients, r.c.Settings
	if r.server.own == nil {
		r.res.Settings = nil // its owner's
	}
	var err error
	if r.main, err = r.server.create(ctx, "main"); err != nil {
		return err
	}
	if err := r.main.furnish(ctx); err != nil {
		return err
	}
	if !r.c.wants("l2") {
		return nil
	}
	twin, err := r.server.create(ctx, "twin")
	if err != nil {
		return err
	}
	r.twin, err = newCeiling(ctx, twin)
	return err
}

func (r *run) close() {
	if r.twin != nil {
		r.twin.close()
		r.twin.p.close()
	}
	if r.main != nil {
		r.main.close()
	}
}

// measure warms up, alternates the cells in rounds, and then measures each
// shape alone for what it costs.
func (r *run) measure(ctx context.Context) error {
	all := shapes(r.c, r.main)
	if r.twin != nil {
		all = append(all, r.twin.shape())
	}
	type pair struct {
		shape
		clients int
	}
	var cells []pair
	for _, s := range all {
		for _, clients := range s.clients {
			cells = append(cells, pair{s, clients})
		}
	}
	steps := len(cells) * (1 + r.c.Rounds)
	if !r.c.NoCosts {
		steps += len(shapes(r.c, r.main))
	}
	fmt.Fprintf(r.c.Out, "%s; %d cells, %d rounds: about %s\n", r.res.Machine, len(cells), r.c.Rounds, r.c.duration(len(cells)))
	r.bar = gauge.NewBar(r.c.Progress, steps)
	defer r.bar.End()
	for round := range r.c.Rounds + 1 {
		for i := range cells {
			// Each round begins with another cell: none always follows the same one.
			x := cells[(i+round*7)%len(cells)]
			cell, err := r.cell(ctx, x.shape, x.clients)
			if err != nil {
				return err
			}
			r.bar.Step(fmt.Sprintf("%-9s %3d clients %8.0f journals/s", x.name, x.clients, cell.Rate))
			if cell.Round = round; round > 0 { // the first one warms up
				r.res.Cells = append(r.res.Cells, cell)
			}
		}
	}
	r.res.summarize()
	if r.c.NoCosts {
		return nil
	}
	return r.costs(ctx)
}

// sortSizes puts the largest first.
func sortSizes(list []Size) {
	slices.SortFunc(list, func(a, b Size) int {
		switch {
		case a.Bytes > b.Bytes:
			return -1
		case a.Bytes < b.Bytes:
			return 1
		}
		return 0
	})
}
