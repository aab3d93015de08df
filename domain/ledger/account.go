// Package ledger is double entry as rules: accounts, journals that balance or
// can't be built, and the Step, the unit in which anything changes.
//
// Amounts are signed minor units: a debit is positive, a credit negative.
package ledger

import (
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Kind is the class of an account in the chart.
type Kind string

// The kinds of accounts. Memo accounts stay outside the trial balance.
const (
	Asset     Kind = "asset"
	Liability Kind = "liability"
	Income    Kind = "income"
	Expense   Kind = "expense"
	Equity    Kind = "equity"
	Memo      Kind = "memo"
)

// Side is the side on which an account normally stands.
type Side string

// The two sides.
const (
	Debit  Side = "debit"
	Credit Side = "credit"
)

// Account names an account and says how it is to be opened the first time it
// is posted to. It is unique by (book, code, currency).
type Account struct {
	Book     id.Book
	Code     string // "merchant/mer_…/available"; lower case, '/' between parts
	Currency money.Currency
	Owner    string // the merchant, user or channel account; empty: the platform
	Kind     Kind
	Normal   Side
	// Floored accounts may not fall below Floor, counted on their normal side
	// in minor units (I-06). Only accounts without a floor may become hot.
	Floored bool
	Floor   int64
}

// known says whether a is well formed: a code of parts between '/', each of
// lower-case letters, digits and '_'; a kind and a side that there are.
func (a Account) known() bool {
	slash := true // a part has to begin
	for i := range len(a.Code) {
		switch c := a.Code[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			slash = false
		case c == '/' && !slash:
			slash = true
		default:
			return false
		}
	}
	switch a.Kind {
	case Asset, Liability, Income, Expense, Equity, Memo:
		return !slash && (a.Normal == Debit || a.Normal == Credit)
	}
	return false
}

// Chart makes the accounts of one book and currency. Its methods are the whole
// chart of accounts of ARCHITECTURE.md, one method a line.
type Chart struct {
	Book     id.Book
	Currency money.Currency
	// Own: whose money it is about, where that never becomes ours. The zero is ours.
	Own Own
	// AtBank: the channel account is our own at a bank. What it takes is our cash at once, and nobody settles it with us later.
	AtBank bool
}

func (c Chart) account(code, owner string, kind Kind, side Side) Account {
	return Account{Book: c.Book, Code: code, Currency: c.Currency, Owner: owner, Kind: kind, Normal: side}
}

func (c Chart) floored(code, owner string, kind Kind, side Side) Account {
	a := c.account(code, owner, kind, side)
	a.Floored = true
	return a
}

// Clearing is what a channel owes us for what it has taken, until it settles; of an account of ours at a bank, its cash.
func (c Chart) Clearing(channelAccount string) Account {
	if c.Owned() {
		return c.own(channelAccount, "", Debit)
	}
	if c.AtBank {
		return c.Cash(channelAccount)
	}
	return c.account("channel/"+channelAccount+"/clearing", channelAccount, Asset, Debit)
}

// Cash is our money in an account at a bank.
func (c Chart) Cash(bankAccount string) Account {
	return c.account("bank/"+bankAccount+"/cash", bankAccount, Asset, Debit)
}

// Pending is a merchant's money that is captured and not yet matured.
func (c Chart) Pending(merchant string) Account {
	if c.Owned() {
		return c.own(c.Own.ChannelAccount, "merchant", Credit)
	}
	return c.floored("merchant/"+merchant+"/pending", merchant, Liability, Credit)
}

// Available is a merchant's money that can be paid out.
func (c Chart) Available(merchant string) Account {
	if c.Owned() {
		return c.own(c.Own.ChannelAccount, "merchant", Credit)
	}
	return c.floored("merchant/"+merchant+"/available", merchant, Liability, Credit)
}

// Fees is what merchants pay us.
func (c Chart) Fees() Account { return c.account("income/fees", "", Income, Credit) }

// InDoubt notes money whose outcome at the channel is unknown. It and its
// contra are memo accounts: nobody's balance sheet moves before we know.
func (c Chart) InDoubt(channelAccount string) Account {
	return c.account("memo/in_doubt/"+channelAccount, channelAccount, Memo, Debit)
}

// InDoubtContra is the other leg of InDoubt.
func (c Chart) InDoubtContra(channelAccount string) Account {
	return c.account("memo/in_doubt/"+channelAccount+"/contra", channelAccount, Memo, Credit)
}

// Suspense holds money that reached us through a channel and isn't explained
// yet; each posting to it belongs to a case.
func (c Chart) Suspense(channelAccount, reason string) Account {
	if c.Owned() {
		return c.own(channelAccount, "suspense/"+reason, Credit)
	}
	return c.account("suspense/"+channelAccount+"/"+reason, channelAccount, Liability, Credit)
}
