package accrual

import "paysaga/domain/money"

// Totals are the sums of a user's rebates in a currency, in minor units.
// Accrued = Open + Released + (Settled - what of it was clawed back) + ClawedBack.
type Totals struct {
	Currency                                           money.Currency
	Accrued, Open, Settled, ClawedBack, Debt, Released int64
}
