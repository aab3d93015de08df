package accrual

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Share says which part of an order has gone back: refunded of total, in minor
// units. Rebates of the order are taken back in that proportion, line by line.
type Share struct{ Refunded, Total int64 }

// ShareOf is the share of an order: what it cost, what was paid and given back,
// and what of that has come back to the merchant after all. What was paid
// beyond the total is not the order's: giving it back takes no rebate.
func ShareOf(total, paid, refunded, returned int64) Share {
	back := refunded - returned - max(0, paid-total)
	return Share{Refunded: min(max(0, back), total), Total: total}
}

// Due is how much of the accrual is to be taken back in all, rounded down: a
// cent in doubt stays the user's. Once everything has gone back it is all of it.
func (a Accrual) Due(s Share) (int64, error) {
	switch {
	case a.Status == Released: // nothing of it is with the user; what was taken before stays
		return a.ClawedBack(), nil
	case s.Total <= 0 || s.Refunded <= 0:
		return 0, nil
	case s.Refunded >= s.Total:
		return a.Accrued, nil
	}
	due, err := money.Share(a.Amount(a.Accrued), s.Refunded, s.Total, money.Down)
	return due.Minor, err
}

// Adjust brings what is taken back of a rebate to what its order's refunds say:
// more of it is clawed back, less of it restored. The same refunds lead to the
// same sums in any order and however often it is done. One that has moved since
// it was read is fault.Conflict "stale_state"; one that can't move yet, since the
// budget is short or the wallet shut, is fault.Conflict "rebate_waits".
type Adjust struct {
	Share  Share
	Rebate Accrual // as it was read
}

// Content implements ledger.Change.
func (a Adjust) Content() any { return []any{"adjust_rebate", a.Share, a.Rebate.Ref()} }

// Waits is the refusal of what can't move yet.
func Waits() error {
	return fault.Conflict("rebate_waits", "the campaign's budget or the user's wallet doesn't allow it yet")
}

// MaxMoves is how often a rebate is taken back, restored or recovered: as far as
// its row counts. These steps move the ledger alone and reach no channel, so
// their ordinals needn't fit a reference, as id.MaxOrdinal lets them: an order of
// many parts goes back in many.
const MaxMoves = 1<<15 - 1

// Step is the step by which an accrual moves next towards its share. One that
// needn't move is a step without a code; after MaxMoves of a kind it is
// fault.Conflict "steps_exhausted".
func (a Accrual) Step(s Share) (id.Step, error) {
	due, err := a.Due(s)
	step := id.Step{}
	switch {
	case err != nil:
		return step, err
	case due > a.ClawedBack():
		step = id.Step{Code: id.ClawBack, Ordinal: a.Ordinals.Clawed + 1}
	case due < a.ClawedBack():
		step = id.Step{Code: id.Restore, Ordinal: a.Ordinals.Restored + 1}
	default:
		return step, nil
	}
	if step.Ordinal > MaxMoves {
		return step, fault.Conflict("steps_exhausted", "no ordinal is left for this step")
	}
	return step, nil
}

// Purse is what an adjustment finds: minor units on the normal side.
type Purse struct {
	Wallet int64 // what the user's wallet holds
	Shut   bool  // it is frozen or closed: nothing leaves it and nothing comes in
	Budget int64 // what the campaign may still promise
}

// Adjusted is what an adjustment comes to. Less says that the purse held less
// than it would have taken: with another balance it would be another one.
type Adjusted struct {
	After   Accrual
	Journal ledger.Journal
	Moved   bool
	Less    bool
	Event   string
}

// Bring moves an accrual towards its share, as far as the purse allows. It is
// taken back from what is pending, else from the wallet, and what the wallet
// doesn't hold is owed. It is restored the other way round: what is owed is
// forgiven first; the rest comes from the budget, and only as far as that goes.
func (a Accrual) Bring(s Share, p Purse, at time.Time) (Adjusted, error) {
	step, err := a.Step(s)
	if err != nil || step.Code == "" {
		return Adjusted{After: a}, err
	}
	due, err := a.Due(s)
	if err != nil {
		return Adjusted{After: a}, err
	}
	if step.Code == id.ClawBack {
		return a.clawBack(step, due-a.ClawedBack(), p, at)
	}
	return a.restore(step, a.ClawedBack()-due, p, at)
}

func (a Accrual) clawBack(step id.Step, take int64, p Purse, at time.Time) (Adjusted, error) {
	r := Adjusted{Moved: true, Event: "rebate.clawed_back"}
	var pending, wallet, debt int64
	if a.Status == Pending {
		pending = take
	} else {
		if !p.Shut {
			wallet = min(take, max(0, p.Wallet))
		}
		debt = take - wallet
		r.Less = debt > 0
	}
	a.Ordinals.Clawed = step.Ordinal
	a.FromPending, a.FromWallet, a.Debt = a.FromPending+pending, a.FromWallet+wallet, a.Debt+debt
	var err error
	r.Journal, err = ledger.RebateClawedBack(a.Cause(step.Code, step.Ordinal), a.parts(pending, wallet, debt))
	r.After = a.moved(at)
	return r, err
}

func (a Accrual) restore(step id.Step, give int64, p Purse, at time.Time) (Adjusted, error) {
	r := Adjusted{After: a, Event: "rebate.restored"}
	var pending, wallet int64
	debt := min(give, a.Debt)
	if rest := min(give-debt, max(0, p.Budget)); a.Status == Pending {
		pending = rest
	} else if !p.Shut {
		wallet = rest
	}
	r.Less = pending+wallet+debt < give
	if pending+wallet+debt == 0 {
		return r, nil // the budget may come to hold it
	}
	a.Ordinals.Restored = step.Ordinal
	a.Debt -= debt
	if a.FromPending -= pending; wallet > 0 {
		back := min(wallet, a.FromWallet)
		a.FromWallet -= back
		a.FromPending -= wallet - back // taken before the rest was paid: it is paid now
		a.Settled += wallet - back
	}
	var err error
	r.Moved = true
	r.Journal, err = ledger.RebateRestored(a.Cause(step.Code, step.Ordinal), a.parts(pending, wallet, debt))
	r.After = a.moved(at)
	return r, err
}

func (a Accrual) parts(pending, wallet, debt int64) ledger.Clawback {
	return ledger.Clawback{Chart: a.Chart(), Campaign: a.CampaignID, User: a.Beneficiary,
		Pending: a.Amount(pending), Wallet: a.Amount(wallet), Debt: a.Amount(debt)}
}
