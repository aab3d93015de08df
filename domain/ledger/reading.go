package ledger

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// What is read of a book. Amounts are signed minor units, a debit positive.

// InstantFormat writes instants of bookings, which have milliseconds.
const InstantFormat = "2006-01-02T15:04:05.000Z"

// Opened is an account as it stands in its book.
type Opened struct {
	Account
	ID       string
	Hot      bool // it has no row that every posting updates
	OpenedAt time.Time
	ClosedAt time.Time // zero: it is open
}

// OnNormalSide is an amount as people read it: positive on the side on which
// the account normally stands.
func (a Account) OnNormalSide(minor int64) int64 {
	if a.Normal == Credit {
		return -minor
	}
	return minor
}

// AccountFilter selects accounts, in the order of code and currency. An empty
// field selects all.
type AccountFilter struct {
	Book     id.Book
	Owner    string
	Code     string // one code, or with '/' at its end the beginning of some
	Currency money.Currency
	After    string // the id of the last account that the caller has
	Limit    int
}

// Dating says which of a journal's two times counts.
type Dating string

// By our time of the booking, or by the world's.
const (
	ByBooking   Dating = "booking"
	ByEffective Dating = "effective"
)

// Balance is what an account holds at an instant.
type Balance struct {
	Opened
	By    Dating
	At    time.Time // zero: now, with whatever is committed
	Minor int64
	// FinalUpTo is the last instant up to which nothing can be booked any more:
	// a balance by booking at it, or before, stays as it is. One by effective
	// time holds what was booked up to it.
	FinalUpTo time.Time
}

// StatementFilter selects an account's entries that were booked at From or
// later, and at To or before.
type StatementFilter struct {
	Book    id.Book
	Owner   string
	Account string    // acc_…
	From    time.Time // zero: from the account's first entry on
	To      time.Time // zero: up to what is final
	After   string    // the cause of the last entry that the caller has
	Limit   int
}

// Statement is a page of what happened to an account, in booking order.
type Statement struct {
	Opened
	From, To  time.Time // To is never beyond FinalUpTo
	FinalUpTo time.Time
	// Opening and Closing are the balances before From and at To, whatever the
	// page.
	Opening, Closing int64
	Lines            []StatementLine
	More             bool
}

// StatementLine is an entry with the balance after it.
type StatementLine struct {
	Number      Number
	Cause, Kind string
	EffectiveAt time.Time
	Amount      int64
	Balance     int64
}

// Posted is a journal as it stands in its book.
type Posted struct {
	Number      Number
	Book        id.Book
	Cause, Kind string
	Reverses    string // the cause of the journal it undoes; empty: none
	EffectiveAt time.Time
	Count       int // how many legs it has; Legs may hold fewer, those that the caller may see
	Legs        []PostedLeg
}

// PostedLeg is one entry of a Posted, in posting order.
type PostedLeg struct {
	Leg     int
	Account Account
	ID      string // acc_…
	Amount  int64
	Balance *int64 // after it; nil on hot accounts
}

// TrialBalance is a book at an instant: every account's balance, gathered by
// kind and class, per currency.
type TrialBalance struct {
	Book       id.Book
	At         time.Time
	FinalUpTo  time.Time
	Currencies []TrialCurrency // by code
}

// TrialCurrency is the trial balance of one currency. Debit equals Credit, and
// so it is among the memo accounts, which stand outside.
type TrialCurrency struct {
	Currency      money.Currency
	Lines, Memo   []TrialLine
	Debit, Credit int64 // of Lines
}

// TrialLine gathers the accounts of one kind whose codes differ in ids alone.
type TrialLine struct {
	Kind          Kind
	Class         string // "merchant/*/available"
	Accounts      int64
	Debit, Credit int64 // the sums of the balances on either side
}
