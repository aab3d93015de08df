package stage

import (
	"context"
	"encoding/json"
	"testing"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// Routes saves and activates routing rules of the merchant's.
func (m *Merchant) Routes(t testing.TB, def routing.Definition) rule.Set {
	t.Helper()
	return m.rules(t, rule.Routing, def)
}

// Risks saves and activates risk rules of the merchant's.
func (m *Merchant) Risks(t testing.TB, def risk.Definition) rule.Set {
	t.Helper()
	return m.rules(t, rule.Risk, def)
}

func (m *Merchant) rules(t testing.TB, kind rule.Kind, def any) rule.Set {
	t.Helper()
	ctx := context.Background()
	raw, err := json.Marshal(def)
	must(t, err)
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_stage", Reason: "a test"}
	set, err := m.Stage.Store.SaveRules(ctx, rule.Set{Book: id.Test, MerchantID: m.ID, Kind: kind, Definition: raw, By: by})
	must(t, err)
	set, err = m.Stage.Store.ActivateRules(ctx, rule.Activation{Book: id.Test, MerchantID: m.ID, Kind: kind, Version: set.Version, By: by})
	must(t, err)
	return set
}
