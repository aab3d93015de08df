package activities

import (
	"context"
	"sync"
	"time"

	"paysaga/domain/delivery"
	"paysaga/domain/trade"
)

// Sender makes one try to tell an endpoint. Its errors are ours; what the endpoint did is a Result.
type Sender interface {
	Send(ctx context.Context, d delivery.Delivery) (delivery.Result, error)
}

// Courier sends within limits, so that an endpoint that answers slowly takes neither the connections nor the time of the
// others. Relays and sagas of a process share one. It is safe for concurrent use.
type Courier struct {
	sender Sender
	all    chan struct{}

	mu    sync.Mutex
	gates map[string]*gate
}

const (
	// perEndpoint is how many tries are under way at once at one endpoint; perSlowEndpoint, at one whose last try took long.
	perEndpoint     = 16
	perSlowEndpoint = 2
	slowTry         = 2 * time.Second
	// triesAtOnce bounds what a process has under way.
	triesAtOnce = 1024
)

// gate is one endpoint's way out.
type gate struct {
	busy    int
	slow    bool
	full    bool // somebody waited in vain: until the queue has moved nobody else tries to
	waiting []chan struct{}
}

func (g *gate) limit() int {
	if g.slow {
		return perSlowEndpoint
	}
	return perEndpoint
}

// NewCourier makes a courier.
func NewCourier(s Sender) *Courier {
	return &Courier{sender: s, all: make(chan struct{}, triesAtOnce), gates: map[string]*gate{}}
}

// Tell makes one try. When the endpoint has too many under way already, and still has after the patience, it makes none and
// tried is false.
func (c *Courier) Tell(ctx context.Context, t delivery.Target, e trade.Event, body []byte, patience time.Duration) (r delivery.Result, tried bool, err error) {
	if !c.enter(ctx, t.ID, patience) {
		return r, false, ctx.Err()
	}
	began := time.Now()
	defer func() { c.leave(t.ID, time.Since(began) > slowTry) }()
	select {
	case c.all <- struct{}{}:
		defer func() { <-c.all }()
	case <-ctx.Done():
		return r, false, ctx.Err()
	}
	began = time.Now()
	r, err = c.sender.Send(ctx, delivery.Delivery{EventID: e.ID, URL: t.URL, Body: body, Secrets: t.Secrets})
	return r, err == nil, err
}

// enter waits for a place, and says whether there is one.
func (c *Courier) enter(ctx context.Context, endpoint string, patience time.Duration) bool {
	c.mu.Lock()
	g := c.gates[endpoint]
	if g == nil {
		g = &gate{}
		c.gates[endpoint] = g
	}
	switch {
	case g.busy < g.limit():
		g.busy++
		c.mu.Unlock()
		return true
	case g.full || patience <= 0:
		c.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	c.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.giveUp(g, turn, ctx.Err() == nil)
}

// giveUp leaves the queue, unless its turn has come just now.
func (c *Courier) giveUp(g *gate, turn chan struct{}, full bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range g.waiting {
		if w == turn {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			g.full = g.full || full
			return false
		}
	}
	return true
}

// leave gives the place to whoever has waited longest.
func (c *Courier) leave(endpoint string, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[endpoint]
	g.busy--
	g.slow = slow
	for len(g.waiting) > 0 && g.busy < g.limit() {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.busy++
	}
	g.full = g.full && g.busy >= g.limit()
	if g.busy == 0 && len(g.waiting) == 0 && !g.slow {
		delete(c.gates, endpoint)
	}
}
