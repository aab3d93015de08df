package cells

import (
	"context"
	"fmt"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// UntilCase waits until a case of a kind is as wanted, and returns its id.
func (r *Run) UntilCase(kind exception.Kind, until string) (caseID string, err error) {
	err = r.Until("its "+string(kind)+" is "+until, func(s state) bool {
		for _, c := range s.Cases {
			if c.Kind == string(kind) && (c.State == until || c.State == "closed") {
				caseID = c.ID
				return true
			}
		}
		return false
	})
	return caseID, err
}

// decide decides a case as an operator does in the Temporal Web UI.
func (r *Run) decide(kind exception.Kind, d exception.Decision) error {
	caseID, err := r.UntilCase(kind, "open")
	if err != nil {
		return err
	}
	err = r.Update(caseID, workflows.UpdateResolve, func() bool {
		for _, c := range r.state().Cases {
			if c.ID == caseID && c.State != "open" {
				return true
			}
		}
		return false
	}, workflows.CaseResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"})
	if err == nil {
		_, err = r.UntilCase(kind, "closed")
	}
	return err
}

// paysMore lets the customer do at the channel what the payment wasn't meant for.
func paysMore(act map[string]any, then func(*Run) error) func(*Run) error {
	return qr(func(r *Run, paymentID string) error {
		if err := r.Customer(act, paymentID); err != nil {
			return err
		}
		return then(r)
	})
}

// pastClose cancels, and lets the customer pay nevertheless.
func pastClose(then func(*Run) error) func(*Run) error {
	return qr(func(r *Run, paymentID string) error {
		if err := cancels(r, paymentID); err != nil {
			return err
		}
		if err := r.UntilStatus(paymentID, payment.Canceled); err != nil {
			return err
		}
		if err := r.Customer(map[string]any{"after_close": true}, paymentID); err != nil {
			return err
		}
		return then(r)
	})
}

func untilClosed(kind exception.Kind) func(*Run) error {
	return func(r *Run) error {
		_, err := r.UntilCase(kind, "closed")
		return err
	}
}

func decides(kind exception.Kind, d exception.Decision) func(*Run) error {
	return func(r *Run) error { return r.decide(kind, d) }
}

// arrivesLate makes the charge of a payment at its channel after everybody has given it up.
func (r *Run) arrivesLate(paymentID string) error {
	sb := r.merchant.Sandboxes[0]
	key, err := channels.NewKey(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: 1}), strings.Repeat("ab", 32), time.Now())
	if err != nil {
		return err
	}
	client := wire.New(wire.Config{})
	defer client.CloseIdle()
	_, err = sandbox.New(client).Charge(context.WithoutCancel(r.ctx), channels.Call{Account: channels.Account{Book: id.Test, BaseURL: sb.URL,
		Credentials: stage.Credentials()}, Key: key, Now: time.Now()}, channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true,
		CallbackURL: "http://" + r.house.callbacks.address() + "/v1/callbacks/sandbox/" + sb.Account,
		Method:      payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}})
	if err != nil {
		return fmt.Errorf("the late charge: %w", err)
	}
	return nil
}

// Cases are the scenarios of the exceptions.
func Cases() []Scenario {
	late, partial, mismatch, duplicate := exception.LateSuccess, exception.PartialPayment, exception.AmountMismatch, exception.DuplicatePayment
	return []Scenario{
		{Name: "late", Play: pastClose(untilClosed(late)), Ends: []string{paid + "+case:late_success:accept"},
			Boundaries: of("case", commits("Advance", 1).told())},
		{Name: "late_returned", Play: pastClose(decides(late, exception.Return)), Ends: []string{canceled + "+refund-succeeded+case:late_success:return"},
			Policies:   exception.Policies{late: {Do: exception.Ask}},
			Boundaries: of("case", commits("Advance", 1).told(), commits("ResolveCase", 1).told(), commits("Watch", 1).told())},
		{Name: "partial_accepted", Play: paysMore(map[string]any{"amount_minor": 1000}, decides(partial, exception.Accept)),
			Ends: []string{paid + "+case:partial_payment:accept"},
			Boundaries: append(of("case", commits("Advance", 1).told(), commits("ResolveCase", 1).told()),
				of("payment", reads("Look", 1).told())...)},
		{Name: "partial_returned", Play: paysMore(map[string]any{"amount_minor": 1000}, untilClosed(partial)),
			Policies:   exception.Policies{partial: {Do: exception.Return}},
			Ends:       []string{failed + "+refund-succeeded+case:partial_payment:return"},
			Boundaries: of("case", commits("Advance", 1).told(), commits("Watch", 1).told())},
		{Name: "mismatch_returned", Play: paysMore(map[string]any{"amount_minor": 2000}, decides(mismatch, exception.Return)),
			Ends:       []string{failed + "+refund-succeeded+case:amount_mismatch:return"},
			Boundaries: of("case", commits("Advance", 1).told(), commits("ResolveCase", 1).told(), commits("Watch", 1).told())},
		{Name: "duplicate", Play: paysMore(map[string]any{"times": 2}, untilClosed(duplicate)),
			Ends:       []string{paid + "+refund-succeeded+case:duplicate_payment:return"},
			Boundaries: of("case", commits("Advance", 1).told(), commits("Watch", 1).told())},
		{Name: "guarded", Forgetful: true, Ends: []string{paid + "+case:late_success:accept"},
			Boundaries: of("guardian", asks("Guard", 1), commits("Book", 1).told()),
			Play: func(r *Run) error {
				if err := r.script("", map[string]any{"operation": "charge", "fault": "timeout_before", "times": -1}); err != nil {
					return err
				}
				p, err := r.Pay(stage.Card("tok_ok"), nil)
				if err == nil {
					err = r.UntilStatus(p, payment.Failed)
				}
				if err != nil {
					return err
				}
				r.merchant.Sandboxes[0].ClearScripts(r.scope)
				if err := r.arrivesLate(p); err != nil {
					return err
				}
				return untilClosed(late)(r)
			}},
	}
}
