package main

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// noCap lifts a rate cap: one machine's own speed is the limit here.
const noCap = 100_000

// dynamicConfig holds every setting of the server that differs from its default.
func dynamicConfig(c Config) dynamicconfig.Client {
	values := map[string]any{
		// Caps, which would otherwise show as throttling in a benchmark.
		"frontend.rps":                          noCap,
		"frontend.namespaceRPS":                 noCap,
		"frontend.namespaceCount":               noCap,
		"frontend.persistenceMaxQPS":            noCap,
		"history.rps":                           noCap,
		"history.persistenceMaxQPS":             noCap,
		"history.timerProcessorMaxPollRPS":      1000,
		"history.transferProcessorMaxPollRPS":   1000,
		"history.visibilityProcessorMaxPollRPS": 1000,
		"matching.rps":                          noCap,
		"matching.persistenceMaxQPS":            noCap,
		"worker.persistenceMaxQPS":              noCap,

		// One partition per queue: no forwarding between partitions, and
		// priority, fairness and rate limits are exact.
		"matching.numTaskqueueReadPartitions":  1,
		"matching.numTaskqueueWritePartitions": 1,
		"matching.enableFairness":              true,

		"limit.maxIDLength":             255, // the SQL column's length
		"history.hostLevelCacheMaxSize": 8096,
		// A new namespace or search attribute is usable that much sooner.
		"system.namespaceCacheRefreshInterval": time.Second,
		"frontend.enableServerVersionCheck":    false, // no phoning home
	}
	if c.VisibilityFast {
		values["frontend.namespaceRPS.visibility"] = 500
	}
	static := dynamicconfig.StaticClient{}
	for key, value := range values {
		static[dynamicconfig.MakeKey(key)] = value
	}
	return static
}
