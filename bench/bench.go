package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.temporal.io/sdk/client"

	"paysaga/bench/gauge"
	"paysaga/domain/payment"
	"paysaga/workers"
)

// Config says what to measure, and where. All but the defaults are required.
type Config struct {
	Rounds  int           // how often each shape is measured at each number of clients (5)
	Cell    time.Duration // how long one measurement lasts (3 s)
	Clients []int         // of the closed loop (1, 8, 32); the last is the one that is reported
	// NoCommits leaves out the commits of each shape, which take a minute and a half of mostly waiting.
	NoCommits bool

	API        string     // address of the payment API
	Sandbox    string     // address of the sandbox, for its book
	Lanes      []Merchant // one merchant for each lane
	Temporal   client.Client
	Workers    workers.Config // the options of the workers that run payments; the floors get the same
	Database   string         // URL that may read paysaga's tables, and the server's statistics
	TemporalDB string         // name of Temporal's database on that server
	Processes  map[string]int // process ids by name; each is charged with its children's CPU time

	Out      io.Writer // the table and the lines
	Progress io.Writer // where the progress bar goes; nil: nowhere
}

// Merchant is who pays over a lane: a merchant whose only channel account is on
// it.
type Merchant struct {
	Lane payment.Lane
	ID   string
	Key  string
}

func (c Config) withDefaults() (Config, error) {
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.Cell == 0 {
		c.Cell = 3 * time.Second
	}
	if len(c.Clients) == 0 {
		c.Clients = []int{1, 8, 32}
	}
	if c.Rounds < 1 || c.Cell < 500*time.Millisecond {
		return c, errors.New("a benchmark needs a round of half a second at least")
	}
	for _, n := range c.Clients {
		if n < 1 || n > 512 {
			return c, errors.New("clients must be 1 to 512")
		}
	}
	return c, nil
}

// shape is one thing that is measured.
type shape struct {
	name string
	// do does it once, and returns its business id once it has succeeded.
	do func(ctx context.Context) (id string, err error)
}

// The names of the shapes. Lanes bear their own.
const (
	floorEmpty = "f1"
	floorOne   = "f2"
	floorNaive = "naive"
	floorEager = "eager"
)

// Run measures, checks that nothing but what was measured happened, and prints
// the table and a line for each lane. An error means that the figures are worth
// nothing: a payment went wrong, or the books don't agree.
func Run(ctx context.Context, c Config) (Result, error) {
	c, err := c.withDefaults()
	if err != nil {
		return Result{}, err
	}
	probe, err := newProbe(ctx, c)
	if err != nil {
		return Result{}, err
	}
	defer probe.close()
	floors, err := startFloors(c)
	if err != nil {
		return Result{}, err
	}
	defer floors.stop()

	r := &run{c: c, probe: probe, took: map[string][]string{}}
	r.shapes = floors.shapes()
	for _, m := range c.Lanes {
		r.shapes = append(r.shapes, newPayer(c.API, m).shape())
	}
	if err := r.measure(ctx); err != nil {
		return Result{}, err
	}
	res := r.result()
	if res.Checked, err = r.check(ctx); err != nil {
		return res, fmt.Errorf("the figures don't count: %w", err)
	}
	if err := r.transitions(ctx, &res); err != nil {
		return res, err
	}
	return res, res.print(c.Out)
}

// run is a benchmark under way.
type run struct {
	c      Config
	probe  *probe
	shapes []shape
	cells  []Cell
	costs  map[string]Cost
	took   map[string][]string // the ids of what succeeded, by shape
	bar    *gauge.Bar
}

// measure warms up, alternates the shapes in rounds, and then measures each one
// alone for what it costs.
func (r *run) measure(ctx context.Context) error {
	most := r.c.Clients[len(r.c.Clients)-1]
	cells := len(r.shapes) * (1 + r.c.Rounds*len(r.c.Clients))
	if !r.c.NoCommits {
		cells += len(r.shapes)
	}
	r.bar = gauge.NewBar(r.c.Progress, cells)
	defer r.bar.End()
	for _, s := range r.shapes {
		if _, err := r.cell(ctx, s, most); err != nil {
			return err
		}
	}
	for _, clients := range r.c.Clients {
		for round := range r.c.Rounds {
			for i := range r.shapes {
				// Each round begins with another shape: none always follows the same one.
				cell, err := r.cell(ctx, r.shapes[(i+round)%len(r.shapes)], clients)
				if err != nil {
					return err
				}
				cell.Round = round
				r.cells = append(r.cells, cell)
			}
		}
	}
	return r.measureCosts(ctx, most)
}

// cell measures one shape once.
func (r *run) cell(ctx context.Context, s shape, clients int) (Cell, error) {
	before := r.probe.cpu()
	cell, ids, err := drive(ctx, s, clients, r.c.Cell)
	if err != nil {
		return cell, fmt.Errorf("%s with %d clients: %w", s.name, clients, err)
	}
	cell.CPU = perOne(r.probe.cpu(), before, len(ids))
	r.took[s.name] = append(r.took[s.name], ids...)
	r.bar.Step(fmt.Sprintf("%-8s %3d clients %7.1f/s", s.name, clients, cell.Rate))
	return cell, nil
}
