package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/bench/gauge"
)

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
	require.Equal(t, Ratio{Lane: "express", Floor: floorOne, Clients: 32, Of: gauge.Spread{Median: 1.5, Min: 1.5, Max: 1.5}, Target: 1.4}, res.Ratios[1])
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
