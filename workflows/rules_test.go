package workflows_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
	"paysaga/drill/stage"
	"paysaga/store"
)

// What rules, circuits and reviews promise, on real parts and over the API.
func TestRulesOnRealParts(t *testing.T) {
	t.Parallel()
	s := stage.New(t, stage.Options{Breaker: shortBreaker})
	t.Run("rules", func(t *testing.T) {
		for what, holds := range map[string]func(*testing.T, *stage.Stage){
			"activated rules reroute the next payment":            reroutes,
			"a circuit opens, probes, and closes":                 circuitOpens,
			"a lone account's circuit closes too":                 loneCircuitCloses,
			"failover asks the circuits":                          failoverAsksTheCircuits,
			"an operator's review over the API counts, also live": reviewsInLive,
		} {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				holds(t, s)
			})
		}
	})
	s.Audit(t)
}

// shortBreaker opens soon.
var shortBreaker = routing.BreakerConfig{MinCalls: 4, OpenFor: 20 * time.Second}

// at is how many attempts of a payment there are at an account.
func at(t *testing.T, m *stage.Merchant, paymentID string, account int) int64 {
	t.Helper()
	return m.Stage.Count(t, "SELECT count(*) FROM attempts WHERE payment_id = $1 AND channel_account = $2", paymentID, m.Sandboxes[account].Account)
}

func reroutes(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{}, stage.AccountSpec{})
	if p := m.Pay(t, stage.Card("tok_ok"), nil); at(t, m, p.ID, 0) != 1 {
		t.Errorf("without rules the first account is the first: %s", p.Raw)
	}
	for _, account := range []int{1, 0, 1} {
		saved := m.Do(t, http.MethodPost, "/v1/routing/rule_sets", "", map[string]any{"definition": map[string]any{"rules": []any{
			map[string]any{"name": "there", "when": `currency == "CNY"`, "only": true, "use": []any{map[string]any{"account": m.Sandboxes[account].Account}}}}}})
		var set rule.Public
		if err := json.Unmarshal(saved.Raw, &set); err != nil || saved.Code != 201 {
			t.Fatalf("%d %s", saved.Code, saved.Raw)
		}
		if a := m.Do(t, http.MethodPost, "/v1/routing/rule_sets/"+strconv.Itoa(set.Version)+"/activate", "", map[string]any{"reason": "try"}); a.Code != 200 {
			t.Fatalf("%d %s", a.Code, a.Raw)
		}
		p := m.Pay(t, stage.Card("tok_ok"), nil)
		if p.Code != 201 || at(t, m, p.ID, account) != 1 {
			t.Errorf("the next payment doesn't go by version %d: %s", set.Version, p.Raw)
		}
		m.UntilTimeline(t, p.ID, "routing", "rule there")
	}
}

func circuitOpens(t *testing.T, s *stage.Stage) {
	gate := stage.NewGate(t)
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{URL: gate.URL}, stage.AccountSpec{})
	state := func() routing.State {
		for _, c := range s.Health.Circuits() {
			if c.Account == m.Sandboxes[0].Account {
				return c.State
			}
		}
		return "unseen"
	}
	p := m.Pay(t, stage.Card("tok_ok"), nil)
	m.UntilStatus(t, p.ID, payment.Paid)
	if state() != routing.Open || at(t, m, p.ID, 0) != 1 || at(t, m, p.ID, 1) != 1 {
		t.Fatalf("four refused connections leave the circuit %q", state())
	}
	p = m.Pay(t, stage.Card("tok_ok"), nil)
	m.UntilStatus(t, p.ID, payment.Paid)
	if at(t, m, p.ID, 0) != 0 {
		t.Error("a payment was tried at an account whose circuit is open")
	}
	a := m.Do(t, http.MethodPost, "/v1/routing/simulate", "", map[string]any{"facts": map[string]any{"amount": "1.00", "currency": "CNY", "method": "card_token"}})
	var shown struct {
		Health []struct{ Circuit string }
		Plan   routing.Plan
	}
	if err := json.Unmarshal(a.Raw, &shown); err != nil || shown.Health[0].Circuit != "open" || shown.Plan.Skipped[0].Reason != "its circuit is open" {
		t.Errorf("the simulation doesn't tell of the circuit: %v %s", err, a.Raw)
	}
	gate.Open(t, m.Sandboxes[0])
	stage.Eventually(t, "probes close the circuit", func() bool {
		p := m.Pay(t, stage.Card("tok_ok"), nil)
		m.UntilStatus(t, p.ID, payment.Paid)
		return state() == routing.Closed
	})
	if n := m.Sandboxes[0].Summarize().Charges["succeeded"]; n < 3 {
		t.Errorf("%d probes closed the circuit", n)
	}
}

// loneCircuitCloses: payments that have nowhere else to go are the probes.
func loneCircuitCloses(t *testing.T, s *stage.Stage) {
	gate := stage.NewGate(t)
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{URL: gate.URL})
	state := func() (found routing.State) {
		for _, c := range s.Health.Circuits() {
			if c.Account == m.Sandboxes[0].Account {
				found = c.State
			}
		}
		return found
	}
	p := m.Pay(t, stage.Card("tok_ok"), nil)
	m.UntilStatus(t, p.ID, payment.Failed)
	if state() != routing.Open {
		t.Fatalf("refused connections leave the circuit %q", state())
	}
	gate.Open(t, m.Sandboxes[0])
	stage.Eventually(t, "its payments close the circuit", func() bool {
		p := m.Pay(t, stage.Card("tok_ok"), nil)
		m.UntilStatus(t, p.ID, payment.Paid)
		return state() == routing.Closed
	})
}

// Another process learns of the circuit, and what opens between a payment's
// plan and its failover is passed over then.
func failoverAsksTheCircuits(t *testing.T, s *stage.Stage) {
	gate := stage.NewGate(t)
	m := s.Merchant(t, payment.Terms{}, stage.AccountSpec{}, stage.AccountSpec{URL: gate.URL}, stage.AccountSpec{})
	m.Routes(t, routing.Definition{Rules: []routing.RuleDef{{Name: "there", When: `"there" in metadata`, Only: true,
		Use: []routing.Target{{Account: m.Sandboxes[1].Account}}}}})
	qr := map[string]any{"type": "qr"}
	p := m.Pay(t, qr, nil)
	m.UntilStatus(t, p.ID, payment.RequiresAction)
	m.Pay(t, stage.Card("tok_ok"), map[string]any{"metadata": map[string]any{"there": "yes"}})

	other := activities.NewHealth(activities.HealthConfig{Breaker: shortBreaker, Kept: s.Store})
	stage.Eventually(t, "another process knows of the open circuit", func() bool {
		check(t, other.Share(context.Background()))
		return slices.ContainsFunc(other.Circuits(), func(c activities.Circuit) bool {
			return c.Account == m.Sandboxes[1].Account && c.State != routing.Closed
		})
	})
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": p.ID, "decline": true})
	stage.Eventually(t, "the payment goes on at the third account", func() bool { return at(t, m, p.ID, 2) == 1 })
	if n := at(t, m, p.ID, 1); n != 0 {
		t.Errorf("%d attempts at an account whose circuit had opened", n)
	}
	m.UntilTimeline(t, p.ID, "routing", "its circuit is open")
}

func reviewsInLive(t *testing.T, s *stage.Stage) {
	ctx := context.Background()
	m := s.MerchantOf(t, id.Live, payment.Terms{})
	raw, err := json.Marshal(always)
	check(t, err)
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_stage", Reason: "a test"}
	set, err := s.Store.SaveRules(ctx, rule.Set{Book: id.Live, MerchantID: m.ID, Kind: rule.Risk, Definition: raw, By: by})
	check(t, err)
	_, err = s.Store.ActivateRules(ctx, rule.Activation{Book: id.Live, MerchantID: m.ID, Kind: rule.Risk, Version: set.Version, By: by})
	check(t, err)
	p := m.Pay(t, stage.Card("tok_ok"), nil)
	m.Until(t, p.ID, "held", func(a stage.Answer) bool { return a.ReviewDueAt != nil })
	if err := s.Update(t, p.ID, "review", judge1("approve")); err == nil {
		t.Error("in the live book a decision without a code counted")
	}
	operator, _, err := s.Store.CreateOperator(ctx, "Desk")
	check(t, err)
	desk := *m
	_, desk.Key, err = s.Store.CreateKey(ctx, store.KeyGrant{Book: id.Live, OperatorID: operator})
	check(t, err)
	path := "/v1/payments/" + p.ID + "/review"
	if a := m.Do(t, http.MethodPost, path, "", map[string]any{"decision": "approve", "reason": "mine"}); a.Code != 403 {
		t.Errorf("a merchant reviewed its own payment: %d %s", a.Code, a.Raw)
	}
	var approved stage.Answer
	stage.Eventually(t, "the review is answered", func() bool { // 503: not yet, ask again
		approved = desk.Do(t, http.MethodPost, path, "", map[string]any{"decision": "approve", "reason": "called the shop"})
		return approved.Code != 503
	})
	if approved.Code != 200 {
		t.Errorf("%d %s", approved.Code, approved.Raw)
	}
	m.UntilStatus(t, p.ID, payment.Paid)
	if a := desk.Do(t, http.MethodPost, path, "", map[string]any{"decision": "refuse", "reason": "too late"}); a.Code != 409 || a.Problem != "review_over" {
		t.Errorf("%d %s", a.Code, a.Raw)
	}
	if n := s.Count(t, "SELECT count(*) FROM acts WHERE payment_id = $1 AND act = 'review' AND actor = $2 AND verified", p.ID, operator); n != 1 {
		t.Errorf("%d verified acts", n)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
