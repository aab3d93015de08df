package workflows_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// topUpPath is one way through a top-up's saga, on real parts. The saga is a payment's: what is its own are the ends of its money.
type topUpPath struct {
	name     string
	accounts []stage.AccountSpec
	method   map[string]any
	then     func(t *testing.T, m *stage.Merchant, topUpID string)
	status   payment.Status
	credited int64
}

var topUpPaths = []topUpPath{
	{name: "succeeded_express", method: stage.Card("tok_ok"), status: payment.Paid, credited: 1000},
	{name: "succeeded_standard", accounts: standard, method: stage.Card("tok_ok"), status: payment.Paid, credited: 1000},
	{name: "declined", method: stage.Card("tok_stolen"), status: payment.Failed},
	{name: "unknown_then_succeeded", accounts: silent, method: stage.Card("tok_timeout_after"), status: payment.Paid, credited: 1000},
	{name: "qr_paid", method: stage.QR, status: payment.Paid, credited: 1000, then: func(t *testing.T, m *stage.Merchant, one string) {
		m.UntilTopUp(t, one, "shown", func(a stage.TopUpAnswer) bool { return a.NextAction != nil })
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": one})
	}},
	{name: "another_amount_accepted", method: stage.Card("tok_wrong_amount"), status: payment.Paid, credited: 1001, then: decidesTopUp(payment.Accept)},
	{name: "another_amount_rejected", method: stage.Card("tok_wrong_amount"), status: payment.Failed, then: decidesTopUp(payment.Reject)},
	{name: "qr_canceled", method: stage.QR, status: payment.Canceled, then: func(t *testing.T, m *stage.Merchant, one string) {
		if a := m.Do(t, http.MethodPost, "/v1/topups/"+one+"/cancel", "c-1", map[string]any{}); a.Code != 200 && a.Code != 202 {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
	}},
}

// decidesTopUp decides about what waits for a person.
func decidesTopUp(d payment.Decision) func(*testing.T, *stage.Merchant, string) {
	return func(t *testing.T, m *stage.Merchant, one string) {
		m.UntilTopUp(t, one, "parked", func(a stage.TopUpAnswer) bool { return a.NeedsOperator })
		if err := m.Stage.Update(t, one, workflows.UpdateResolve, workflows.Resolution{Decision: d, Actor: "ada", Reason: "the user says so"}); err != nil {
			t.Errorf("%s: %v", d, err)
		}
		if d == payment.Reject {
			stage.Eventually(t, "what came is given back", func() bool {
				return m.Stage.Count(t, "SELECT count(*) FROM refunds WHERE payment_id = $1 AND status = 'succeeded'", one) == 1
			})
		}
	}
}

func walkTopUp(t *testing.T, s *stage.Stage, p topUpPath) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60, SettlementDays: 2}, p.accounts...) // neither is a top-up's business
	user := m.User(t, 0)
	a := m.TopUp(t, user, "10.00", p.method)
	if a.Code != 201 && a.Code != 202 {
		t.Fatalf("it answered %d %s", a.Code, a.Raw)
	}
	if p.then != nil {
		p.then(t, m, a.ID)
	}
	var result workflows.PaymentResult
	ctx := context.Background()
	if err := s.Client.GetWorkflow(ctx, "topup/"+a.ID, "").Get(ctx, &result); err != nil || result.Status != p.status {
		t.Errorf("the saga ended as %+v %v", result, err)
	}
	got := m.GetTopUp(t, a.ID)
	if got.Status != p.status || got.InDoubt || got.NeedsOperator || got.UserID != user || strings.Contains(string(got.Raw), "order") {
		t.Errorf("it ended as %s", got.Raw)
	}
	if s.Wallet(t, user) != p.credited || s.Balance(t, "channel/"+m.Sandboxes[0].Account+"/clearing") != p.credited {
		t.Errorf("the wallet holds %d", s.Wallet(t, user))
	}
	if n := s.Balance(t, "merchant/"+m.ID+"/pending") + s.Balance(t, "merchant/"+m.ID+"/available"); n != 0 {
		t.Errorf("the merchant has %d of it", n)
	}
	taken := 0
	for _, c := range m.Sandboxes[0].Lookup(a.ID).Charges {
		if c.State == server.Succeeded {
			taken++
		}
	}
	want := 0
	if p.status == payment.Paid || p.name == "another_amount_rejected" {
		want = 1
	}
	if taken != want {
		t.Errorf("the sandbox shows %d charges with money, want %d (I-09)", taken, want)
	}
	if *record {
		write(t, filepath.Join(histories, "topup", p.name+".json"), historyOfWorkflow(t, s, "topup/"+a.ID))
	}
}

// I-27: every recorded history of a top-up replays, and none against a saga that was reordered.
func TestEveryTopUpHistoryReplays(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "topup", "*.json"))
	if err != nil || len(files) < len(topUpPaths) {
		t.Fatalf("there are %d recorded histories of top-ups, and there have to be %d or more: %v", len(files), len(topUpPaths), err)
	}
	reordered := func(ctx workflow.Context, in workflows.PaymentInput) (workflows.PaymentResult, error) {
		if err := workflow.NewTimer(ctx, 1).Get(ctx, nil); err != nil {
			return workflows.PaymentResult{}, err
		}
		return workflows.TopUp(ctx, in)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
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
			if err := replayTopUp(t, workflows.TopUp, file); err != nil {
				t.Error(err)
			}
			if replayTopUp(t, reordered, file) == nil {
				t.Error("the gate let a reordered saga pass")
			}
		})
	}
}

func replayTopUp(t *testing.T, saga any, file string) error {
	t.Helper()
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors: []interceptor.WorkerInterceptor{&workflows.Strict{}}})
	if err != nil {
		t.Fatal(err)
	}
	r.RegisterWorkflowWithOptions(saga, workflow.RegisterOptions{Name: "TopUp"})
	return r.ReplayWorkflowHistoryFromJSONFile(nil, file)
}
