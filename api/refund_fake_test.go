package api_test

import (
	"context"
	"slices"
	"strings"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// receiveRefund arbitrates by the same rules as the store, for a merchant that has enough.
func (m *memory) receiveRefund(c refund.Receive) error {
	p := m.payments[c.Refund.PaymentID]
	if c.All {
		c.Refund.Amount = p.Left()
	}
	c.Refund.Channel, c.Refund.ChannelAccount = p.Channel, "cha_1"
	o, err := refund.Open(refund.Opening{Refund: c.Refund, Payment: p, Terms: payment.Terms{FeeOnRefund: "return"}, Available: 1 << 40,
		Wallet: m.wallets.holds[c.Refund.User]})
	if err != nil {
		return err
	}
	m.payments[p.ID], m.refunds[o.Refund.ID] = o.Payment, o.Refund
	return nil
}

func (m *memory) Refund(_ context.Context, book id.Book, merchantID, refundID string) (refund.Refund, error) {
	unlock, err := m.lock("Refund")
	defer unlock()
	r, ok := m.refunds[refundID]
	if err == nil && (!ok || r.Book != book || (merchantID != "" && r.MerchantID != merchantID)) {
		err = fault.NotFound("refund")
	}
	return r, err
}

func (m *memory) Refunds(_ context.Context, f refund.Filter) ([]refund.Refund, bool, error) {
	unlock, err := m.lock("Refunds")
	defer unlock()
	var list []refund.Refund
	for _, r := range m.refunds {
		if r.Book == f.Book && (f.MerchantID == "" || r.MerchantID == f.MerchantID) && (f.Status == "" || r.Status == f.Status) &&
			(f.PaymentID == "" || r.PaymentID == f.PaymentID) && (f.After == "" || r.ID < f.After) &&
			!r.CreatedAt.Before(f.CreatedFrom) && (f.CreatedBefore.IsZero() || r.CreatedAt.Before(f.CreatedBefore)) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b refund.Refund) int { return strings.Compare(b.ID, a.ID) })
	if len(list) > f.Limit {
		return list[:f.Limit], true, err
	}
	return list, false, err
}

// AcceptRefund gives everything back at once.
func (s *sagas) AcceptRefund(ctx context.Context, r refund.Refund) error {
	if f := s.acceptRefund.Load(); f != nil {
		return (*f)(ctx, r)
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	ruling, err := refund.Settle(refund.Settling{Refund: r, Payment: s.store.payments[r.PaymentID], Ordinal: 1, Now: r.CreatedAt,
		Outcome: payment.Outcome{Verdict: payment.Succeeded, AmountMinor: r.Amount.Minor, Currency: string(r.Amount.Currency)}})
	if err == nil && !ruling.Quiet {
		s.store.payments[r.PaymentID], s.store.refunds[r.ID] = ruling.Payment, ruling.After
	}
	return err
}
