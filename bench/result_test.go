package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpreadIsTheMedianBetweenTheEnds(t *testing.T) {
	t.Parallel()
	require.Equal(t, Spread{2, 1, 9}, spread([]float64{9, 1, 2}))
	require.Equal(t, Spread{2.5, 1, 9}, spread([]float64{9, 1, 2, 3}))
}

func TestPercentilesAreOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for ms := range 100 {
		all = append(all, time.Duration(ms+1)*time.Millisecond)
	}
	require.InDelta(t, 50, percentile(all, 0.50), 0.001)
	require.InDelta(t, 99, percentile(all, 0.99), 0.001)
	require.InDelta(t, 1, percentile(all[:1], 0.99), 0.001)
}

// Ratios are of rounds, not of medians: a machine that was slow for a round was
// slow for all.
func TestRatiosArePairedByRound(t *testing.T) {
	t.Parallel()
	r := &run{c: Config{Clients: []int{32}}, costs: map[string]Cost{}, shapes: []shape{{name: floorOne}, {name: "express"}}}
	for round, speed := range []float64{1, 10, 2} {
		for name, rate := range map[string]float64{floorOne: 10 * speed, "express": 15 * speed} {
			r.cells = append(r.cells, Cell{Shape: name, Clients: 32, Round: round, Rate: rate, latencies: []time.Duration{time.Millisecond}})
		}
	}
	res := r.result()
	require.Len(t, res.Ratios, len(floorNames))
	require.Equal(t, Ratio{Lane: "express", Floor: floorOne, Clients: 32, Of: Spread{1.5, 1.5, 1.5}, Target: 1.4}, res.Ratios[1])
	res.Shapes[1].Cost.Transitions = []int64{3, 3}
	var out bytes.Buffer
	require.NoError(t, res.print(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, "lane=express clients=32 payments_per_s=30.0 f1=0.0 f2=20.0 naive=0.0 ratio_f2=1.50 p50_ms=1.0 p99_ms=1.0 transitions=3", lines[len(lines)-1])
}

func TestDriveCountsWhatEndsInItsWindow(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	s := shape{"x", func(context.Context) (string, error) { <-pace.C; n.Add(1); return "id", nil }}
	cell, ids, err := drive(t.Context(), s, 4, 100*time.Millisecond)
	require.NoError(t, err)
	require.Len(t, ids, int(n.Load()), "every one that succeeded is checked later, inside the window or not")
	require.Less(t, len(cell.latencies), len(ids), "the lead doesn't count")
	require.InDelta(t, float64(len(cell.latencies))/0.1, cell.Rate, 0.001)

	broken := errors.New("broken")
	_, _, err = drive(t.Context(), shape{"x", func(context.Context) (string, error) { return "", broken }}, 4, time.Second)
	require.ErrorIs(t, err, broken, "one failure ends the run")
}

func TestProcessesKnowTheirParents(t *testing.T) {
	t.Parallel()
	all := processes()
	if len(all) == 0 {
		require.NoDirExists(t, "/proc/self")
		return
	}
	require.Equal(t, os.Getppid(), all[os.Getpid()].parent)
	require.Contains(t, descendants(all, os.Getppid()), os.Getpid())
}
