package cells

import (
	"fmt"
	"strings"
	"time"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
)

// user is somebody with an empty wallet.
func (r *Run) user() (user string, err error) {
	for { // another run may have cut the connections just now
		err = r.scope.run(func() error { user = r.merchant.User(r.scope, 0); return nil })
		if err == nil || r.rest(200*time.Millisecond) != nil {
			return user, err
		}
	}
}

// TopUp asks for 12.34 CNY for somebody's wallet, and returns the top-up's id.
func (r *Run) TopUp(method map[string]any) (string, error) {
	user, err := r.user()
	if err != nil {
		return "", err
	}
	a, err := r.order("/v1/topups", fmt.Sprintf("topup-%d", r.number()), map[string]any{"user_id": user, "amount": "12.34", "currency": "CNY", "method": method})
	return a.ID, err
}

// number counts what is asked for.
func (r *Run) number() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.orders) + 1
}

// isTopUp: the id is a top-up's, which is a payment in all but where its money goes.
func isTopUp(paymentID string) bool { return strings.HasPrefix(paymentID, string(id.TopUp)+"_") }

// topsUp tops a wallet up by a card, and then happens what happens.
func topsUp(token string, then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		p, err := r.TopUp(stage.Card(token))
		if err != nil || then == nil {
			return err
		}
		if err := r.UntilStatus(p, payment.Paid); err != nil {
			return err
		}
		return then(r, p)
	}
}

// topsUpByQR shows a QR code first.
func topsUpByQR(then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		p, err := r.TopUp(stage.QR)
		if err == nil {
			err = r.UntilStatus(p, payment.RequiresAction)
		}
		if err != nil {
			return err
		}
		return then(r, p)
	}
}

// transfers sends 5.00 of what somebody has to somebody else.
func transfers(r *Run) error {
	from, err := r.granted()
	if err != nil {
		return err
	}
	to, err := r.user()
	if err != nil {
		return err
	}
	a, err := r.order("/v1/transfers", fmt.Sprintf("transfer-%d", r.number()), map[string]any{"from": from, "to": to, "amount": "5.00", "currency": "CNY"})
	if err != nil {
		return err
	}
	return r.Until(a.ID+" has ended", func(s state) bool {
		for _, t := range s.Transfers {
			if t.ID == a.ID {
				return t.Status != "processing"
			}
		}
		return false
	})
}

// Wallets are the scenarios of top-ups, of their refunds, and of transfers. Whose wallet holds what is the audit's to say.
func Wallets() []Scenario {
	given, lost := paid+"+refund-succeeded", paid+"+refund-failed"
	first := of("topup", commits("Open", 1), calls("Charge", 1), commits("Book", 1).told())
	back := of("refund", commits("OpenRefund", 1).told(), calls("Refund", 1).told(), commits("BookRefund", 1).told())
	page := map[string]string{"topup/Charge-1:effect:wrong_amount": "at a page the customer pays, not the call"}
	return []Scenario{
		{Name: "topped_up", Boundaries: first, Play: topsUp("tok_ok", nil), Ends: []string{paid}, Struck: overcharged},
		{Name: "topped_up_standard", Boundaries: first, Standard: true, Play: topsUp("tok_ok", nil), Ends: []string{paid}, Struck: overcharged},
		{Name: "topup_in_doubt", Silent: true, Play: topsUp("tok_timeout_after", nil), Ends: []string{paid}, Struck: overcharged,
			Boundaries: of("topup", commits("Book", 1).told(), asks("Ask", 1).told(), commits("Book", 2).told())},
		{Name: "topup_polled", Silent: true, Play: topsUpByQR(pays), Ends: []string{paid}, Without: page,
			Boundaries: of("topup", calls("Charge", 1), commits("Book", 1).told(), asks("Ask", 1).told(), commits("Book", 2).told())},
		{Name: "topup_called_back", Play: topsUpByQR(unasked(pays)), Ends: []string{paid},
			Boundaries: of("topup", reads("Heed", 1).told(), commits("Book", 2).told())},
		{Name: "topup_refunded", Boundaries: back, Play: topsUp("tok_ok", refunds("")), Ends: []string{given}, Struck: misgiven(exception.RefundReturned)},
		{Name: "topup_refund_in_doubt", Silent: true, Play: topsUp("tok_ok", scripted("refund", "timeout_after", 1, refunds("10.00"))), Ends: []string{given},
			Boundaries: of("refund", commits("BookRefund", 1).told(), asks("AskRefund", 1).told(), commits("BookRefund", 2).told())},
		{Name: "topup_refund_declined", Play: topsUp("tok_refund_declined", refunds("10.00")), Ends: []string{lost},
			Boundaries: of("refund", calls("Refund", 1).told(), commits("BookRefund", 1).told()),
			Without:    map[string]string{"refund/Refund-1:effect:wrong_amount": "what is declined has moved nothing"}},
		{Name: "topup_refund_pending", Silent: true, Play: topsUp("tok_refund_pending", refunds("10.00")), Ends: []string{given},
			Server:     func(c *server.Config) { c.PendingDelay = time.Second },
			Boundaries: of("refund", asks("AskRefund", 1).told(), commits("BookRefund", 2).told())},
		{Name: "topup_refund_written_off", Play: topsUp("tok_refund_abnormal", decidesRefund(refund.WriteOff)), Ends: []string{lost},
			Boundaries: of("refund", commits("ResolveRefund", 1).told())},
		{Name: "transferred", Play: transfers, Ends: []string{"transfer-succeeded"}, Boundaries: of("transfer", commits("MoveTransfer", 1))},
	}
}
