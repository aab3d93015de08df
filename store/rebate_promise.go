package store

import (
	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// promise makes rebates, as far as their campaigns' budgets go.
type promise struct{ accrual.Promise }

func (p promise) claim(*locks) {}

func (p promise) posts() posts {
	var list posts
	for i, a := range p.Rebates {
		c := a.Chart()
		list.accounts = append(list.accounts, c.Budget(a.CampaignID), c.RebatePending(a.Beneficiary))
		if cause := a.Cause(id.Accrue, 1); i > 0 { // the first one's is the Step's
			list.causes = append(list.causes, cause)
		}
	}
	return list
}

func (p promise) judge(w *work) error {
	for _, a := range p.Rebates {
		if err := w.promise(a); err != nil {
			return err
		}
	}
	return nil
}

// promise makes one rebate, or refuses it: nothing is promised beyond a budget.
func (w *work) promise(a accrual.Accrual) error {
	budget := a.Chart().Budget(a.CampaignID)
	left, err := w.left(budget)
	if err != nil {
		return err
	}
	if left < a.Accrued {
		w.short = true
		return fault.Conflict("budget_short", "the campaign's budget doesn't hold this rebate")
	}
	made, j, err := a.Make(w.at)
	if err != nil {
		return err
	}
	w.late = append(w.late, j)
	w.newRebate(made)
	return nil
}

// left is what an account holds after the Step's journals so far.
func (w *work) left(a ledger.Account) (int64, error) {
	before, err := w.balance(a)
	return before + w.coming(a), err
}
