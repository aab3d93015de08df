package ledger

import "paysaga/domain/money"

// WalletHeld sets a user's money aside for a payment under way. A payment that ends without success is its exact reversal.
func WalletHeld(cause string, c Chart, user string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "wallet_held", Late: ToNextOpen},
		Dr(c.Wallet(user), amount),
		Cr(c.Held(user), amount))
}

// CapturedHeld books what was set aside of a user's wallet as a merchant's sale: a captured journal whose money was with us before.
// ChannelAccount isn't read.
func CapturedHeld(cause, user string, c Capture) (Journal, error) {
	net, err := c.Gross.Sub(c.Fee)
	if err != nil {
		return Journal{}, err
	}
	return Post(Posting{Cause: cause, Kind: "captured", EffectiveAt: c.At, Late: ToNextOpen},
		Dr(c.Chart.Held(user), c.Gross),
		Cr(c.Chart.Pending(c.Merchant), net),
		Cr(c.Chart.Fees(), c.Fee))
}
