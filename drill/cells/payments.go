package cells

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// Ends of payments.
const (
	paid       = "succeeded"
	failed     = "failed"
	canceled   = "canceled"
	expired    = "expired"
	mismatched = "parked+case:amount_mismatch"
)

func of(saga string, list ...Boundary) []Boundary {
	for i := range list {
		list[i].Saga = saga
	}
	return list
}

func commits(name string, nth int) Boundary { return Boundary{Activity: name, Nth: nth, Kind: Commits} }
func calls(name string, nth int) Boundary   { return Boundary{Activity: name, Nth: nth, Kind: Calls} }
func asks(name string, nth int) Boundary    { return Boundary{Activity: name, Nth: nth, Kind: Asks} }
func reads(name string, nth int) Boundary   { return Boundary{Activity: name, Nth: nth, Kind: Reads} }

// told: by now the channel has something to call back about.
func (b Boundary) told() Boundary { b.Told = true; return b }

// overcharged is how a payment ends when the channel moves more than it was asked to.
func overcharged(c Cell) []string {
	if c.Fault == WrongAmount {
		return []string{mismatched}
	}
	return nil
}

func card(token string, more map[string]any) func(*Run) error {
	return func(r *Run) error {
		_, err := r.Pay(stage.Card(token), more)
		return err
	}
}

// qr pays by QR code: once there is something to scan, then happens.
func qr(then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		p, err := r.Pay(stage.QR, nil)
		if err == nil {
			err = r.UntilStatus(p, payment.RequiresAction)
		}
		if err != nil {
			return err
		}
		return then(r, p)
	}
}

// unasked answers no question about a charge any more, and goes on: only a callback tells. Not before the customer is shown what to
// do, since a charge that some other run's fault left in doubt has to be asked about.
func unasked(then func(*Run, string) error) func(*Run, string) error {
	return func(r *Run, paymentID string) error {
		if err := r.script("", map[string]any{"operation": "ask", "fault": "429", "times": -1}); err != nil {
			return err
		}
		return then(r, paymentID)
	}
}

// UntilStatus waits until a payment has a status, or has ended.
func (r *Run) UntilStatus(paymentID string, s payment.Status) error {
	return r.Until(paymentID+" is "+string(s), func(now state) bool {
		for _, p := range now.Payments {
			if p.ID == paymentID {
				return p.Status == string(s) || payment.Status(p.Status).Terminal()
			}
		}
		return false
	})
}

func pays(r *Run, paymentID string) error { return r.Customer(nil, paymentID) }

// cancels asks for a cancel; one that comes too late is told so.
func cancels(r *Run, paymentID string) error {
	a, err := r.post("/v1/payments/"+paymentID+"/cancel", "cancel-"+paymentID, map[string]any{})
	if err == nil && a.Code >= 300 && a.Code != 409 {
		err = fmt.Errorf("the cancel was answered %d %s", a.Code, a.Raw)
	}
	return err
}

// held pays by a card without capturing, and then happens what happens.
func held(then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		p, err := r.Pay(stage.Card("tok_ok"), map[string]any{"capture_method": "manual"})
		if err == nil {
			err = r.UntilStatus(p, payment.Reserved)
		}
		if err != nil {
			return err
		}
		return then(r, p)
	}
}

// resolves waits until a payment is parked, and decides.
func resolves(token string, d payment.Decision) func(*Run) error {
	return func(r *Run) error {
		p, err := r.Pay(stage.Card(token), nil)
		if err != nil {
			return err
		}
		err = r.Until("it is parked", func(s state) bool { return len(s.Payments) > 0 && s.Payments[0].Parked != "" })
		if err != nil {
			return err
		}
		return r.Update(workflows.PaymentID(p), workflows.UpdateResolve, func() bool {
			return payment.Status(r.state().Payments[0].Status).Terminal()
		}, workflows.Resolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"})
	}
}

// Update sends an operator's Update until it is taken, or isn't needed any more.
func (r *Run) Update(workflowID, name string, over func() bool, args ...any) error {
	for {
		ctx, stop := context.WithTimeout(r.ctx, 30*time.Second)
		h, err := r.house.Stage.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: workflowID, UpdateName: name,
			Args: args, WaitForStage: client.WorkflowUpdateStageCompleted})
		if err == nil {
			err = h.Get(ctx, nil)
		}
		stop()
		if err == nil || over() {
			return nil
		}
		if r.rest(300*time.Millisecond) != nil {
			return err
		}
	}
}

// reviewed lets risk hold a payment, and a person approve it.
func reviewed(r *Run) error {
	hold := risk.Definition{Rules: []risk.RuleDef{{Name: "all", When: "amount > 0", Then: risk.Review, Reason: "a person sees each"}}}
	for { // another run may have cut the connections just now
		err := r.scope.run(func() error { r.merchant.Risks(r.scope, hold); return nil })
		if err == nil {
			break
		}
		if r.rest(200*time.Millisecond) != nil {
			return err
		}
	}
	p, err := r.Pay(stage.Card("tok_ok"), nil)
	if err != nil {
		return err
	}
	over := func() bool {
		return len(r.state().Payments) > 0 && payment.Status(r.state().Payments[0].Status).Terminal()
	}
	err = r.Update(workflows.PaymentID(p), workflows.UpdateReview, over, workflows.Judgement{Decision: risk.Approve, Actor: "ada", Reason: "called the shop"})
	if err != nil {
		return err
	}
	return r.UntilStatus(p, payment.Paid)
}

// Payments are the scenarios of the payment's saga.
func Payments() []Scenario { return append(paying(), endings()...) }

// paying are those in which the customer pays what was asked for.
func paying() []Scenario {
	first := of("payment", commits("Open", 1), calls("Charge", 1), commits("Book", 1).told())
	return []Scenario{
		{Name: "express", Boundaries: first, Play: card("tok_ok", nil), Ends: []string{paid}, Struck: overcharged},
		{Name: "standard", Boundaries: first, Standard: true, Play: card("tok_ok", nil), Ends: []string{paid}, Struck: overcharged},
		{Name: "in_doubt", Silent: true, Play: card("tok_timeout_after", nil), Ends: []string{paid}, Struck: overcharged,
			Boundaries: of("payment", commits("Open", 1), calls("Charge", 1), commits("Book", 1).told(), asks("Ask", 1).told(), commits("Book", 2).told())},
		{Name: "polled", Silent: true, Play: qr(pays), Ends: []string{paid},
			Boundaries: of("payment", calls("Charge", 1), commits("Book", 1).told(), asks("Ask", 1).told(), commits("Book", 2).told()),
			Without:    map[string]string{"payment/Charge-1:effect:wrong_amount": "at a page the customer pays, not the call"}},
		{Name: "called_back", Ends: []string{paid},
			Boundaries: of("payment", reads("Heed", 1).told(), commits("Book", 2).told()),
			Play: func(r *Run) error { // no question is answered: only the callback tells
				return qr(unasked(pays))(r)
			}},
	}
}

// endings are those that end without being paid at the first channel, or with somebody's help.
func endings() []Scenario {
	return []Scenario{
		{Name: "canceled", Play: qr(cancels), Ends: []string{canceled},
			Boundaries: of("payment", asks("Close", 1).told(), commits("Book", 2).told())},
		{Name: "voided", Play: held(cancels), Ends: []string{canceled},
			Boundaries: of("payment", calls("Charge", 1), commits("Book", 1).told(), asks("Close", 1).told(), commits("Book", 2).told()),
			Struck: func(c Cell) []string {
				if c.Fault == WrongAmount { // an authorization for another amount is given back at once
					return []string{failed, canceled, failed + "+case:amount_mismatch"}
				}
				return nil
			}},
		{Name: "expired", Ends: []string{expired}, Boundaries: of("payment", asks("Close", 1).told(), commits("Book", 2).told()),
			Play: func(r *Run) error {
				p := r.merchant.Receive(r.scope, payment.Method{Type: payment.MethodQR}, 12*time.Second)
				r.received++
				for r.house.Stage.Starter.Start(r.ctx, p) != nil && r.rest(100*time.Millisecond) == nil {
				}
				return r.UntilStatus(p.ID, payment.Expired)
			}},
		{Name: "failover", Accounts: 2, Ends: []string{paid}, Struck: overcharged,
			Boundaries: of("payment", calls("Charge", 1), commits("Book", 1).told(), commits("Open", 2).told(), calls("Charge", 2).told(), commits("Book", 2).told()),
			Play: func(r *Run) error {
				err := r.script(r.merchant.Sandboxes[0].Account, map[string]any{"operation": "charge", "fault": "decline", "times": -1})
				if err != nil {
					return err
				}
				return card("tok_ok", nil)(r)
			}},
		{Name: "shown", Silent: true, Ends: []string{paid}, Boundaries: of("payment", commits("Park", 1).told()),
			Play: func(r *Run) error { // in doubt for so long that a person is shown it
				sb := r.merchant.Sandboxes[0]
				if err := r.script("", map[string]any{"operation": "ask", "fault": "500", "times": -1}); err != nil {
					return err
				}
				if err := card("tok_timeout_after", nil)(r); err != nil {
					return err
				}
				err := r.Until("it is shown", func(s state) bool {
					return len(s.Payments) > 0 && (s.Payments[0].Parked != "" && r.hasFired() || payment.Status(s.Payments[0].Status).Terminal())
				})
				sb.ClearScripts(r.scope)
				return err
			}},
		{Name: "pair", Ends: []string{canceled + "+" + paid}, Boundaries: of("payment", reads("Heed", 1).told()),
			Play: func(r *Run) error { // of two payments the second is paid, and only the callback tells
				return qr(func(r *Run, first string) error {
					err := qr(unasked(func(r *Run, second string) error {
						if err := pays(r, second); err != nil {
							return err
						}
						return r.UntilStatus(second, payment.Paid)
					}))(r)
					for _, sb := range r.merchant.Sandboxes {
						sb.ClearScripts(r.scope)
					}
					if err != nil {
						return err
					}
					return cancels(r, first)
				})(r)
			}},
		{Name: "other_currency", Ends: []string{mismatched}, Boundaries: of("payment", commits("Book", 2).told()),
			Play: qr(func(r *Run, paymentID string) error {
				return r.Customer(map[string]any{"currency": "JPY", "amount_minor": 500}, paymentID)
			})},
		{Name: "reviewed", Play: reviewed, Ends: []string{paid},
			Boundaries: of("payment", commits("Open", 1), commits("Review", 1), commits("Open", 2))},
		{Name: "mismatch", Boundaries: of("payment", commits("Book", 1).told(), commits("Resolve", 1).told()),
			Play: resolves("tok_wrong_amount", payment.Accept), Ends: []string{paid + "+case:amount_mismatch:accept"}},
	}
}
