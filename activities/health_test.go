package activities

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// shelf keeps circuits in memory, as the store does in its table.
type shelf struct {
	mu   sync.Mutex
	kept map[string]routing.Watched
	down bool
}

func (s *shelf) Circuits(context.Context, time.Time) ([]routing.Watched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("down")
	}
	return slices.Collect(maps.Values(s.kept)), nil
}

func (s *shelf) MoveCircuits(_ context.Context, book id.Book, accounts []string, move func(string, routing.Breaker) routing.Breaker) (list []routing.Watched, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("down")
	}
	for _, a := range accounts {
		w := routing.Watched{Book: book, Channel: "sandbox", Account: a, Breaker: move(a, s.kept[a].Breaker)}
		s.kept[a] = w
		list = append(list, w)
	}
	return list, nil
}

// office is some processes over one shelf and one clock.
type office struct {
	*testing.T
	*shelf
	now time.Time
}

func newOffice(t *testing.T) *office {
	return &office{t, &shelf{kept: map[string]routing.Watched{}}, time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
}

func (o *office) process(changed ...func(Circuit)) *Health {
	c := HealthConfig{Kept: o, Now: func() time.Time { return o.now }}
	if len(changed) > 0 {
		c.Changed = changed[0]
	}
	return NewHealth(c)
}

const watchedAccount = "cha_1"

func (o *office) calls(h *Health, n int, err error) {
	for range n {
		h.observe(channels.CallLine{Book: id.Live, Channel: "sandbox", ChannelAccount: watchedAccount, StartedAt: o.now}, payment.Outcome{}, err)
	}
}

func (o *office) share(list ...*Health) {
	for _, h := range list {
		require.NoError(o, h.Share(o.Context()))
	}
}

func (o *office) state(h *Health) routing.State {
	return h.Of([]channels.OpenAccount{{ID: watchedAccount}})[watchedAccount].State
}

// Five processes of which none alone has seen enough open the circuit together,
// and one that starts later begins with it open.
func TestProcessesLearnTogether(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var turns []Circuit
	var all []*Health
	for range 5 {
		all = append(all, o.process(func(c Circuit) { turns = append(turns, c) }))
	}
	for _, h := range all {
		o.calls(h, 2, fault.Unavailable("connection_refused", "refused", nil))
		require.Equal(t, routing.Closed, o.state(h))
	}
	o.share(all...)
	o.share(all...)
	later := o.process()
	o.share(later)
	for _, h := range append(all, later) {
		require.Equal(t, routing.Open, o.state(h))
		require.False(t, h.admit(t.Context(), id.Live, watchedAccount, "pay_1"))
	}
	require.Len(t, turns, 5, "each process tells once")
	require.Equal(t, "unavailable connection_refused", o.kept[watchedAccount].Fault)

	o.share(all...) // nothing new is told
	require.Equal(t, 10, o.kept[watchedAccount].Seen.Stats(o.now, time.Minute).Calls, "each call counts once")
}

// A half-open circuit lets one probe through over all processes, whoever hears
// of its result; three good ones close it for all.
func TestOneProbeOverAllProcesses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a, b := o.process(), o.process()
	o.calls(a, 10, fault.Unknown("timeout", "no answer", nil))
	o.share(a, b)
	o.now = o.now.Add(30 * time.Second)
	for n := range 3 {
		require.Equal(t, routing.HalfOpen, o.state(a))
		require.True(t, a.admit(t.Context(), id.Live, watchedAccount, "pay_1"))
		require.False(t, b.admit(t.Context(), id.Live, watchedAccount, "pay_2"), "b doesn't know of the probe %d yet, and asks", n)
		require.True(t, a.admit(t.Context(), id.Live, watchedAccount, "pay_1"), "the step is done over")
		require.False(t, a.admit(t.Context(), id.Live, watchedAccount, "pay_3"))
		o.calls(b, 1, nil) // b serves the channel's queue
		o.share(b, a)
	}
	require.Equal(t, routing.Closed, o.state(a))
	require.Equal(t, routing.Closed, o.state(b))
}

// While nobody can be told, a process goes by its own calls, and tells
// everything later; it decides about probes by itself.
func TestHealthWithoutTheOthers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a, b := o.process(), o.process()
	o.down = true
	o.calls(a, 10, fault.Unavailable("connection_refused", "refused", nil))
	require.Error(t, a.Share(t.Context()))
	require.Equal(t, routing.Open, o.state(a))
	o.now = o.now.Add(31 * time.Second)
	require.True(t, a.admit(t.Context(), id.Live, watchedAccount, "pay_1"))
	require.False(t, a.admit(t.Context(), id.Live, watchedAccount, "pay_2"))
	o.down = false
	o.share(a, b)
	require.Equal(t, 10, o.kept[watchedAccount].Seen.Stats(o.now, time.Minute).Failures)
	require.Equal(t, routing.HalfOpen, o.state(b))

	for range untoldLimit + 5 {
		o.calls(a, 1, nil)
	}
	require.Len(t, a.accounts[watchedAccount].untold, untoldLimit, "what waits is bounded")
}

// Nobody remembers an account that nobody calls.
func TestHealthForgets(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a := o.process()
	o.calls(a, 1, nil)
	o.share(a)
	require.Len(t, a.Circuits(), 1)
	clear(o.kept)
	o.share(a)
	require.Empty(t, a.Circuits())
}
