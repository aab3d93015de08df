package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"paysaga/domain/payment"
)

// load is the traffic of one round: closed-loop clients, each of which posts a
// payment until it is acknowledged and then the next one. What becomes of the
// payment is followed beside that.
type load struct {
	client    *client
	operator  *operator
	merchants []merchant
	round     int

	mu     sync.Mutex
	orders []*order
	gun    chan struct{} // closed and made anew: all clients at once
	wg     sync.WaitGroup
}

// clients is how many post at once. With what is followed beside them there
// are always more than minInFlight payments on their way.
const clients = 20

func newLoad(s *set, op *operator, merchants []merchant, round int) *load {
	return &load{client: newClient(s), operator: op, merchants: merchants, round: round, gun: make(chan struct{})}
}

// start starts the clients. They begin no payment after open ends, and leave
// off at the end of ctx.
func (l *load) start(ctx, open context.Context, seed uint64, brief int) {
	for i := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		l.wg.Go(func() {
			for n := 0; open.Err() == nil; n++ {
				l.post(ctx, r, draw(r), fmt.Sprintf("%d-%d-%d", l.round, i, n))
				l.think(open, r)
			}
		})
	}
	for i := range brief { // at the beginning, so that they have expired by the end
		r := rand.New(rand.NewPCG(seed, uint64(1000+i)))
		for _, s := range scenarios {
			if s.brief {
				l.wg.Go(func() { l.post(ctx, r, s, fmt.Sprintf("%d-brief-%d", l.round, i)) })
			}
		}
	}
}

// think rests between two payments, or until the gun goes off.
func (l *load) think(ctx context.Context, r *rand.Rand) {
	l.mu.Lock()
	gun := l.gun
	l.mu.Unlock()
	timer := time.NewTimer(jitter(r, 1200))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-gun:
	case <-ctx.Done():
	}
}

func jitter(r *rand.Rand, milliseconds int) time.Duration {
	return time.Duration(r.IntN(milliseconds)) * time.Millisecond
}

// fire makes all clients that think pay at once.
func (l *load) fire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.gun)
	l.gun = make(chan struct{})
}

// post makes a payment, and leaves it to be followed.
func (l *load) post(ctx context.Context, r *rand.Rand, s scenario, name string) {
	o := l.order(r, s, name)
	if l.client.pay(ctx, o, r.IntN(8) == 0) != nil {
		return // the round's patience is over: the judge finds it unacknowledged
	}
	follow := rand.New(rand.NewPCG(r.Uint64(), 2))
	l.wg.Go(func() { l.follow(ctx, o, s, follow) })
}

// order makes a payment's request.
func (l *load) order(r *rand.Rand, s scenario, name string) *order {
	m := l.merchants[r.IntN(len(l.merchants))]
	o := &order{Order: Order{Key: "k-" + name, Reference: "A-" + name, Scenario: s.name, Merchant: m.ID, AmountMinor: 100 + r.Int64N(99_900)},
		secret: m.Key}
	body := map[string]any{"order": map[string]any{"reference": o.Reference, "type": "purchase"}, "amount": decimal(o.AmountMinor),
		"currency": "CNY", "method": s.method, "metadata": map[string]string{"scenario": s.name}}
	if s.manual {
		body["capture_method"] = "manual"
	}
	if s.brief {
		body["expires_in"] = 60
	}
	o.body, _ = json.Marshal(body) // strings and numbers
	l.mu.Lock()
	l.orders = append(l.orders, o)
	l.mu.Unlock()
	return o
}

// follow does what belongs to the scenario, and waits for the end.
func (l *load) follow(ctx context.Context, o *order, s scenario, r *rand.Rand) {
	if s.act != nil && s.act(ctx, l, o, r) != nil {
		return
	}
	wanted := func(p payment.Public) bool { return p.Status.Terminal() }
	if s.name == mismatchLeft {
		wanted = isParked
	}
	if _, err := l.client.watch(ctx, o, wanted); err == nil {
		o.end()
	}
}

// inFlight counts the scenarios of what is on its way, as the clients see it.
func (l *load) inFlight() (count, kinds int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for _, o := range l.orders {
		if !o.over() {
			count++
			seen[o.Scenario] = true
		}
	}
	return count, len(seen)
}

// repeat sends each request once more under its key (I-20).
func (l *load) repeat(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, o := range l.all() {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if a, err := l.client.until(ctx, o, "POST", "/v1/payments", o.Key, o.body); err == nil {
				o.mu.Lock()
				o.RepeatID = a.payment.ID
				o.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (l *load) all() []*order {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*order(nil), l.orders...)
}
