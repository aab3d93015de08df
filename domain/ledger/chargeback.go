package ledger

import (
	"time"

	"paysaga/domain/money"
)

// Chargeback is what a channel takes back of a charge, or gives again, and who
// bears it. The figures are minor units of the chart's currency: above zero is
// taken, below zero given.
type Chargeback struct {
	Chart           Chart
	ChannelAccount  string
	Merchant, User  string
	Available, Debt int64 // of the merchant
	Wallet          int64 // of User, whose top-up it was
	Suspense        int64 // more than was left of the payment
	Fee             int64 // what the channel takes for it
	At              time.Time
}

// ChargebackSuspense is the reason under which what exceeds a payment waits on
// suspense: its dispute says how much.
const ChargebackSuspense = "chargeback"

// ChannelFees is what a channel takes of us for its work.
func (c Chart) ChannelFees(channelAccount string) Account {
	if c.Owned() { // of what is its merchant's own
		return c.own(channelAccount, "channel_fees", Debit)
	}
	return c.account("expense/channel_fees/"+channelAccount, channelAccount, Expense, Debit)
}

// Moves says whether there is anything to post.
func (c Chargeback) Moves() bool {
	return c.Available != 0 || c.Debt != 0 || c.Wallet != 0 || c.Suspense != 0 || c.Fee != 0
}

// ChargedBack books what a channel has taken back, or given again.
func ChargedBack(cause string, c Chargeback) (Journal, error) {
	leg := func(a Account, minor int64) Entry {
		if minor < 0 {
			return Cr(a, money.New(-minor, c.Chart.Currency))
		}
		return Dr(a, money.New(minor, c.Chart.Currency))
	}
	total := c.Available + c.Debt + c.Wallet + c.Suspense + c.Fee
	kind := "chargeback"
	if total < 0 {
		kind = "chargeback_won"
	}
	return Post(Posting{Cause: cause, Kind: kind, EffectiveAt: c.At, Late: ToNextOpen},
		leg(c.Chart.Available(c.Merchant), c.Available),
		leg(c.Chart.Debt(c.Merchant), c.Debt),
		leg(c.Chart.Wallet(c.User), c.Wallet),
		leg(c.Chart.Suspense(c.ChannelAccount, ChargebackSuspense), c.Suspense),
		leg(c.Chart.ChannelFees(c.ChannelAccount), c.Fee),
		leg(c.Chart.Clearing(c.ChannelAccount), -total))
}
