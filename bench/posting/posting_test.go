package posting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/bench/gauge"
)

// otherProcess makes this test binary the second process of a measurement.
const otherProcess = "PAYSAGA_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(otherProcess) == "" {
		os.Exit(m.Run())
	}
	if err := Child(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// All of it, as small as it goes: what counts here is that each shape runs, that
// the checks pass, and how the figures look.
func TestTheBenchmarkMeasuresAndChecks(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	var out bytes.Buffer
	res, err := Run(t.Context(), Config{Rounds: 1, Window: 100 * time.Millisecond, Clients: []int{1, 8}, Growth: []int{8_000}, Out: &out, flush: time.Millisecond,
		Settings: map[string]string{"shared_buffers": "128MB", "max_wal_size": "1GB"},
		Child: func() *exec.Cmd {
			cmd := exec.Command(self)
			cmd.Env, cmd.Stderr = append(os.Environ(), otherProcess+"=1"), os.Stderr
			return cmd
		}})
	require.NoError(t, err, out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Regexp(t, regexp.MustCompile(`^journals_per_s_32=none journals_per_s_256=none hot=\d+ floored=\d+ http=\d+ http_bulk=\d+ l1=\d+ l2=\d+ `+
		`ratio_l1_32=none ratio_l2_256=none growth_10m=none$`), lines[len(lines)-1])
	measured := 0
	for _, name := range Names {
		l, ok := res.level(name, 0)
		require.True(t, ok, name)
		require.Equal(t, l.Rate.Median > 0, l.P99 > 0, name)
		if l.Rate.Median > 0 {
			require.Positive(t, l.WAL, name)
			measured++
		}
	}
	// On a busy machine a window as small as this may see nothing end.
	require.GreaterOrEqual(t, measured, len(Names)/2)
	require.Len(t, res.Costs, 8)
	for _, c := range res.Costs {
		require.GreaterOrEqual(t, c.Commits, 0.0, c.Shape) // what PostgreSQL has told so far
		require.Positive(t, total(c.Sizes), c.Shape)
	}
	require.Len(t, res.Growth, 1)
	require.Positive(t, res.Growth[0].PageP99)
	require.EqualValues(t, drainSteps, res.Checked.Drained)
	require.GreaterOrEqual(t, res.Checked.Journals, int64(8_000))
	require.Positive(t, res.Checked.Checks)
	require.Positive(t, res.Checked.Blocks)
}

func TestDriveCountsWhatEndsInItsWindow(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	do := func(context.Context, int, int) error { <-pace.C; n.Add(1); return nil }
	s, done, err := drive(t.Context(), calls{n: 1e6, journals: 3, do: do}, 4, clock{50 * time.Millisecond, 100 * time.Millisecond})
	require.NoError(t, err)
	require.Len(t, done, int(n.Load()), "every one that succeeded is checked later, inside the window or not")
	require.Less(t, len(s.took), len(done), "the lead doesn't count")
	require.InDelta(t, float64(3*len(s.took))/0.1, s.Rate, 0.001)

	_, done, err = drive(t.Context(), calls{n: 4, journals: 1, do: do}, 2, clock{Window: time.Hour})
	require.ErrorIs(t, err, errTooFew, "a window that ends at once says nothing")
	require.Len(t, done, 4)

	broken := errors.New("broken")
	_, _, err = drive(t.Context(), calls{n: 1e6, journals: 1, do: func(context.Context, int, int) error { return broken }}, 4, clock{Window: time.Hour})
	require.ErrorIs(t, err, broken, "one failure ends the run")
}

func TestRandomStepsAreBookable(t *testing.T) {
	t.Parallel()
	steps, err := maker(randomPair).make(1000)
	require.NoError(t, err)
	var all tally
	seen := map[string]bool{}
	for _, s := range steps {
		all.add(s)
		seen[s.Cause] = true
		e := s.Journals[0].Entries()
		require.Len(t, e, 2)
		require.NotEqual(t, e[0].Account.Code, e[1].Account.Code)
	}
	require.Len(t, seen, 1000)
	require.EqualValues(t, 1000, all.Causes)
	r, err := randomRequest(bulk)
	require.NoError(t, err)
	step, err := r.step()
	require.NoError(t, err)
	require.Len(t, step.Journals, bulk)
	all.add(step)
	require.EqualValues(t, 1000+bulk, all.Causes, "a bulk's own cause is its first journal's")
	require.EqualValues(t, 1001, all.Steps)
}

// Ratios are of rounds, not of medians: a machine that was slow for a round was
// slow for all.
func TestRatiosArePairedByRound(t *testing.T) {
	t.Parallel()
	res := Result{Clients: []int{32}}
	for _, speed := range []float64{1, 10, 2} {
		res.Cells = append(res.Cells, Cell{Shape: "l1", Clients: 32, Rate: 10 * speed}, Cell{Shape: "random", Clients: 32, Rate: 80 * speed})
	}
	res.summarize()
	require.Equal(t, []Ratio{{Name: "ratio_l1_32", Of: gauge.Spread{Median: 8, Min: 8, Max: 8}, Target: 6}}, res.Ratios)
	require.Equal(t, "journals_per_s_32=160 journals_per_s_256=none hot=none floored=none http=none http_bulk=none l1=20 l2=none "+
		"ratio_l1_32=8.00 ratio_l2_256=none growth_10m=none", res.line())
}
