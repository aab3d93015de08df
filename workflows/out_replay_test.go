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

// I-27: every recorded history of a refund and of a payout replays against the
// saga as it is now, and none against one that was reordered.
func TestEveryRefundHistoryReplays(t *testing.T) {
	t.Parallel()
	replayAll(t, "refund", len(refundPaths), workflows.Refund, func(ctx workflow.Context, in workflows.RefundInput) (workflows.RefundResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.RefundResult{}, err
		}
		return workflows.Refund(ctx, in)
	})
}

func TestEveryPayoutHistoryReplays(t *testing.T) {
	t.Parallel()
	replayAll(t, "payout", len(payoutPaths), workflows.Payout, func(ctx workflow.Context, in workflows.PayoutInput) (workflows.PayoutResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.PayoutResult{}, err
		}
		return workflows.Payout(ctx, in)
	})
}

// replayAll replays the histories of a folder, which is also the saga's name.
func replayAll(t *testing.T, folder string, paths int, saga, reordered any) {
	files, err := filepath.Glob(filepath.Join(histories, folder, "*.json"))
	if err != nil || len(files) < paths {
		t.Fatalf("there are %d recorded histories of %ss, and there have to be %d or more: %v", len(files), folder, paths, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			if err := replayOut(t, folder, saga, file); err != nil {
				t.Error(err)
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range append(decoded(raw), string(raw)) { // I-26
				for _, secret := range []string{"tok_", "dest_", "sandbox-secret", "http://", "https://", "Bearer"} {
					if strings.Contains(text, secret) {
						t.Errorf("it holds %q", secret)
					}
				}
			}
			if replayOut(t, folder, reordered, file) == nil {
				t.Error("the gate let a reordered saga pass")
			}
		})
	}
}

func replayOut(t *testing.T, name string, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: strings.ToUpper(name[:1]) + name[1:]})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}
