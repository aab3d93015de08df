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
	rebates   []accrual.Accrual
	runs      map[string]accrual.Run
	reratings map[string]accrual.Rerating
	due       []accrual.Run
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

func (m *memory) PreviewRerating(_ context.Context, r accrual.Rerating, limit int) (list []accrual.Preview, next string, over bool, err error) {
	unlock, err := m.lock("PreviewRerating")
	defer unlock()
	a := accrual.Accrual{ID: mint(id.Rebate), Rule: "all", Line: 1, Beneficiary: mint(id.User), Currency: r.Currency, Accrued: 100}
	b := a
	b.Accrued = 40
	list = []accrual.Preview{{OrderID: mint(id.Order), Corrected: accrual.Corrected{Changed: []accrual.Moved{{Before: a, After: b}}, Made: []accrual.Accrual{a}}},
		{OrderID: mint(id.Order), Left: accrual.LeftSettled}, {OrderID: mint(id.Order)}}
	return list, list[2].OrderID, limit != 3, err
}

func (m *memory) TotalRerating(ctx context.Context, r accrual.Rerating, most int) (accrual.Whole, error) {
	list, next, _, err := m.PreviewRerating(ctx, r, most)
	w := accrual.Whole{Next: next, Complete: r.After == ""}
	for _, p := range list {
		w.Add(p)
	}
	return w, err
}

func (m *memory) Reratings(_ context.Context, f accrual.RunFilter) (page []accrual.Rerating, more bool, err error) {
	unlock, err := m.lock("Reratings")
	defer unlock()
	for _, r := range m.promised.reratings {
		if r.MerchantID == f.MerchantID && (f.CampaignID == "" || r.CampaignID == f.CampaignID) && (f.Status == "" || r.Status == f.Status) {
			page = append(page, r)
		}
	}
	return page, false, err
}

func (m *memory) BeginRerating(_ context.Context, b accrual.BeginRerating, by ledger.Principal) (accrual.Rerating, error) {
	unlock, err := m.lock("BeginRerating")
	defer unlock()
	if err != nil {
		return b.Run, err
	}
	r := b.Run
	r.Status, r.Sequence, r.By = accrual.Running, 1, by
	for _, old := range m.promised.reratings {
		if old.CampaignID == r.CampaignID && !old.Status.Terminal() {
			return r, fault.Conflict("rerating_open", "there is one")
		}
	}
	m.promised.reratings[r.ID] = r
	k := b.Idempotency
	hash := k.RequestHash
	k.RequestHash = ""
	m.firsts[scopeOf(r.Book, k)] = first{hash, r.ID}
	return r, nil
}

func (m *memory) Rerating(_ context.Context, book id.Book, merchantID, runID string) (accrual.Rerating, error) {
	unlock, err := m.lock("Rerating")
	defer unlock()
	r, ok := m.promised.reratings[runID]
	if err == nil && (!ok || r.Book != book || merchantID != "" && r.MerchantID != merchantID) {
		err = fault.NotFound("rerating")
	}
	return r, err
}

func (m *memory) CancelRerating(ctx context.Context, book id.Book, merchantID, runID string, _ ledger.Principal) (accrual.Rerating, error) {
	r, err := m.Rerating(ctx, book, merchantID, runID)
	if err != nil || r.Status == accrual.Canceled {
		return r, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err = r.Ended(accrual.Canceled, time.Now())
	m.promised.reratings[r.ID] = r
	return r, err
}
