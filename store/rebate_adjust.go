package store

import (
	"paysaga/domain/accrual"
	"paysaga/domain/ledger"
)

// adjustRebate takes a rebate back, or gives it back, as far as the balances under lock go.
type adjustRebate struct{ accrual.Adjust }

func (a adjustRebate) claim(l *locks) {
	l.rebates = append(l.rebates, a.Rebate.ID)
	l.holders = append(l.holders, a.Rebate.Beneficiary)
}

func (a adjustRebate) posts() posts {
	r, c := a.Rebate, a.Rebate.Chart()
	return posts{accounts: []ledger.Account{c.RebatePending(r.Beneficiary), c.Wallet(r.Beneficiary), c.RebateDebt(r.Beneficiary),
		c.Budget(r.CampaignID), c.Recoverable(r.CampaignID)}}
}

func (a adjustRebate) judge(w *work) error {
	r, err := w.rebateOf(a.Rebate.Ref())
	if err != nil {
		return err
	}
	purse, err := a.purse(w)
	if err != nil {
		return err
	}
	brought, err := r.Bring(a.Share, purse, w.at)
	if err != nil {
		return err
	}
	w.short = w.short || brought.Less
	if !brought.Moved {
		return accrual.Waits()
	}
	w.late = append(w.late, brought.Journal)
	w.moveRebate(r, brought.After, brought.Event)
	return nil
}

// purse is what the rebate's user and campaign have.
func (a adjustRebate) purse(w *work) (p accrual.Purse, err error) {
	r, c := a.Rebate, a.Rebate.Chart()
	p.Shut = w.holds(r.MerchantID, r.Beneficiary) != nil
	if p.Wallet, err = w.balance(c.Wallet(r.Beneficiary)); err != nil {
		return p, err
	}
	p.Budget, err = w.balance(c.Budget(r.CampaignID))
	return p, err
}
