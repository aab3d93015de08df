package workflows_test

import (
	"net/http"
	"strings"
	"testing"

	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// caseBehaviours are promises about more than one way through a case.
var caseBehaviours = map[string]func(*testing.T, *stage.Stage){
	"an unsigned decision of a case is refused in the live book": unsignedCaseInLive,
	"a decision of a case that is repeated is one":               repeatedCaseDecision,
	"an operator dismisses an orphan":                            orphanDismissed,
	"a third charge is a case of its own":                        thirdCharge,
	"an attempt that was given up is watched":                    guarded,
	"a watch in vain ends":                                       watchedInVain,
	"an order that was paid twice is paid once in the end":       orderInTheEnd,
}

func unsignedCaseInLive(t *testing.T, s *stage.Stage) {
	m := s.MerchantOf(t, id.Live, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "amount_minor": 1300})
	k := m.UntilCase(t, a.ID, exception.AmountMismatch, "taken over", func(k exception.Case) bool { return k.Taken })
	r := workflows.CaseResolution{Decision: exception.Accept, Actor: "ada", Reason: "agreed with the customer"}
	if err := s.ResolveCase(t, k.ID, r); err == nil || !strings.Contains(err.Error(), "code_missing") {
		t.Errorf("an unsigned decision about live money: %v", err)
	}
	r.Code = s.Sign(t, k.ID, workflows.Resolution{Decision: payment.Decision(r.Decision), Reason: r.Reason})
	forged := r
	forged.Decision = exception.Return
	if err := s.ResolveCase(t, k.ID, forged); err == nil || !strings.Contains(err.Error(), "code_for_another_decision") {
		t.Errorf("a code for another decision: %v", err)
	}
	if err := s.ResolveCase(t, k.ID, r); err != nil {
		t.Fatal(err)
	}
	m.UntilStatus(t, a.ID, payment.Paid)
	if k = m.Case(t, k.ID); !k.Verified || !strings.HasPrefix(k.Actor, "opr_") || k.State() != exception.Closed {
		t.Errorf("the case says %+v", k)
	}
}

func repeatedCaseDecision(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "amount_minor": 1300})
	k := m.UntilCaseIs(t, a.ID, exception.AmountMismatch, exception.Open)
	for range 3 {
		if code, v := m.Decide(t, k, exception.Return); code != http.StatusOK || v.Decision != exception.Return {
			t.Fatalf("answered %d %+v", code, v)
		}
	}
	if code, _ := m.Decide(t, k, exception.Accept); code != http.StatusConflict {
		t.Errorf("another decision answered %d", code)
	}
	m.UntilCaseIs(t, a.ID, exception.AmountMismatch, exception.Closed)
	if n := s.Count(t, "SELECT count(*) FROM refunds WHERE case_id = $1", k.ID); n != 1 {
		t.Errorf("one case has %d refunds", n)
	}
	if n := m.Sandboxes[0].Summarize().Refunded["CNY"]; n != 1300 {
		t.Errorf("the sandbox gave %d back", n)
	}
}

func orphanDismissed(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	m.Sandboxes[0].ChargeUnknown(t, s.Store.Mint(id.Payment), s.API.URL+"/v1/callbacks/sandbox/"+m.Sandboxes[0].Account)
	var k exception.Case
	stage.Eventually(t, "an orphan's case has its saga", func() bool {
		list, _, err := s.Store.Cases(t.Context(), exception.Filter{Book: id.Test, Kind: exception.Orphan, Limit: 100})
		for _, one := range list {
			if one.ChannelAccount == m.Sandboxes[0].Account {
				k = one
			}
		}
		return err == nil && k.Taken
	})
	if a := m.Do(t, http.MethodGet, "/v1/cases/"+k.Path(), "", nil); a.Code != http.StatusNotFound {
		t.Errorf("a merchant reads an orphan: %d %s (I-25)", a.Code, a.Raw)
	}
	if err := s.ResolveCase(t, k.ID, workflows.CaseResolution{Decision: exception.Dismiss, Actor: "ada", Reason: "another system's"}); err != nil {
		t.Fatal(err)
	}
	if k = m.Case(t, k.ID); k.State() != exception.Closed || k.Decision != exception.Dismiss {
		t.Errorf("the case says %+v", k)
	}
}

// thirdCharge pays one QR code three times: each charge too many has its case,
// and goes back (I-10).
func thirdCharge(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{})
	a := m.Pay(t, stage.QR, nil)
	m.Sandboxes[0].Admin(t, "pay", map[string]any{"reference": a.ID, "times": 3})
	m.UntilStatus(t, a.ID, payment.Paid)
	stage.Eventually(t, "both are given back", func() bool { return m.Sandboxes[0].Summarize().Refunded["CNY"] == 2*1234 })
	stage.Eventually(t, "both cases are closed", func() bool {
		return s.Count(t, "SELECT count(*) FROM cases WHERE payment_id = $1 AND kind = 'duplicate_payment' AND state = 'closed'", a.ID) == 2
	})
	if left := m.Suspense(t, 0, exception.DuplicatePayment); left != 0 {
		t.Errorf("suspense holds %d", left)
	}
}

func orderInTheEnd(t *testing.T, s *stage.Stage) {
	m := s.Merchant(t, payment.Terms{FeeBasisPoints: 60})
	second := twice(func(*testing.T, *stage.Merchant) {})(t, m)
	m.UntilCaseIs(t, second, exception.DuplicatePayment, exception.Closed)
	order := m.Get(t, second).OrderID
	if n := s.Count(t, "SELECT count(*) FROM orders WHERE id = $1 AND status = 'paid' AND paid - refunded = total", order); n != 1 {
		t.Errorf("the order isn't paid once: %s", m.Do(t, http.MethodGet, "/v1/orders/"+order, "", nil).Raw)
	}
	if n := s.Balance(t, "merchant/"+m.ID+"/available"); n != -1227 { // one sale less its fee; the other fee went back
		t.Errorf("the merchant has %d", -n)
	}
}
