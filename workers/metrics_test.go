package workers

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// One metric has one set of labels, whatever tags the SDK brings, and two
// handlers with the same tags share one series.
func TestMetricsOfTheSDKReachPrometheus(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	a := m.WithTags(map[string]string{"namespace": "paysaga", "workflow_type": "Payment", "activity_type": "none"})
	a.Counter("temporal_workflow_completed").Inc(2)
	m.WithTags(map[string]string{"workflow_type": "Payment"}).Counter("temporal_workflow_completed").Inc(1)
	a.WithTags(map[string]string{"workflow_type": "Refund", "unheard_of": "x"}).Counter("temporal_workflow_completed").Inc(1)
	a.WithTags(map[string]string{"worker_type": "LocalActivityWorker"}).Gauge("temporal_worker_task_slots_used").Update(3)
	a.Timer("temporal_request_latency").Record(30 * time.Millisecond)

	require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(`
# HELP temporal_workflow_completed_total Temporal SDK: workflow completed total.
# TYPE temporal_workflow_completed_total counter
temporal_workflow_completed_total{activity_type="",cause="",failure_reason="",operation="",poller_type="",status_code="",task_queue="",worker_type="",workflow_type="Payment"} 3
temporal_workflow_completed_total{activity_type="",cause="",failure_reason="",operation="",poller_type="",status_code="",task_queue="",worker_type="",workflow_type="Refund"} 1
`), "temporal_workflow_completed_total"))
	n, err := testutil.GatherAndCount(r, "temporal_worker_task_slots_used", "temporal_request_latency_seconds")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
