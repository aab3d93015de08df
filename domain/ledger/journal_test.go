package ledger

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

var (
	chart = Chart{Book: id.Test, Currency: "CNY"}
	noon  = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p     = Posting{Cause: "pay_1:ch1", Kind: "captured", EffectiveAt: noon}
)

func cny(minor int64) money.Amount { return money.New(minor, "CNY") }

func TestPostRefuses(t *testing.T) {
	t.Parallel()
	a, b, c := chart.Clearing("cha_1"), chart.Pending("mer_1"), chart.Fees()
	for name, x := range map[string]struct {
		posting Posting
		legs    []Entry
		code    string
	}{
		"no cause":              {Posting{Kind: "captured"}, []Entry{Dr(a, cny(1)), Cr(b, cny(1))}, "journal_without_cause"},
		"no kind":               {Posting{Cause: "x"}, []Entry{Dr(a, cny(1)), Cr(b, cny(1))}, "journal_without_cause"},
		"nothing":               {p, nil, "journal_too_short"},
		"one leg":               {p, []Entry{Dr(a, cny(1))}, "journal_too_short"},
		"one leg and zeros":     {p, []Entry{Dr(a, cny(1)), Cr(b, cny(0)), Cr(c, cny(0))}, "journal_too_short"},
		"zeros only":            {p, []Entry{Dr(a, cny(0)), Cr(b, cny(0))}, "journal_too_short"},
		"unbalanced":            {p, []Entry{Dr(a, cny(2)), Cr(b, cny(1))}, "journal_unbalanced"},
		"two debits":            {p, []Entry{Dr(a, cny(1)), Dr(b, cny(1))}, "journal_unbalanced"},
		"an account twice":      {p, []Entry{Dr(a, cny(1)), Cr(a, cny(1))}, "journal_repeats_account"},
		"twice, balanced":       {p, []Entry{Dr(a, cny(2)), Cr(b, cny(1)), Cr(b, cny(1))}, "journal_repeats_account"},
		"two books":             {p, []Entry{Dr(a, cny(1)), Cr(Chart{Book: id.Live, Currency: "CNY"}.Fees(), cny(1))}, "journal_spans_books"},
		"two currencies":        {p, []Entry{Dr(a, cny(1)), Cr(Chart{Book: id.Test, Currency: "USD"}.Fees(), money.New(1, "USD"))}, "journal_mixes_currencies"},
		"another currency":      {p, []Entry{Dr(a, money.New(1, "USD")), Cr(b, money.New(1, "USD"))}, "journal_mixes_currencies"},
		"a leg of another":      {p, []Entry{Dr(a, cny(1)), Cr(b, money.New(1, "JPY"))}, "journal_mixes_currencies"},
		"memo beside others":    {p, []Entry{Dr(chart.InDoubt("cha_1"), cny(1)), Cr(b, cny(1))}, "journal_mixes_memo"},
		"others beside memo":    {p, []Entry{Dr(a, cny(1)), Cr(chart.InDoubtContra("cha_1"), cny(1))}, "journal_mixes_memo"},
		"a negative debit":      {p, []Entry{Dr(a, cny(-1)), Cr(b, cny(-1))}, "journal_negative_leg"},
		"the least int64":       {p, []Entry{Cr(a, cny(math.MinInt64)), Dr(b, cny(math.MaxInt64))}, "journal_negative_leg"},
		"overflow":              {p, []Entry{Dr(a, cny(math.MaxInt64)), Dr(b, cny(1)), Cr(c, cny(1))}, "journal_overflows"},
		"overflow below":        {p, []Entry{{Account: a, Amount: math.MinInt64}, Cr(b, cny(1)), Dr(c, cny(1))}, "journal_overflows"},
		"an account of no book": {p, []Entry{Dr(Account{Code: "x", Currency: "CNY"}, cny(1)), Cr(b, cny(1))}, "journal_without_account"},
		"an account of no name": {p, []Entry{Dr(Account{Book: id.Test, Currency: "CNY"}, cny(1)), Cr(b, cny(1))}, "journal_without_account"},
		"of no kind":            {p, []Entry{{Account: Account{Book: id.Test, Code: "x", Currency: "CNY", Normal: Debit}, Amount: 1}, Cr(b, cny(1))}, "account_unknown"},
		"of an unknown kind":    {p, []Entry{{Account: Account{Book: id.Test, Code: "x", Currency: "CNY", Kind: "hope", Normal: Debit}, Amount: 1}, Cr(b, cny(1))}, "account_unknown"},
		"of no side":            {p, []Entry{{Account: Account{Book: id.Test, Code: "x", Currency: "CNY", Kind: Asset}, Amount: 1}, Cr(b, cny(1))}, "account_unknown"},
		"of no currency":        {p, []Entry{{Account: Account{Book: id.Test, Code: "x"}, Amount: 1}, Cr(b, cny(1))}, "journal_without_account"},
	} {
		j, err := Post(x.posting, x.legs...)
		require.True(t, fault.Is(err, fault.KindInvalid, x.code), "%s: %v", name, err)
		require.Equal(t, Journal{}, j)
	}
}

func TestPost(t *testing.T) {
	t.Parallel()
	j, err := Post(p, Dr(chart.Clearing("cha_1"), cny(10)), Cr(chart.Fees(), cny(0)), Cr(chart.Pending("mer_1"), cny(10)))
	require.NoError(t, err)
	require.Equal(t, "pay_1:ch1", j.Cause())
	require.Equal(t, "captured", j.Kind())
	require.Equal(t, noon, j.EffectiveAt())
	require.Equal(t, id.Test, j.Book())
	require.Equal(t, money.Currency("CNY"), j.Currency())
	require.Len(t, j.Entries(), 2, "a leg of nothing is left out")

	r, err := j.Reverse("pay_1:ur1", noon.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, "captured_reversed", r.Kind())
	require.Equal(t, "pay_1:ch1", r.Reverses())
	require.Empty(t, j.Reverses())

	_, err = Journal{}.Reverse("x", noon)
	require.Error(t, err, "nothing can't be reversed")
	least := Journal{cause: "x", kind: "x", entries: []Entry{{Account: chart.Fees(), Amount: math.MinInt64}}}
	_, err = least.Reverse("y", noon)
	require.True(t, fault.Is(err, fault.KindInvalid, "journal_overflows"))
}

// draw legs over distinct accounts, balanced or not.
func drawLegs(t *rapid.T) []Entry {
	n := rapid.IntRange(0, 8).Draw(t, "legs")
	legs := make([]Entry, 0, n+1)
	var sum int64
	for i := range n {
		amount := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "amount")
		sum += amount
		legs = append(legs, Entry{Account: chart.Available(string(rune('a' + i))), Amount: amount})
	}
	if rapid.Bool().Draw(t, "balanced") {
		legs = append(legs, Entry{Account: chart.Fees(), Amount: -sum})
	}
	return legs
}

// Whatever the legs, a Journal that comes to be balances, has two legs or more
// and none of nothing (I-01); its reversal is equal and opposite (I-07), and
// reversed again it is itself.
func TestWhateverIsBuiltBalances(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		legs := drawLegs(t)
		var given, moved int64
		for _, e := range legs {
			given += e.Amount
			if e.Amount != 0 {
				moved++
			}
		}
		j, err := Post(p, legs...)
		require.Equal(t, given == 0 && moved >= 2, err == nil, "%v", err)
		if err != nil {
			return
		}
		r, err := j.Reverse("x:ur1", noon)
		require.NoError(t, err)
		rr, err := r.Reverse(j.Cause(), noon)
		require.NoError(t, err)
		require.Equal(t, j.Entries(), rr.Entries())
		var sum int64
		for i, e := range j.Entries() {
			require.NotZero(t, e.Amount)
			sum += e.Amount
			require.Equal(t, -e.Amount, r.Entries()[i].Amount)
			require.Equal(t, e.Account, r.Entries()[i].Account)
		}
		require.Zero(t, sum)
	})
}

func TestPostings(t *testing.T) {
	t.Parallel()
	sale := Capture{Chart: chart, ChannelAccount: "cha_1", Merchant: "mer_1", Gross: cny(1234), Fee: cny(34), At: noon}
	legs := func(j Journal, err error) map[string]int64 {
		require.NoError(t, err)
		m := map[string]int64{}
		for _, e := range j.Entries() {
			m[e.Account.Code] = e.Amount
		}
		return m
	}
	require.Equal(t, map[string]int64{"channel/cha_1/clearing": 1234, "merchant/mer_1/pending": -1200, "income/fees": -34}, legs(Captured("x", sale)))
	require.Equal(t, map[string]int64{"suspense/cha_1/late": 1234, "merchant/mer_1/pending": -1200, "income/fees": -34}, legs(Explained("x", sale, "late")))
	require.Equal(t, map[string]int64{"merchant/mer_1/pending": 1200, "merchant/mer_1/available": -1200}, legs(Matured("x", sale)))
	require.Equal(t, map[string]int64{"memo/in_doubt/cha_1": 5, "memo/in_doubt/cha_1/contra": -5}, legs(InDoubt("x", chart, "cha_1", cny(5), noon)))
	require.Equal(t, map[string]int64{"channel/cha_1/clearing": 5, "suspense/cha_1/late": -5}, legs(Unexplained("x", chart, "cha_1", "late", cny(5), noon)))

	sale.Fee = cny(1235) // above gross: a merchant would owe for having sold
	for name, post := range map[string]func(string, Capture) (Journal, error){"captured": Captured, "matured": Matured,
		"explained": func(c string, s Capture) (Journal, error) { return Explained(c, s, "late") }} {
		_, err := post("x", sale)
		require.Error(t, err, name)
		other := sale
		other.Fee = money.New(1, "USD")
		_, err = post("x", other)
		require.Error(t, err, name)
	}
	_, err := InDoubt("x", chart, "cha_1", cny(-5), noon)
	require.Error(t, err)
	_, err = Unexplained("x", chart, "cha_1", "late", money.New(5, "USD"), noon)
	require.Error(t, err)
}

// The chart: which side an account stands on, and which can't go below zero
// (I-06). Memo accounts stay outside the trial balance.
func TestChart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		account Account
		code    string
		kind    Kind
		side    Side
		owner   string
		floored bool
	}{
		{chart.Clearing("cha_1"), "channel/cha_1/clearing", Asset, Debit, "cha_1", false},
		{chart.Pending("mer_1"), "merchant/mer_1/pending", Liability, Credit, "mer_1", true},
		{chart.Available("mer_1"), "merchant/mer_1/available", Liability, Credit, "mer_1", true},
		{chart.Fees(), "income/fees", Income, Credit, "", false},
		{chart.InDoubt("cha_1"), "memo/in_doubt/cha_1", Memo, Debit, "cha_1", false},
		{chart.InDoubtContra("cha_1"), "memo/in_doubt/cha_1/contra", Memo, Credit, "cha_1", false},
		{chart.Suspense("cha_1", "late"), "suspense/cha_1/late", Liability, Credit, "cha_1", false},
	} {
		require.Equal(t, Account{Book: id.Test, Code: c.code, Currency: "CNY", Owner: c.owner, Kind: c.kind, Normal: c.side, Floored: c.floored}, c.account)
	}
}
