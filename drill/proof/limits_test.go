package proof

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workers"
)

// What exceeds an account's limits isn't lost and isn't sent twice: it waits for its turn, on both lanes, and the meter tells.
func TestLimits(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	meter := workers.NewChannelMeter(metrics)
	s := stage.New(t, stage.Options{Wire: stage.Wire{Steps: func(c *activities.Config) { c.Meter = meter }}})
	limits := channels.Limits{Operations: map[channels.Operation]channels.Limit{channels.OpCharge: {PerSecond: 4, Burst: 1, TimeoutMS: 1500}}}
	for _, lane := range []payment.Lane{payment.Express, payment.Standard} {
		m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: lane, Limits: limits})
		var wg sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			order := m.Order(stage.Card("tok_ok"), map[string]any{"amount": "1.00"})
			wg.Go(func() {
				ids[i] = m.Do(t, "POST", "/v1/payments", "limited-"+string(lane)+string(rune('a'+i)), order).ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			m.UntilStatus(t, id, payment.Paid)
		}
		sum := m.Sandboxes[0].Summarize()
		require.Equal(t, 4, sum.Charges[server.Succeeded], "%s", lane)
		require.Zero(t, sum.PaidTwice)
	}
	families, err := metrics.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			for _, label := range one.GetLabel() {
				require.Contains(t, []string{"channel", "operation", "outcome"}, label.GetName())
			}
			values[f.GetName()] += one.GetCounter().GetValue() + one.GetGauge().GetValue() + float64(one.GetHistogram().GetSampleCount())
		}
	}
	require.GreaterOrEqual(t, values["paysaga_channel_calls_total"], 8.0)
	require.Equal(t, values["paysaga_channel_calls_total"], values["paysaga_channel_call_seconds"])
	require.Zero(t, values["paysaga_channel_calls_in_flight"])
	s.Audit(t)
}
