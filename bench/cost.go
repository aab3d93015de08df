package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"paysaga/workflows"
)

// Cost is what one of a shape costs, whatever the machine's speed.
type Cost struct {
	Commits     map[string]float64 `json:"commits"`     // by database, background work taken off
	Transitions []int64            `json:"transitions"` // of the server's state, least and most of a sample
}

// flush is how long PostgreSQL's processes may keep their counts to themselves.
const flush = 11 * time.Second

// measureCosts runs each shape alone, between pauses in which the database's
// counts come out.
func (r *run) measureCosts(ctx context.Context, clients int) error {
	r.costs = map[string]Cost{}
	if r.c.NoCommits {
		return nil
	}
	if err := wait(ctx, flush); err != nil {
		return err
	}
	from, err := r.probe.commits(ctx)
	if err != nil {
		return err
	}
	if err := wait(ctx, flush); err != nil {
		return err
	}
	last, err := r.probe.commits(ctx)
	if err != nil {
		return err
	}
	idle := map[string]float64{} // what the relays and the server do by themselves, per second
	for db := range last {
		idle[db] = (last[db] - from[db]) / flush.Seconds()
	}
	for _, s := range r.shapes {
		began, n := time.Now(), len(r.took[s.name])
		if _, err := r.cell(ctx, s, clients); err != nil {
			return err
		}
		if err := wait(ctx, flush); err != nil {
			return err
		}
		now, err := r.probe.commits(ctx)
		if err != nil {
			return err
		}
		cost := Cost{Commits: map[string]float64{}}
		for db := range now {
			all := now[db] - last[db] - idle[db]*time.Since(began).Seconds()
			cost.Commits[db] = all / float64(len(r.took[s.name])-n)
		}
		r.costs[s.name], last = cost, now
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// sample is of how many the transitions are read.
const sample = 40

// transitions asks the server how many transitions of state a sample of each
// shape took, spread over the whole run.
func (r *run) transitions(ctx context.Context, res *Result) error {
	for i := range res.Shapes {
		s := &res.Shapes[i]
		ids := r.took[s.Name]
		for at := 0; at < len(ids); at += max(len(ids)/sample, 1) {
			workflow := ids[at]
			if s.Lane {
				workflow = workflows.PaymentID(ids[at])
			}
			n, err := r.transitionsOf(ctx, workflow)
			if err != nil {
				return fmt.Errorf("the server doesn't describe %s: %w", workflow, err)
			}
			s.Cost.Transitions = append(s.Cost.Transitions, n)
		}
		slices.Sort(s.Cost.Transitions)
		if t := s.Cost.Transitions; len(t) > 0 {
			s.Cost.Transitions = []int64{t[0], t[len(t)-1]}
		}
	}
	return nil
}

func (r *run) transitionsOf(ctx context.Context, workflowID string) (int64, error) {
	d, err := r.c.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return 0, err
	}
	return stateTransitions(d), nil
}

func stateTransitions(d *workflowservice.DescribeWorkflowExecutionResponse) int64 {
	return d.GetWorkflowExecutionInfo().GetStateTransitionCount()
}
