package workflows_test

import (
	"testing"
	"time"

	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// always are risk rules that want a person to see every payment.
var always = risk.Definition{Rules: []risk.RuleDef{{Name: "new-shop", When: "amount > 0", Then: risk.Review, Reason: "a new shop"}}}

// held makes a payment that risk holds for a person, and then does something.
func held(then func(*testing.T, *stage.Merchant, string)) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		m.Risks(t, always)
		a := m.Pay(t, stage.Card("tok_ok"), nil)
		if a.Code != 202 {
			t.Fatalf("a payment that risk holds answered %d %s", a.Code, a.Raw)
		}
		a = m.Until(t, a.ID, "held for a review", func(a stage.Answer) bool { return a.NeedsOperator })
		if a.Status != payment.Processing || a.ReviewDueAt == nil {
			t.Fatalf("a payment that risk holds answered %d %s", a.Code, a.Raw)
		}
		if n := len(m.Sandboxes[0].Lookup(a.ID).Charges); n != 0 {
			t.Fatalf("a channel heard of a payment before its review: %d charges", n)
		}
		then(t, m, a.ID)
		return a.ID
	}
}

func judge1(decision string) workflows.Judgement {
	return workflows.Judgement{Decision: decision, Actor: "ada", Reason: "called the shop"}
}

// reviews are the ways through the saga that begin with a review.
var reviews = []path{
	{name: "review_approved", run: held(func(t *testing.T, m *stage.Merchant, id string) {
		operate(t, m, id, workflows.UpdateReview, judge1(risk.Approve))
		m.UntilTimeline(t, id, "act", "review: approve by ada")
	}), status: payment.Paid, calls: 1},
	{name: "review_refused", run: held(func(t *testing.T, m *stage.Merchant, id string) {
		operate(t, m, id, workflows.UpdateReview, judge1(risk.Refuse))
		if err := m.Stage.Update(t, id, workflows.UpdateReview, judge1(risk.Approve)); err == nil {
			t.Error("a review that is over was judged again")
		}
	}), status: payment.Failed, code: "risk_refused", calls: 0},
	{name: "review_deadline", run: func(t *testing.T, m *stage.Merchant) string {
		m.Risks(t, always)
		p := m.Receive(t, payment.Method{Type: payment.MethodQR}, 3*time.Second) // a review ends with its payment
		start(t, m, p)
		return p.ID
	}, status: payment.Failed, code: "risk_refused", calls: 0},
	{name: "review_canceled", run: held(func(t *testing.T, m *stage.Merchant, id string) {
		if a := cancel(t, m, id); a.Code != 200 || a.Status != payment.Canceled || a.ReviewDueAt != nil {
			t.Errorf("the cancel answered %d %s", a.Code, a.Raw)
		}
	}), status: payment.Canceled, calls: 0},
}
