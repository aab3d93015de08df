package workers

import (
	"context"
	"log/slog"
	"time"

	"paysaga/domain/fault"
)

// relay does one kind of waiting work, again and again: at once when poked,
// when a full batch says that there is more, and every so often anyway, so that
// nothing depends on a poke.
type relay struct {
	name  string
	every time.Duration
	poke  chan struct{}
	work  func(context.Context) (more bool, err error)
}

func newRelay(name string, every time.Duration, work func(context.Context) (bool, error)) *relay {
	return &relay{name: name, every: every, poke: make(chan struct{}, 1), work: work}
}

// Poke wakes the relay; it never blocks.
func (r *relay) Poke() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// run works until ctx ends. A failure is logged once per streak: the rows are
// still there, and the next round takes them up.
func (r *relay) run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		more, err := r.work(ctx)
		switch {
		case err == nil:
			failing = false
		case ctx.Err() == nil && !failing:
			failing = true
			log.Warn("a relay can't work; it tries on", "relay", r.name, "error", fault.As(err).Error())
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-r.poke:
		}
	}
}
