package rebates_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/drill/rebates"
)

// The seed of the campaign: some sequences in shops of each kind, one after the other, shrunk to the least that breaks a promise.
func TestSequencesKeepThePromises(t *testing.T) {
	t.Parallel()
	h, stop, err := rebates.NewThrowaway(t.Context())
	require.NoError(t, err)
	t.Cleanup(stop)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		s, err := rebates.NewShop(t.Context(), h, n)
		require.NoError(r, err)
		_, _, err = s.Walk(t.Context(), rebates.Sequences().Draw(r, "sequence"))
		require.NoError(r, err)
	})
}

func TestACampaignGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var said []string
	c := rebates.Campaign{Seed: 1, Sequences: 40, Rounds: 2, Workers: 4, PerShop: 5, Most: -1, StateFile: filepath.Join(dir, "state.json"),
		ResultFile: filepath.Join(dir, "result.json"), Say: func(line string) { said = append(said, line) }, Show: func(string) {}}
	_, done, err := c.Run(t.Context())
	require.NoError(t, err)
	require.False(t, done, "there was no time")
	c.Most = 1 << 40
	sum, done, err := c.Run(t.Context())
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, 40, sum.Sequences)
	require.Greater(t, sum.Judgements, 4*40)
	require.Equal(t, 2, sum.Audits)
	require.FileExists(t, c.ResultFile)
}

// A judge that can't see is none: what no Step did to the rows and the accounts is told by the promise it breaks.
func TestTheJudgeSeesWhatIsBroken(t *testing.T) {
	t.Parallel()
	h, stop, err := rebates.NewThrowaway(t.Context())
	require.NoError(t, err)
	t.Cleanup(stop)
	for name, planted := range map[string]struct{ sql, promise string }{
		"a rebate says it was paid more": {`UPDATE rebates SET settled = settled + 1, accrued = accrued + 1 WHERE status = 'settled'`, "I-22"},
		"one is open twice":              {`UPDATE accounts SET balance = balance - 1 WHERE code LIKE 'user/%/rebate\_pending'`, "I-22"},
		"a cent of the budget is gone":   {`UPDATE accounts SET balance = balance + 1 WHERE code LIKE 'campaign/%/budget'`, "I-22"},
		"a wallet below zero":            {`UPDATE accounts SET balance = 100000, floor = NULL WHERE code LIKE 'user/%/wallet'`, "I-06"},
	} {
		s, err := rebates.NewShop(t.Context(), h, 0)
		require.NoError(t, err)
		_, _, err = s.Walk(t.Context(), rebates.Sequence{Budget: 20_000, Acts: []rebates.Act{{Kind: rebates.Pay, Lines: []int64{9999}},
			{Kind: rebates.Settle}, {Kind: rebates.Pay, Lines: []int64{9999}}, {Kind: rebates.Plant, Plant: planted.sql}}})
		var b rebates.Broken
		require.True(t, errors.As(err, &b), "%s: %v", name, err)
		require.Equal(t, planted.promise, b.Promise, name)
	}
}
