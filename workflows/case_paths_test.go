package workflows_test

import (
	"net/http"
	"testing"
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// casePath is one way through the saga of a case, on real parts. Its history is
// recorded under its name.
type casePath struct {
	name     string
	accounts []stage.AccountSpec
	policies exception.Policies
	// run brings a payment into the exception, and settles it; it returns the
	// payment's id.
	run  func(*testing.T, *stage.Merchant) string
	kind exception.Kind
	// How the case ends, and what becomes of its payment.
	decision exception.Decision
	actor    string // "policy", or who decided: "ada" in the Web UI, "key" over the API
	status   payment.Status
	captured string
	// refunded is what the sandboxes gave back in the end, in minor units.
	refunded int64
}

// taken pays a QR code with something else than was asked for.
func taken(amount int64, currency string, then func(*testing.T, *stage.Merchant, string)) func(*testing.T, *stage.Merchant) string {
	return qr(func(t *testing.T, m *stage.Merchant, id string) {
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id, "amount_minor": amount, "currency": currency})
		then(t, m, id)
	})
}

// nobody leaves it to the policy.
func nobody(*testing.T, *stage.Merchant, string) {}

// overAPI decides with the merchant's key.
func overAPI(kind exception.Kind, d exception.Decision) func(*testing.T, *stage.Merchant, string) {
	return func(t *testing.T, m *stage.Merchant, id string) {
		k := m.UntilCaseIs(t, id, kind, exception.Open)
		if code, v := m.Decide(t, k, d); code != http.StatusOK || (v.Decision != d && d != exception.Wait) {
			t.Errorf("the decision answered %d %+v", code, v)
		}
	}
}

// inWebUI decides as an operator does from the Temporal Web UI.
func inWebUI(kind exception.Kind, d exception.Decision) func(*testing.T, *stage.Merchant, string) {
	return func(t *testing.T, m *stage.Merchant, id string) {
		k := m.UntilCase(t, id, kind, "taken over", func(k exception.Case) bool { return k.Taken })
		if err := m.Stage.ResolveCase(t, k.ID, workflows.CaseResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"}); err != nil {
			t.Error(err)
		}
	}
}

// afterEnd cancels or lets expire a QR payment, which is then paid after all.
func afterEnd(end func(*testing.T, *stage.Merchant) string) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		id := end(t, m)
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id, "after_close": true})
		return id
	}
}

func canceled(t *testing.T, m *stage.Merchant) string {
	a := m.Pay(t, stage.QR, nil)
	cancel(t, m, a.ID)
	m.UntilStatus(t, a.ID, payment.Canceled)
	return a.ID
}

func expired(t *testing.T, m *stage.Merchant) string {
	p := m.Receive(t, payment.Method{Type: payment.MethodQR}, 3*time.Second)
	start(t, m, p)
	m.UntilStatus(t, p.ID, payment.Expired)
	return p.ID
}

// failedOver is declined by the first channel and paid at the second.
func failedOver(t *testing.T, m *stage.Merchant) string {
	m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "decline", "times": 1})
	return m.Pay(t, stage.Card("tok_ok"), nil).ID
}

// twice pays one order by two payments in flight at once.
func twice(second func(*testing.T, *stage.Merchant)) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		one := m.Pay(t, stage.QR, nil)
		second(t, m)
		two := m.Do(t, http.MethodPost, "/v1/payments", "second", map[string]any{"order_id": one.OrderID, "amount": "12.34", "currency": "CNY", "method": stage.QR})
		for _, a := range []stage.Answer{one, two} {
			for _, sb := range m.Sandboxes {
				if len(sb.Lookup(a.ID).Charges) == 1 && sb.Lookup(a.ID).Charges[0].State == "pending" {
					sb.Admin(t, "pay", map[string]any{"reference": a.ID})
				}
			}
			m.UntilStatus(t, a.ID, payment.Paid)
		}
		return two.ID
	}
}

// paysRest pays what a partial payment has left of its order.
func paysRest(t *testing.T, m *stage.Merchant, id string) {
	m.UntilCase(t, id, exception.PartialPayment, "waiting", func(k exception.Case) bool { return k.Taken && k.Policy.Do == exception.Wait })
	a := m.Do(t, http.MethodPost, "/v1/payments", "rest", map[string]any{"order_id": m.Get(t, id).OrderID, "amount": "2.34", "currency": "CNY",
		"method": stage.Card("tok_ok"), "allow_partial": true})
	if a.Code != http.StatusCreated {
		t.Fatalf("the rest answered %d %s", a.Code, a.Raw)
	}
}

func with(kind exception.Kind, p exception.Policy) exception.Policies {
	return exception.Policies{kind: p}
}

var (
	two  = []stage.AccountSpec{{}, {}}
	wait = with(exception.PartialPayment, exception.Policy{Do: exception.Wait, After: time.Hour, Then: exception.Return})
	soon = exception.Policy{Do: exception.Ask, After: 2 * time.Second, Then: exception.Return}
)

var casePaths = []casePath{
	{name: "partial_accepted_by_an_operator", run: taken(1000, "CNY", inWebUI(exception.PartialPayment, exception.Accept)),
		kind: exception.PartialPayment, decision: exception.Accept, actor: "ada", status: payment.Paid, captured: "10.00"},
	{name: "partial_waited_for_the_rest", policies: wait, run: taken(1000, "CNY", paysRest),
		kind: exception.PartialPayment, decision: exception.Accept, actor: "policy", status: payment.Paid, captured: "10.00"},
	{name: "partial_told_to_wait_for_the_rest", run: taken(1000, "CNY", func(t *testing.T, m *stage.Merchant, id string) {
		overAPI(exception.PartialPayment, exception.Wait)(t, m, id)
		paysRest(t, m, id)
	}), kind: exception.PartialPayment, decision: exception.Accept, actor: "policy", status: payment.Paid, captured: "10.00"},
	{name: "partial_waited_in_vain", policies: with(exception.PartialPayment, exception.Policy{Do: exception.Wait, After: 2 * time.Second, Then: exception.Return}),
		run: taken(1000, "CNY", nobody), kind: exception.PartialPayment, decision: exception.Return, actor: "policy", status: payment.Failed, captured: "0.00", refunded: 1000},
	{name: "partial_returned", run: taken(1000, "CNY", overAPI(exception.PartialPayment, exception.Return)),
		kind: exception.PartialPayment, decision: exception.Return, actor: "key", status: payment.Failed, captured: "0.00", refunded: 1000},
	{name: "mismatch_accepted", run: taken(1300, "CNY", overAPI(exception.AmountMismatch, exception.Accept)),
		kind: exception.AmountMismatch, decision: exception.Accept, actor: "key", status: payment.Paid, captured: "13.00"},
	{name: "mismatch_returned", run: taken(1300, "CNY", inWebUI(exception.AmountMismatch, exception.Return)),
		kind: exception.AmountMismatch, decision: exception.Return, actor: "ada", status: payment.Failed, captured: "0.00", refunded: 1300},
	{name: "mismatch_in_dollars_returned", run: taken(1234, "USD", overAPI(exception.AmountMismatch, exception.Return)),
		kind: exception.AmountMismatch, decision: exception.Return, actor: "key", status: payment.Failed, captured: "0.00", refunded: 1234},
	{name: "mismatch_nobody_decided", policies: with(exception.AmountMismatch, soon), run: taken(1300, "CNY", nobody),
		kind: exception.AmountMismatch, decision: exception.Return, actor: "policy", status: payment.Failed, captured: "0.00", refunded: 1300},
	{name: "mismatch_rejected_at_the_payment", run: taken(1300, "CNY", func(t *testing.T, m *stage.Merchant, id string) {
		m.Until(t, id, "parked", func(a stage.Answer) bool { return a.NeedsOperator })
		operate(t, m, id, workflows.UpdateResolve, resolve(payment.Reject))
	}), kind: exception.AmountMismatch, decision: exception.Return, actor: "ada", status: payment.Failed, captured: "0.00", refunded: 1300},
	{name: "late_after_cancel_fulfilled", run: afterEnd(canceled),
		kind: exception.LateSuccess, decision: exception.Accept, actor: "policy", status: payment.Paid, captured: "12.34"},
	{name: "late_after_expiry_fulfilled", run: afterEnd(expired),
		kind: exception.LateSuccess, decision: exception.Accept, actor: "policy", status: payment.Paid, captured: "12.34"},
	{name: "late_after_cancel_returned", policies: with(exception.LateSuccess, exception.Policy{Do: exception.Return}), run: afterEnd(canceled),
		kind: exception.LateSuccess, decision: exception.Return, actor: "policy", status: payment.Canceled, captured: "0.00", refunded: 1234},
	{name: "late_for_a_paid_order_returned", run: func(t *testing.T, m *stage.Merchant) string {
		id := canceled(t, m)
		m.Do(t, http.MethodPost, "/v1/payments", "other", map[string]any{"order_id": m.Get(t, id).OrderID, "amount": "12.34", "currency": "CNY", "method": stage.Card("tok_ok")})
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id, "after_close": true})
		return id
	}, kind: exception.LateSuccess, decision: exception.Return, actor: "policy", status: payment.Canceled, captured: "0.00", refunded: 1234},
	{name: "late_after_failover_returned", accounts: two, run: afterEnd(failedOver),
		kind: exception.DuplicatePayment, decision: exception.Return, actor: "policy", status: payment.Paid, captured: "12.34", refunded: 1234},
	{name: "duplicate_over_one_channel", run: qr(func(t *testing.T, m *stage.Merchant, id string) {
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id})
		m.UntilStatus(t, id, payment.Paid)
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": id, "again": true})
	}), kind: exception.DuplicatePayment, decision: exception.Return, actor: "policy", status: payment.Paid, captured: "12.34", refunded: 1234},
	{name: "order_paid_twice", run: twice(func(*testing.T, *stage.Merchant) {}),
		kind: exception.DuplicatePayment, decision: exception.Return, actor: "policy", status: payment.Paid, captured: "12.34", refunded: 1234},
	{name: "order_paid_twice_over_two_channels", accounts: two, run: twice(func(t *testing.T, m *stage.Merchant) {
		m.Sandboxes[0].Admin(t, "script", map[string]any{"operation": "charge", "fault": "decline", "times": 1})
	}), kind: exception.DuplicatePayment, decision: exception.Return, actor: "policy", status: payment.Paid, captured: "12.34", refunded: 1234},
	{name: "order_paid_twice_and_kept", policies: with(exception.DuplicatePayment, exception.Policy{Do: exception.Ask}),
		run: func(t *testing.T, m *stage.Merchant) string {
			id := twice(func(*testing.T, *stage.Merchant) {})(t, m)
			overAPI(exception.DuplicatePayment, exception.Accept)(t, m, id)
			return id
		}, kind: exception.DuplicatePayment, decision: exception.Accept, actor: "key", status: payment.Paid, captured: "12.34"},
	{name: "parts_late_after_cancel_returned", run: afterEnd(func(t *testing.T, m *stage.Merchant) string {
		a, user := split(t, m, stage.QR, nil)
		cancel(t, m, a.ID)
		m.UntilStatus(t, a.ID, payment.Canceled)
		holds(t, m, user, 800, 0)
		return a.ID
	}), kind: exception.LateSuccess, decision: exception.Return, actor: "policy", status: payment.Canceled, captured: "0.00", refunded: 734},
	{name: "parts_partial_waited_for_the_rest", policies: wait, run: func(t *testing.T, m *stage.Merchant) string { // what is set aside counts
		a, user := split(t, m, stage.QR, nil)
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "amount_minor": 700, "currency": "CNY"})
		m.UntilCase(t, a.ID, exception.PartialPayment, "waiting", func(k exception.Case) bool { return k.Taken })
		rest := m.Do(t, http.MethodPost, "/v1/payments", "rest", map[string]any{"order_id": a.OrderID, "amount": "0.34", "currency": "CNY",
			"method": stage.Card("tok_ok"), "allow_partial": true})
		if rest.Code != http.StatusCreated {
			t.Fatalf("the rest answered %d %s", rest.Code, rest.Raw)
		}
		m.UntilStatus(t, a.ID, payment.Paid)
		holds(t, m, user, 300, 0)
		return a.ID
	}, kind: exception.PartialPayment, decision: exception.Accept, actor: "policy", status: payment.Paid, captured: "12.00"},
	{name: "parts_order_paid_twice", run: func(t *testing.T, m *stage.Merchant) string { // by another's wallet meanwhile
		one, user := split(t, m, stage.QR, nil)
		two := m.Do(t, http.MethodPost, "/v1/payments", "second", map[string]any{"order_id": one.OrderID, "amount": "12.34", "currency": "CNY",
			"method": map[string]any{"type": "wallet"}, "customer": map[string]any{"id": m.User(t, 1234)}})
		if two.Status != payment.Paid {
			t.Fatalf("the wallet answered %s", two.Raw)
		}
		m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": one.ID})
		m.UntilStatus(t, one.ID, payment.Paid)
		m.UntilCaseIs(t, one.ID, exception.DuplicatePayment, exception.Closed)
		holds(t, m, user, 800, 0)
		return one.ID
	}, kind: exception.DuplicatePayment, decision: exception.Return, actor: "policy", status: payment.Paid, captured: "12.34", refunded: 734},
	{name: "contradiction_dismissed", run: func(t *testing.T, m *stage.Merchant) string {
		a := m.Pay(t, stage.Card("tok_ok"), nil)
		m.Sandboxes[0].Admin(t, "callbacks", map[string]any{"reference": a.ID, "mode": "again", "state": "closed"})
		inWebUI(exception.Contradiction, exception.Dismiss)(t, m, a.ID)
		return a.ID
	}, kind: exception.Contradiction, decision: exception.Dismiss, actor: "ada", status: payment.Paid, captured: "12.34"},
	{name: "late_written_off", policies: with(exception.LateSuccess, exception.Policy{Do: exception.Ask}), run: func(t *testing.T, m *stage.Merchant) string {
		id := afterEnd(canceled)(t, m)
		inWebUI(exception.LateSuccess, exception.WriteOff)(t, m, id)
		return id
	}, kind: exception.LateSuccess, decision: exception.WriteOff, actor: "ada", status: payment.Canceled, captured: "0.00"},
}
