package accrual

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Pay settles some rebates of one user: out of pending, into the wallet, each
// under its own cause, and in the same Step pays back what the user owes of
// rebates taken back before. A wallet that is frozen or closed refuses: then
// they go back to the campaign's budget, and a case tells of it. A rebate that
// has moved since it was read is fault.Conflict "stale_state", and nothing
// happens.
type Pay struct {
	RunID      string
	MerchantID string
	CampaignID string
	User       string
	Chart      ledger.Chart
	Rebates    []Ref
	Debts      []Ref // rebates of which the user owes something, the oldest first
	Expected   int64 // what the rebates come to, as they were read
	Withdraws  bool  // the merchant has its users' wallets paid out by themselves
}

// Content implements ledger.Change.
func (p Pay) Content() any { return []any{"pay_rebates", p.RunID, p.User, p.Rebates} }

// Cause is the cause of the Step: that of the first rebate's journal.
func (p Pay) Cause() string { return p.CauseOf(p.Rebates[0].ID) }

// CauseOf is the cause under which one rebate is paid, or released. There is
// one, so it happens once (I-22).
func (p Pay) CauseOf(rebateID string) string {
	return id.Key(rebateID, id.Step{Code: id.Settle, Ordinal: 1})
}

// Paid is the accrual after it was paid, and its journal.
func (a Accrual) pay(run, cause string, at time.Time) (Accrual, ledger.Journal, error) {
	amount := a.Amount(a.Open())
	j, err := ledger.RebateSettled(cause, a.Chart(), a.Beneficiary, amount)
	a.Settled, a.Status = amount.Minor, Settled
	return a.settled(run, at), j, err
}

// release is the accrual after its wallet refused it.
func (a Accrual) release(run, cause string, at time.Time) (Accrual, ledger.Journal, error) {
	amount := a.Amount(a.Open())
	j, err := ledger.RebateReleased(cause, a.Chart(), a.CampaignID, a.Beneficiary, amount)
	a.Released, a.Status = amount.Minor, Released
	return a.settled(run, at), j, err
}

func (a Accrual) settled(run string, at time.Time) Accrual {
	a.RunID, a.SettledAt = run, at
	return a.moved(at)
}

func (a Accrual) moved(at time.Time) Accrual {
	a.Sequence++
	if a.UpdatedAt.Before(at) {
		a.UpdatedAt = at
	}
	return a
}

// Settle is the ruling about one rebate of a settlement: paid, or released if
// the wallet refuses. What isn't open is fault.Conflict "stale_state".
func Settle(a Accrual, run string, refused bool, at time.Time) (Accrual, ledger.Journal, error) {
	if a.Open() <= 0 {
		return a, ledger.Journal{}, stale()
	}
	cause := Pay{}.CauseOf(a.ID)
	if refused {
		return a.release(run, cause, at)
	}
	return a.pay(run, cause, at)
}

// Recover pays a debt back out of what was just paid into the wallet, at most
// have. Nothing to recover gives an amount of zero.
func Recover(a Accrual, have int64, at time.Time) (Accrual, ledger.Journal, int64, error) {
	back := min(a.Debt, have)
	if back <= 0 || a.Ordinals.Recovered >= MaxMoves {
		return a, ledger.Journal{}, 0, nil
	}
	a.Ordinals.Recovered++
	j, err := ledger.RebateDebtRecovered(a.Cause(id.Recover, a.Ordinals.Recovered), a.Chart(), a.CampaignID, a.Beneficiary, a.Amount(back))
	a.Debt -= back
	a.FromWallet += back
	return a.moved(at), j, back, err
}

func stale() error { return fault.Conflict("stale_state", "the rebate has moved since it was read") }
