package stage

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/workflows"
)

// Case reads one; the zero case is one that isn't there.
func (m *Merchant) Case(t testing.TB, caseID string) exception.Case {
	t.Helper()
	k, err := m.Stage.Store.Case(context.Background(), m.Book, "", caseID)
	if fault.Of(err) == fault.KindNotFound {
		return exception.Case{}
	}
	must(t, err)
	return k
}

// UntilCase waits until a payment's case of a kind is as wanted.
func (m *Merchant) UntilCase(t testing.TB, paymentID string, kind exception.Kind, what string, wanted func(exception.Case) bool) (k exception.Case) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the %s of %s: %+v\n%s", kind, paymentID, k, m.Stage.pending(k.ID))
		}
	})
	Eventually(t, "the "+string(kind)+" of "+paymentID+" is "+what, func() bool {
		list, _, err := m.Stage.Store.Cases(context.Background(), exception.Filter{Book: m.Book, PaymentID: paymentID, Kind: kind, Limit: 10})
		must(t, err)
		for _, one := range list {
			if k = one; wanted(one) {
				return true
			}
		}
		return false
	})
	return k
}

// UntilCaseIs waits until a payment's case of a kind has come this far.
func (m *Merchant) UntilCaseIs(t testing.TB, paymentID string, kind exception.Kind, s exception.State) exception.Case {
	t.Helper()
	return m.UntilCase(t, paymentID, kind, string(s), func(k exception.Case) bool { return k.State() == s })
}

// Decide posts a decision of a case over the API, and returns the status and
// what was answered.
func (m *Merchant) Decide(t testing.TB, k exception.Case, d exception.Decision) (int, exception.Public) {
	t.Helper()
	a := m.Do(t, http.MethodPost, "/v1/cases/"+k.Path()+"/resolve", "decide-"+string(d)+"-"+k.ID,
		map[string]any{"decision": d, "reason": "seen in the channel's back office"})
	var v exception.Public
	if a.Code < 400 {
		must(t, json.Unmarshal(a.Raw, &v))
	}
	return a.Code, v
}

// ResolveCase sends an operator's Update to a case's saga, as from the Web UI,
// and waits for its answer.
func (s *Stage) ResolveCase(t testing.TB, caseID string, r workflows.CaseResolution) error {
	t.Helper()
	h, err := s.Client.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
		WorkflowID: caseID, UpdateName: workflows.UpdateResolve, Args: []any{r}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return err
	}
	return h.Get(context.Background(), nil)
}

// Suspense is what stands on suspense at one of the merchant's accounts for a
// kind of case.
func (m *Merchant) Suspense(t testing.TB, account int, kind exception.Kind) int64 {
	t.Helper()
	return -m.Stage.Count(t, "SELECT coalesce(sum(balance), 0)::bigint FROM accounts WHERE book = $1 AND code = $2", string(m.Book),
		strings.Join([]string{"suspense", m.Sandboxes[account].Account, string(kind)}, "/"))
}

// pending says what a run is trying in vain.
func (s *Stage) pending(workflowID string) (said string) {
	d, err := s.Client.DescribeWorkflowExecution(context.Background(), workflowID, "")
	if err != nil {
		return err.Error()
	}
	said = d.WorkflowExecutionInfo.Status.String() + "\n"
	if v, err := s.Client.QueryWorkflow(context.Background(), workflowID, "", "__temporal_workflow_metadata"); err == nil {
		var meta sdk.WorkflowMetadata
		if v.Get(&meta) == nil {
			said += meta.CurrentDetails + "\n"
		}
	}
	for _, a := range d.PendingActivities {
		said += a.ActivityType.Name + ": " + a.LastFailure.GetMessage() + "\n"
	}
	return said
}
