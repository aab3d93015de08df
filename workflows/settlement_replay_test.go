package workflows_test

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/workflows"
)

// I-27: every recorded history of a settlement replays against the saga as it is now, and none against one that was reordered.
func TestEverySettlementHistoryReplays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "settlement", "*.json"))
	if err != nil || len(files) <= len(settlementPaths) {
		t.Fatalf("there are %d recorded histories of settlements, and there have to be more than %d: %v", len(files), len(settlementPaths), err)
	}
	replay := func(settlement any, file string) error {
		r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
		if err != nil {
			t.Fatal(err)
		}
		r.RegisterWorkflowWithOptions(settlement, workflow.RegisterOptions{Name: "Settlement"})
		r.RegisterWorkflowWithOptions(workflows.SettlementTick, workflow.RegisterOptions{Name: "SettlementTick"})
		return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
	}
	reordered := func(ctx workflow.Context, in workflows.SettlementInput) (workflows.SettlementResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.SettlementResult{}, err
		}
		return workflows.Settlement(ctx, in)
	}
	for _, file := range files {
		if err := replay(workflows.Settlement, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if filepath.Base(file) != "tick.json" && replay(reordered, file) == nil {
			t.Errorf("%s: the gate let a reordered saga pass", file)
		}
	}
}
