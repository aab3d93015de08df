// Package accrual is what happens to a promised rebate, as rules: it is
// accrued once, waits until its goods can't come back any more, is paid into a
// wallet once, and is taken back in proportion when goods do come back (I-22).
package accrual

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// Status says how far a rebate has come.
type Status string

// The statuses of a rebate.
const (
	Pending  Status = "pending"  // promised, and not paid yet
	Settled  Status = "settled"  // paid into the wallet
	Released Status = "released" // given back to the budget, since the wallet refused it
)

// Statuses returns every status once.
func Statuses() []Status { return []Status{Pending, Settled, Released} }

// Accrual is one promise: of a line of an order, a campaign, a rule and a
// beneficiary. Who, what and by which version is fixed when it is made; the
// sums move, and always accrued = paid + open + clawed back + released (I-22).
type Accrual struct {
	Book        id.Book
	ID          string // reb_…
	MerchantID  string
	CampaignID  string
	Version     int // of the campaign's rules, active when the order was paid
	Rule        string
	OrderID     string
	Line        int    // 0: the order as a whole
	Beneficiary string // usr_…
	Level       int    // 0: the buyer; 1: who referred them; 2: who referred that one
	Currency    money.Currency
	Why         string // how the amount came about, in a line
	VestsOn     time.Time
	FromReceipt bool // a confirmed receipt of the goods makes it vest ReceiptDays after that, if that is sooner
	ReceiptDays int
	CreatedAt   time.Time

	Status      Status
	Accrued     int64 // minor units, as all that follows
	Settled     int64 // what was paid into the wallet; what is taken back later doesn't lower it
	Released    int64
	FromPending int64 // clawed back before it was paid
	FromWallet  int64 // clawed back out of the wallet
	Retaken     int64 // by how much corrections have moved FromPending: a correction's journal is net of it
	Debt        int64 // clawed back beyond what the wallet held: the user owes it
	RunID       string
	SettledAt   time.Time
	Sequence    int64 // counts the moves; the event of a move carries it
	UpdatedAt   time.Time
	Ordinals    Ordinals
}

// Ordinals are the last ones given of an accrual's steps.
type Ordinals struct{ Rated, Clawed, Restored, Recovered int }

// Open is what can still be paid.
func (a Accrual) Open() int64 {
	if a.Status != Pending {
		return 0
	}
	return a.Accrued - a.FromPending
}

// ClawedBack is all that was taken back and not restored.
func (a Accrual) ClawedBack() int64 { return a.FromPending + a.FromWallet + a.Debt }

// Paid is what the user has of it.
func (a Accrual) Paid() int64 { return a.Settled - a.FromWallet - a.Debt }

// Chart makes the accounts of this accrual's book and currency.
func (a Accrual) Chart() ledger.Chart { return ledger.Chart{Book: a.Book, Currency: a.Currency} }

// Amount is minor units in the accrual's currency.
func (a Accrual) Amount(minor int64) money.Amount { return money.New(minor, a.Currency) }

// Cause is the cause of one of its steps.
func (a Accrual) Cause(code id.Code, ordinal int) string {
	return id.Key(a.ID, id.Step{Code: code, Ordinal: ordinal})
}

// Ref names an accrual as it was read: a Step that finds it moved is refused
// as "stale_state".
type Ref struct {
	ID         string
	CampaignID string
	Sequence   int64
	Recovery   int // the ordinal of the next payment of its debt
}

// Ref names a.
func (a Accrual) Ref() Ref { return Ref{a.ID, a.CampaignID, a.Sequence, a.Ordinals.Recovered + 1} }

// Day is a business date as a time: midnight UTC of it.
func Day(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// DateFormat is how business dates are written.
const DateFormat = "2006-01-02"
