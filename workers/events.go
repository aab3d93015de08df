package workers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"paysaga/activities"
	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

// EventsConfig is what the relay of events needs. Zero values take the defaults.
type EventsConfig struct {
	Outbox  Outbox
	Courier *activities.Courier
	// InFlight bounds the events that it holds at once (1024).
	InFlight int
	// Lease is how long an event is ours; a relay that dies holds it up so long. It is longer than patience and a try together
	// (60 s).
	Lease time.Duration
	// Patience is how long a first try waits for its turn at an endpoint that has too many under way; then a saga makes it (5 s).
	Patience time.Duration
	// Every is how often it looks when it has found nothing (500 ms).
	Every time.Duration
	// HandedOver is told that there are deliveries for sagas; it must not block. nil: somebody looks anyway.
	HandedOver func()
	Log        *slog.Logger
	Now        func() time.Time
}

// Events lets events leave: it makes the first try at each endpoint, those of one object in sequence, those of different
// objects at once, and hands what fails to sagas. Any number of processes may run one.
//
// An event is held on a lease while its tries are under way, and marked as delivered together with what they came to. Who
// dies in between has told endpoints of something that nobody knows of: it leaves again (I-23).
type Events struct {
	c    EventsConfig
	left chan delivery.Left
	// turn says that something has left, so that the next event of its object may.
	turn chan struct{}

	mu       sync.Mutex
	inFlight int
}

// NewEvents completes c with its defaults.
func NewEvents(c EventsConfig) *Events {
	if c.InFlight == 0 {
		c.InFlight = 1024
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Patience == 0 {
		c.Patience = 5 * time.Second
	}
	if c.Every == 0 {
		c.Every = 500 * time.Millisecond
	}
	if c.HandedOver == nil {
		c.HandedOver = func() {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Events{c: c, left: make(chan delivery.Left, c.InFlight), turn: make(chan struct{}, 1)}
}

// grace is how long a stop lets tries under way end; what it breaks off is given back.
const grace = 5 * time.Second

// Run works until ctx ends; then it claims nothing more, and returns when what was under way is written down.
func (e *Events) Run(ctx context.Context) {
	var tries, writer sync.WaitGroup
	writer.Go(func() { e.write(context.WithoutCancel(ctx)) })
	trying, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	e.claim(ctx, func(l delivery.Leaving) { tries.Go(func() { e.tell(trying, l) }) })
	late := time.AfterFunc(grace, breakOff)
	tries.Wait()
	late.Stop()
	breakOff()
	close(e.left)
	writer.Wait()
}

// claim takes events whenever there is room, and sends each on its way.
func (e *Events) claim(ctx context.Context, send func(delivery.Leaving)) {
	tick := time.NewTicker(e.c.Every)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		found, err := 0, error(nil)
		if room := e.room(); room > 0 {
			var list []delivery.Leaving
			list, found, err = e.c.Outbox.ClaimEvents(ctx, room, e.c.Lease)
			e.hold(len(list))
			for _, l := range list {
				send(l)
			}
		}
		failing = e.complain(ctx, err, failing)
		if found > 0 && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-e.turn:
		}
	}
}

// complain logs a failure once per streak: the rows are still there.
func (e *Events) complain(ctx context.Context, err error, failing bool) bool {
	if err != nil && ctx.Err() == nil && !failing {
		e.c.Log.Warn("a relay can't work; it tries on", "relay", "events", "error", fault.As(err).Error())
	}
	return err != nil
}

func (e *Events) room() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.c.InFlight - e.inFlight
}

func (e *Events) hold(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight += n
}

// tell makes the first try of one event at all its endpoints at once.
func (e *Events) tell(ctx context.Context, l delivery.Leaving) {
	left := delivery.Left{Event: l.Event, Told: make([]delivery.Told, len(l.To))}
	ok := make([]bool, len(l.To))
	var all sync.WaitGroup
	for i, to := range l.To {
		all.Go(func() { left.Told[i], ok[i] = e.try(ctx, l, to) })
	}
	all.Wait()
	for _, one := range ok {
		if !one {
			e.giveBack(ctx, l)
			return
		}
	}
	e.left <- left // as many fit in as are held
}

// try is one endpoint's first try. It isn't ok if it was broken off by us: that says nothing.
func (e *Events) try(ctx context.Context, l delivery.Leaving, to delivery.Target) (t delivery.Told, ok bool) {
	ref := delivery.Ref{Book: l.Event.Book, EventID: l.Event.ID, EndpointID: to.ID}
	t = delivery.Told{Ref: ref, MerchantID: to.MerchantID, Type: l.Event.Type, Object: l.Event.Object, APIVersion: to.APIVersion,
		At: e.c.Now(), Schedule: to.Schedule}
	if to.Status == delivery.Paused {
		t.Verdict = delivery.Verdict{State: delivery.StateHeld}
		return t, true
	}
	var err error
	if t.Body, err = delivery.Body(l.Event, to.APIVersion); err != nil {
		e.c.Log.Error("an event can't be told", "event", l.Event.ID, "endpoint", to.ID, "error", err.Error())
		t.Verdict = delivery.Verdict{State: delivery.StateFailed}
		return t, true
	}
	t.Result, t.Tried, err = e.c.Courier.Tell(ctx, to, l.Event, t.Body, e.c.Patience)
	t.At = e.c.Now()
	switch {
	case err != nil:
		if ctx.Err() == nil {
			e.c.Log.Error("an event can't be sent", "event", l.Event.ID, "endpoint", to.ID, "error", fault.As(err).Error())
		}
		return t, false
	case !t.Tried: // its turn didn't come: the saga makes the first try, so that this one holds nobody up
		t.Verdict, t.HandOver = delivery.Verdict{State: delivery.StatePending, NextAt: t.At}, true
		return t, true
	}
	t.Verdict = to.Schedule.Judge(ref, 0, t.Result, t.At)
	t.HandOver = t.Verdict.State.Open()
	return t, true
}

// giveBack ends the lease of an event that didn't leave. If that fails, the lease ends by itself.
func (e *Events) giveBack(ctx context.Context, l delivery.Leaving) {
	if ctx.Err() != nil {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		_ = e.c.Outbox.ReleaseEvents(ctx, []delivery.Leaving{l})
	}
	e.hold(-1)
}

// write writes what the tries came to, everything that is there in one transaction, until left is closed.
func (e *Events) write(ctx context.Context) {
	for first := range e.left {
		list := []delivery.Left{first}
		for len(list) < e.c.InFlight && len(e.left) > 0 {
			list = append(list, <-e.left)
		}
		e.put(ctx, list)
		e.hold(-len(list))
		for _, l := range list {
			if handed(l) {
				e.c.HandedOver()
				break
			}
		}
		select {
		case e.turn <- struct{}{}:
		default:
		}
	}
}

func handed(l delivery.Left) bool {
	for _, t := range l.Told {
		if t.HandOver {
			return true
		}
	}
	return false
}

// putFor bounds how long it is tried to write down what was told. After that the events leave again.
const putFor = 20 * time.Second

// put writes them down. Should there be one among them that can't be written, the others are written without it.
func (e *Events) put(ctx context.Context, list []delivery.Left) {
	err := e.putAll(ctx, list)
	if err == nil || len(list) == 1 || fault.Of(err) == fault.KindUnavailable {
		return
	}
	for i := range list {
		_ = e.putAll(ctx, list[i:i+1]) // what fails was logged, and leaves again when its lease ends
	}
}

func (e *Events) putAll(ctx context.Context, list []delivery.Left) error {
	ctx, stop := context.WithTimeout(ctx, putFor)
	defer stop()
	failing := false
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := e.c.Outbox.TellEvents(ctx, list)
		if err == nil {
			return nil
		}
		failing = e.complain(ctx, err, failing)
		if ctx.Err() != nil || fault.Of(err) != fault.KindUnavailable {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
