package store

import (
	"paysaga/domain/accrual"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// payRebates settles rebates of one user, judged by the rows as they are: nobody can freeze the wallet meanwhile.
type payRebates struct{ accrual.Pay }

func (p payRebates) claim(l *locks) {
	for _, r := range p.Rebates {
		l.rebates = append(l.rebates, r.ID)
	}
	for _, r := range p.Debts {
		l.rebates = append(l.rebates, r.ID)
	}
	l.holders = append(l.holders, p.User)
}

func (p payRebates) posts() posts {
	c := p.Chart
	list := posts{accounts: []ledger.Account{c.RebatePending(p.User), c.Wallet(p.User), c.Budget(p.CampaignID)}}
	for _, r := range p.Rebates[1:] { // the first one's cause is the Step's
		list.causes = append(list.causes, p.CauseOf(r.ID))
	}
	for _, r := range p.Debts {
		if len(list.accounts) == 3 {
			list.accounts = append(list.accounts, c.RebateDebt(p.User))
		}
		list.accounts = append(list.accounts, c.Recoverable(r.CampaignID), c.Budget(r.CampaignID))
		// Its ordinal is known by the sequence alone: whatever is named mustn't stand, so the next one is.
		if r.Recovery <= accrual.MaxMoves {
			list.causes = append(list.causes, id.Key(r.ID, id.Step{Code: id.Recover, Ordinal: r.Recovery}))
		}
	}
	return list
}

var insertSettlementLine = inserting("settlement_lines", `settlement_id text, cause text, beneficiary text, rebates integer, paid bigint,
	released bigint, recovered bigint, at timestamptz`)

func (p payRebates) judge(w *work) error {
	refused := w.holds(p.MerchantID, p.User)
	if refused != nil && fault.Of(refused) != fault.KindConflict {
		return refused
	}
	var t accrual.Tally
	for _, r := range p.Rebates {
		a, err := w.rebateOf(r)
		if err != nil {
			return err
		}
		after, j, err := accrual.Settle(*a, p.RunID, refused != nil, w.at)
		if err != nil {
			return err
		}
		w.late = append(w.late, j)
		t = t.Add(accrual.Tally{Rebates: 1, Paid: after.Settled, Released: after.Released})
		event := "rebate.settled"
		if refused != nil {
			event = "rebate.released"
		}
		w.settledRebate(a, after, event)
	}
	if refused != nil {
		if err := p.tell(w, t, refused).judge(w); err != nil {
			return err
		}
	} else if err := p.recover(w, &t); err != nil {
		return err
	}
	if refused == nil && (p.Withdraws || w.b.found.holders.get(p.User).withdraws) {
		w.write(insertWithdrawal, p.RunID+"/"+p.User, p.RunID, p.User, w.at)
	}
	w.write(insertSettlementLine, w.step.Cause, p.RunID, w.step.Cause, p.User, int32(t.Rebates), t.Paid, t.Released, t.Recovered, w.at)
	return nil
}

// recover pays back what the user owes, as far as what they were just paid goes.
func (p payRebates) recover(w *work, t *accrual.Tally) error {
	for _, r := range p.Debts {
		a, err := w.rebateOf(r)
		if err != nil {
			return err
		}
		after, j, back, err := accrual.Recover(*a, t.Paid-t.Recovered, w.at)
		if err != nil {
			return err
		}
		if back > 0 {
			t.Recovered += back
			w.late = append(w.late, j)
			w.moveRebate(a, after, "rebate.recovered")
		}
	}
	return nil
}

// tell is the case of what a wallet has refused: the money is in the campaign's budget again, and a person is told.
func (p payRebates) tell(w *work, t accrual.Tally, why error) openCase {
	first := p.Rebates[0].ID
	return openCase{payment.OpenCase{
		ID: exception.ID(first, exception.RebateRefused, "rs1"), Book: w.step.Book, MerchantID: p.MerchantID, Kind: exception.RebateRefused,
		Amount: money.New(t.Released, p.Chart.Currency), Booked: true,
		Reason: "rebates of " + p.User + " went back to the budget of " + p.CampaignID + ": " + fault.As(why).Message}}
}
