package workflows

import "go.temporal.io/sdk/workflow"

// undo takes back one step. It asks first whether the step happened, and
// returns once there is nothing left to take back: it is retried without limit,
// and parks the saga for a person when it is stuck.
type undo struct {
	step string
	run  func(workflow.Context)
}

// saga remembers how to take back what was begun. An undo is registered before
// its step, under the same key, since a step that failed may have happened.
type saga struct{ undos []undo }

// before registers the undo of a step that is about to begin.
func (s *saga) before(step string, run func(workflow.Context)) {
	s.undos = append(s.undos, undo{step, run})
}

// passed forgets all undos: the pivot is behind, recovery goes forward only.
func (s *saga) passed() { s.undos = nil }

// compensate runs the undos in reverse, on a context that no cancellation
// reaches. Each is kept until it is done.
func (s *saga) compensate(ctx workflow.Context) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	for len(s.undos) > 0 {
		last := len(s.undos) - 1
		s.undos[last].run(ctx)
		s.undos = s.undos[:last]
	}
}
