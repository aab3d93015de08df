package activities_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paysaga/activities"
	"paysaga/domain/delivery"
	"paysaga/domain/trade"
)

// held is a sender whose tries last until they are let go.
type held struct {
	under, most atomic.Int64
	let         chan struct{}
}

func (h *held) Send(ctx context.Context, _ delivery.Delivery) (delivery.Result, error) {
	n := h.under.Add(1)
	for most := h.most.Load(); n > most && !h.most.CompareAndSwap(most, n); most = h.most.Load() {
	}
	defer h.under.Add(-1)
	select {
	case <-h.let:
	case <-ctx.Done():
		return delivery.Result{}, ctx.Err()
	}
	return delivery.Result{Outcome: delivery.Delivered}, nil
}

func to(id string) delivery.Target { return delivery.Target{Endpoint: delivery.Endpoint{ID: id}} }

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for tick := time.NewTicker(time.Millisecond); !ok(); <-tick.C {
		if t.Context().Err() != nil {
			t.Fatal("it never came to this")
		}
	}
}

// An endpoint has so many tries under way and no more; who waits in vain is told so, and others don't wait at all.
func TestACourierKeepsASlowEndpointFromTheOthers(t *testing.T) {
	t.Parallel()
	h := &held{let: make(chan struct{})}
	c := activities.NewCourier(h)
	var all sync.WaitGroup
	var tried, turned atomic.Int64
	tell := func(id string, patience time.Duration) {
		all.Go(func() {
			_, ok, err := c.Tell(t.Context(), to(id), trade.Event{}, nil, patience)
			if err != nil {
				t.Error(err)
			}
			if ok {
				tried.Add(1)
			} else {
				turned.Add(1)
			}
		})
	}
	for range 40 {
		tell("slow", 50*time.Millisecond)
	}
	until(t, func() bool { return turned.Load() == 24 })
	if n := h.under.Load(); n != 16 {
		t.Errorf("%d tries under way at one endpoint", n)
	}
	began := time.Now()
	if _, ok, err := c.Tell(t.Context(), to("slow"), trade.Event{}, nil, time.Minute); ok || err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("who comes to a full endpoint is turned away at once: %v %v after %s", ok, err, time.Since(began))
	}
	tell("quick", 0)
	until(t, func() bool { return h.under.Load() == 17 })
	close(h.let)
	all.Wait()
	if tried.Load() != 17 || h.most.Load() != 17 {
		t.Errorf("%d tries, %d at once", tried.Load(), h.most.Load())
	}
	if _, ok, err := c.Tell(t.Context(), to("slow"), trade.Event{}, nil, 0); !ok || err != nil {
		t.Errorf("it answers again: %v %v", ok, err)
	}
}

// Who waits gets its turn in order, and one that is broken off leaves nothing behind.
func TestACourierGivesTurns(t *testing.T) {
	t.Parallel()
	h := &held{let: make(chan struct{})}
	c := activities.NewCourier(h)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, ok, err := c.Tell(t.Context(), to("one"), trade.Event{}, nil, time.Minute); !ok || err != nil {
				t.Errorf("%v %v", ok, err)
			}
		})
	}
	gone, stop := context.WithCancel(t.Context())
	for range 20 {
		all.Go(func() { _, _, _ = c.Tell(gone, to("one"), trade.Event{}, nil, time.Minute) })
	}
	until(t, func() bool { return h.under.Load() == 16 })
	stop()
	close(h.let)
	all.Wait()
	if h.most.Load() > 16 || h.under.Load() != 0 {
		t.Errorf("%d at once, %d left", h.most.Load(), h.under.Load())
	}
}
