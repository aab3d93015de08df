package workflows_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// refundPath is one way through the refund's saga, on real parts.
type refundPath struct {
	name     string
	accounts []stage.AccountSpec
	token    string // of the card that paid; default tok_ok
	// run makes the refund and brings it to its end; it returns its id.
	run    func(t *testing.T, m *stage.Merchant, paymentID string) string
	status refund.Status
	code   string // why it failed
	given  int    // how many refunds succeeded at the sandbox
}

// spaced is a sandbox that says how it wants its refunds spaced.
type spaced struct{ *sandbox.Channel }

const (
	spacedName = "spaced"
	apart      = 1500 * time.Millisecond
)

func (s spaced) Describe() channels.Description {
	d := s.Channel.Describe()
	d.Name = spacedName
	return d
}

func withSpacing(c *activities.Config) {
	plain := sandbox.New(wire.New(wire.Config{}))
	c.Channels = channels.NewRegistry(plain, spaced{plain.Spaced(sandbox.Spacing{MinInterval: apart, Max: 2})})
	withConfirming(c)
}

// refunds posts a refund, which has to end by itself.
func refunds(amount string) func(*testing.T, *stage.Merchant, string) string {
	return func(t *testing.T, m *stage.Merchant, paymentID string) string {
		r := m.Refund(t, paymentID, "refund-"+amount, amount)
		if r.Code != 201 && r.Code != 202 {
			t.Fatalf("the refund answered %d %s", r.Code, r.Raw)
		}
		m.UntilRefund(t, r.ID, "ended", func(a stage.RefundAnswer) bool { return a.Status.Terminal() })
		return r.ID
	}
}

// paidBy is a payment that was paid by a sandbox card.
func paidBy(t *testing.T, m *stage.Merchant, token string) string {
	t.Helper()
	id := m.Pay(t, stage.Card(token), nil).ID
	m.UntilStatus(t, id, payment.Paid)
	return id
}

// decided lets a refund park, and decides.
func decided(d refund.Decision) func(*testing.T, *stage.Merchant, string) string {
	return func(t *testing.T, m *stage.Merchant, paymentID string) string {
		r := m.ReceiveRefund(t, paymentID, 1000)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		decide(t, m, r, d)
		return r
	}
}

func decide(t *testing.T, m *stage.Merchant, refundID string, d refund.Decision) {
	t.Helper()
	in := workflows.OutResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"}
	if err := m.Stage.UpdateRefund(refundID, workflows.UpdateResolve, in); err != nil {
		t.Fatalf("%s: %v", d, err)
	}
}

// spoiled scripts the sandbox before the refund is asked for.
func spoiled(operation, fault string, times int, run func(*testing.T, *stage.Merchant, string) string) func(*testing.T, *stage.Merchant, string) string {
	return func(t *testing.T, m *stage.Merchant, paymentID string) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": operation, "fault": fault, "times": times})
		return run(t, m, paymentID)
	}
}

var refundPaths = []refundPath{
	{name: "full_express", run: refunds(""), status: refund.Succeeded, given: 1},
	{name: "partial_standard", accounts: standard, run: refunds("2.34"), status: refund.Succeeded, given: 1},
	{name: "many", run: func(t *testing.T, m *stage.Merchant, p string) string {
		for _, amount := range []string{"5.00", "7.00", "0.30"} {
			refunds(amount)(t, m, p)
		}
		if r := m.Refund(t, p, "too-much", "0.05"); r.Code != 409 || r.Problem != "refund_exceeds_payment" || r.Refundable != "0.04" {
			t.Errorf("more than what is left answered %d %s", r.Code, r.Raw)
		}
		return refunds("")(t, m, p)
	}, status: refund.Succeeded, given: 1},
	{name: "unknown_then_succeeded", accounts: silent, run: spoiled("refund", "timeout_after", 1, refunds("")), status: refund.Succeeded, given: 1},
	{name: "unknown_then_absent_then_sent_again", accounts: silent, run: spoiled("refund", "timeout_before", 1, refunds("")), status: refund.Succeeded, given: 1},
	{name: "unknown_then_failed", accounts: silent, run: spoiled("refund", "timeout_before", 1, refunds("")), token: "tok_refund_declined",
		status: refund.Failed, code: "account_closed"},
	{name: "server_error_standard", accounts: standard, run: spoiled("refund", "500", 1, refunds("")), status: refund.Succeeded, given: 1},
	{name: "throttled", run: spoiled("refund", "429", 1, refunds("")), status: refund.Succeeded, given: 1},
	{name: "declined_for_good", token: "tok_refund_declined", run: refunds(""), status: refund.Failed, code: "account_closed"},
	{name: "pending_then_callback", token: "tok_refund_pending", run: refunds(""), status: refund.Succeeded, given: 1},
	{name: "pending_then_polled", accounts: silent, token: "tok_refund_pending", run: refunds(""), status: refund.Succeeded, given: 1},
	{name: "callback_before_the_answer", accounts: standard, run: spoiled("refund", "timeout_after", 1, refunds("")), status: refund.Succeeded, given: 1},
	{name: "abnormal_then_retried", token: "tok_refund_abnormal", run: decided(refund.Retry), status: refund.Succeeded, given: 1},
	{name: "abnormal_then_paid_elsewhere", token: "tok_refund_abnormal", run: decided(refund.PayElsewhere), status: refund.Succeeded},
	{name: "abnormal_then_written_off", token: "tok_refund_abnormal", run: decided(refund.WriteOff), status: refund.Failed, code: "written_off"},
	{name: "abnormal_then_settled_by_itself", token: "tok_refund_abnormal", run: func(t *testing.T, m *stage.Merchant, p string) string {
		r := m.ReceiveRefund(t, p, 1000)
		m.UntilRefund(t, r, "parked", func(a stage.RefundAnswer) bool { return a.NeedsOperator })
		m.Sandboxes[0].Admin(t, "refund", map[string]any{"reference": r, "act": "settle"})
		return r
	}, status: refund.Succeeded, given: 1},
	{name: "another_amount_then_marked", token: "tok_refund_wrong_amount", run: decided(refund.MarkSucceeded), status: refund.Succeeded, given: 1},
	{name: "shown_to_a_person_then_known", accounts: silent, run: func(t *testing.T, m *stage.Merchant, p string) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask_refund", "fault": "500", "times": -1})
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "refund", "fault": "timeout_after", "times": 1})
		r := m.ReceiveRefund(t, p, 1000)
		m.UntilRefund(t, r, "shown to a person", func(a stage.RefundAnswer) bool { return a.NeedsOperator && a.InDoubt })
		m.Sandboxes[0].ClearScripts(t)
		return r
	}, status: refund.Succeeded, given: 1},
	{name: "spaced_by_the_channel", accounts: []stage.AccountSpec{{Channel: spacedName}}, run: func(t *testing.T, m *stage.Merchant, p string) string {
		m.Sandboxes[0].SetSpacing(server.Spacing{MinInterval: apart})
		first, second := m.ReceiveRefund(t, p, 100), m.ReceiveRefund(t, p, 200)
		for _, r := range []string{first, second} {
			m.UntilRefund(t, r, "done", func(a stage.RefundAnswer) bool { return a.Status == refund.Succeeded })
		}
		if n := len(m.Sandboxes[0].Lookup(first).Refunds) + len(m.Sandboxes[0].Lookup(second).Refunds); n != 2 {
			t.Errorf("the sandbox shows %d refunds", n)
		}
		calls := int64(0) // they are noted a moment after they were made
		stage.Eventually(t, "both calls are noted", func() bool {
			calls = m.Stage.Count(t, "SELECT count(*) FROM channel_calls WHERE business_id = ANY($1) AND operation = 'refund'", []string{first, second})
			return calls >= 2
		})
		if calls != 2 {
			t.Errorf("%d calls were made: the channel was asked too soon", calls)
		}
		return second
	}, status: refund.Succeeded, given: 1},
	{name: "more_than_the_channel_takes_then_paid_elsewhere", accounts: []stage.AccountSpec{{Channel: spacedName}}, run: func(t *testing.T, m *stage.Merchant, p string) string {
		for range 2 {
			r := m.ReceiveRefund(t, p, 100)
			m.UntilRefund(t, r, "done", func(a stage.RefundAnswer) bool { return a.Status == refund.Succeeded })
		}
		return decided(refund.PayElsewhere)(t, m, p)
	}, status: refund.Succeeded},
	{name: "parked_then_retried_by_the_operator", accounts: standard, run: func(t *testing.T, m *stage.Merchant, p string) string {
		m.SetCredentials(t, 0, map[string]string{"other": "x"})
		r := m.ReceiveRefund(t, p, 1000)
		m.Stage.UntilDetailsOf(t, workflows.RefundID(r), "parked: refunding at sandbox")
		m.SetCredentials(t, 0, stage.Credentials())
		if err := m.Stage.UpdateRefund(r, workflows.UpdateRetry); err != nil {
			t.Fatal(err)
		}
		return r
	}, status: refund.Succeeded, given: 1},
}

func walkRefund(t *testing.T, s *stage.Stage, p refundPath) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60}, p.accounts...)
	if p.token == "" {
		p.token = "tok_ok"
	}
	paid := paidBy(t, m, p.token)
	before := s.Balance(t, "merchant/"+m.ID+"/available")
	id := p.run(t, m, paid)
	var result workflows.RefundResult
	ctx := context.Background()
	if err := s.Client.GetWorkflow(ctx, workflows.RefundID(id), "").Get(ctx, &result); err != nil {
		t.Fatal(err)
	}
	got := m.GetRefund(t, id)
	if got.Status != p.status || result.Status != p.status || got.FailureCode != p.code || got.InDoubt || got.NeedsOperator {
		t.Errorf("the refund ended as %s, want %s %q", got.Raw, p.status, p.code)
	}
	given := 0
	for _, r := range m.Sandboxes[0].Lookup(id).Refunds {
		if r.State == server.Succeeded {
			given++
		}
	}
	if given != p.given {
		t.Errorf("the sandbox shows %d refunds that succeeded, want %d (I-11): %+v", given, p.given, m.Sandboxes[0].Lookup(id).Refunds)
	}
	if p.status == refund.Failed && s.Balance(t, "merchant/"+m.ID+"/available") != before {
		t.Errorf("a refund that failed isn't as if it had never been (I-07)")
	}
	if n := s.Balance(t, "merchant/"+m.ID+"/refunding"); n != 0 {
		t.Errorf("%d stand set aside still", n)
	}
	if *record {
		write(t, filepath.Join(histories, "refund", p.name+".json"), historyOfWorkflow(t, s, workflows.RefundID(id)))
	}
}
