package workflows_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// Each path of a case runs on real parts: the sandbox's book says what was
// given back, the ledger what stands on suspense, the audit the rest.
func TestCasesOnRealParts(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{Wire: stage.Wire{Steps: withBlindness}})
	t.Run("sagas", func(t *testing.T) {
		for _, p := range slices.Concat(casePaths, recheckPaths) {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				walkCase(t, s, p)
			})
		}
		for what, holds := range caseBehaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
	})
	s.Audit(t)
}

func walkCase(t *testing.T, s *stage.Stage, p casePath) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60, Policies: p.policies}, p.accounts...)
	id := p.run(t, m)
	k := m.UntilCaseIs(t, id, p.kind, exception.Closed)
	var result workflows.CaseResult
	if err := s.Client.GetWorkflow(context.Background(), k.ID, "").Get(context.Background(), &result); err != nil {
		t.Fatal(err)
	}
	if k.Decision != p.decision || result.Decision != p.decision || !strings.HasPrefix(k.Actor, p.actor) || k.Parked != "" {
		t.Errorf("the case ended with %s by %s (%s), want %s by %s", k.Decision, k.Actor, k.Parked, p.decision, p.actor)
	}
	if a := m.UntilStatus(t, id, p.status); a.AmountCaptured != p.captured || a.NeedsOperator {
		t.Errorf("the payment ended as %s, want %s of %s", a.Raw, p.captured, p.status)
	}
	if p.kind == exception.PartialPayment || p.kind == exception.AmountMismatch { // the payment's saga has heard of it
		var r workflows.PaymentResult
		if err := s.Client.GetWorkflow(context.Background(), workflows.PaymentID(id), "").Get(context.Background(), &r); err != nil || r.Status != p.status {
			t.Errorf("the payment's saga ended with %v, %v", r, err)
		}
	}
	judgeCase(t, m, k, p)
	if *record {
		write(t, filepath.Join(histories, "case", p.name+".json"), historyOfWorkflow(t, s, k.ID))
	}
}

// judgeCase compares with what the channels say they gave back.
func judgeCase(t *testing.T, m *stage.Merchant, k exception.Case, p casePath) {
	t.Helper()
	refunded := int64(0)
	for _, sb := range m.Sandboxes {
		for _, minor := range sb.Summarize().Refunded {
			refunded += minor
		}
	}
	if refunded != p.refunded {
		t.Errorf("the sandboxes gave back %d, want %d (I-11)", refunded, p.refunded)
	}
	left := int64(0)
	if k.Decision == exception.WriteOff {
		left = k.Amount.Minor
	}
	for i := range m.Sandboxes {
		if got := m.Suspense(t, i, p.kind); got != left {
			t.Errorf("suspense holds %d, want %d (I-17)", got, left)
		}
	}
}
