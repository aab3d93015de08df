package workflows_test

import (
	"context"
	"testing"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// path is one way through the payment's saga, on real parts. Its history is
// recorded under its name.
type path struct {
	name string
	// accounts are the merchant's channel accounts, by priority; none: one
	// sandbox on the express lane.
	accounts []stage.AccountSpec
	// run makes the payment and brings it to its end; it returns its id.
	run    func(*testing.T, *stage.Merchant) string
	status payment.Status
	code   string // the decline code
	calls  int    // how many charges stand in the sandboxes' books for it
	// transitions of the server, when they are promised.
	transitions int64
}

var (
	standard = []stage.AccountSpec{{Lane: payment.Standard}}
	silent   = []stage.AccountSpec{{Server: server.Config{CallbackTries: -1}}} // its sandbox sends no callbacks
)

func card(token string) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		return m.Pay(t, stage.Card(token), nil).ID
	}
}

// qr pays by QR code and then does something.
func qr(then func(*testing.T, *stage.Merchant, string)) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.QR, nil)
		if a.Code != 201 || a.Status != payment.RequiresAction || a.NextAction == nil || a.NextAction.Type != "qr_code" {
			t.Fatalf("a QR payment answered %d %s", a.Code, a.Raw)
		}
		then(t, m, a.ID)
		return a.ID
	}
}

func cancel(t *testing.T, m *stage.Merchant, id string) stage.Answer {
	return m.Do(t, "POST", "/v1/payments/"+id+"/cancel", "cancel-"+id, map[string]any{})
}

// operate sends an operator's Update, as the Web UI does.
func operate(t *testing.T, m *stage.Merchant, id, update string, args ...any) {
	t.Helper()
	if err := m.Stage.Update(t, id, update, args...); err != nil {
		t.Fatalf("%s: %v", update, err)
	}
}

func resolve(d payment.Decision) workflows.Resolution {
	return workflows.Resolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"}
}

var paths = []path{
	{name: "succeeded_express", run: card("tok_ok"), status: payment.Paid, calls: 1, transitions: 3},
	{name: "succeeded_standard", accounts: standard, run: card("tok_ok"), status: payment.Paid, calls: 1, transitions: 7},
	{name: "declined_soft", run: card("tok_insufficient_funds"), status: payment.Failed, code: "insufficient_funds", calls: 1, transitions: 3},
	{name: "declined_hard_standard", accounts: standard, run: card("tok_stolen"), status: payment.Failed, code: "stolen_card", calls: 1, transitions: 7},
	{name: "declined_soft_then_next_channel", accounts: []stage.AccountSpec{{Lane: payment.Express}, {Lane: payment.Express}},
		run: func(t *testing.T, m *stage.Merchant) string {
			m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "decline", "times": -1})
			return card("tok_ok")(t, m)
		}, status: payment.Paid, calls: 2},
	{name: "declined_hard_no_next_channel", accounts: []stage.AccountSpec{{Lane: payment.Express}, {Lane: payment.Express}},
		run: card("tok_stolen"), status: payment.Failed, code: "stolen_card", calls: 1},
	{name: "callback_before_the_answer", accounts: standard, run: card("tok_timeout_after"), status: payment.Paid, calls: 1},
	{name: "unknown_then_succeeded_express", accounts: silent, run: card("tok_timeout_after"), status: payment.Paid, calls: 1},
	{name: "unknown_then_absent_then_sent_again", run: card("tok_timeout_before"), status: payment.Paid, calls: 1},
	{name: "unknown_then_absent_until_closed", run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "timeout_before", "times": -1})
		return card("tok_ok")(t, m)
	}, accounts: standard, status: payment.Failed, code: "channel_unavailable", calls: 1},
	{name: "server_error_then_sent_again", run: card("tok_500"), status: payment.Paid, calls: 1},
	{name: "throttled_then_sent_again", run: card("tok_429"), status: payment.Paid, calls: 1},
	{name: "garbage_then_asked", run: card("tok_garbage"), status: payment.Paid, calls: 1},
	{name: "slow_express_then_asked", run: card("tok_slow"), status: payment.Paid, calls: 1},
	{name: "pending_then_succeeded", run: card("tok_pending"), status: payment.Paid, calls: 1},
	{name: "qr_paid_by_callback", run: qr(func(t *testing.T, m *stage.Merchant, id string) {
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id})
	}), status: payment.Paid, calls: 1},
	{name: "qr_paid_by_poll", accounts: silent,
		run: qr(func(t *testing.T, m *stage.Merchant, id string) {
			m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id})
		}), status: payment.Paid, calls: 1},
	{name: "redirect_declined_by_customer", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Redirect, map[string]any{"return_url": "https://shop.example/back"})
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "decline": true})
		return a.ID
	}, status: payment.Failed, code: "customer_declined", calls: 1},
	{name: "declined_by_callback_then_asked", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Redirect, map[string]any{"return_url": "https://shop.example/back"})
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "decline": true})
		return a.ID
	}, status: payment.Failed, code: "customer_declined", calls: 1},
	{name: "qr_canceled", run: qr(func(t *testing.T, m *stage.Merchant, id string) {
		if a := cancel(t, m, id); a.Code != 200 || a.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
	}), status: payment.Canceled, calls: 1},
	{name: "qr_paid_before_cancel", accounts: silent,
		run: qr(func(t *testing.T, m *stage.Merchant, id string) {
			m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": 2})
			m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id})
			if a := cancel(t, m, id); a.Code != 409 {
				t.Errorf("the cancel of a paid payment answered %d %s", a.Code, a.Raw)
			}
		}), status: payment.Paid, calls: 1},
	{name: "authorized_then_canceled", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
		if a.Code != 201 || a.Status != payment.Reserved {
			t.Fatalf("a manual capture answered %d %s", a.Code, a.Raw)
		}
		if c := cancel(t, m, a.ID); c.Code != 200 || c.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", c.Code, c.Raw)
		}
		return a.ID
	}, status: payment.Canceled, calls: 1},
	{name: "mismatch_accepted", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Card("tok_wrong_amount"), nil)
		m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
		operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.Accept))
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "mismatch_rejected", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Card("tok_wrong_amount"), nil)
		m.Until(t, a.ID, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
		operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.Reject))
		return a.ID
	}, status: payment.Failed, code: "amount_mismatch", calls: 1},
	{name: "unknown_marked_succeeded", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
		a := m.Pay(t, stage.Card("tok_timeout_after"), nil)
		m.Until(t, a.ID, "in doubt", func(a stage.Answer) bool { return a.InDoubt })
		operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.MarkSucceeded))
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "unknown_asked_now", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": 2})
		p := m.Receive(t, payment.Method{Type: payment.MethodCardToken, Token: "tok_timeout_after"}, time.Hour)
		start(t, m, p) // nobody waits for an answer: the doubt passes by itself
		m.Until(t, p.ID, "in doubt", func(a stage.Answer) bool { return a.InDoubt })
		operate(t, m, p.ID, workflows.UpdateAsk)
		return p.ID
	}, status: payment.Paid, calls: 1},
	{name: "qr_expired", run: func(t *testing.T, m *stage.Merchant) string {
		p := m.Receive(t, payment.Method{Type: payment.MethodQR}, 3*time.Second)
		start(t, m, p)
		return p.ID
	}, status: payment.Expired, calls: 1},
	{name: "qr_paid_just_before_expiry", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		p := m.Receive(t, payment.Method{Type: payment.MethodQR}, 10*time.Second)
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
		start(t, m, p)
		m.UntilStatus(t, p.ID, payment.RequiresAction)
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": p.ID})
		m.Until(t, p.ID, "closing", func(stage.Answer) bool { return time.Now().After(p.ExpiresAt) })
		m.Sandboxes[0].ClearScripts(t)
		return p.ID
	}, status: payment.Paid, calls: 1},
	{name: "canceled_before_the_channel", run: func(t *testing.T, m *stage.Merchant) string {
		p := m.Receive(t, payment.Method{Type: payment.MethodQR}, time.Hour)
		if a := cancel(t, m, p.ID); a.Code != 200 || a.Status != payment.Canceled {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
		return p.ID
	}, status: payment.Canceled, calls: 0},
	{name: "canceled_from_the_web_ui", run: qr(func(t *testing.T, m *stage.Merchant, id string) {
		if err := m.Stage.Client.CancelWorkflow(context.Background(), workflows.PaymentID(id), ""); err != nil {
			t.Fatal(err)
		}
	}), status: payment.Canceled, calls: 1},
	{name: "unreachable", accounts: []stage.AccountSpec{{URL: nowhere}}, run: card("tok_ok"),
		status: payment.Failed, code: "channel_unavailable", calls: 0},
	{name: "unreachable_then_next_channel", accounts: []stage.AccountSpec{{URL: nowhere, Lane: payment.Standard}, {}}, run: card("tok_ok"),
		status: payment.Paid, calls: 1},
	{name: "unknown_marked_failed", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "timeout_before", "times": -1})
		a := m.Pay(t, stage.Card("tok_ok"), nil)
		m.Until(t, a.ID, "in doubt", func(a stage.Answer) bool { return a.InDoubt })
		operate(t, m, a.ID, workflows.UpdateResolve, resolve(payment.MarkFailed))
		return a.ID
	}, status: payment.Failed, code: "operator_decision", calls: 0},
	{name: "parked_then_retried", accounts: []stage.AccountSpec{{Lane: payment.Standard, Credentials: map[string]string{"other": "x"}}},
		run: func(t *testing.T, m *stage.Merchant) string {
			a := m.Pay(t, stage.Card("tok_ok"), nil)
			m.Stage.UntilDetails(t, a.ID, "parked: charging sandbox")
			m.SetCredentials(t, 0, stage.Credentials())
			operate(t, m, a.ID, workflows.UpdateRetry)
			return a.ID
		}, status: payment.Paid, calls: 1},
	{name: "unknown_shown_to_a_person_then_known", accounts: silent, run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "ask", "fault": "500", "times": -1})
		a := m.Pay(t, stage.Card("tok_timeout_after"), nil)
		m.Until(t, a.ID, "shown to a person", func(a stage.Answer) bool { return a.NeedsOperator && a.InDoubt })
		m.Sandboxes[0].ClearScripts(t)
		return a.ID
	}, status: payment.Paid, calls: 1},
	{name: "authorization_voided_before_it_lapses", accounts: []stage.AccountSpec{{Server: server.Config{AuthorizedFor: time.Hour + 2*time.Second}}},
		run: card("tok_authorize"), status: payment.Canceled, calls: 1},
	{name: "authorized_for_another_amount_then_voided", run: func(t *testing.T, m *stage.Merchant) string {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "wrong_amount", "times": -1})
		return card("tok_authorize")(t, m)
	}, status: payment.Failed, code: "amount_mismatch", calls: 1},
	{name: "refused_by_risk", run: func(t *testing.T, m *stage.Merchant) string {
		return m.Pay(t, stage.Card("tok_ok"), map[string]any{"amount": "900000.00"}).ID
	}, status: payment.Failed, code: "risk_refused", calls: 0},
}

// nowhere is an address at which nothing listens: the discard port of a
// loopback address that nobody uses.
const nowhere = "http://127.77.77.77:9"

func start(t *testing.T, m *stage.Merchant, p payment.Payment) {
	t.Helper()
	if err := m.Stage.Starter.Start(context.Background(), p); err != nil {
		t.Fatal(err)
	}
}
