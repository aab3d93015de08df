package accrual

import (
	"crypto/sha256"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payout"
)

// Withdrawal is a user whom a settlement has paid, and whose wallet is to be paid
// out by itself: all of it, if it is AtLeast minor units.
type Withdrawal struct {
	Book        id.Book
	RunID       string
	User        string
	MerchantID  string
	Currency    money.Currency
	EndedAt     time.Time // of the settlement; zero: it is under way, and the user may be paid more
	Wanted      bool      // the user wants it, or the merchant does for all
	AtLeast     int64
	Destination payout.Destination // empty: there is none
	Lease       time.Time
}

// PayoutID is the id of its payout: a function of the settlement and the user, so
// whoever orders it again names the same one.
func (w Withdrawal) PayoutID() string {
	h := sha256.Sum256([]byte(string(w.Book) + "\x00" + w.RunID + "\x00" + w.User))
	return id.New(id.Payout, uint64(w.EndedAt.UnixMilli()), [10]byte(h[:10]))
}

// Order is the payout that it comes to. It is refused where the wallet holds less,
// or doesn't move.
func (w Withdrawal) Order() payout.Receive {
	return payout.Receive{All: true, AtLeast: w.AtLeast, Destination: w.Destination, Payout: payout.Payout{Book: w.Book, ID: w.PayoutID(),
		MerchantID: w.MerchantID, UserID: w.User, Amount: money.Zero(w.Currency), Metadata: map[string]string{"settlement_id": w.RunID}}}
}
