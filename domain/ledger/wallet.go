package ledger

import (
	"time"

	"paysaga/domain/money"
)

// Wallet is what a user owns with us and can spend, send or take out.
func (c Chart) Wallet(user string) Account {
	return c.floored("user/"+user+"/wallet", user, Liability, Credit)
}

// Held is a user's money that is set aside for a payment under way: it is neither spent nor free.
func (c Chart) Held(user string) Account {
	return c.floored("user/"+user+"/held", user, Liability, Credit)
}

// InTransit is money that left an owner's balance for a payout over a channel account, until the outcome is known.
func (c Chart) InTransit(channelAccount string) Account {
	return c.account("payout/"+channelAccount+"/in_transit", channelAccount, Liability, Credit)
}

// Transferred moves money from one wallet to another. Nothing leaves the platform.
func Transferred(cause string, c Chart, from, to string, amount money.Amount) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "transferred", Late: ToNextOpen},
		Dr(c.Wallet(from), amount),
		Cr(c.Wallet(to), amount))
}

// ToppedUp books what a channel has taken for a user's wallet.
func ToppedUp(cause string, c Chart, channelAccount, user string, amount money.Amount, at time.Time) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "topped_up", EffectiveAt: at, Late: ToNextOpen},
		Dr(c.Clearing(channelAccount), amount),
		Cr(c.Wallet(user), amount))
}

// ToppedUpLate is ToppedUp out of suspense, where Unexplained had put the money.
func ToppedUpLate(cause string, c Chart, channelAccount, user, reason string, amount money.Amount, at time.Time) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "topped_up", EffectiveAt: at, Late: ToNextOpen},
		Dr(c.Suspense(channelAccount, reason), amount),
		Cr(c.Wallet(user), amount))
}

// Payout is what the postings of a payout are made of.
type Payout struct {
	Chart          Chart
	ChannelAccount string
	From           Account // Wallet of a user, or Available of a merchant
	Amount         money.Amount
	At             time.Time // the channel's time of success; zero: ours
}

// Source is where the money of a payout is until it has left.
func (p Payout) Source() Account { return p.Chart.Clearing(p.ChannelAccount) }

// PayoutOpened takes a payout's money out of its owner's reach. "No" at the channel is its exact reversal.
func PayoutOpened(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_opened", Late: ToNextOpen},
		Dr(p.From, p.Amount),
		Cr(p.Chart.InTransit(p.ChannelAccount), p.Amount))
}

// PayoutDone books what the channel has paid out.
func PayoutDone(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_done", EffectiveAt: p.At, Late: ToNextOpen},
		Dr(p.Chart.InTransit(p.ChannelAccount), p.Amount),
		Cr(p.Source(), p.Amount))
}

// PayoutReturned books a payout that came back after it had succeeded: the channel has the money, and its owner again.
func PayoutReturned(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_returned", EffectiveAt: p.At, Late: ToNextOpen},
		Dr(p.Source(), p.Amount),
		Cr(p.From, p.Amount))
}

// PayoutPaidElsewhere books a payout that was paid another way than over its
// channel: its money waits on suspense for the bank's word.
func PayoutPaidElsewhere(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_paid_elsewhere", EffectiveAt: p.At, Late: ToNextOpen},
		Dr(p.Chart.InTransit(p.ChannelAccount), p.Amount),
		Cr(p.Chart.Suspense(p.ChannelAccount, PaidElsewhere), p.Amount))
}

// PayoutUnexplained books what a channel has paid out although our book says
// that it hasn't: somebody has to say who bears it.
func PayoutUnexplained(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_unexplained", EffectiveAt: p.At, Late: ToNextOpen},
		Dr(p.Chart.Suspense(p.ChannelAccount, "payout_paid_after_all"), p.Amount),
		Cr(p.Source(), p.Amount))
}

// PayoutFound books what a channel has kept of a payout that our book has paid.
func PayoutFound(cause string, p Payout) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "payout_found", EffectiveAt: p.At, Late: ToNextOpen},
		Dr(p.Source(), p.Amount),
		Cr(p.Chart.Suspense(p.ChannelAccount, "payout_returned"), p.Amount))
}
