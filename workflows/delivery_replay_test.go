package workflows_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/workflows"
)

func recordedDeliveries(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, "delivery", "*.json"))
	if err != nil || len(files) < len(tellings) {
		t.Fatalf("there are %d recorded histories of deliveries, and there have to be %d or more: %v", len(files), len(tellings), err)
	}
	return files
}

func replayDelivery(t *testing.T, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: "Delivery"})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}

// I-27 for deliveries; and the gate sees one that was reordered.
func TestEveryRecordedDeliveryReplays(t *testing.T) {
	t.Parallel()
	reordered := func(ctx workflow.Context, in workflows.DeliveryInput) (workflows.DeliveryResult, error) {
		workflow.SideEffect(ctx, func(workflow.Context) any { return 1 })
		return workflows.Delivery(ctx, in)
	}
	for _, file := range recordedDeliveries(t) {
		if err := replayDelivery(t, workflows.Delivery, file); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if replayDelivery(t, reordered, file) == nil {
			t.Errorf("the gate let a reordered saga pass for %s", file)
		}
	}
}

// I-26: ids only: no URL, no secret, nothing of what was sent or answered.
func TestHistoriesOfDeliveriesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	for _, file := range recordedDeliveries(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := decoded(raw)
		if !strings.Contains(strings.Join(plain, " "), "endpoint_id") {
			t.Errorf("%s: its payloads can't be read, so nothing is proven", filepath.Base(file))
		}
		for _, text := range append(plain, string(raw)) {
			for _, secret := range []string{"whsec_", "http://", "https://", "127.0.0.1", "amount", "12.34", "webhook-signature", "v1,"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s holds %q", filepath.Base(file), secret)
				}
			}
		}
	}
}
