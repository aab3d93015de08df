package cells

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// paidThen pays by a card, and then happens what happens.
func paidThen(token string, then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		p, err := r.Pay(stage.Card(token), nil)
		if err == nil {
			err = r.UntilStatus(p, payment.Paid)
		}
		if err != nil {
			return err
		}
		return then(r, p)
	}
}

// Refund asks for a refund, and returns its id; an empty amount is all that is left.
func (r *Run) Refund(paymentID, amount string) (string, error) {
	body := map[string]any{}
	if amount != "" {
		body["amount"] = amount
	}
	r.mu.Lock()
	n := len(r.orders) + 1
	r.mu.Unlock()
	of := "/v1/payments/"
	if isTopUp(paymentID) {
		of = "/v1/topups/"
	}
	a, err := r.order(of+paymentID+"/refunds", fmt.Sprintf("refund-%d", n), body)
	if err != nil {
		return "", err
	}
	return idOf(a.Raw)
}

// UntilRefund waits until a refund is as wanted, or has ended.
func (r *Run) UntilRefund(refundID string, wanted func(refundRow) bool) error {
	return r.Until(refundID+" is as wanted", func(s state) bool {
		for _, f := range s.Refunds {
			if f.ID == refundID {
				return wanted(f) || f.Status != "processing"
			}
		}
		return false
	})
}

func ended(refundRow) bool { return false }

func refunds(amount string) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		f, err := r.Refund(paymentID, amount)
		if err != nil {
			return err
		}
		if err := r.UntilRefund(f, differs); err != nil || !slices.ContainsFunc(r.state().Refunds, differs) {
			return err
		}
		if err := r.resolveRefund(f, refund.MarkSucceeded); err != nil {
			return err
		}
		kind := exception.RefundReturned // the whole can only be given back short of something
		if amount != "" {
			kind = exception.RefundPaidAfterAll
		}
		return r.decide(kind, exception.WriteOff)
	}
}

// refundsUnasked gives back where no question is answered: only the callback tells. A refund in doubt is another matter. Some other
// run's fault may have kept it from the channel, and then nobody would call back.
func refundsUnasked(amount string) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		f, err := r.Refund(paymentID, amount)
		if err != nil {
			return err
		}
		err = r.UntilRefund(f, func(f refundRow) bool { return f.InDoubt })
		r.merchant.Sandboxes[0].ClearScripts(r.scope)
		if err != nil {
			return err
		}
		return r.UntilRefund(f, ended)
	}
}

// differs: the channel gave another amount back than was meant, and a person has to decide.
func differs(f refundRow) bool {
	return f.Status == "processing" && strings.HasPrefix(f.Parked, "amount_mismatch")
}

// misgiven is how it ends besides, where the sandbox gives back another amount than was meant.
func misgiven(kind exception.Kind) func(Cell) []string {
	return func(c Cell) []string {
		if c.Fault == WrongAmount {
			return []string{paid + "+refund-succeeded+case:" + string(kind) + ":write_off"}
		}
		return nil
	}
}

func parked(f refundRow) bool { return f.Parked != "" && !f.InDoubt }

// resolveRefund decides a parked refund, and waits for its end. What is shown once more, since a fault kept the decision's effect from the
// channel, is decided once more.
func (r *Run) resolveRefund(refundID string, d refund.Decision) error {
	now := func() (f refundRow) {
		for _, f = range r.state().Refunds {
			if f.ID == refundID {
				break
			}
		}
		return f
	}
	for {
		shown := now().Sequence
		err := r.Update("refund/"+refundID, workflows.UpdateResolve, func() bool { return now().Status != "processing" || now().Parked == "" },
			workflows.OutResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"})
		if err == nil {
			err = r.UntilRefund(refundID, func(f refundRow) bool { return parked(f) && f.Sequence > shown+1 })
		}
		if err != nil || now().Status != "processing" {
			return err
		}
	}
}

// scripted spoils an operation of the sandbox before what comes then.
func scripted(operation, fault string, times int, then func(*Run, string) error) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		if err := r.script("", map[string]any{"operation": operation, "fault": fault, "times": times}); err != nil {
			return err
		}
		return then(r, paymentID)
	}
}

// decidesRefund lets a refund park, and decides, as decidesPayout does.
func decidesRefund(d refund.Decision) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		if d != refund.Retry {
			if err := r.script("", map[string]any{"operation": "refund", "fault": "abnormal", "times": -1}); err != nil {
				return err
			}
		}
		f, err := r.Refund(paymentID, "10.00")
		if err == nil {
			err = r.UntilRefund(f, parked)
		}
		if err != nil {
			return err
		}
		return r.resolveRefund(f, d)
	}
}

// Refunds are the scenarios of the refund's saga.
func Refunds() []Scenario {
	given, lost := paid+"+refund-succeeded", paid+"+refund-failed"
	first := of("refund", commits("OpenRefund", 1).told(), calls("Refund", 1).told(), commits("BookRefund", 1).told())
	return []Scenario{
		{Name: "refunded", Boundaries: first, Play: paidThen("tok_ok", refunds("")), Ends: []string{given}, Struck: misgiven(exception.RefundReturned)},
		{Name: "refunded_standard", Boundaries: first, Standard: true, Play: paidThen("tok_ok", refunds("2.34")), Ends: []string{given},
			Struck: misgiven(exception.RefundPaidAfterAll)},
		{Name: "refund_in_doubt", Silent: true, Play: paidThen("tok_ok", scripted("refund", "timeout_after", 1, refunds("10.00"))), Ends: []string{given},
			Boundaries: of("refund", commits("BookRefund", 1).told(), asks("AskRefund", 1).told(), commits("BookRefund", 2).told())},
		{Name: "refund_pending", Silent: true, Play: paidThen("tok_refund_pending", refunds("10.00")), Ends: []string{given},
			Server: func(c *server.Config) { c.PendingDelay = time.Second },
			// That it is pending changes nothing: the first BookRefund only reads.
			Boundaries: of("refund", calls("Refund", 1).told(), reads("BookRefund", 1).told(), asks("AskRefund", 1).told(), commits("BookRefund", 2).told()),
			Without:    map[string]string{"refund/Refund-1:effect:wrong_amount": "what is pending has moved nothing"}},
		{Name: "refund_called_back", Play: paidThen("tok_refund_pending", scripted("ask_refund", "429", -1, refundsUnasked("10.00"))), Ends: []string{given},
			Server:     func(c *server.Config) { c.PendingDelay = time.Second },
			Boundaries: of("refund", reads("HeedRefund", 1).told(), commits("BookRefund", 2).told())},
		{Name: "refund_declined", Play: paidThen("tok_refund_declined", refunds("10.00")), Ends: []string{lost},
			Boundaries: of("refund", calls("Refund", 1).told(), commits("BookRefund", 1).told()),
			Without:    map[string]string{"refund/Refund-1:effect:wrong_amount": "what is declined has moved nothing"}},
		{Name: "refund_abnormal", Play: paidThen("tok_refund_abnormal", decidesRefund(refund.Retry)), Ends: []string{given},
			Boundaries: of("refund", commits("BookRefund", 1).told(), commits("ResolveRefund", 1).told())},
		{Name: "refund_written_off", Play: paidThen("tok_refund_abnormal", decidesRefund(refund.WriteOff)), Ends: []string{lost},
			Boundaries: of("refund", commits("ResolveRefund", 1).told())},
		{Name: "refund_shown", Silent: true, Ends: []string{given}, Boundaries: of("refund", commits("ParkRefund", 1).told()),
			Play: paidThen("tok_ok", scripted("ask_refund", "500", -1, scripted("refund", "timeout_after", 1, func(r *Run, paymentID string) error {
				f, err := r.Refund(paymentID, "10.00")
				if err == nil {
					err = r.UntilRefund(f, func(f refundRow) bool { return f.Parked != "" && r.hasFired() })
				}
				r.merchant.Sandboxes[0].ClearScripts(r.scope)
				return err
			})))},
		{Name: "over_refunded", Ends: []string{given}, Boundaries: of("refund", commits("OpenRefund", 1).told()),
			Play: paidThen("tok_ok", func(r *Run, paymentID string) error { // the second one is more than what is left (I-12)
				f, err := r.Refund(paymentID, "10.00")
				if err != nil {
					return err
				}
				a, err := r.post("/v1/payments/"+paymentID+"/refunds", "too-much", map[string]any{"amount": "5.00"})
				if err == nil && a.Code != http.StatusConflict {
					r.complain("I-12: a refund of more than what is left was answered %d %s", a.Code, a.Raw)
				}
				if err != nil {
					return err
				}
				return r.UntilRefund(f, ended)
			})},
	}
}
