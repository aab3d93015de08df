package api_test

import (
	"context"
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
)

// everybodyHas is what each wallet and each merchant of the fake has, in minor units.
const everybodyHas = 100_00

// receivePayout judges by the same rules as the store.
func (m *memory) receivePayout(c payout.Receive) error {
	p := c.Payout
	p.To = c.Destination.Masked()
	has := int64(everybodyHas)
	for _, other := range m.payouts {
		if other.MerchantID == p.MerchantID && other.UserID == p.UserID && other.Status != payout.Failed {
			has -= other.Amount.Minor
		}
	}
	p, _, err := payout.Open(p, has)
	if err == nil {
		m.payouts[p.ID] = p
	}
	return err
}

func (m *memory) Payout(_ context.Context, book id.Book, merchantID, userID, payoutID string) (payout.Payout, error) {
	unlock, err := m.lock("Payout")
	defer unlock()
	p, ok := m.payouts[payoutID]
	if err == nil && (!ok || p.Book != book || (merchantID != "" && p.MerchantID != merchantID) || (userID != "" && p.UserID != userID)) {
		err = fault.NotFound("payout")
	}
	return p, err
}

func (m *memory) Payouts(_ context.Context, f payout.Filter) ([]payout.Payout, bool, error) {
	unlock, err := m.lock("Payouts")
	defer unlock()
	var list []payout.Payout
	for _, p := range m.payouts {
		if p.Book == f.Book && (f.MerchantID == "" || p.MerchantID == f.MerchantID) && (f.Status == "" || p.Status == f.Status) &&
			(f.UserID == "" || p.UserID == f.UserID) && (f.After == "" || p.ID < f.After) &&
			!p.CreatedAt.Before(f.CreatedFrom) && (f.CreatedBefore.IsZero() || p.CreatedAt.Before(f.CreatedBefore)) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b payout.Payout) int { return strings.Compare(b.ID, a.ID) })
	if len(list) > f.Limit {
		return list[:f.Limit], true, err
	}
	return list, false, err
}

// AcceptPayout pays out at once.
func (s *sagas) AcceptPayout(ctx context.Context, p payout.Payout) error {
	if f := s.acceptPayout.Load(); f != nil {
		return (*f)(ctx, p)
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	ruling, err := payout.Settle(payout.Settling{Payout: p, Ordinal: 1, Now: p.CreatedAt,
		Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: p.Amount.Minor, Currency: string(p.Amount.Currency)}})
	if err == nil && !ruling.Quiet {
		s.store.payouts[p.ID] = ruling.After
	}
	return err
}
