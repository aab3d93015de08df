package ledger

import (
	"time"

	"paysaga/domain/money"
)

// Own names a channel account of own funds: what the channel takes there is its merchant's from the first moment, and pays
// out to the merchant itself. It never becomes ours, so a Chart of own funds keeps it on memo accounts, in the shape of those
// that it would stand on if it were ours:
//
//	memo/own_funds/X            what the channel has taken and not given back, as clearing would say
//	memo/own_funds/X/merchant   its counterpart: what of it is the merchant's to keep
//	memo/own_funds/X/refunding  what is on its way back to customers
//	memo/own_funds/X/suspense/… what a case has to settle
//	memo/own_funds/X/channel_fees what the channel took of it for disputes
//
// Ours is the fee alone. It doesn't come out of the money, which we never see, but is owed: merchant/M/fees_due.
type Own struct {
	ChannelAccount string
	Merchant       string
}

// Owned says whether the chart is of own funds.
func (c Chart) Owned() bool { return c.Own.ChannelAccount != "" }

// Ours is the chart of the same book and currency for what is ours.
func (c Chart) Ours() Chart { return Chart{Book: c.Book, Currency: c.Currency} }

// In is the chart in another currency.
func (c Chart) In(currency money.Currency) Chart {
	c.Currency = currency
	return c
}

// own is a memo account of own funds; it is shown to the merchant, whose money it tells of.
func (c Chart) own(channelAccount, name string, side Side) Account {
	code := "memo/own_funds/" + channelAccount
	if name != "" {
		code += "/" + name
	}
	return c.account(code, c.Own.Merchant, Memo, side)
}

// FeesDue is what a merchant owes us in fees on own funds: it is paid out of what becomes available to the merchant, or of an
// invoice. It may stand in credit, where fees went back that were paid before: the next ones are netted.
func (c Chart) FeesDue(merchant string) Account {
	return c.account("merchant/"+merchant+"/fees_due", merchant, Asset, Debit)
}

// FeeCharged books our fee on a capture of own funds.
func FeeCharged(cause string, c Capture) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "fee_charged", EffectiveAt: c.At, Late: ToNextOpen},
		Dr(c.Chart.FeesDue(c.Merchant), c.Fee),
		Cr(c.Chart.Fees(), c.Fee))
}

// FeeReturned books what of our fee goes back with a refund of own funds. One that fails is its exact reversal.
func FeeReturned(cause string, c Chart, merchant string, fee money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "fee_returned", EffectiveAt: time.Time{}, Late: ToNextOpen},
		Dr(c.Fees(), fee),
		Cr(c.FeesDue(merchant), fee))
}
