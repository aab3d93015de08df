package kill_test

import (
	"os"
	"testing"

	"paysaga/drill/kill"
)

// The seed of the campaign: one round, in every run of the tests.
func TestTenKills(t *testing.T) {
	t.Parallel()
	const seed = 2026
	paysaga, err := kill.Build(t.Context(), t.TempDir())
	must(t, err)
	round := kill.Round{Plan: kill.Ten, Seed: seed, Number: 1, Dir: folder(t), Paysaga: paysaga, Devstack: devstack(t), Killed: func(k kill.Kill) {
		t.Logf("killed %s with %d payments of %d kinds in flight", k.Kind, k.InFlight, k.Kinds)
	}}
	result, err := round.Run(t.Context())
	must(t, err)
	for _, v := range result.Violations[:min(20, len(result.Violations))] {
		t.Error(v)
	}
	if n := result.Kills; n[kill.Worker] != 6 || n[kill.API] != 3 || n[kill.Devstack] != 1 || result.MinInFlight < 16 {
		t.Errorf("the kills were %v with at least %d payments in flight", n, result.MinInFlight)
	}
	t.Log(result.Line(seed))
}

// folder is one that PostgreSQL's own user can enter. It stays if the test
// fails.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "paysaga-kill-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("logs and histories are in " + dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}

func devstack(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("PAYSAGA_DEVSTACK")
	if binary == "" {
		t.Fatal("PAYSAGA_DEVSTACK names no devstack binary: `make devstack` builds it, `make test` sets the variable")
	}
	return binary
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
