package cells

import (
	"time"

	"paysaga/domain/exception"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/drill/stage"
)

// granted is a customer whose wallet holds 20.00 CNY.
func (r *Run) granted() (user string, err error) {
	for { // another run may have cut the connections just now
		err = r.scope.run(func() error { user = r.merchant.Granted(r.scope, 2000); return nil })
		if err == nil || r.rest(200*time.Millisecond) != nil {
			return user, err
		}
	}
}

// inParts pays 12.34 CNY, 5.00 of it from a wallet.
func inParts(token string, then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		user, err := r.granted()
		if err != nil {
			return err
		}
		p, err := r.Pay(stage.Card(token), map[string]any{"customer": map[string]any{"id": user},
			"parts": []map[string]any{{"source": "channel"}, {"source": "wallet", "amount": "5.00"}}})
		if err != nil || then == nil {
			return err
		}
		if err := r.UntilStatus(p, payment.Paid); err != nil {
			return err
		}
		return then(r, p)
	}
}

// fromWallet pays 12.34 CNY from a wallet alone.
func fromWallet(then func(*Run, string) error) func(*Run) error {
	return func(r *Run) error {
		user, err := r.granted()
		if err != nil {
			return err
		}
		p, err := r.Pay(map[string]any{"type": "wallet"}, map[string]any{"customer": map[string]any{"id": user}})
		if err == nil {
			err = r.UntilStatus(p, payment.Paid)
		}
		if err != nil || then == nil {
			return err
		}
		return then(r, p)
	}
}

// Parts are the scenarios of payments that come, whole or in part, from a wallet. What of it stands aside at the end, and for which
// payment, is the audit's to say.
func Parts() []Scenario {
	given := paid + "+refund-succeeded"
	return []Scenario{
		{Name: "in_parts", Play: inParts("tok_ok", nil), Ends: []string{paid}, Struck: overcharged,
			Boundaries: of("payment", commits("Open", 1), calls("Charge", 1), commits("Book", 1).told())},
		{Name: "in_parts_declined", Play: inParts("tok_insufficient_funds", nil), Ends: []string{failed},
			Boundaries: of("payment", commits("Book", 1).told())},
		{Name: "from_a_wallet", Play: fromWallet(nil), Ends: []string{paid}, Boundaries: of("payment", commits("Open", 1))},
		{Name: "refunded_in_parts", Play: inParts("tok_ok", refunds("")), Ends: []string{given}, Struck: misgiven(exception.RefundReturned),
			Boundaries: of("refund", commits("OpenRefund", 1).told(), calls("Refund", 1).told(), commits("BookRefund", 1).told())},
		{Name: "refunded_to_a_wallet", Play: fromWallet(refunds("")), Ends: []string{given}, Boundaries: of("refund", commits("OpenRefund", 1))},
		{Name: "refund_dead_to_the_wallet", Play: inParts("tok_refund_declined", decidesRefund(refund.ToWallet)), Ends: []string{given},
			Boundaries: of("refund", commits("BookRefund", 1).told(), commits("ResolveRefund", 1).told())},
	}
}
