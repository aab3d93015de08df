package ledger

import (
	"math"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Entry is one leg. Amount is in minor units of the account's currency: a
// debit is positive, a credit negative, never zero.
type Entry struct {
	Account Account
	Amount  int64
	bad     string // why Post must refuse it; Dr and Cr can't
}

// Dr debits an account with amount, which Post wants positive or zero and in
// the account's currency.
func Dr(a Account, amount money.Amount) Entry { return leg(a, amount, amount.Minor) }

// Cr credits an account, as Dr debits it.
func Cr(a Account, amount money.Amount) Entry { return leg(a, amount, -amount.Minor) }

func leg(a Account, amount money.Amount, signed int64) Entry {
	e := Entry{Account: a, Amount: signed}
	switch {
	case amount.Minor < 0:
		e.bad = "journal_negative_leg"
	case amount.Minor != 0 && amount.Currency != a.Currency:
		e.bad = "journal_mixes_currencies"
	}
	return e
}

// Journal is a balanced posting. The zero Journal is not one: only Post and
// Reverse make them, so a Journal that doesn't balance can't be built (I-01).
type Journal struct {
	cause       string
	kind        string
	effectiveAt time.Time
	reverses    string
	late        LatePolicy
	entries     []Entry
}

// Posting is what Post needs to build a Journal.
type Posting struct {
	Cause       string     // "<id>:<step>", unique in its book (I-05)
	Kind        string     // "captured", "matured", "unknown", …: the line of the chart it belongs to
	EffectiveAt time.Time  // the world's time of it, often the channel's
	Reverses    string     // the cause of the journal this one reverses, if any (I-07)
	Late        LatePolicy // what to do when its date is closed
}

// Post builds a journal. Legs of zero are left out. It refuses, as
// fault.Invalid: fewer than two legs, a sum that isn't zero, legs in two books
// or two currencies, memo accounts beside others (each trial balance would
// miss a leg), an account named twice, an account without book, code or
// currency, one that no chart has ("account_unknown"), a debit or credit of less than nothing, an overflow.
func Post(p Posting, legs ...Entry) (Journal, error) {
	j := Journal{cause: p.Cause, kind: p.Kind, effectiveAt: p.EffectiveAt, reverses: p.Reverses, late: p.Late}
	if p.Cause == "" || p.Kind == "" {
		return Journal{}, refuse("journal_without_cause", "a journal needs a cause and a kind")
	}
	var sum int64
	seen := make(map[string]bool, len(legs))
	for _, e := range legs {
		if e.bad != "" {
			return Journal{}, refuse(e.bad, "a leg is an amount of its account's currency, debited or credited")
		}
		if e.Amount == 0 {
			continue
		}
		if err := fits(e.Account, j.entries); err != nil {
			return Journal{}, err
		}
		if seen[e.Account.Code] {
			return Journal{}, refuse("journal_repeats_account", "an account stands once in a journal")
		}
		seen[e.Account.Code] = true
		if (e.Amount > 0 && sum > math.MaxInt64-e.Amount) || (e.Amount < 0 && sum < math.MinInt64-e.Amount) {
			return Journal{}, refuse("journal_overflows", "the amounts overflow")
		}
		sum += e.Amount
		j.entries = append(j.entries, e)
	}
	if len(j.entries) < 2 {
		return Journal{}, refuse("journal_too_short", "a journal has at least two legs")
	}
	if sum != 0 {
		return Journal{}, refuse("journal_unbalanced", "debits and credits differ")
	}
	return j, nil
}

// fits says whether an account may stand beside the legs before it.
func fits(a Account, before []Entry) error {
	if a.Book == "" || a.Code == "" || a.Currency == "" {
		return refuse("journal_without_account", "an account has a book, a code and a currency")
	}
	if !a.known() {
		return refuse("account_unknown", "this is no account of the chart")
	}
	if len(before) == 0 {
		return nil
	}
	switch first := before[0].Account; {
	case a.Book != first.Book:
		return refuse("journal_spans_books", "no journal spans two books")
	case a.Currency != first.Currency:
		return refuse("journal_mixes_currencies", "no journal mixes currencies")
	case (a.Kind == Memo) != (first.Kind == Memo):
		return refuse("journal_mixes_memo", "memo accounts stay outside the trial balance")
	}
	return nil
}

func refuse(code, message string) error { return fault.New(fault.KindInvalid, code, message) }

// Reverse builds the exact opposite of j (I-07). That it happens once is for
// the store to keep.
func (j Journal) Reverse(cause string, effectiveAt time.Time) (Journal, error) {
	legs := make([]Entry, len(j.entries))
	for i, e := range j.entries {
		if e.Amount == math.MinInt64 {
			return Journal{}, refuse("journal_overflows", "the amounts overflow")
		}
		legs[i] = Entry{Account: e.Account, Amount: -e.Amount}
	}
	return Post(Posting{Cause: cause, Kind: j.kind + "_reversed", EffectiveAt: effectiveAt, Reverses: j.cause, Late: j.late}, legs...)
}

// Cause is the journal's unique cause.
func (j Journal) Cause() string { return j.cause }

// Kind is the line of the chart of postings it belongs to.
func (j Journal) Kind() string { return j.kind }

// Reverses is the cause of the journal it undoes, or empty.
func (j Journal) Reverses() string { return j.reverses }

// EffectiveAt is the world's time of the posting.
func (j Journal) EffectiveAt() time.Time { return j.effectiveAt }

// Book is the one book of all legs.
func (j Journal) Book() id.Book { return j.entries[0].Account.Book }

// Currency is the one currency of all legs.
func (j Journal) Currency() money.Currency { return j.entries[0].Account.Currency }

// Entries are the legs in posting order. The caller must not change them.
func (j Journal) Entries() []Entry { return j.entries }
