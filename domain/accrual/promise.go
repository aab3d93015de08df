package accrual

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Promise makes rebates out of their campaigns' budgets, all or none. A budget
// that doesn't hold them is fault.Conflict "budget_short": nothing is promised
// beyond it (I-06).
type Promise struct{ Rebates []Accrual }

// Content implements ledger.Change.
func (p Promise) Content() any {
	list := []any{"promise_rebates"}
	for _, a := range p.Rebates {
		list = append(list, a.ID, a.Accrued)
	}
	return list
}

// Cause is the cause of the Step: that of the first rebate's journal.
func (p Promise) Cause() string { return p.Rebates[0].Cause(id.Accrue, 1) }

// Make is the accrual as it begins, and its journal.
func (a Accrual) Make(at time.Time) (Accrual, ledger.Journal, error) {
	a.Status, a.Sequence, a.UpdatedAt, a.CreatedAt = Pending, 1, at, at
	a.Ordinals = Ordinals{Rated: 1}
	if a.Accrued <= 0 {
		return a, ledger.Journal{}, fault.Internal("a rebate of nothing", nil)
	}
	j, err := ledger.RebateAccrued(a.Cause(id.Accrue, 1), a.Chart(), a.CampaignID, a.Beneficiary, a.Amount(a.Accrued))
	return a, j, err
}

// IDOf is the id of the rebate of a line, campaign, rule and beneficiary: a
// function of them and of when the order was paid, so that whoever accrues it
// again names the same one (I-22).
func IDOf(a Accrual, paidAt time.Time) string {
	h := sha256.New()
	for _, part := range []string{string(a.Book), a.OrderID, a.CampaignID, a.Rule, a.Beneficiary} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(a.Line)))
	return id.New(id.Rebate, uint64(paidAt.UnixMilli()), [10]byte(h.Sum(nil)))
}
