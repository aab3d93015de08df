package posting

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// The book and the currency of all that is measured.
const (
	book     = id.Live
	currency = money.Currency("CNY")
)

// others is how many accounts the random ones are drawn from.
const others = 1000

func account(code string) ledger.Account {
	return ledger.Account{Book: book, Code: code, Currency: currency, Kind: ledger.Liability, Normal: ledger.Credit}
}

// accounts are 1,000 without a floor.
var accounts = func() (list []ledger.Account) {
	for i := range others {
		list = append(list, account(fmt.Sprintf("user/u%04d/wallet", i)))
	}
	return list
}()

// The accounts that all Steps of a shape share.
var (
	hotAccount = account("bench/hot")
	source     = account("bench/source") // what the floored one is filled from
)

// flooredAccount may not fall below zero.
func flooredAccount(code string) ledger.Account {
	a := account(code)
	a.Floored = true
	return a
}

// mint makes an id as the store does.
func mint(prefix id.Prefix) string {
	var entropy [10]byte
	binary.LittleEndian.PutUint64(entropy[:], rand.Uint64())
	binary.LittleEndian.PutUint16(entropy[8:], uint16(rand.Uint32()))
	return id.New(prefix, uint64(time.Now().UnixMilli()), entropy)
}

var principal = ledger.Service("bench")

// newCause is that of something that happens once.
func newCause() (business, cause string) {
	business = mint(id.Transfer)
	return business, id.Key(business, id.Step{Code: id.PayoutOut, Ordinal: 1})
}

func post(cause string, from, to ledger.Account, minor int64) (ledger.Journal, error) {
	amount := money.New(minor, currency)
	return ledger.Post(ledger.Posting{Cause: cause, Kind: "transfer"}, ledger.Dr(from, amount), ledger.Cr(to, amount))
}

// transfer is a Step of one journal of two entries.
func transfer(from, to ledger.Account, minor int64) (ledger.Step, error) {
	business, cause := newCause()
	j, err := post(cause, from, to, minor)
	return ledger.Step{Book: book, Cause: cause, Business: business, By: principal, Journals: []ledger.Journal{j}}, err
}

// together is one Step of n journals.
func together(n int, leg func(i int) (from, to ledger.Account, minor int64)) (ledger.Step, error) {
	business, cause := newCause()
	s := ledger.Step{Book: book, Cause: cause, Business: business, By: principal}
	for i := range n {
		from, to, minor := leg(i)
		j, err := post(cause, from, to, minor)
		if err != nil {
			return s, err
		}
		s.Journals = append(s.Journals, j)
		_, cause = newCause()
	}
	return s, nil
}

// pair draws two of the accounts.
func pair() (from, to ledger.Account) {
	a, b := rand.IntN(others), rand.IntN(others-1)
	if b >= a {
		b++
	}
	return accounts[a], accounts[b]
}

func some() ledger.Account { return accounts[rand.IntN(others)] }

func amount() int64 { return 1 + rand.Int64N(9999) }

// maker makes the next Step of a shape.
type maker func() (ledger.Step, error)

func randomPair() (ledger.Step, error) {
	from, to := pair()
	return transfer(from, to, amount())
}

// debiting makes Steps that all debit one account.
func debiting(a ledger.Account) maker {
	return func() (ledger.Step, error) { return transfer(a, some(), amount()) }
}

// make makes n Steps.
func (m maker) make(n int) ([]ledger.Step, error) {
	list := make([]ledger.Step, n)
	for i := range list {
		var err error
		if list[i], err = m(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
