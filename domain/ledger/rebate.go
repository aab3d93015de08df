package ledger

import (
	"paysaga/domain/money"
)

// Budget is what a campaign may still promise. It is funded before anything is accrued, and never falls below zero (I-06).
func (c Chart) Budget(campaign string) Account {
	return c.floored("campaign/"+campaign+"/budget", campaign, Liability, Credit)
}

// Recoverable is what a campaign gets back once its users pay their rebate debts. It is no budget before.
func (c Chart) Recoverable(campaign string) Account {
	return c.floored("campaign/"+campaign+"/recoverable", campaign, Liability, Credit)
}

// RebatePending is what a user was promised and can't use yet.
func (c Chart) RebatePending(user string) Account {
	return c.floored("user/"+user+"/rebate_pending", user, Liability, Credit)
}

// RebateDebt is what a user owes of rebates whose goods came back. It is recovered from later rebates only.
func (c Chart) RebateDebt(user string) Account {
	return c.floored("user/"+user+"/rebate_debt", user, Asset, Debit)
}

// BudgetFunded moves a merchant's money into a campaign's budget. A negative amount gives back what wasn't promised.
func BudgetFunded(cause string, c Chart, merchant, campaign string, amount money.Amount) (Journal, error) {
	from, to := c.Available(merchant), c.Budget(campaign)
	if amount.Sign() < 0 {
		from, to, amount.Minor = to, from, -amount.Minor
	}
	return Post(Posting{Cause: cause, Kind: "budget_funded", Late: ToNextOpen}, Dr(from, amount), Cr(to, amount))
}

// RebateAccrued promises a user a rebate out of a campaign's budget.
func RebateAccrued(cause string, c Chart, campaign, user string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "rebate_accrued", Late: ToNextOpen},
		Dr(c.Budget(campaign), amount),
		Cr(c.RebatePending(user), amount))
}

// Clawback is what is taken back of a rebate, and from where. Pending, Wallet and Debt sum to the whole.
type Clawback struct {
	Chart                 Chart
	Campaign, User        string
	Pending, Wallet, Debt money.Amount
}

// RebateClawedBack takes a rebate back: what was pending, else from the wallet, else as a debt that the campaign gets when it is paid.
func RebateClawedBack(cause string, b Clawback) (Journal, error) {
	back, err := b.Pending.Add(b.Wallet)
	if err != nil {
		return Journal{}, err
	}
	return Post(Posting{Cause: cause, Kind: "rebate_clawed_back", Late: ToNextOpen},
		Dr(b.Chart.RebatePending(b.User), b.Pending),
		Dr(b.Chart.Wallet(b.User), b.Wallet),
		Dr(b.Chart.RebateDebt(b.User), b.Debt),
		Cr(b.Chart.Budget(b.Campaign), back),
		Cr(b.Chart.Recoverable(b.Campaign), b.Debt))
}

// RebateRestored gives back what RebateClawedBack took: the refund it was taken for has failed after all.
func RebateRestored(cause string, b Clawback) (Journal, error) {
	from, err := b.Pending.Add(b.Wallet)
	if err != nil {
		return Journal{}, err
	}
	return Post(Posting{Cause: cause, Kind: "rebate_restored", Late: ToNextOpen},
		Dr(b.Chart.Budget(b.Campaign), from),
		Dr(b.Chart.Recoverable(b.Campaign), b.Debt),
		Cr(b.Chart.RebatePending(b.User), b.Pending),
		Cr(b.Chart.Wallet(b.User), b.Wallet),
		Cr(b.Chart.RebateDebt(b.User), b.Debt))
}

// RebateSettled pays a vested rebate into its wallet.
func RebateSettled(cause string, c Chart, user string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "rebate_settled", Late: ToNextOpen},
		Dr(c.RebatePending(user), amount),
		Cr(c.Wallet(user), amount))
}

// RebateReleased gives a rebate that its wallet refuses back to the campaign.
func RebateReleased(cause string, c Chart, campaign, user string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "rebate_released", Late: ToNextOpen},
		Dr(c.RebatePending(user), amount),
		Cr(c.Budget(campaign), amount))
}

// RebateDebtRecovered pays back out of a wallet what its user owes of a rebate; with it the campaign may promise it again.
func RebateDebtRecovered(cause string, c Chart, campaign, user string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "rebate_debt_recovered", Late: ToNextOpen},
		Dr(c.Wallet(user), amount),
		Dr(c.Recoverable(campaign), amount),
		Cr(c.RebateDebt(user), amount),
		Cr(c.Budget(campaign), amount))
}

// RebateCorrected changes what was promised by what a corrected rule makes of it; a negative amount promises less.
func RebateCorrected(cause string, c Chart, campaign, user string, amount money.Amount) (Journal, error) {
	from, to := c.Budget(campaign), c.RebatePending(user)
	if amount.Sign() < 0 {
		from, to, amount.Minor = to, from, -amount.Minor
	}
	return Post(Posting{Cause: cause, Kind: "rebate_corrected", Late: ToNextOpen}, Dr(from, amount), Cr(to, amount))
}
