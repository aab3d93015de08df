package payment

import (
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// A payment has one part over a channel, one from its customer's wallet, or both. The wallet's part is set aside when the payment is
// received, and stays so until the payment ends: success takes both parts, any other end gives it back, in the Step that ends it.

// The places of the wallet's part among a payment's steps; each is taken at most once.
var (
	stepHeld  = id.Step{Code: id.Hold, Ordinal: 1} // set aside
	stepTaken = id.Step{Code: id.Hold, Ordinal: 2} // became the merchant's
	stepFreed = id.Step{Code: id.Hold, Ordinal: 3} // given back: the exact reversal of the first
)

// HoldCause is the cause of the journal that sets a wallet's part aside, in the Step that receives the payment.
func HoldCause(paymentID string) string { return id.Key(paymentID, stepHeld) }

// Left is what of a part may still be given back (I-12). Of a part over a channel Refunding isn't kept: it is the payment's, less the
// wallet's.
func (p Part) Left() int64 { return p.Captured.Minor - p.Refunded.Minor - p.Refunding.Minor }

// of finds the part that comes from a source, or nil.
func (p *Payment) of(s Source) *Part {
	for i := range p.Parts {
		if p.Parts[i].Source == s {
			return &p.Parts[i]
		}
	}
	return nil
}

// WalletPart is the part that comes from the customer's wallet, or nil.
func (p *Payment) WalletPart() *Part { return p.of(FromWallet) }

// ChannelPart is the part that a channel is to bring, or nil: all comes from the wallet.
func (p *Payment) ChannelPart() *Part { return p.of(FromChannel) }

// FromWallet is how much of the payment comes from its customer's wallet.
func (p Payment) FromWallet() money.Amount {
	if part := p.WalletPart(); part != nil {
		return part.Amount
	}
	return money.Zero(p.Amount.Currency)
}

// OverChannel is how much of the payment a channel is to bring.
func (p Payment) OverChannel() money.Amount {
	return money.New(p.Amount.Minor-p.FromWallet().Minor, p.Amount.Currency)
}

// Split completes the parts of an amount: without any it is one over a channel, and a part without minor units takes what the other
// leaves. It refuses as fault.Invalid "parts_differ" what doesn't sum to the amount (I-08), and "parts_invalid" two parts of one source.
func Split(parts []Part, amount money.Amount) ([]Part, error) {
	if len(parts) == 0 {
		parts = []Part{{Source: FromChannel}}
	}
	list := append([]Part(nil), parts...)
	rest, open := amount.Minor, -1
	for i := range list {
		zero := money.Zero(amount.Currency)
		list[i] = Part{Ordinal: i + 1, Source: list[i].Source, Amount: money.New(list[i].Amount.Minor, amount.Currency), Authorized: zero,
			Captured: zero, Refunded: zero, Refunding: zero}
		switch part := list[i]; {
		case part.Source != FromChannel && part.Source != FromWallet, i > 0 && part.Source == list[0].Source, i > 1:
			return nil, fault.Invalid("parts_invalid", "parts", "a payment has at most one part over a channel and one from a wallet")
		case part.Amount.Minor < 0 || part.Amount.Minor > rest:
			return nil, partsDiffer()
		case part.Amount.Minor == 0 && open >= 0:
			return nil, partsDiffer()
		case part.Amount.Minor == 0:
			open = i
		}
		rest -= list[i].Amount.Minor
	}
	switch {
	case open >= 0 && rest > 0:
		list[open].Amount.Minor = rest
	case open >= 0 || rest != 0:
		return nil, partsDiffer()
	}
	return list, nil
}

func partsDiffer() error {
	return fault.Invalid("parts_differ", "parts", "the parts sum to the amount, and each is more than nothing")
}

// SetAside is the posting of the wallet's part, as the Step that receives the payment makes it.
func (p Payment) SetAside() (ledger.Journal, error) {
	return ledger.WalletHeld(HoldCause(p.ID), p.chart(), p.CustomerID, p.FromWallet())
}

// GiveBack is what a payment that ends without success posts: the wallet's part is the customer's again, as if it had never been set
// aside (I-17). Without such a part it is nothing.
func (p Payment) GiveBack(now time.Time) ([]ledger.Journal, error) {
	if p.WalletPart() == nil {
		return nil, nil
	}
	first, err := p.SetAside()
	if err != nil {
		return nil, err
	}
	j, err := first.Reverse(id.Key(p.ID, stepFreed), now)
	return []ledger.Journal{j}, err
}

func (p Payment) chart() ledger.Chart { // of what is ours
	return ledger.Chart{Book: p.Book, Currency: p.Amount.Currency}
}

// PayFromWallet ends a payment that comes from its customer's wallet alone: no channel is asked. The Step takes the place of the intent.
func PayFromWallet(c Case) (Ruling, error) {
	if c.Attempt != nil || c.Payment.ChannelPart() != nil || c.Payment.WalletPart() == nil {
		return Ruling{}, fault.Internal("a payment with a part over a channel waits for that", nil)
	}
	s := begin(c)
	s.r.Step = id.Step{Code: id.Open, Ordinal: 1}
	zero := money.Zero(c.Payment.Amount.Currency)
	if err := s.paid(ledger.Capture{Chart: s.chart(), Merchant: c.Payment.MerchantID, Gross: zero, Fee: zero, At: c.Now}); err != nil {
		return Ruling{}, err
	}
	return s.done()
}

// meant is what the channel of the attempt in question is to bring.
func (s *settling) meant() money.Amount { return s.Payment.part(s.Attempt.Part).Amount }

// takeHeld makes the wallet's part the merchant's together with a sale, and returns the two as one: its fee is the fee on both, so that
// rounding and fixed fees count once. Of a payment that had ended the part was given back, and the sale stays alone.
func (s *settling) takeHeld(sale ledger.Capture) (ledger.Capture, error) {
	part := s.r.After.WalletPart()
	if part == nil || s.Payment.Status.Terminal() {
		return sale, nil
	}
	whole := sale
	whole.Gross.Minor += part.Amount.Minor
	fee, err := s.Terms.Fee(whole.Gross)
	if err != nil {
		return sale, err
	}
	mine := sale
	mine.Gross = part.Amount
	mine.Fee.Minor = min(max(0, fee.Minor-sale.Fee.Minor), part.Amount.Minor)
	j, err := ledger.CapturedHeld(id.Key(s.Payment.ID, stepTaken), s.Payment.CustomerID, mine)
	if err != nil {
		return sale, err
	}
	s.r.Journals = append(s.r.Journals, j)
	whole.Fee.Minor += mine.Fee.Minor
	s.r.Order.Authorized -= part.Authorized.Minor
	s.r.Order.Paid += part.Amount.Minor
	part.Authorized, part.Captured = part.Amount, part.Amount
	return whole, nil
}

// finishHeld takes the wallet's part of a payment that was captured in steps, with the last of them.
func (s *settling) finishHeld(at time.Time) error {
	p := &s.r.After
	had := ledger.Capture{Chart: s.chart(), Merchant: p.MerchantID, Gross: p.Captured, Fee: p.Fee, At: at}
	whole, err := s.takeHeld(had)
	if err != nil || whole.Gross == had.Gross {
		return err
	}
	mine := whole
	mine.Gross.Minor -= had.Gross.Minor
	mine.Fee.Minor -= had.Fee.Minor
	p.Captured, p.Fee = whole.Gross, whole.Fee
	switch {
	case mine.Fee == mine.Gross:
		return nil
	case s.Terms.SettlementDays > 0:
		part := p.WalletPart()
		part.MaturesAt = s.Terms.MaturesAt(at)
		p.Pending.Minor += mine.Gross.Minor - mine.Fee.Minor
		if s.r.MaturesAt.IsZero() || part.MaturesAt.Before(s.r.MaturesAt) {
			s.r.MaturesAt = part.MaturesAt
		}
		s.r.MaturesAt = maturing(s.Captures, s.Now, s.r.MaturesAt)
		return nil
	}
	j, err := ledger.Matured(s.cause(id.Mature), mine)
	s.r.Journals = append(s.r.Journals, j)
	return err
}
