package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Cell is one measurement of one shape.
type Cell struct {
	Shape     string             `json:"shape"`
	Clients   int                `json:"clients"`
	Round     int                `json:"round"`
	Rate      float64            `json:"per_s"`       // completions per second
	CPU       map[string]float64 `json:"cpu_ms_each"` // CPU time per completion, by process
	latencies []time.Duration
}

// lead is how long a cell runs before it counts: the pipe fills, and what the
// shape before left behind is cleared away.
const lead = 500 * time.Millisecond

// drive runs a shape in a closed loop: each client begins the next one when the
// last has ended. What ends within the window counts; what is under way after
// it is finished, and doesn't. It returns the ids of all that succeeded.
func drive(ctx context.Context, s shape, clients int, window time.Duration) (Cell, []string, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	from := time.Now().Add(lead)
	until := from.Add(window)
	type log struct {
		ids  []string
		took []time.Duration
	}
	logs := make([]log, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			l := &logs[i]
			for ctx.Err() == nil {
				began := time.Now()
				if began.After(until) {
					return
				}
				id, err := s.do(ctx)
				if err != nil {
					stop(err)
					return
				}
				l.ids = append(l.ids, id)
				if end := time.Now(); end.After(from) && !end.After(until) {
					l.took = append(l.took, end.Sub(began))
				}
			}
		})
	}
	wg.Wait()
	cell := Cell{Shape: s.name, Clients: clients}
	var ids []string
	for _, l := range logs {
		ids, cell.latencies = append(ids, l.ids...), append(cell.latencies, l.took...)
	}
	cell.Rate = float64(len(cell.latencies)) / window.Seconds()
	slices.Sort(cell.latencies)
	return cell, ids, context.Cause(ctx)
}
