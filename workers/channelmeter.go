package workers

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"paysaga/channels"
)

// ChannelMeter counts what is done at channels, by channel, operation and outcome: no account, no id, no secret stands in a label.
// It is an activities.Meter.
type ChannelMeter struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	flight  *prometheus.GaugeVec
	limited *prometheus.CounterVec
}

// callTimes, in seconds, from a sandbox beside us to the longest call.
var callTimes = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60}

// NewChannelMeter makes the meter and registers what it shows.
func NewChannelMeter(to prometheus.Registerer) *ChannelMeter {
	by := []string{"channel", "operation"}
	m := &ChannelMeter{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paysaga_channel_calls_total",
			Help: "Calls at channels, by what they came to: a verdict, or the kind of a fault."}, append(by, "outcome")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "paysaga_channel_call_seconds",
			Help: "How long calls at channels took.", Buckets: callTimes}, by),
		flight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "paysaga_channel_calls_in_flight",
			Help: "Calls at channels that are under way."}, by),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paysaga_channel_limited_total",
			Help: "Calls that an account's limit held back: nothing was sent, and they come again."}, by),
	}
	to.MustRegister(m.calls, m.seconds, m.flight, m.limited)
	return m
}

// Begin implements activities.Meter.
func (m *ChannelMeter) Begin(l channels.CallLine) func() {
	g := m.flight.WithLabelValues(l.Channel, string(l.Operation))
	g.Inc()
	return g.Dec
}

// Ended implements activities.Meter.
func (m *ChannelMeter) Ended(l channels.CallLine) {
	outcome := string(l.Verdict)
	if outcome == "" {
		outcome, _, _ = strings.Cut(l.Fault, " ")
	}
	m.calls.WithLabelValues(l.Channel, string(l.Operation), outcome).Inc()
	m.seconds.WithLabelValues(l.Channel, string(l.Operation)).Observe(l.Duration.Seconds())
}

// Limited implements activities.Meter.
func (m *ChannelMeter) Limited(l channels.CallLine) {
	m.limited.WithLabelValues(l.Channel, string(l.Operation)).Inc()
}
