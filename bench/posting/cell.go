package posting

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"paysaga/bench/gauge"
)

// Cell is one measurement of one shape.
type Cell struct {
	Shape    string  `json:"shape"`
	Clients  int     `json:"clients"`
	Round    int     `json:"round"`
	Rate     float64 `json:"journals_per_s"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	WAL      float64 `json:"wal_bytes"`   // per journal
	Postgres float64 `json:"postgres_us"` // CPU time per journal
	Ours     float64 `json:"ours_us"`     // of this process: the committer, and who asks it
	took     []time.Duration
	all      int64
	calls    float64 // per second
}

// meter measures shapes on a server.
type meter struct {
	c      Config
	server *server
	guess  map[string]float64 // calls per second, by shape and clients
}

// cell prepares and measures a shape. If too little was prepared it is measured
// again with more.
func (m *meter) cell(ctx context.Context, s shape, clients int) (Cell, error) {
	for try := 1; ; try++ {
		cell, err := m.once(ctx, s, clients)
		if errors.Is(err, errTooFew) && try < 6 {
			continue // the guess is better now
		}
		if err != nil {
			err = fmt.Errorf("%s with %d clients: %w", s.name, clients, err)
		}
		return cell, err
	}
}

// calls is how many a measurement will need.
func (m *meter) calls(s shape, clients int) int {
	guess := m.guess[key(s.name, clients)]
	if guess == 0 {
		guess = s.guess * min(float64(clients), 12)
	}
	return int(guess*(m.c.lead()+m.c.Window).Seconds()*1.4) + 2*clients
}

func key(shape string, clients int) string { return fmt.Sprint(shape, clients) }

func (m *meter) once(ctx context.Context, s shape, clients int) (Cell, error) {
	n := m.calls(s, clients)
	ready, err := s.prepare(ctx, clients, n)
	if err != nil {
		return Cell{}, err
	}
	cell, err := m.metered(ctx, ready)
	if m.guess[key(s.name, clients)] = cell.calls; errors.Is(err, errTooFew) {
		m.guess[key(s.name, clients)] = 4 * float64(n) / (m.c.lead() + m.c.Window).Seconds()
	}
	cell.Shape, cell.Clients = s.name, clients
	return cell, err
}

// metered measures, and what the server did meanwhile.
func (m *meter) metered(ctx context.Context, ready measured) (Cell, error) {
	runtime.GC() // of what was before
	wal, err := m.server.wal(ctx)
	if err != nil {
		return Cell{}, err
	}
	theirs := m.server.cpu()
	ours := own() // last, for it takes time to look
	found, failed := ready(ctx, clock{m.c.lead(), m.c.Window})
	ours, theirs = own()-ours, m.server.cpu()-theirs
	walled, err := m.server.wal(ctx)
	if err != nil {
		return Cell{}, errors.Join(failed, err)
	}
	all := float64(max(found.all, 1))
	return Cell{Rate: found.Rate, P50: gauge.Percentile(found.took, 0.50), P99: gauge.Percentile(found.took, 0.99),
		WAL: float64(walled-wal) / all, Postgres: float64(theirs.Microseconds()) / all, Ours: float64(ours.Microseconds()) / all,
		took: found.took, all: found.all, calls: found.calls}, failed
}

// own is the CPU time of this process and of its children that have ended.
func own() time.Duration {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return sum
}
