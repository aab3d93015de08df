package paypal

import (
	"strings"

	"paysaga/domain/reconcile"
)

func isEvent(code string) bool {
	return len(code) == 5 && code[0] == 'T' && strings.Trim(code[1:], "0123456789") == ""
}

// kindOf reads an event code: T, two digits for its group, two more.
func kindOf(code string, in bool) reconcile.Kind {
	pick := func(credit, debit reconcile.Kind) reconcile.Kind {
		if in {
			return credit
		}
		return debit
	}
	switch code {
	case "T0001":
		return pick(reconcile.PayoutReturned, reconcile.Payout)
	case "T1106", "T1201", "T1202":
		return pick(reconcile.ChargebackWon, reconcile.Chargeback)
	case "T1107":
		return pick(reconcile.RefundReturned, reconcile.Refund)
	case "T1108":
		return reconcile.Fee
	}
	switch code[:3] {
	case "T00":
		return pick(reconcile.Charge, reconcile.Payout)
	case "T01":
		return reconcile.Fee
	case "T03":
		return reconcile.TopUp
	case "T04", "T17", "T20":
		return reconcile.Settlement
	case "T12":
		return reconcile.Adjustment
	}
	return reconcile.Other
}
