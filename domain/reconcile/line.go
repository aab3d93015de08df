// Package reconcile has the one shape into which every channel's statement is
// read, and the sums that hold it to what the file says of itself.
package reconcile

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Kind is what a line of a statement says happened to our balance at the channel.
type Kind string

// The kinds of lines. What a channel names otherwise is Other, with its own word
// in Line.Detail: never skipped, because it moved money.
const (
	Charge         Kind = "charge"          // a customer paid
	Refund         Kind = "refund"          // we gave money back
	RefundReturned Kind = "refund_returned" // a refund came back to us
	Payout         Kind = "payout"          // we sent money out
	PayoutReturned Kind = "payout_returned" // it came back
	Chargeback     Kind = "chargeback"      // a customer's bank took the money back
	ChargebackWon  Kind = "chargeback_won"  // and returned it
	Fee            Kind = "fee"             // a fee that stands alone
	Settlement     Kind = "settlement"      // the channel paid our balance to our bank
	TopUp          Kind = "top_up"          // we paid into our balance at the channel
	Transfer       Kind = "transfer"        // between accounts at the channel
	Adjustment     Kind = "adjustment"      // the channel corrected itself
	Other          Kind = "other"
)

// Line is one movement on a statement, whatever channel it came from. Amounts
// are minor units of Currency, with the sign of our balance at the channel: a
// charge is above zero, a refund below. Fee is above zero when it was taken from
// us. Net = Gross − Fee.
type Line struct {
	Account  string // cha_…
	Book     id.Book
	Kind     Kind
	Detail   string // the channel's own word for the kind; no personal datum
	Currency money.Currency

	Reference  string // ours, see channels.Key; empty where the channel gives none
	ChannelID  string // theirs
	OriginalID string // their id of what this is about: of a refund the charge

	Gross, Fee, Net int64

	// Settled is what the money became where the channel exchanged it. Its
	// currency is empty where it didn't.
	Settled Exchanged

	OccurredAt time.Time // zero where only the day is known: then SettledOn has it
	SettledOn  Date      // when it counts at the channel; zero where the file doesn't say
	Batch      string    // the payout, or the settlement, that it was paid out with

	FileHash string // hex SHA-256 of the file as it was received
	Row      int    // the line of the file, from 1
	// Identity is what makes the row unique among all rows of files of this kind and account: the same row of another
	// file has the same. Whoever imports keeps it once.
	Identity string
}

// Exchanged is an amount in the currency of settlement.
type Exchanged struct {
	Currency money.Currency
	Minor    int64  // with the sign of Gross
	Rate     string // decimal: what one unit of Line.Currency became; empty where the file doesn't say
}

// Date is a day without a time zone: year, month, day. The zero value is no day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// On is the day of t in its own zone.
func On(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// IsZero says whether d is no day.
func (d Date) IsZero() bool { return d == Date{} }

// String is YYYY-MM-DD, empty for no day.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}
