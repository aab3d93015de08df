package ledger

import (
	"time"

	"paysaga/domain/money"
)

// Refund is what the postings of a refund are made of. Fee, Pending, Available,
// Debt and FromWallet sum to Gross.
type Refund struct {
	Chart                         Chart
	ChannelAccount                string
	Merchant                      string
	Gross                         money.Amount
	Wallet                        money.Amount // of Gross, what goes to User's wallet; the rest goes over the channel
	User                          string
	Fee, Pending, Available, Debt money.Amount
	FromWallet                    money.Amount // of User's wallet: a top-up goes back
	At                            time.Time    // the channel's time of success; zero: ours
	Reason                        string       // the suspense account's, where money comes from or goes to one
}

// Refunding is a merchant's money that is on its way back to customers.
func (c Chart) Refunding(merchant string) Account {
	if c.Owned() {
		return c.own(c.Own.ChannelAccount, "refunding", Credit)
	}
	return c.floored("merchant/"+merchant+"/refunding", merchant, Liability, Credit)
}

// Debt is what a merchant owes us: refunds that its balance didn't cover.
func (c Chart) Debt(merchant string) Account {
	return c.floored("merchant/"+merchant+"/debt", merchant, Asset, Debit)
}

// RefundOpened sets a refund's money aside.
func RefundOpened(cause string, r Refund) (Journal, error) {
	if r.Chart.Owned() { // what of our fee goes back is a journal of its own, see FeeReturned
		return Post(Posting{Cause: cause, Kind: "refund_opened", Late: ToNextOpen},
			Dr(r.Chart.Available(r.Merchant), r.Gross), Cr(r.Chart.Refunding(r.Merchant), r.Gross))
	}
	return Post(Posting{Cause: cause, Kind: "refund_opened", Late: ToNextOpen},
		Dr(r.Chart.Pending(r.Merchant), r.Pending),
		Dr(r.Chart.Available(r.Merchant), r.Available),
		Dr(r.Chart.Debt(r.Merchant), r.Debt),
		Dr(r.Chart.Fees(), r.Fee),
		Dr(r.Chart.Wallet(r.User), r.FromWallet),
		Cr(r.Chart.Refunding(r.Merchant), r.Gross))
}

// RefundDone books what the channel has given back.
func RefundDone(cause string, r Refund) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "refund_done", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.Chart.Refunding(r.Merchant), r.Gross),
		Cr(r.Chart.Clearing(r.ChannelAccount), r.overChannel()),
		Cr(r.Chart.Wallet(r.User), r.Wallet))
}

// RefundToWallet gives all of a refund to the customer's wallet, since its
// channel can't give it back. With a Reason its money was on suspense.
func RefundToWallet(cause string, r Refund) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "refund_to_wallet", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.from(), r.Gross),
		Cr(r.Chart.Wallet(r.User), r.Gross))
}

func (r Refund) overChannel() money.Amount {
	return money.New(r.Gross.Minor-r.Wallet.Minor, r.Gross.Currency)
}

// from is where a refund's money was set aside.
func (r Refund) from() Account {
	if r.Reason != "" {
		return r.Chart.Suspense(r.ChannelAccount, r.Reason)
	}
	return r.Chart.Refunding(r.Merchant)
}

// RefundReturned books a refund that came back after it had succeeded: the
// channel keeps the money for us, and it is the merchant's again, or the user's
// whose top-up it was. A case tells of it.
func RefundReturned(cause string, r Refund) (Journal, error) {
	to := r.Chart.Available(r.Merchant)
	if r.FromWallet.Sign() > 0 {
		to = r.Chart.Wallet(r.User)
	}
	return Post(Posting{Cause: cause, Kind: "refund_returned", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.Chart.Clearing(r.ChannelAccount), r.Gross),
		Cr(to, r.Gross))
}

// PaidElsewhere is the reason under which a refund waits on suspense that an
// operator paid another way than over its channel, until the bank's statement
// shows it.
const PaidElsewhere = "paid_elsewhere"

// RefundPaidElsewhere books a refund that the customer got another way: its
// money waits on suspense. With a Reason it was on suspense before.
func RefundPaidElsewhere(cause string, r Refund) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "refund_paid_elsewhere", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.from(), r.Gross),
		Cr(r.Chart.Suspense(r.ChannelAccount, PaidElsewhere), r.overChannel()),
		Cr(r.Chart.Wallet(r.User), r.Wallet))
}

// SuspenseReturned books what a channel has given back of money on suspense.
func SuspenseReturned(cause string, r Refund) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "suspense_returned", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.Chart.Suspense(r.ChannelAccount, r.Reason), r.Gross),
		Cr(r.Chart.Clearing(r.ChannelAccount), r.Gross))
}

// SuspenseFound books money of a refund that a channel has again, and that
// nobody's account waits for.
func SuspenseFound(cause string, r Refund) (Journal, error) {
	return Post(Posting{Cause: cause, Kind: "suspense_found", EffectiveAt: r.At, Late: ToNextOpen},
		Dr(r.Chart.Clearing(r.ChannelAccount), r.Gross),
		Cr(r.Chart.Suspense(r.ChannelAccount, r.Reason), r.Gross))
}

// DebtRecovered pays a merchant's debt, and the fees that it owes, out of what it has.
func DebtRecovered(cause string, c Chart, merchant string, debt, fees money.Amount) (Journal, error) {
	all, err := debt.Add(fees)
	if err != nil {
		return Journal{}, err
	}
	return Post(Posting{Cause: cause, Kind: "debt_recovered", Late: ToNextOpen},
		Dr(c.Available(merchant), all),
		Cr(c.Debt(merchant), debt),
		Cr(c.FeesDue(merchant), fees))
}
