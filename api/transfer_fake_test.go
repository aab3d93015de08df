package api_test

import (
	"context"
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/transfer"
)

// wallets are what users hold and who may not move theirs, in the fake.
type wallets struct {
	holds     map[string]int64  // user → minor units, of one currency
	refused   map[string]string // user → wallet_frozen or wallet_closed
	transfers map[string]transfer.Transfer
}

// holder knows everybody who ever paid: their customer_id is a user.
func (m *memory) holder(book id.Book, merchantID, userID string) error {
	if u, made := m.people.users[userID]; made && u.Book == book && u.MerchantID == merchantID {
		return nil
	}
	for _, p := range m.payments {
		if p.Book == book && p.MerchantID == merchantID && !p.TopUp() && p.CustomerID == userID {
			if code := m.wallets.refused[userID]; code != "" {
				return fault.Conflict(code, "it doesn't move")
			}
			return nil
		}
	}
	return fault.NotFound("user")
}

func (m *memory) Holder(_ context.Context, book id.Book, merchantID, userID string) error {
	unlock, err := m.lock("Holder")
	defer unlock()
	if err != nil {
		return err
	}
	return m.holder(book, merchantID, userID)
}

func (m *memory) bothSides(t transfer.Transfer) transfer.Standing {
	return transfer.Standing{From: m.holder(t.Book, t.MerchantID, t.From), To: m.holder(t.Book, t.MerchantID, t.To), Available: m.wallets.holds[t.From]}
}

func (m *memory) receiveTransfer(c transfer.Receive) error {
	t := c.Transfer
	if err := transfer.Admit(t, m.bothSides(t)); err != nil {
		return err
	}
	t.Status, t.Sequence, t.UpdatedAt = transfer.Processing, 1, t.CreatedAt
	m.wallets.transfers[t.ID] = t
	return nil
}

func (m *memory) Transfer(_ context.Context, book id.Book, merchantID, transferID string) (transfer.Transfer, error) {
	unlock, err := m.lock("Transfer")
	defer unlock()
	t, ok := m.wallets.transfers[transferID]
	if err == nil && (!ok || t.Book != book || (merchantID != "" && t.MerchantID != merchantID)) {
		err = fault.NotFound("transfer")
	}
	return t, err
}

func (m *memory) Transfers(_ context.Context, f transfer.Filter) ([]transfer.Transfer, bool, error) {
	unlock, err := m.lock("Transfers")
	defer unlock()
	var list []transfer.Transfer
	for _, t := range m.wallets.transfers {
		if t.Book == f.Book && (f.MerchantID == "" || t.MerchantID == f.MerchantID) && (f.Status == "" || t.Status == f.Status) &&
			(f.UserID == "" || t.From == f.UserID || t.To == f.UserID) && (f.After == "" || t.ID < f.After) && !t.CreatedAt.Before(f.CreatedFrom) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b transfer.Transfer) int { return strings.Compare(b.ID, a.ID) })
	if len(list) > f.Limit {
		return list[:f.Limit], true, err
	}
	return list, false, err
}

// AcceptTransfer settles it at once.
func (s *sagas) AcceptTransfer(ctx context.Context, t transfer.Transfer) error {
	if f := s.acceptTransfer.Load(); f != nil {
		return (*f)(ctx, t)
	}
	m := s.store
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := transfer.Settle(t, m.bothSides(t), t.CreatedAt)
	if err == nil && r.After.Status == transfer.Succeeded {
		m.wallets.holds[t.From] -= t.Amount.Minor
		m.wallets.holds[t.To] += t.Amount.Minor
	}
	m.wallets.transfers[t.ID] = r.After
	return err
}
