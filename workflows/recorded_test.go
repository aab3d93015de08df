package workflows_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

var record = flag.Bool("record", false, "record the histories of paths that have none yet")

// Each path runs on real parts; what it comes to is judged by the API, by the
// sandbox's book, by Temporal, and by the audit. With -record a path without a
// history leaves one.
func TestOnRealParts(t *testing.T) {
	t.Parallel()
	tenpay := openTenpay(t)
	s := stage.New(t, stage.Options{Wire: stage.Wire{Steps: tenpay.wire}, Risk: risk.Definition{Limits: []risk.Limit{{Currency: "CNY", MaxMinor: 50_000_00}}}})
	t.Run("sagas", func(t *testing.T) {
		for _, p := range slices.Concat(paths, captured, reviews, partPaths) {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				walk(t, s, p)
			})
		}
		for _, p := range confirmPaths {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				walkConfirm(t, s, p.name, p.then, p.status)
			})
		}
		for _, p := range refundPaths {
			t.Run("refund/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkRefund(t, s, p)
			})
		}
		for _, p := range topUpPaths {
			t.Run("topup/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkTopUp(t, s, p)
			})
		}
		for _, p := range topUpRefunds {
			t.Run("refund/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkTopUpRefund(t, s, p)
			})
		}
		t.Run("refunds of a top-up that are refused", func(t *testing.T) {
			t.Parallel()
			topUpRefusals(t, s)
		})
		for _, p := range transferPaths {
			t.Run("transfer/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkTransfer(t, s, p)
			})
		}
		for _, p := range payoutPaths {
			t.Run("payout/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkPayout(t, s, p)
			})
		}
		for _, p := range payeePaths {
			t.Run("payout/"+p.name, func(t *testing.T) {
				t.Parallel()
				tenpay.walkPayee(t, s, p)
			})
		}
		for _, p := range partRefunds {
			t.Run("refund/"+p.name, func(t *testing.T) {
				t.Parallel()
				r := p.run(t, s.Merchant(t, payment.Terms{FeeBasisPoints: 60}))
				keepRefund(t, s, p.name, r)
			})
		}
		t.Run("paid from a wallet", func(t *testing.T) {
			t.Parallel()
			paidFromWallet(t, s)
		})
		for _, p := range settlementPaths {
			t.Run("settlement/"+p.name, func(t *testing.T) {
				t.Parallel()
				walkSettlement(t, s, p)
			})
		}
		for what, holds := range settlementBehaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
		for what, holds := range payoutBehaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
		for what, holds := range refundBehaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
		for what, holds := range behaviours {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
	})
	t.Run("a tick begins what is due, once", func(t *testing.T) { tickBegins(t, s) }) // of all campaigns of the book
	for _, policy := range []string{"return", "keep"} {                               // by themselves: they want the whole machine
		t.Run("a thousand refunds at once, fee "+policy, func(t *testing.T) { thousandRefunds(t, s, policy) })
	}
	s.Audit(t)
}

func walk(t *testing.T, s *stage.Stage, p path) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60}, p.accounts...)
	id := p.run(t, m)
	var result workflows.PaymentResult
	if err := s.Client.GetWorkflow(context.Background(), workflows.PaymentID(id), "").Get(context.Background(), &result); err != nil {
		t.Fatal(err)
	}
	got := m.Get(t, id)
	if got.Status != p.status || result.Status != p.status || got.DeclineCode != p.code || got.InDoubt || got.NeedsOperator {
		t.Errorf("the payment ended as %s, want %s %q", got.Raw, p.status, p.code)
	}
	judge(t, m, id, p)
	events := historyOf(t, s, id)
	if p.transitions != 0 {
		if n := transitions(t, s, id); n != p.transitions {
			t.Errorf("the payment cost %d state transitions, and %d are promised", n, p.transitions)
		}
	}
	if *record {
		write(t, filepath.Join(histories, "payment", p.name+".json"), events)
	}
}

// judge compares with what the channel says was charged, not with what we say.
func judge(t *testing.T, m *stage.Merchant, id string, p path) {
	t.Helper()
	charges, taken := 0, 0
	for _, sb := range m.Sandboxes {
		for _, c := range sb.Lookup(id).Charges {
			charges++
			if c.State == server.Succeeded || c.State == server.Authorized {
				taken++
			}
		}
	}
	want := 0
	if p.status == payment.Paid || strings.HasSuffix(p.name, "mismatch_rejected") {
		want = 1
	}
	if charges != p.calls || taken != want {
		t.Errorf("the sandboxes show %d charges, %d of them with money; want %d and %d (I-09, I-10)", charges, taken, p.calls, want)
	}
}

func historyOf(t *testing.T, s *stage.Stage, id string) *history.History {
	t.Helper()
	return historyOfWorkflow(t, s, workflows.PaymentID(id))
}

func historyOfWorkflow(t *testing.T, s *stage.Stage, workflowID string) *history.History {
	t.Helper()
	it := s.Client.GetWorkflowHistory(context.Background(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	h := &history.History{}
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	return h
}

func transitions(t *testing.T, s *stage.Stage, id string) int64 {
	t.Helper()
	d, err := s.Client.DescribeWorkflowExecution(context.Background(), workflows.PaymentID(id), "")
	if err != nil {
		t.Fatal(err)
	}
	return d.WorkflowExecutionInfo.StateTransitionCount
}

// write keeps what was recorded before: a history is evidence, never replaced.
func write(t *testing.T, file string, h *history.History) {
	t.Helper()
	if _, err := os.Stat(file); err == nil {
		return
	}
	raw, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
