package routing

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestTheBreakerOpensProbesAndCloses(t *testing.T) {
	t.Parallel()
	var b Breaker
	var c BreakerConfig
	at := noon
	for i := range 10 {
		require.Equal(t, Closed, b.State(at, c), "closed before the %dth call", i)
		b = b.Observe(Result{At: at, Well: i < 5, Latency: 70 * time.Millisecond}, c)
	}
	require.Equal(t, Open, b.State(at, c))
	require.Equal(t, Stats{Calls: 10, Failures: 5, SuccessPerMille: 500, P95: 100 * time.Millisecond}, b.Health(at, c).Stats)
	_, ok := b.Admit(at.Add(29*time.Second), c, "pay_1")
	require.False(t, ok)

	at = at.Add(30 * time.Second)
	require.True(t, b.Health(at, c).ProbeFree)
	b = b.Observe(Result{At: at, Well: true}, c) // an old call ends: no probe
	require.Zero(t, b.Good)
	b, ok = b.Admit(at, c, "pay_1")
	require.True(t, ok)
	_, ok = b.Admit(at, c, "pay_2")
	require.False(t, ok, "one probe at a time")
	_, ok = b.Admit(at, c, "pay_1")
	require.True(t, ok, "a step that is done over asks again for the same payment")
	_, ok = b.Admit(at.Add(time.Minute), c, "pay_2")
	require.True(t, ok, "a probe that nobody reported is lost")

	failed := b.Observe(Result{At: at}, c)
	require.Equal(t, Open, failed.State(at, c), "a bad probe opens again")
	require.Equal(t, Open, failed.State(at.Add(29*time.Second), c))
	for range 3 {
		require.Equal(t, HalfOpen, b.State(at, c))
		b, _ = b.Admit(at, c, "pay_1")
		b = b.Observe(Result{At: at, Well: true}, c)
	}
	require.Equal(t, Closed, b.State(at, c))
	b = b.Observe(Result{At: at}, c)
	require.Equal(t, Closed, b.State(at, c), "what opened it is forgotten")

	text, err := json.Marshal(b)
	require.NoError(t, err)
	var read Breaker
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, b, read)
}

func TestTheWindowForgets(t *testing.T) {
	t.Parallel()
	var w Window
	w = w.Add(Result{At: noon}, time.Minute)
	require.Equal(t, 1, w.Stats(noon.Add(50*time.Second), time.Minute).Failures)
	require.Equal(t, Stats{SuccessPerMille: 1000}, w.Stats(noon.Add(time.Minute), time.Minute))
	later := w.Add(Result{At: noon.Add(time.Minute), Well: true}, time.Minute)
	require.Equal(t, later, later.Add(Result{At: noon}, time.Minute), "the past doesn't come back")
}

// A breaker opens only over enough failures, admits nothing while it is open,
// and at most one probe at a time while half open.
func TestBreakerProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := BreakerConfig{MinCalls: rapid.IntRange(1, 5).Draw(t, "min"), Probes: rapid.IntRange(1, 3).Draw(t, "probes")}
		var b Breaker
		at, failures, probing := noon, 0, false
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
			state := b.State(at, c)
			if rapid.Bool().Draw(t, "admit") {
				lost := at.Sub(b.ProbeAt) >= time.Minute
				next, ok := b.Admit(at, c, "pay_"+strconv.Itoa(n))
				require.Equal(t, state == Closed || state == HalfOpen && (!probing || lost), ok)
				probing = probing || ok && state == HalfOpen
				b = next
				continue
			}
			well := rapid.Bool().Draw(t, "well")
			if !well {
				failures++
			}
			b = b.Observe(Result{At: at, Well: well}, c)
			if state == HalfOpen {
				probing = false
			}
			if now := b.State(at, c); now == Open && state == Closed {
				require.GreaterOrEqual(t, failures, 1)
				require.False(t, well, "a good result opens nothing")
				require.GreaterOrEqual(t, b.Seen.Stats(at, time.Minute).Calls, c.MinCalls)
			}
		}
	})
}
