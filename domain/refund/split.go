package refund

import (
	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// How a refund of a payment of two parts is divided among them, by its merchant's policy (payment.Terms.RefundParts).
const (
	ChannelFirst = "channel_first" // the default: over the channel as far as that part goes, the rest to the wallet
	ProRata      = "pro_rata"      // of each in proportion
)

// ValidParts says whether a text is a policy about parts.
func ValidParts(text string) bool { return text == ChannelFirst || text == ProRata }

// ByWallet is the channel of a refund that goes to a wallet alone.
const ByWallet = "wallet"

// OverChannel is what of the refund its channel gives back, in minor units.
func (r Refund) OverChannel() int64 { return r.Amount.Minor - r.Wallet.Minor }

// split divides the refund among the payment's parts. Neither gets back more than it brought (I-12). Pro rata the wallet's share is the
// difference of two rounded sums, so that a payment that is refunded whole, in however many refunds, gives each part back whole (I-08).
func (o Opening) split() (Refund, error) {
	r, p := o.Refund, o.Payment
	part := p.WalletPart()
	r.Wallet = money.Zero(r.Amount.Currency)
	if part == nil {
		return r, nil
	}
	r.Combined = true
	left, all := part.Left(), p.Left().Minor
	want := r.Amount.Minor - (all - left) // what the channel's part can't bear
	if o.Terms.RefundParts == ProRata {
		target, err := money.Share(part.Captured, p.Captured.Minor-all+r.Amount.Minor, p.Captured.Minor, money.HalfUp)
		if err != nil {
			return r, err
		}
		want = max(want, target.Minor-(part.Captured.Minor-left))
	}
	r.Wallet.Minor = min(max(0, want), left, r.Amount.Minor)
	if r.OverChannel() > all-left {
		return r, fault.Internal("parts that don't sum to what is left of their payment", nil)
	}
	if r.OverChannel() == 0 {
		r.Part, r.Charge, r.Channel, r.ChannelAccount, r.ChargeID = part.Ordinal, 0, ByWallet, "", ""
	}
	return r, nil
}

// bear adds what is under way of a refund, and what is done, to the parts it is of; the slice may be somebody else's.
func bear(parts []payment.Part, r Refund, under, done int64) []payment.Part {
	list := append([]payment.Part(nil), parts...)
	for i := range list {
		switch part := &list[i]; {
		case r.Wallet.Minor > 0 && part.Source == payment.FromWallet:
			part.Refunding.Currency, part.Refunded.Currency = r.Amount.Currency, r.Amount.Currency
			part.Refunding.Minor += under * r.Wallet.Minor
			part.Refunded.Minor += done * r.Wallet.Minor
		case part.Ordinal == r.Part && r.OverChannel() > 0:
			part.Refunded.Currency = r.Amount.Currency
			part.Refunded.Minor += done * r.OverChannel()
		}
	}
	return list
}
