package ledger

import (
	"time"

	"paysaga/domain/money"
)

// Capture is what Captured and Matured post: a merchant's sale over one
// channel account.
type Capture struct {
	Chart          Chart
	ChannelAccount string
	Merchant       string
	Gross, Fee     money.Amount // fee ≤ gross
	At             time.Time    // the channel's time of success
}

// Captured books what a channel has taken for a merchant: gross against the
// channel, net to the merchant's pending, our fee to income.
func Captured(cause string, c Capture) (Journal, error) {
	return c.sold(cause, c.Chart.Clearing(c.ChannelAccount))
}

// sold books a sale whose money is on an account. Of own funds all is the merchant's; our fee is a journal of its own
// (FeeCharged).
func (c Capture) sold(cause string, from Account) (Journal, error) {
	p := Posting{Cause: cause, Kind: "captured", EffectiveAt: c.At, Late: ToNextOpen}
	if c.Chart.Owned() {
		return Post(p, Dr(from, c.Gross), Cr(c.Chart.Pending(c.Merchant), c.Gross))
	}
	net, err := c.Gross.Sub(c.Fee)
	if err != nil {
		return Journal{}, err
	}
	return Post(p, Dr(from, c.Gross), Cr(c.Chart.Pending(c.Merchant), net), Cr(c.Chart.Fees(), c.Fee))
}

// Explained books a sale out of suspense, where Unexplained had put it: a
// captured journal whose money had come in before.
func Explained(cause string, c Capture, reason string) (Journal, error) {
	return c.sold(cause, c.Chart.Suspense(c.ChannelAccount, reason))
}

// Matured moves a merchant's money from pending to available.
func Matured(cause string, c Capture) (Journal, error) {
	net, err := c.Gross.Sub(c.Fee)
	if err != nil {
		return Journal{}, err
	}
	return Post(Posting{Cause: cause, Kind: "matured", EffectiveAt: c.At, Late: ToNextOpen},
		Dr(c.Chart.Pending(c.Merchant), net),
		Cr(c.Chart.Available(c.Merchant), net))
}

// InDoubt notes that the outcome of amount at a channel is unknown.
func InDoubt(cause string, chart Chart, channelAccount string, amount money.Amount, since time.Time) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "unknown", EffectiveAt: since, Late: ToNextOpen},
		Dr(chart.InDoubt(channelAccount), amount),
		Cr(chart.InDoubtContra(channelAccount), amount))
}

// Unexplained books money that came in over a channel for a reason a case has
// to settle: an amount that differs, a success after the end.
func Unexplained(cause string, chart Chart, channelAccount, reason string, amount money.Amount, at time.Time) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "unexplained", EffectiveAt: at, Late: ToNextOpen},
		Dr(chart.Clearing(channelAccount), amount),
		Cr(chart.Suspense(channelAccount, reason), amount))
}
