package cells

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
	"paysaga/drill/stage"
	"paysaga/workflows"
)

// Withdraw takes 10.00 of what the merchant was paid out to a destination of the sandbox's, and returns the payout's id.
func (r *Run) Withdraw(to string) (string, error) {
	r.mu.Lock()
	n := len(r.orders) + 1
	r.mu.Unlock()
	a, err := r.order("/v1/payouts", fmt.Sprintf("payout-%d", n), map[string]any{"amount": "10.00", "currency": "CNY", "destination": stage.To(to)})
	if err != nil {
		return "", err
	}
	return idOf(a.Raw)
}

// UntilPayout waits until a payout is as wanted, or has ended.
func (r *Run) UntilPayout(payoutID string, wanted func(payoutRow) bool) error {
	return r.Until(payoutID+" is as wanted", func(s state) bool {
		for _, y := range s.Payouts {
			if y.ID == payoutID {
				return wanted(y) || y.Status != "processing"
			}
		}
		return false
	})
}

// otherwise: the channel paid another amount than was meant, and a person has to decide.
func otherwise(y payoutRow) bool {
	return y.Status == "processing" && strings.HasPrefix(y.Parked, "amount_mismatch")
}

func parkedPayout(y payoutRow) bool { return y.Parked != "" && !y.InDoubt }

// paysOut is paid, and takes some of it out.
func paysOut(to string) func(*Run) error {
	return paidThen("tok_ok", func(r *Run, _ string) error { return withdraws(to)(r) })
}

func withdraws(to string) func(*Run) error {
	return func(r *Run) error {
		y, err := r.Withdraw(to)
		if err != nil {
			return err
		}
		if err := r.UntilPayout(y, otherwise); err != nil || !slices.ContainsFunc(r.state().Payouts, otherwise) {
			return err
		}
		if err := r.resolvePayout(y, payout.MarkSucceeded); err != nil {
			return err
		}
		return r.decide(exception.PayoutPaidAfterAll, exception.WriteOff)
	}
}

// withdrawsUnasked is to withdraws what refundsUnasked is to refunds.
func withdrawsUnasked(to string) func(*Run) error {
	return func(r *Run) error {
		y, err := r.Withdraw(to)
		if err != nil {
			return err
		}
		err = r.UntilPayout(y, func(y payoutRow) bool { return y.InDoubt })
		r.merchant.Sandboxes[0].ClearScripts(r.scope)
		if err != nil {
			return err
		}
		return r.UntilPayout(y, func(payoutRow) bool { return false })
	}
}

// resolvePayout decides a parked payout, and waits for its end. What a step that is run again shows once more is decided once more.
func (r *Run) resolvePayout(payoutID string, d remit.Decision) error {
	now := func() (y payoutRow) {
		for _, y = range r.state().Payouts {
			if y.ID == payoutID {
				break
			}
		}
		return y
	}
	for {
		shown := now().Sequence
		err := r.Update(workflows.PayoutID(payoutID), workflows.UpdateResolve, func() bool { return now().Status != "processing" || now().Parked == "" },
			workflows.OutResolution{Decision: d, Actor: "ada", Reason: "seen in the channel's back office"})
		if err == nil {
			err = r.UntilPayout(payoutID, func(y payoutRow) bool { return parkedPayout(y) && y.Sequence > shown+1 })
		}
		if err != nil || now().Status != "processing" {
			return err
		}
	}
}

// decidesPayout lets a payout park, and decides. What isn't to be tried again stays abnormal: else a call that is only repeated, since its
// worker's answer was lost, would pay it.
func decidesPayout(d remit.Decision) func(*Run) error {
	return paidThen("tok_ok", func(r *Run, _ string) error {
		if d != payout.Retry {
			if err := r.script("", map[string]any{"operation": "payout", "fault": "abnormal", "times": -1}); err != nil {
				return err
			}
		}
		y, err := r.Withdraw("dest_abnormal")
		if err == nil {
			err = r.UntilPayout(y, parkedPayout)
		}
		if err != nil {
			return err
		}
		return r.resolvePayout(y, d)
	})
}

// spoilsPayout spoils an operation of the sandbox once the merchant was paid, and then takes money out.
func spoilsPayout(operation, fault string, times int, then func(*Run) error) func(*Run) error {
	return paidThen("tok_ok", scripted(operation, fault, times, func(r *Run, _ string) error { return then(r) }))
}

// payout holds a payout against the sandboxes' books (I-11): what succeeded was paid once, what failed not at all.
func (r *Run) payout(y payoutRow, breaks breaker) {
	paid := 0
	for _, sb := range r.merchant.Sandboxes {
		for _, m := range sb.Lookup(y.ID).Payouts {
			if m.State == server.Succeeded {
				paid++
			}
		}
	}
	if want := map[string]int{"succeeded": 1}[y.Status]; paid != want && y.Parked == "" {
		breaks("I-11: %s is %s, and the sandbox paid it %d times", y.ID, y.Status, paid)
	}
}

// Payouts are the scenarios of the payout's saga.
func Payouts() []Scenario {
	out, back := paid+"+payout-succeeded", paid+"+payout-failed"
	more := func(c Cell) []string {
		if c.Fault == WrongAmount {
			return []string{out + "+case:" + string(exception.PayoutPaidAfterAll) + ":write_off"}
		}
		return nil
	}
	first := of("payout", commits("OpenPayout", 1).told(), calls("Payout", 1).told(), commits("BookPayout", 1).told())
	return []Scenario{
		{Name: "paid_out", Boundaries: first, Play: paysOut("dest_ok"), Ends: []string{out}, Struck: more},
		{Name: "paid_out_standard", Boundaries: first, Standard: true, Play: paysOut("dest_ok"), Ends: []string{out}, Struck: more},
		{Name: "payout_in_doubt", Silent: true, Play: spoilsPayout("payout", "timeout_after", 1, withdraws("dest_ok")), Ends: []string{out},
			Boundaries: of("payout", commits("BookPayout", 1).told(), asks("AskPayout", 1).told(), commits("BookPayout", 2).told())},
		{Name: "payout_pending", Silent: true, Play: paysOut("dest_pending"), Ends: []string{out},
			Server: func(c *server.Config) { c.PendingDelay = time.Second },
			// That it is pending changes nothing: the first BookPayout only reads.
			Boundaries: of("payout", calls("Payout", 1).told(), reads("BookPayout", 1).told(), asks("AskPayout", 1).told(), commits("BookPayout", 2).told()),
			Without:    map[string]string{"payout/Payout-1:effect:wrong_amount": "what is pending has moved nothing"}},
		{Name: "payout_called_back", Play: spoilsPayout("ask_payout", "429", -1, withdrawsUnasked("dest_pending")), Ends: []string{out},
			Server:     func(c *server.Config) { c.PendingDelay = time.Second },
			Boundaries: of("payout", reads("HeedPayout", 1).told(), commits("BookPayout", 2).told())},
		{Name: "payout_declined", Play: paysOut("dest_closed"), Ends: []string{back},
			Boundaries: of("payout", calls("Payout", 1).told(), commits("BookPayout", 1).told()),
			Without:    map[string]string{"payout/Payout-1:effect:wrong_amount": "what is declined has moved nothing"}},
		{Name: "payout_abnormal", Play: decidesPayout(payout.Retry), Ends: []string{out},
			Boundaries: of("payout", commits("BookPayout", 1).told(), commits("ResolvePayout", 1).told())},
		{Name: "payout_given_back", Play: decidesPayout(payout.GiveBack), Ends: []string{back},
			Boundaries: of("payout", commits("ResolvePayout", 1).told())},
		{Name: "payout_shown", Silent: true, Ends: []string{out}, Boundaries: of("payout", commits("ParkPayout", 1).told()),
			Play: spoilsPayout("ask_payout", "500", -1, func(r *Run) error {
				if err := r.script("", map[string]any{"operation": "payout", "fault": "timeout_after", "times": 1}); err != nil {
					return err
				}
				y, err := r.Withdraw("dest_ok")
				if err == nil {
					err = r.UntilPayout(y, func(y payoutRow) bool { return y.Parked != "" && r.hasFired() })
				}
				r.merchant.Sandboxes[0].ClearScripts(r.scope)
				return err
			})},
	}
}
