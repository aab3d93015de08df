package workflows_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// blind is a channel that can't close what it doesn't know: at the accounts
// named, a cancel finds nothing and leaves nothing behind, so a request that is
// still on its way may arrive later.
type blind struct {
	channels.Channel
	at *sync.Map
}

func (b blind) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	if _, ok := b.at.Load(c.Account.ID); ok {
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return b.Channel.Cancel(ctx, c, r)
}

// blinded are the accounts whose channel is blind.
var blinded sync.Map

func withBlindChannel(c *activities.Config) {
	c.Channels = channels.NewRegistry(blind{sandbox.New(wire.New(wire.Config{})), &blinded})
}

// arrivesLate gives an attempt up that its channel knows nothing of, has the
// payment paid over the next channel, and then lets the first request arrive:
// nobody calls back, so only who watches can know (I-09, I-10).
func arrivesLate(t *testing.T, m *stage.Merchant) string {
	blinded.Store(m.Sandboxes[0].Account, true)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "timeout_before", "times": -1})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	m.UntilStatus(t, a.ID, payment.Paid)
	m.Sandboxes[0].ClearScripts(t)
	m.Sandboxes[0].ChargeUnknown(t, a.ID, "")
	return a.ID
}

// guarded sees the watch end with the success, and records it.
func guarded(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: payment.Standard}, stage.AccountSpec{})
	id := arrivesLate(t, m)
	guardian := "guardian/" + id + "/ch1"
	var r workflows.GuardianResult
	if err := s.Client.GetWorkflow(context.Background(), guardian, "").Get(context.Background(), &r); err != nil || r.Verdict != payment.Succeeded {
		t.Errorf("the guardian ended with %v, %v", r, err)
	}
	k := m.UntilCaseIs(t, id, exception.DuplicatePayment, exception.Closed)
	if k.Decision != exception.Return || k.Amount.Minor != 100 || m.Sandboxes[0].Summarize().Refunded["CNY"] != 100 {
		t.Errorf("the late charge ended as %+v, and the sandbox gave back %d", k, m.Sandboxes[0].Summarize().Refunded["CNY"])
	}
	if *record {
		write(t, filepath.Join(histories, "guardian", "arrived_late.json"), historyOfWorkflow(t, s, guardian))
		write(t, filepath.Join(histories, "payment", "given_up_and_guarded.json"), historyOf(t, s, id))
	}
}

// watchedInVain watches in vain, and ends.
func watchedInVain(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{Lane: payment.Standard}, stage.AccountSpec{})
	blinded.Store(m.Sandboxes[0].Account, true)
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "timeout_before", "times": -1})
	a := m.Pay(t, stage.Card("tok_ok"), nil)
	m.UntilStatus(t, a.ID, payment.Paid)
	guardian := "guardian/" + a.ID + "/ch1"
	var r workflows.GuardianResult
	if err := s.Client.GetWorkflow(context.Background(), guardian, "").Get(context.Background(), &r); err != nil || r.Verdict != "" {
		t.Errorf("the guardian ended with %v, %v", r, err)
	}
	if n := len(historyOfWorkflow(t, s, guardian).Events); n > 20 {
		t.Errorf("the watch has %d events: a poll doesn't grow the history", n)
	}
	if *record {
		write(t, filepath.Join(histories, "guardian", "watched_in_vain.json"), historyOfWorkflow(t, s, guardian))
	}
}
