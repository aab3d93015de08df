package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"paysaga/activities"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/drill/stage"
)

// unreadable are the merchants whose lists and counters can't be read.
var unreadable sync.Map

// blindRules can't read what risk asks for, of those merchants.
type blindRules struct{ activities.Rulebook }

func (b blindRules) RiskData(ctx context.Context, book id.Book, merchantID string, values []risk.Listed, counters []risk.Counter) ([]risk.Entry, map[string]risk.Value, error) {
	if _, yes := unreadable.Load(merchantID); yes {
		return nil, nil, errors.New("blind")
	}
	return b.Rulebook.RiskData(ctx, book, merchantID, values, counters)
}

func withBlindness(c *activities.Config) {
	withBlindChannel(c)
	c.Rules = blindRules{c.Rules}
}

// passesBlind pays while the limit that the payment breaks can't be read, and
// has it judged again.
func passesBlind(then func(*testing.T, *stage.Merchant, string)) func(*testing.T, *stage.Merchant) string {
	return func(t *testing.T, m *stage.Merchant) string {
		m.Risks(t, risk.Definition{Velocities: []risk.Velocity{{Name: "one", By: risk.ByMerchant, Window: risk.PerDay, MaxCount: 1}},
			Unreadable: risk.Unreadable{RefuseAboveMinor: map[string]int64{"CNY": 1_000_00}}})
		m.UntilStatus(t, m.Pay(t, stage.Card("tok_ok"), nil).ID, payment.Paid)
		unreadable.Store(m.ID, true)
		p := m.Pay(t, stage.Card("tok_ok"), nil)
		m.UntilStatus(t, p.ID, payment.Paid)
		unreadable.Delete(m.ID)
		if refused := m.Pay(t, stage.Card("tok_ok"), nil); refused.DeclineCode != "risk_refused" {
			t.Errorf("the limit doesn't hold: %s", refused.Raw)
		}
		check(t, m.Stage.Steps.Recheck(context.Background(), activities.Ref{Book: m.Book, PaymentID: p.ID}))
		m.UntilTimeline(t, p.ID, "case", "risk_recheck")
		then(t, m, p.ID)
		return p.ID
	}
}

// merchantMayNot: what operators alone decide is refused to the merchant's key.
func merchantMayNot(kind exception.Kind, d exception.Decision) func(*testing.T, *stage.Merchant, string) {
	return func(t *testing.T, m *stage.Merchant, id string) {
		if code, _ := m.Decide(t, m.UntilCaseIs(t, id, kind, exception.Open), d); code != 403 {
			t.Errorf("the merchant's %s answered %d", d, code)
		}
	}
}

var recheckPaths = []casePath{
	{name: "risk_recheck_returned", run: passesBlind(overAPI(exception.RiskRecheck, exception.Return)),
		kind: exception.RiskRecheck, decision: exception.Return, actor: "key", status: payment.Paid, captured: "12.34", refunded: 1234},
	{name: "risk_recheck_dismissed", run: passesBlind(func(t *testing.T, m *stage.Merchant, id string) {
		merchantMayNot(exception.RiskRecheck, exception.Dismiss)(t, m, id)
		inWebUI(exception.RiskRecheck, exception.Dismiss)(t, m, id)
	}), kind: exception.RiskRecheck, decision: exception.Dismiss, actor: "ada", status: payment.Paid, captured: "12.34"},
}
