package fuzz

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"paysaga/drill/harness"
)

// running is one run of a campaign: several targets at once, one state file and one line on the screen for all of them.
type running struct {
	Campaign
	until   time.Time
	compile sync.Mutex // one compiler at a time: it takes all cores itself

	mu      sync.Mutex
	kept    map[string]Result
	results []Result       // in the order of the targets
	now     map[int]string // what is shown of the targets under way
	done    int            // held for their whole time, or broken
	crashed bool
}

// all runs every target; the first that can't be run at all stops the others.
func (r *running) all(ctx context.Context, list []Target) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.AtOnce)
	for n, t := range list {
		r.results[n] = Result{Target: t, Crashers: []string{}}
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil // the reason is another's
			}
			if err := r.target(ctx, n, t); err != nil {
				return fmt.Errorf("%s: %w", t, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// target fuzzes one in slices, and keeps what each came to.
func (r *running) target(ctx context.Context, n int, t Target) error {
	hash, err := r.sources(ctx, t)
	if err != nil {
		return err
	}
	x := r.begun(t, hash)
	if x.Seconds >= r.Each.Seconds() {
		r.end(n, x)
		return nil
	}
	r.show(n, "compiling "+t.Name)
	r.compile.Lock()
	binary, err := r.build(ctx, t)
	r.compile.Unlock()
	if err != nil {
		return err
	}
	for x.Seconds < r.Each.Seconds() && len(x.Crashers) == 0 && time.Now().Before(r.until) {
		left := time.Duration((r.Each.Seconds() - x.Seconds) * float64(time.Second))
		one, err := r.fuzz(ctx, t, binary, min(r.Slice, max(left, time.Second)), func(p progress) {
			r.show(n, fmt.Sprintf("%s %.0f of %.0f s, %d runs", t.Name, x.Seconds+p.seconds, r.Each.Seconds(), x.Executions+p.executions))
		})
		if err != nil {
			return err
		}
		x.Executions, x.Seconds, x.CPU, x.Interesting = x.Executions+one.executions, x.Seconds+one.seconds, x.CPU+one.cpu, x.Interesting+one.interesting
		x.Crashers = append(x.Crashers, one.crashers...)
		if err := r.keep(x); err != nil {
			return err
		}
	}
	r.end(n, x)
	return nil
}

// begun is what earlier runs have of a target; nothing if it has changed since, or broke.
func (r *running) begun(t Target, hash string) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.kept[t.String()]; x.Sources == hash && len(x.Crashers) == 0 {
		return x
	}
	return Result{Target: t, Sources: hash, Crashers: []string{}}
}

func (r *running) keep(x Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept[x.String()] = x
	return harness.WriteJSON(r.StateFile, r.kept)
}

// end says what became of a target, if anything did.
func (r *running) end(n int, x Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[n] = x
	delete(r.now, n)
	switch {
	case len(x.Crashers) > 0:
		r.crashed = true
		r.done++
		r.Say(fmt.Sprintf("BROKEN %s: %s", x.Target, strings.Join(x.Crashers, ", ")))
	case x.Seconds >= r.Each.Seconds():
		r.done++
		r.Say(fmt.Sprintf("%s: %d executions in %.0f s (%.0f s of a core), %d inputs that were new", x.Target, x.Executions, x.Seconds, x.CPU, x.Interesting))
	}
}

// show writes the line over: how many targets are done, and where each of those under way is.
func (r *running) show(n int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now[n] = text
	under := make([]int, 0, len(r.now))
	for n := range r.now {
		under = append(under, n)
	}
	slices.Sort(under)
	line := fmt.Sprintf("%s %d of %d targets", harness.Bar(r.done, len(r.results)), r.done, len(r.results))
	for _, n := range under {
		line += " | " + r.now[n]
	}
	r.Show(line)
}
