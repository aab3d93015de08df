package gauge

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpreadIsTheMedianBetweenTheEnds(t *testing.T) {
	t.Parallel()
	require.Equal(t, Spread{2, 1, 9}, Of([]float64{9, 1, 2}))
	require.Equal(t, Spread{2.5, 1, 9}, Of([]float64{9, 1, 2, 3}))
}

func TestPercentilesAreOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	var all []time.Duration
	for ms := range 100 {
		all = append(all, time.Duration(ms+1)*time.Millisecond)
	}
	require.InDelta(t, 50, Percentile(all, 0.50), 0.001)
	require.InDelta(t, 99, Percentile(all, 0.99), 0.001)
	require.InDelta(t, 1, Percentile(all[:1], 0.99), 0.001)
}

func TestProcessesKnowTheirParents(t *testing.T) {
	t.Parallel()
	all := Processes()
	if len(all) == 0 {
		require.NoDirExists(t, "/proc/self")
		return
	}
	require.Equal(t, os.Getppid(), all[os.Getpid()].Parent)
	require.Contains(t, Descendants(all, os.Getppid()), os.Getpid())
}
