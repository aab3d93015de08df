package api_test

import (
	"context"
	"time"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// rebateBook is what the fakes know of rebates.
type rebateBook struct {
	rebates []accrual.Accrual
	runs    map[string]accrual.Run
	due     []accrual.Run
}

func (m *memory) Rebate(_ context.Context, book id.Book, merchantID, rebateID string) (accrual.Accrual, error) {
	unlock, err := m.lock("Rebate")
	defer unlock()
	for _, a := range m.promised.rebates {
		if err == nil && a.ID == rebateID && a.Book == book && (merchantID == "" || a.MerchantID == merchantID) {
			return a, nil
		}
	}
	if err != nil {
		return accrual.Accrual{}, err
	}
	return accrual.Accrual{}, fault.NotFound("rebate")
}

func (m *memory) Rebates(_ context.Context, f accrual.Filter) (list []accrual.Accrual, more bool, err error) {
	unlock, err := m.lock("Rebates")
	defer unlock()
	for _, a := range m.promised.rebates {
		if a.Book == f.Book && (f.MerchantID == "" || a.MerchantID == f.MerchantID) && (f.User == "" || a.Beneficiary == f.User) &&
			(f.OrderID == "" || a.OrderID == f.OrderID) {
			list = append(list, a)
		}
	}
	return list, false, err
}

func (m *memory) settlement(book id.Book, merchantID, runID string) (accrual.Run, error) {
	r, ok := m.promised.runs[runID]
	if !ok || r.Book != book || merchantID != "" && r.MerchantID != merchantID {
		return r, fault.NotFound("settlement")
	}
	return r, nil
}

func (m *memory) Settlement(_ context.Context, book id.Book, merchantID, runID string) (accrual.Run, error) {
	unlock, err := m.lock("Settlement")
	defer unlock()
	if err != nil {
		return accrual.Run{}, err
	}
	return m.settlement(book, merchantID, runID)
}

func (m *memory) Settlements(_ context.Context, f accrual.RunFilter) (list []accrual.Run, more bool, err error) {
	unlock, err := m.lock("Settlements")
	defer unlock()
	for _, r := range m.promised.runs {
		if r.Book == f.Book && (f.MerchantID == "" || r.MerchantID == f.MerchantID) && (f.Status == "" || r.Status == f.Status) {
			list = append(list, r)
		}
	}
	return list, false, err
}

func (m *memory) SettlementsDue(_ context.Context, _ id.Book, campaignID string, _ time.Time) (list []accrual.Run, err error) {
	unlock, err := m.lock("SettlementsDue")
	defer unlock()
	for _, r := range m.promised.due {
		if r.CampaignID == campaignID {
			list = append(list, r)
		}
	}
	return list, err
}

func (m *memory) Begin(_ context.Context, b accrual.Begin, _ ledger.Principal) (accrual.Run, error) {
	unlock, err := m.lock("Begin")
	defer unlock()
	r := b.Run
	r.ID, r.N, r.Status, r.Sequence = mint(id.Settlement), 1, accrual.Running, 1
	if err == nil {
		m.promised.runs[r.ID], m.promised.due = r, nil
		key := b.Idempotency
		hash := key.RequestHash
		key.RequestHash = ""
		m.firsts[scopeOf(r.Book, key)] = first{hash, r.ID}
	}
	return r, err
}

func (m *memory) Steer(_ context.Context, book id.Book, merchantID, runID string, to accrual.RunStatus, by ledger.Principal) (accrual.Run, error) {
	unlock, err := m.lock("Steer")
	defer unlock()
	if err != nil {
		return accrual.Run{}, err
	}
	r, err := m.settlement(book, merchantID, runID)
	if err != nil || r.Status == to {
		return r, err
	}
	if r, _, err = r.Next(to, time.Now()); err == nil {
		m.promised.runs[runID] = r
	}
	return r, err
}

func (s *sagas) SettlementMoved(context.Context, accrual.Run) error { return nil }
