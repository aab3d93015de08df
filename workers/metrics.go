package workers

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// tags are the labels of the SDK's metrics. They are fixed, because one metric
// has one set of labels in Prometheus; the namespace and the client's name
// would be the same everywhere.
var tags = []string{"task_queue", "workflow_type", "activity_type", "operation", "worker_type", "poller_type",
	"failure_reason", "cause", "status_code"}

// latencies, in seconds, from a local activity to a payment that waits for its
// customer.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// NewMetrics hands the Temporal SDK's own metrics (temporal_…) to Prometheus.
// Counters end in _total, latencies in _seconds.
func NewMetrics(to prometheus.Registerer) client.MetricsHandler {
	return metrics{vectors: &vectors{to: to, all: map[string]prometheus.Collector{}}}
}

// metrics is the handler of one set of tags; all share the vectors.
type metrics struct {
	*vectors
	tags map[string]string
}

type vectors struct {
	to  prometheus.Registerer
	mu  sync.Mutex
	all map[string]prometheus.Collector
}

// vector finds a metric, or makes and registers it.
func vector[V prometheus.Collector](v *vectors, name string, build func() V) V {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c, ok := v.all[name].(V); ok {
		return c
	}
	c := build()
	v.to.MustRegister(c)
	v.all[name] = c
	return c
}

// WithTags adds tags; the ones that aren't labels are dropped.
func (m metrics) WithTags(more map[string]string) client.MetricsHandler {
	all := make(map[string]string, len(m.tags)+len(more))
	maps.Copy(all, m.tags)
	maps.Copy(all, more)
	return metrics{m.vectors, all}
}

// values are the label values, in the order of tags. The SDK says "none" for
// what doesn't apply; an empty label is the same as no label.
func (m metrics) values() []string {
	values := make([]string, len(tags))
	for i, tag := range tags {
		if v := m.tags[tag]; v != "none" {
			values[i] = v
		}
	}
	return values
}

func help(name string) string {
	return "Temporal SDK: " + strings.ReplaceAll(strings.TrimPrefix(name, "temporal_"), "_", " ") + "."
}

type counter struct{ prometheus.Counter }

func (c counter) Inc(n int64) { c.Add(float64(n)) }

// Counter finds a counter.
func (m metrics) Counter(name string) client.MetricsCounter {
	name += "_total"
	v := vector(m.vectors, name, func() *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help(name)}, tags)
	})
	return counter{v.WithLabelValues(m.values()...)}
}

type gauge struct{ prometheus.Gauge }

func (g gauge) Update(v float64) { g.Set(v) }

// Gauge finds a gauge.
func (m metrics) Gauge(name string) client.MetricsGauge {
	v := vector(m.vectors, name, func() *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help(name)}, tags)
	})
	return gauge{v.WithLabelValues(m.values()...)}
}

type timer struct{ prometheus.Observer }

func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }

// Timer finds a histogram.
func (m metrics) Timer(name string) client.MetricsTimer {
	name += "_seconds"
	v := vector(m.vectors, name, func() *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help(name), Buckets: latencies}, tags)
	})
	return timer{v.WithLabelValues(m.values()...)}
}
