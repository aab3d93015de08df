package kill

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"paysaga/bench/settling"
	"paysaga/domain/accrual"
	"paysaga/store"
)

// Settlement settles many rebates while workers, and devstack with its
// PostgreSQL, are killed. Afterwards each rebate has to be paid once, and the
// budget exact to the cent (I-22).
type Settlement struct {
	Rebates, Users int
	Plan           Plan
	Seed           uint64
	Dir            string
	Paysaga        string
	Devstack       string
	Out            io.Writer
}

// Settled is what came of it.
type Settled struct {
	settling.Result
	Kills map[string]int `json:"kills"`
}

// Run starts a set, settles under kills, and judges.
func (s Settlement) Run(ctx context.Context) (Settled, error) {
	res := Settled{Kills: map[string]int{}}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	set, err := newSet(ctx, s.Dir, s.Paysaga, s.Devstack, func(name, said string) {
		fail(fmt.Errorf("%s ended by itself: %s", name, said))
	})
	defer set.stop()
	if err != nil {
		return res, err
	}
	// Nothing that is settled is sealed, so any key does.
	db, err := store.Open(ctx, store.Config{URL: set.dev.AppURL, MaxConns: 8,
		SealKeys: store.SealKeys{Current: "drill", Keys: map[string][]byte{"drill": make([]byte, 32)}}})
	if err != nil {
		return res, err
	}
	defer db.Close()
	k := &settleKiller{set: set, r: rand.New(rand.NewPCG(s.Seed, 1)), kills: res.Kills, out: s.Out, fail: fail}
	res.Result, err = settling.Run(ctx, settling.Config{Store: db, Owner: set.dev.PostgresURL, Users: s.Users, Rebates: s.Rebates, Floor: time.Second,
		Out: s.Out, Worker: func() int { return 0 },
		Began: func(ctx context.Context, _ accrual.Run) { k.wg.Go(func() { k.run(ctx, shuffle(k.r, s.Plan)) }) },
		Ended: k.wg.Wait})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return res, err
}

// settleKiller kills while pages are paid.
type settleKiller struct {
	set   *set
	r     *rand.Rand
	kills map[string]int
	out   io.Writer
	fail  context.CancelCauseFunc
	wg    sync.WaitGroup
}

// run makes the kills of a plan, each at a random moment, and has what was
// killed up again before the next one.
func (k *settleKiller) run(ctx context.Context, plan []string) {
	for _, kind := range plan {
		if rest(ctx, 200*time.Millisecond+jitter(k.r, 1500)) != nil {
			return // it has settled
		}
		list := k.set.killable[kind]
		p := list[k.r.IntN(len(list))]
		p.kill()
		k.kills[kind]++
		fmt.Fprintf(k.out, "killed %s\n", p.name)
		// Whatever was killed comes back, also when the settlement has ended meanwhile.
		if err := p.start(context.WithoutCancel(ctx)); err != nil {
			k.fail(err)
			return
		}
	}
}
