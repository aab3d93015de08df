package ledger_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/drill/ledger"
)

// TestMain is the other process, too.
func TestMain(m *testing.M) {
	ledger.Child()
	os.Exit(m.Run())
}

const seed = 2026

// The seed of the campaign: some thousand Steps, one batch in calm, one with connections killed, one with a process killed.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	r, err := ledger.Steps{Seed: seed, Round: 1, Steps: 6000, Batch: 1500, Clerks: 16, Dir: folder(t), Show: func(int, int) {}}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Violations)
	require.GreaterOrEqual(t, r.Steps, 6000)
	require.Positive(t, r.Backends)
	for _, outcome := range []string{"fresh", "replayed", "insufficient_balance", "cause_conflict", "already_reversed", "reversal_of_nothing",
		"reversal_differs", "stale_state", "effective_at_out_of_range", "balance_overflow", "text_invalid"} {
		require.Positive(t, r.Outcomes[outcome], outcome)
	}
	t.Log(r.Line(seed), r.Outcomes)
}

func TestTheSameCausesFromEitherEnd(t *testing.T) {
	t.Parallel()
	r, err := ledger.Opposite{Round: 1, Times: 30, Causes: 100, Dir: folder(t), Show: func(int) {}}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Violations)
	require.Equal(t, 30, r.Opposite)
}

func TestTheBank(t *testing.T) {
	t.Parallel()
	r, err := ledger.Bank{Seed: seed, Round: 1, Reads: 2000, Kills: 3, Writers: 8, Readers: 2, Dir: folder(t), Show: func(int, int) {}}.Run(t.Context())
	require.NoError(t, err)
	require.Empty(t, r.Violations)
	require.Equal(t, 3, r.Kills)
	require.GreaterOrEqual(t, r.Reads, 2000)
	require.Positive(t, r.Transfers)
	t.Log(r.Line(seed))
}

// folder is the server's. It stays if the test fails.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "paysaga-ledger-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the server's log and data are in " + dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return dir
}
