package storetest

import (
	"time"

	"pgregory.net/rapid"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
)

// chartOf are some accounts of a book in two currencies, one hot and one that became hot in between.
func chartOf(book id.Book) (list []ledger.Account, hot ledger.Account, later ledger.Account) {
	for _, c := range []money.Currency{"CNY", "JPY"} {
		chart := ledger.Chart{Book: book, Currency: c}
		available := chart.Available("mer_01kahxr3v0c9m6r5w2z8t4y7qe")
		available.Floored = false // random amounts know no floors
		noted, contra := chart.InDoubt("x"), chart.InDoubtContra("x")
		noted.Code, contra.Code = "memo/noted/cha_01kahxr3v0c9m6r5w2z8t4y7qe", "memo/noted/cha_01kahxr3v0c9m6r5w2z8t4y7qe/contra"
		cash := ledger.Account{Book: book, Code: "bank/cha_01kahxr3v0c9m6r5w2z8t4y7qe/cash", Currency: c, Kind: ledger.Asset, Normal: ledger.Debit}
		list = append(list, available, chart.Clearing("cha_01kahxr3v0c9m6r5w2z8t4y7qe"), chart.Fees(), cash, noted, contra)
	}
	return list, list[2], list[1]
}

// RandomPast draws a history of three months.
func RandomPast(t *rapid.T, book id.Book) Past {
	accounts, hot, later := chartOf(book)
	begin := time.Now().UTC().AddDate(0, -3, 0).Truncate(time.Millisecond)
	p := Past{Book: book, Accounts: accounts, HotFrom: map[string]time.Time{hot.Code: {}}}
	p.HotFrom[later.Code] = begin.AddDate(0, 0, rapid.IntRange(1, 80).Draw(t, "hot from"))
	at := begin
	for range rapid.IntRange(30, 150).Draw(t, "journals") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int64{0, 1, 17, 1_000, 59_999, 60_000, 60_001, 3_600_000, 86_400_000, 5 * 86_400_000}).Draw(t, "later")) * time.Millisecond)
		if at.After(time.Now().Add(-time.Minute)) {
			break
		}
		j := &PastJournal{Booked: at, Effective: at.Add(rapid.SampledFrom([]time.Duration{0, -time.Millisecond, -time.Second, -time.Minute, -time.Minute - time.Microsecond,
			-time.Hour, -24 * time.Hour, -40 * 24 * time.Hour, time.Microsecond, time.Minute, 5 * time.Minute}).Draw(t, "effective"))}
		first := rapid.IntRange(0, len(accounts)/6-1).Draw(t, "currency") * 6
		choice := accounts[first : first+4]
		if rapid.IntRange(0, 9).Draw(t, "memo") == 0 {
			choice = accounts[first+4 : first+6]
		}
		order := rapid.Permutation(choice).Draw(t, "legs")[:rapid.IntRange(2, len(choice)).Draw(t, "count")]
		var sum int64
		for _, a := range order[1:] {
			amount := rapid.Int64Range(1, 1_000_000).Draw(t, "amount")
			if rapid.Bool().Draw(t, "credit") {
				amount = -amount
			}
			if sum+amount == 0 {
				amount++
			}
			sum += amount
			j.Legs = append(j.Legs, ledger.Entry{Account: a, Amount: amount})
		}
		if sum == 0 {
			continue
		}
		j.Legs = append(j.Legs, ledger.Entry{Account: order[0], Amount: -sum})
		p.Journals = append(p.Journals, j)
	}
	return p
}

// Sum adds up what admits admits of an account.
func (p Past) Sum(a ledger.Account, admits func(*PastJournal) bool) (sum int64) {
	for _, j := range p.Journals {
		for _, e := range j.Legs {
			if e.Account == a && admits(j) {
				sum += e.Amount
			}
		}
	}
	return sum
}

// BookedBy admits what was booked at an instant or before.
func BookedBy(at time.Time) func(*PastJournal) bool {
	return func(j *PastJournal) bool { return !j.Number.BookedAt().After(at) }
}

// EffectiveBy admits what had happened in the world by then.
func EffectiveBy(at time.Time) func(*PastJournal) bool {
	return func(j *PastJournal) bool { return !j.Effective.After(at) }
}
