package cells

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
)

// Run is one cell on its way: a merchant of its own, sandboxes of its own, and what was asked and answered.
type Run struct {
	Cell     Cell
	Scenario Scenario
	ctx      context.Context
	house    *House
	merchant *stage.Merchant
	scope    *scope
	received int      // payments that the store received without the API
	proxies  []*proxy // one before each sandbox
	fate     fate
	judged   bool // under the house's mutex

	mu      sync.Mutex
	seen    map[string]int
	orders  []*Order
	plain   []string // violations found on the way
	nudged  bool
	settled time.Duration // from the end of the play
}

// Order is one POST of ours, and what was answered.
type Order struct {
	Path, Key, ID string
	Body          map[string]any
}

// Bound is I-18: how long after the last fault everything has to be terminal, parked with a reason, or waiting.
const Bound = 60 * time.Second

// patience is how long a run is watched beyond Bound: what only came late on a busy machine is run again, and what never comes is
// a violation, however busy the machine was.
const patience = 4 * Bound

// fee is what a drill's merchants pay.
const fee = 60 // basis points

// Verdict is what a run came to.
type Verdict struct {
	Cell       Cell
	End        string
	Violations []string
	Fired      bool
	Settled    time.Duration
	Nudged     bool
	Again      bool // it came too late and is run once more
}

// Do runs a cell and judges it. An error means that it could not be run.
func (h *House) Do(ctx context.Context, s Scenario, c Cell) (v Verdict, err error) {
	scope := &scope{name: c.String()}
	defer scope.end()
	ctx, stop := context.WithTimeout(ctx, patience+Bound)
	defer stop()
	r := &Run{scope: scope, Cell: c, Scenario: s, ctx: ctx, house: h, seen: map[string]int{}}
	for try := 1; ; try++ { // another run may have cut the connections just now
		err = scope.run(func() error { return r.begin(scope) })
		if err == nil {
			break
		}
		if try == 20 || r.rest(200*time.Millisecond) != nil {
			return v, err
		}
		scope.end()
		r.proxies = nil
	}
	defer h.forget(r)
	err = scope.run(func() error { return s.Play(r) })
	if err != nil {
		r.complain("the play could not be finished: %v", err)
	}
	began := time.Now()
	facts := r.settle()
	r.settled = time.Since(began)
	v = r.judge(facts)
	r.keep(v, facts)
	return v, nil
}

func (h *House) forget(r *Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.judged = true
}

// begin makes the merchant, and a sandbox and a proxy for each of its channel accounts.
func (r *Run) begin(scope *scope) error {
	var specs []stage.AccountSpec
	for i := range max(r.Scenario.Accounts, 1) {
		p, err := r.house.proxies.between(fmt.Sprintf("sandbox-%d", i), "")
		if err != nil {
			return err
		}
		scope.Cleanup(p.stop)
		r.proxies = append(r.proxies, p)
		lane := payment.Express
		if r.Scenario.Standard {
			lane = payment.Standard
		}
		tries := 0
		if r.Scenario.Silent {
			tries = -1
		}
		config := server.Config{PendingDelay: 300 * time.Millisecond, CallbackPause: 50 * time.Millisecond, CallbackTries: tries, Hang: 4 * time.Second,
			AuthorizedFor: 7 * 24 * time.Hour}
		if r.Scenario.Server != nil {
			r.Scenario.Server(&config)
		}
		specs = append(specs, stage.AccountSpec{Lane: lane, URL: "http://" + p.address(), Server: config})
	}
	r.merchant = r.house.Stage.Merchant(scope, r.Scenario.terms(), specs...)
	for i, sb := range r.merchant.Sandboxes {
		at, err := url.Parse(sb.URL)
		if err != nil {
			return err
		}
		r.proxies[i].p.Upstream = at.Host
	}
	r.house.mu.Lock()
	r.house.byMerchant[r.merchant.ID] = r
	r.house.mu.Unlock()
	return nil
}

func (r *Run) proxyOf(account string) *proxy {
	for i, sb := range r.merchant.Sandboxes {
		if sb.Account == account {
			return r.proxies[i]
		}
	}
	return r.proxies[0]
}

// visit is an execution of an activity. Those that failed, because of another run's fault for one, don't count.
func (r *Run) visit(saga, name string) *visit {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = saga + "/" + name
	b := r.Cell.Boundary
	return &visit{run: r, name: name, hot: name == b.Saga+"/"+b.Activity && r.seen[name]+1 == b.Nth}
}

func (r *Run) passed(v *visit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[v.name]++
}

func (r *Run) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plain = append(r.plain, fmt.Sprintf(format, args...))
}

// terms are what a scenario's merchant has agreed on.
func (s Scenario) terms() payment.Terms {
	return payment.Terms{FeeBasisPoints: fee, Policies: s.Policies}
}
