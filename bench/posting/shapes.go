package posting

import (
	"context"
	"slices"
)

// shape is one thing that is measured.
type shape struct {
	name    string
	clients []int
	guess   float64 // calls per second and client, with few clients
	// prepare makes what n calls need, outside of what is measured.
	prepare func(ctx context.Context, clients, n int) (measured, error)
}

// measured is a measurement that is ready to begin.
type measured func(ctx context.Context, t clock) (sample, error)

// flooredCode names the account that every Step of a shape debits.
const flooredCode = "bench/floored"

// shapes are what is measured in a database; those that c doesn't want are left
// out.
func shapes(c Config, p *place) []shape {
	low := slices.DeleteFunc(slices.Clone(c.Clients), func(n int) bool { return n > 64 })
	all := []shape{
		{"random", c.Clients, 1500, p.committing(randomPair, usual)},
		{"hot", c.Clients, 1500, p.committing(debiting(hotAccount), usual)},
		{"floored", c.Clients, 1500, p.committing(debiting(flooredAccount(flooredCode)), usual)},
		{"floored2", slices.DeleteFunc(slices.Clone(c.Clients), func(n int) bool { return n < 2 }), 1500, p.byChildren(c)},
		{"moves", c.Clients, 150, p.moving},
		{"http", []int{min(httpClients, c.most())}, 500, p.overHTTP(1)},
		{"http_bulk", []int{min(bulkClients, c.most())}, 50, p.overHTTP(bulk)},
		{"l1", low, 800, p.alone},
	}
	return slices.DeleteFunc(all, func(s shape) bool {
		return !c.wants(s.name) || len(s.clients) == 0 || s.name == "floored2" && c.Child == nil
	})
}

// committing commits the Steps that next makes.
func (p *place) committing(next maker, use int) func(context.Context, int, int) (measured, error) {
	return func(ctx context.Context, clients, n int) (measured, error) {
		steps, err := next.make(n)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, t clock) (sample, error) {
			s, err := p.store(ctx, use)
			if err != nil {
				return sample{}, err
			}
			return commits(ctx, s, &p.tally, steps, clients, t)
		}, nil
	}
}

// alone is L1: random pairs without gathering, one connection per client.
func (p *place) alone(ctx context.Context, clients, n int) (measured, error) {
	return p.committing(randomPair, clients)(ctx, clients, n)
}
