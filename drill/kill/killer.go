package kill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// minInFlight payments are on their way at each kill.
const minInFlight = 16

// Kill is one kill -9.
type Kill struct {
	Kind     string `json:"kind"`
	InFlight int    `json:"in_flight"` // payments without an end in the database, just before
	Kinds    int    `json:"kinds"`     // how many scenarios they were of, as their clients saw it
}

// killer ends processes at random moments and starts them again.
type killer struct {
	set   *set
	load  *load
	book  *book
	r     *rand.Rand
	kills func(Kill) // hears of each

	wg   sync.WaitGroup
	once sync.Once
	err  error // the first restart that failed
}

// run makes the kills of a plan, and returns when everything is up again. The
// next kill may come while the last one's process is still down.
func (k *killer) run(ctx context.Context, plan []string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, kind := range plan {
		p, seen, err := k.aim(ctx, kind)
		if err != nil {
			break
		}
		p.kill()
		k.kills(seen)
		down := jitter(k.r, 1500)
		k.wg.Go(func() { k.restart(ctx, stop, p, down) })
		if rest(ctx, 300*time.Millisecond+jitter(k.r, 2000)) != nil {
			break
		}
	}
	if ctx.Err() == nil {
		k.wg.Wait()
	}
	stop()
	k.wg.Wait()
	return k.err
}

// aim waits until a process of the kind is up and enough payments are on their
// way, and a random moment longer.
func (k *killer) aim(ctx context.Context, kind string) (*process, Kill, error) {
	ctx, stop := context.WithTimeoutCause(ctx, upPatience, fmt.Errorf("no %s is up with %d payments in flight", kind, minInFlight))
	defer stop()
	list := k.set.killable[kind]
	for {
		p := list[k.r.IntN(len(list))]
		if p.isUp() {
			k.load.fire()
			if err := rest(ctx, jitter(k.r, 400)); err != nil {
				break
			}
			n, err := k.book.inFlight(ctx)
			if _, kinds := k.load.inFlight(); err == nil && n >= minInFlight && p.isUp() {
				return p, Kill{Kind: kind, InFlight: n, Kinds: kinds}, nil
			}
		}
		if rest(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	k.fail(context.Cause(ctx))
	return nil, Kill{}, k.err
}

func (k *killer) restart(ctx context.Context, stop func(), p *process, down time.Duration) {
	if rest(ctx, down) != nil {
		return
	}
	if err := p.start(ctx); err != nil {
		k.fail(err)
		stop()
	}
}

func (k *killer) fail(err error) { k.once.Do(func() { k.err = err }) }

// shuffle makes a plan's order random.
func shuffle(r *rand.Rand, plan Plan) (kinds []string) {
	for kind, n := range map[string]int{Worker: plan.Worker, API: plan.API, Devstack: plan.Devstack} {
		for range n {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds) // a map has no order, and a seed must have one
	r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	return kinds
}
