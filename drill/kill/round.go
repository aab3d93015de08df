package kill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"paysaga/workflows"
)

// Plan says how many processes of each kind a round kills, and how many QR
// codes it lets expire.
type Plan struct{ Worker, API, Devstack, Expiring int }

// Ten is one round: ten kills in the campaign's proportions.
var Ten = Plan{Worker: 6, API: 3, Devstack: 1}

// Round is one round to be run.
type Round struct {
	Plan              Plan
	Seed              uint64
	Number            int
	Dir               string // for logs, databases, the sandbox's book; may be removed afterwards
	Paysaga, Devstack string // binaries
	Killed            func(Kill)
}

// drainFor is I-18: how long after the last fault everything has to be settled.
const drainFor = 60 * time.Second

// briefExpiry is the shortest expiry that the API takes.
const briefExpiry = 60 * time.Second

// Run runs the round on processes of its own and judges it. An error means that
// it could not be run or read, not that a promise was broken.
func (r Round) Run(ctx context.Context) (Result, error) {
	var mu sync.Mutex
	var ended []string
	s, err := newSet(ctx, r.Dir, r.Paysaga, r.Devstack, func(name, said string) {
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, name+" ended by itself: "+said)
	})
	defer s.stop()
	if err != nil {
		return Result{}, err
	}
	run := &running{Round: r, set: s, r: rand.New(rand.NewPCG(r.Seed, uint64(r.Number)))}
	defer run.close()
	facts, err := run.run(ctx)
	if err != nil {
		return Result{}, err
	}
	mu.Lock()
	facts.Ended = ended
	mu.Unlock()
	result := run.count(facts)
	for _, v := range result.Violations[:min(3, len(result.Violations))] {
		run.testify(ctx, v)
	}
	return result, nil
}

// running is a round on its way.
type running struct {
	Round
	set   *set
	book  *book
	op    *operator
	load  *load
	r     *rand.Rand
	kills []Kill
	began time.Time
	drain time.Duration
}

func (r *running) run(ctx context.Context) (facts Facts, err error) {
	merchants, err := r.set.merchants(ctx)
	if err != nil {
		return facts, err
	}
	if r.book, err = openBook(ctx, r.set); err != nil {
		return facts, err
	}
	if r.op, err = newOperator(r.set); err != nil {
		return facts, err
	}
	r.load = newLoad(r.set, r.op, merchants, r.Number)
	r.began = time.Now()
	open, shut := context.WithCancel(ctx)
	defer shut()
	traffic, stop := context.WithCancel(ctx)
	defer stop()
	r.load.start(traffic, open, r.r.Uint64(), r.Plan.Expiring)
	k := &killer{set: r.set, load: r.load, book: r.book, r: r.r, kills: func(k Kill) {
		r.kills = append(r.kills, k)
		r.Killed(k)
	}}
	err = k.run(ctx, shuffle(r.r, r.Plan))
	shut()
	if err == nil {
		r.settle(ctx)
	}
	stop()
	r.load.wg.Wait()
	if err != nil {
		return facts, err
	}
	r.load.repeat(ctx)
	return r.read(ctx)
}

func (r *running) close() {
	if r.op != nil {
		r.op.temporal.Close()
	}
	if r.book != nil {
		r.book.pool.Close()
	}
}

// settle waits until nothing moves any more, for as long as I-18 allows. What
// isn't settled then is the judge's business.
func (r *running) settle(ctx context.Context) {
	last := time.Now()
	ctx, stop := context.WithTimeout(ctx, max(drainFor, time.Until(r.began.Add(briefExpiry+drainFor/2))))
	defer stop()
	for !r.settled(ctx) && rest(ctx, 500*time.Millisecond) == nil {
	}
	r.drain = time.Since(last)
}

// settled says whether every client has what it waited for, the relays are
// done, and no saga is open but those of what is parked. A book that can't be
// read yet isn't settled.
func (r *running) settled(ctx context.Context) bool {
	if n, _ := r.load.inFlight(); n > 0 {
		return false
	}
	var f Facts
	if r.book.read(ctx, &f) != nil || f.Waiting != (Waiting{}) {
		return false
	}
	waiting := 0
	for _, row := range f.Rows {
		if !row.Status.Terminal() {
			waiting++
		}
	}
	open, err := r.op.list(ctx, openSagas)
	return err == nil && len(open) == waiting
}

// Sagas alone: devstack makes sure of itself with workflows of its own.
const (
	openSagas   = `TaskQueue = '` + workflows.TaskQueue + `' AND ExecutionStatus = 'Running'`
	failedSagas = `TaskQueue = '` + workflows.TaskQueue + `' AND ExecutionStatus IN ('Failed', 'Terminated', 'TimedOut', 'Canceled')`
)

// read reads all four books.
func (r *running) read(ctx context.Context) (f Facts, err error) {
	for _, o := range r.load.all() {
		f.Orders = append(f.Orders, o.seen())
	}
	err = errors.Join(r.book.read(ctx, &f), r.set.readSandbox(ctx, &f), r.set.audit(ctx, &f))
	if err != nil {
		return f, err
	}
	if f.Open, err = r.op.list(ctx, openSagas); err != nil {
		return f, err
	}
	f.Failed, err = r.op.list(ctx, failedSagas)
	return f, err
}

// testify leaves in the round's folder what can be known about a violation.
func (r *running) testify(ctx context.Context, v Violation) {
	if v.Payment == "" {
		return
	}
	text := fmt.Sprintln(v)
	if raw, err := fetch(ctx, r.set.sandboxURL+"/admin/book?reference="+v.Payment); err == nil {
		text += string(raw)
	}
	for _, o := range r.load.all() {
		if seen := o.seen(); seen.ID == v.Payment {
			text += fmt.Sprintf("%+v\n", seen)
			if a, err := r.load.client.once(ctx, o, "GET", "/v1/payments/"+v.Payment, "", nil); err == nil {
				text += fmt.Sprintf("%+v\n", a.payment)
			}
		}
	}
	text += r.op.history(ctx, v.Payment)
	_ = os.WriteFile(filepath.Join(r.Dir, v.Payment+".txt"), []byte(text), 0o644) // the violation itself is reported anyway
}
