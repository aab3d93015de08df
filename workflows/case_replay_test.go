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

func recordedOf(t *testing.T, saga string, atLeast int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, saga, "*.json"))
	if err != nil || len(files) < atLeast {
		t.Fatalf("there are %d recorded histories of %s, and there have to be %d or more: %v", len(files), saga, atLeast, err)
	}
	return files
}

func replayAs(t *testing.T, name string, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: name})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}

// I-27 for cases and guardians; and the gate sees one that was reordered.
func TestEveryRecordedCaseReplays(t *testing.T) {
	t.Parallel()
	for _, file := range recordedOf(t, "case", len(casePaths)) {
		if err := replayAs(t, "Case", workflows.Case, file); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		reordered := func(ctx workflow.Context, in workflows.CaseInput) (workflows.CaseResult, error) {
			_ = workflow.NewTimer(ctx, 1).Get(ctx, nil)
			return workflows.Case(ctx, in)
		}
		if replayAs(t, "Case", reordered, file) == nil {
			t.Errorf("the gate let a reordered saga pass for %s", file)
		}
	}
	for _, file := range recordedOf(t, "guardian", 2) {
		if err := replayAs(t, "Guardian", workflows.Guardian, file); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}

// I-26: ids only.
func TestHistoriesOfCasesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	for _, file := range append(recordedOf(t, "case", 1), recordedOf(t, "guardian", 1)...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := decoded(raw)
		if !strings.Contains(strings.Join(plain, " "), "pay_") {
			t.Errorf("%s: its payloads can't be read, so nothing is proven", filepath.Base(file))
		}
		for _, text := range append(plain, string(raw)) {
			for _, secret := range []string{"tok_", "/pay/p", "sandbox-secret", "http://", "https://", "Bearer"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s holds %q", filepath.Base(file), secret)
				}
			}
		}
	}
}
