package workflows_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/domain/payment"
	"paysaga/domain/transfer"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// transferPath is one way through the transfer's saga, on real parts.
type transferPath struct {
	name        string
	run         func(t *testing.T, m *stage.Merchant, from, to string) string
	status      transfer.Status
	code        string
	moved       int64
	transitions int64
}

var transferPaths = []transferPath{
	{name: "succeeded", run: func(t *testing.T, m *stage.Merchant, from, to string) string {
		a := m.Transfer(t, from, to, "6.00")
		if a.Code != 201 || a.Status != transfer.Succeeded {
			t.Errorf("it answered %d %s", a.Code, a.Raw)
		}
		if more := m.Transfer(t, from, to, "4.01"); more.Code != 409 || more.Problem != "insufficient_balance" || more.Available != "4.00" {
			t.Errorf("more than there is answered %d %s", more.Code, more.Raw)
		}
		return a.ID
	}, status: transfer.Succeeded, moved: 600, transitions: 3},
	{name: "spent_meanwhile", run: func(t *testing.T, m *stage.Merchant, from, to string) string {
		late := m.ReceiveTransfer(t, from, to, 600)
		if first := m.Transfer(t, from, to, "6.00"); first.Code != 201 {
			t.Fatalf("it answered %d %s", first.Code, first.Raw)
		}
		return late.ID // a relay starts what nobody did (I-19)
	}, status: transfer.Failed, code: "insufficient_balance", moved: 600},
	{name: "frozen_meanwhile", run: func(t *testing.T, m *stage.Merchant, from, to string) string {
		one := m.ReceiveTransfer(t, from, to, 600)
		m.SetUserStatus(t, to, "frozen")
		if err := m.Stage.Starter.StartTransfer(context.Background(), one); err != nil {
			t.Fatal(err)
		}
		return one.ID
	}, status: transfer.Failed, code: "recipient_frozen"},
}

func walkTransfer(t *testing.T, s *stage.Stage, p transferPath) {
	m := s.Merchant(t, payment.Terms{})
	from, to := m.User(t, 1000), m.User(t, 0)
	one := p.run(t, m, from, to)
	got := m.UntilTransfer(t, one)
	if got.Status != p.status || got.FailureCode != p.code {
		t.Errorf("it ended as %s, want %s %q", got.Raw, p.status, p.code)
	}
	var result workflows.TransferState
	ctx := context.Background()
	if err := s.Client.GetWorkflow(ctx, workflows.TransferID(one), "").Get(ctx, &result); err != nil || result.Status != p.status {
		t.Errorf("the saga says %+v %v", result, err)
	}
	if s.Wallet(t, from) != 1000-p.moved || s.Wallet(t, to) != p.moved {
		t.Errorf("the wallets hold %d and %d", s.Wallet(t, from), s.Wallet(t, to))
	}
	if p.transitions != 0 {
		d, err := s.Client.DescribeWorkflowExecution(ctx, workflows.TransferID(one), "")
		if err != nil {
			t.Fatal(err)
		}
		if n := d.WorkflowExecutionInfo.StateTransitionCount; n > p.transitions {
			t.Errorf("it cost %d state transitions, and %d are promised", n, p.transitions)
		}
	}
	if *record {
		write(t, filepath.Join(histories, "transfer", p.name+".json"), historyOfWorkflow(t, s, workflows.TransferID(one)))
	}
}

// I-27: every recorded history of a transfer replays, and none against a saga that was reordered.
func TestEveryTransferHistoryReplays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "transfer", "*.json"))
	if err != nil || len(files) < len(transferPaths) {
		t.Fatalf("there are %d recorded histories of transfers, and there have to be %d or more: %v", len(files), len(transferPaths), err)
	}
	reordered := func(ctx workflow.Context, in workflows.TransferInput) (workflows.TransferState, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.TransferState{}, err
		}
		return workflows.Transfer(ctx, in)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil || strings.Contains(string(raw), "Bearer") {
				t.Errorf("it can't be read, or holds a secret: %v", err)
			}
			if err := replayTransfer(t, workflows.Transfer, file); err != nil {
				t.Error(err)
			}
			if replayTransfer(t, reordered, file) == nil {
				t.Error("the gate let a reordered saga pass")
			}
		})
	}
}

func replayTransfer(t *testing.T, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: "Transfer"})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}
