package workflows_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/workflows"
)

const histories = "testdata/histories"

// replayer replays with the parts of production.
func replayer(t *testing.T, saga any) worker.WorkflowReplayer {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: "Payment"})
	return r
}

func recorded(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, "payment", "*.json"))
	if err != nil || len(files) < 18 {
		t.Fatalf("there are %d recorded histories, and there have to be 18 or more: %v", len(files), err)
	}
	return files
}

// I-27: every recorded history replays against the saga as it is now.
func TestEveryRecordedHistoryReplays(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			if err := replayer(t, workflows.Payment).ReplayWorkflowHistoryFromJSONFile(nil, file); err != nil {
				t.Error(err)
			}
		})
	}
}

// A saga that does one thing more, before everything else, must be refused for
// each history: a gate that can't fail proves nothing.
func TestTheGateSeesASagaThatWasReordered(t *testing.T) {
	t.Parallel()
	reordered := func(ctx workflow.Context, in workflows.PaymentInput) (workflows.PaymentResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.PaymentResult{}, err
		}
		return workflows.Payment(ctx, in)
	}
	for _, file := range recorded(t) {
		if err := replayer(t, reordered).ReplayWorkflowHistoryFromJSONFile(nil, file); err == nil {
			t.Errorf("the gate let a reordered saga pass for %s", file)
		}
	}
}

// A history that was cut short must not pass for a whole one.
func TestTheGateSeesAMissingFile(t *testing.T) {
	t.Parallel()
	err := replayer(t, workflows.Payment).ReplayWorkflowHistoryFromJSONFile(nil, filepath.Join(histories, "payment", "no_such_path.json"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// I-26: what was recorded holds ids only: no token, no link a customer could
// pay by, no credential, no address.
func TestHistoriesHoldNoSecrets(t *testing.T) {
	t.Parallel()
	for _, file := range recorded(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := decoded(raw)
		if len(plain) == 0 || !strings.Contains(strings.Join(plain, " "), "payment_id") {
			t.Errorf("%s: its payloads can't be read, so nothing is proven", filepath.Base(file))
		}
		for _, text := range append(plain, string(raw)) {
			for _, secret := range []string{"tok_", "/pay/", "sandbox-secret", "http://", "https://", "shop.example", "Bearer"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s holds %q", filepath.Base(file), secret)
				}
			}
		}
	}
}

// decoded are the payloads of a history in plain text.
func decoded(raw []byte) []string {
	var list []string
	for _, m := range regexp.MustCompile(`"data": *"([A-Za-z0-9+/=]+)"`).FindAllSubmatch(raw, -1) {
		if plain, err := base64.StdEncoding.DecodeString(string(m[1])); err == nil {
			list = append(list, string(plain))
		}
	}
	return list
}
