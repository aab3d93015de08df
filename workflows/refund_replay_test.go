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

// I-27: every recorded history of a refund replays against the saga as it is
// now, and none against one that was reordered.
func TestEveryRefundHistoryReplays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "refund", "*.json"))
	if err != nil || len(files) < len(refundPaths) {
		t.Fatalf("there are %d recorded histories of refunds, and there have to be %d or more: %v", len(files), len(refundPaths), err)
	}
	reordered := func(ctx workflow.Context, in workflows.RefundInput) (workflows.RefundResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.RefundResult{}, err
		}
		return workflows.Refund(ctx, in)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			if err := replayRefund(t, workflows.Refund, file); err != nil {
				t.Error(err)
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range append(decoded(raw), string(raw)) { // I-26
				for _, secret := range []string{"tok_", "sandbox-secret", "http://", "https://", "Bearer"} {
					if strings.Contains(text, secret) {
						t.Errorf("it holds %q", secret)
					}
				}
			}
			if replayRefund(t, reordered, file) == nil {
				t.Error("the gate let a reordered saga pass")
			}
		})
	}
}

func replayRefund(t *testing.T, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: "Refund"})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}
