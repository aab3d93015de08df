package workers

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"paysaga/activities"
	"paysaga/domain/routing"
)

// circuits shows what this process knows of the channel accounts, at the moment
// it is asked.
type circuits struct{ health *activities.Health }

var (
	circuitLabels = []string{"channel", "channel_account"}
	circuitState  = prometheus.NewDesc("paysaga_channel_circuit", "The circuit of a channel account: 0 closed, 1 half open, 2 open.", circuitLabels, nil)
	circuitRate   = prometheus.NewDesc("paysaga_channel_success_ratio", "The share of calls of the last minute that the account answered.", circuitLabels, nil)
	circuitCalls  = prometheus.NewDesc("paysaga_channel_window_calls", "The calls of the last minute.", circuitLabels, nil)
	circuitSlow   = prometheus.NewDesc("paysaga_channel_p95_seconds", "An upper bound of the 95th percentile of the last minute's calls.", circuitLabels, nil)
)

// ShareHealth shares what this process sees of the channel accounts with all others, and takes over what they know: at once, and then as
// often as said, until ctx ends.
func ShareHealth(ctx context.Context, h *activities.Health, every time.Duration, log *slog.Logger) {
	newRelay("circuits", every, func(ctx context.Context) (bool, error) { return false, h.Share(ctx) }).run(ctx, log)
}

// NewCircuits returns the gauges of a Health.
func NewCircuits(h *activities.Health) prometheus.Collector { return circuits{h} }

// Describe implements prometheus.Collector.
func (circuits) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{circuitState, circuitRate, circuitCalls, circuitSlow} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c circuits) Collect(to chan<- prometheus.Metric) {
	states := map[routing.State]float64{routing.Closed: 0, routing.HalfOpen: 1, routing.Open: 2}
	for _, circuit := range c.health.Circuits() {
		show := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, circuit.Channel, circuit.Account)
		}
		show(circuitState, states[circuit.State])
		show(circuitRate, float64(circuit.Stats.SuccessPerMille)/1000)
		show(circuitCalls, float64(circuit.Stats.Calls))
		show(circuitSlow, circuit.Stats.P95.Seconds())
	}
}
