package main

import (
	"time"

	"go.temporal.io/server/common/dynamicconfig"
)

// noCap lifts a rate cap: one machine's own speed is the limit here.
const noCap = 100_000

// dynamicConfig holds every setting of the server that differs from its default.
func dynamicConfig(c Config) dynamicconfig.StaticClient {
	values := dynamicconfig.StaticClient{
		// Caps, which would otherwise show as throttling in a benchmark.
		dynamicconfig.FrontendRPS.Key():                                         noCap,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():                  noCap,
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): noCap,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                           noCap,
		dynamicconfig.HistoryRPS.Key():                                          noCap,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                            noCap,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                            1000,
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                         1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():                       1000,
		dynamicconfig.MatchingRPS.Key():                                         noCap,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                           noCap,
		dynamicconfig.WorkerPersistenceMaxQPS.Key():                             noCap,

		// One partition per queue: no forwarding between partitions, and
		// priority, fairness and rate limits are exact.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		dynamicconfig.MatchingEnableFairness.Key():              true,

		dynamicconfig.MaxIDLengthLimit.Key():             255, // the SQL column's length
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8096,
		// A new namespace or search attribute is usable that much sooner. The
		// setting that reads them through on every use costs a query under a
		// lock for each start, so it stays off.
		dynamicconfig.NamespaceCacheRefreshInterval.Key(): time.Second,
		dynamicconfig.EnableServerVersionCheck.Key():      false, // no phoning home
	}
	if c.VisibilityFast {
		values[dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key()] = 500
	}
	for key, value := range values {
		// Wrapped once: a bare value would be wrapped and converted on every read.
		values[key] = []dynamicconfig.ConstrainedValue{{Value: value}}
	}
	return values
}
