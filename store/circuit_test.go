package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/routing"
)

// Circuits that many processes move at once lose nothing, and each of them is
// judged on what the one before it has left.
func TestCircuitsAreMovedUnderTheirLocks(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx := context.Background()
	now := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				_, err := h.s.MoveCircuits(ctx, h.Book, []string{h.ChannelAccount, "cha_unknown"}, func(_ string, b routing.Breaker) routing.Breaker {
					return b.Observe(routing.Result{At: now, Fault: "unavailable connection_refused"}, routing.BreakerConfig{})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	list, err := h.s.Circuits(ctx, now.Add(time.Hour))
	require.NoError(t, err)
	require.Len(t, list, 1, "an open circuit is listed however old it is, and an account that isn't there has none")
	w := list[0]
	require.Equal(t, []any{h.Book, "sandbox", h.ChannelAccount}, []any{w.Book, w.Channel, w.Account})
	require.Equal(t, 40, w.Seen.Stats(now, time.Minute).Calls)
	require.Equal(t, routing.Open, w.State(now, routing.BreakerConfig{}))
	require.Equal(t, "unavailable connection_refused", w.Fault)

	_, err = h.s.MoveCircuits(ctx, h.Book, []string{h.ChannelAccount}, func(string, routing.Breaker) routing.Breaker { return routing.Breaker{} })
	require.NoError(t, err)
	list, err = h.s.Circuits(ctx, now.Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, list)
	list, err = h.s.MoveCircuits(ctx, id.Live, []string{h.ChannelAccount}, func(_ string, b routing.Breaker) routing.Breaker { return b })
	require.NoError(t, err)
	require.Empty(t, list, "another book's account isn't touched")
}
