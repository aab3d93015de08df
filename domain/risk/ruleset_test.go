package risk

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/rule"
)

func set(t testing.TB, def Definition) *RuleSet {
	t.Helper()
	s, err := Compile(def)
	require.NoError(t, err)
	return s
}

func pays(minor int64) Facts {
	return Facts{Card: "f1", Facts: rule.Facts{MerchantID: "mer_1", CustomerID: "usr_1", Currency: "CNY", AmountMinor: minor, Country: "CN",
		CreatedAt: time.Date(2026, 11, 21, 17, 30, 0, 0, time.UTC), Zone: time.FixedZone("UTC+8", 8*3600)}}
}

var example = Definition{Version: "7",
	Rules: []RuleDef{
		{Name: "trusted", When: `customer_id == "usr_9"`, Then: Allow, Reason: "known for years"},
		{Name: "new-and-big", When: `amount > 1000 && customer_age < duration("24h")`, Then: Review, Reason: "new and big"},
		{Name: "abroad", When: `country != "CN" || ip_country == "KP" || card == "bad"`, Then: Refuse, Reason: "abroad"},
	},
	Velocities: []Velocity{
		{Name: "card-hour", By: ByCard, Window: PerHour, MaxCount: 3},
		{Name: "customer-day", By: ByCustomer, Window: PerDay, Currency: "CNY", MaxSumMinor: 5000, Then: Review},
	},
	Limits:     []Limit{{Currency: "CNY", MaxMinor: 4000, MaxDailyMinor: 9000}, {Currency: "JPY", Closed: true}},
	Unreadable: Unreadable{RefuseAboveMinor: map[string]int64{"CNY": 500}},
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	s := set(t, example)
	for _, c := range []struct {
		name   string
		change func(*Facts)
		minor  int64
		want   string
		rule   string
	}{
		{"nothing objects", func(*Facts) {}, 1, Allow, "default@7"}, {"a review", func(*Facts) {}, 1001, Review, "new-and-big@7"},
		{"a refusal", func(f *Facts) { f.Country = "US" }, 1, Refuse, "abroad@7"}, {"its net", func(f *Facts) { f.IPCountry = "KP" }, 1, Refuse, "abroad@7"},
		{"a card", func(f *Facts) { f.Card = "bad" }, 1, Refuse, "abroad@7"}, {"the first decides", func(f *Facts) { f.Country = "US" }, 1001, Review, "new-and-big@7"},
		{"an allowance", func(f *Facts) { f.CustomerID = "usr_9" }, 3000, Allow, "trusted@7"},
		{"not over a limit", func(f *Facts) { f.CustomerID = "usr_9" }, 4001, Refuse, "max_amount@7"},
		{"closed", func(f *Facts) { f.Currency = "JPY" }, 1, Refuse, "max_amount@7"},
	} {
		f := pays(c.minor)
		c.change(&f)
		v, after := s.Screen(f, nil).Decide(nil)
		require.Equal(t, c.want, v.Decision, c.name)
		require.Equal(t, c.rule, v.Rule, c.name)
		require.NotEmpty(t, v.Reason)
		require.Equal(t, c.want == Refuse, after == nil, "a refusal moves no counter")
	}
	require.Equal(t, Verdict{Decision: Allow, Rule: "default@", Reason: "no rule objects"}, (&RuleSet{}).Screen(pays(1), nil).without)
	require.Equal(t, 24*time.Hour, s.ReviewFor())
}

func TestCounters(t *testing.T) {
	t.Parallel()
	sc := set(t, example).Screen(pays(600), nil)
	at := time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC) // midnight of the 22nd for the merchant
	require.Equal(t, []Counter{
		{Key: "mer_1/card/f1/hour//2026-11-21T17:00:00Z", Start: at.Add(time.Hour), End: at.Add(2 * time.Hour), AddCount: 1},
		{Key: "mer_1/customer/usr_1/day/CNY/2026-11-21T16:00:00Z", Start: at, End: at.Add(24 * time.Hour), AddCount: 1, AddMinor: 600},
		{Key: "mer_1/merchant/mer_1/day/CNY/2026-11-21T16:00:00Z", Start: at, End: at.Add(24 * time.Hour), AddCount: 1, AddMinor: 600},
	}, sc.Counters)
	key := func(i int) string { return sc.Counters[i].Key }
	for _, c := range []struct {
		now  map[string]Value
		want string
		rule string
	}{
		{nil, Allow, "default@7"}, {map[string]Value{key(0): {Count: 2}}, Allow, "default@7"}, {map[string]Value{key(0): {Count: 3}}, Refuse, "card-hour@7"},
		{map[string]Value{key(1): {SumMinor: 4400}}, Allow, "default@7"}, {map[string]Value{key(1): {SumMinor: 4401}}, Review, "customer-day@7"},
		{map[string]Value{key(2): {SumMinor: 8401}}, Refuse, "max_daily@7"}, {map[string]Value{key(1): {SumMinor: math.MaxInt64}}, Review, "customer-day@7"},
		{map[string]Value{key(0): {Count: math.MaxInt64}, key(1): {SumMinor: 4401}}, Refuse, "card-hour@7"},
	} {
		v, after := sc.Decide(c.now)
		require.Equal(t, c.want, v.Decision, "%v", c.now)
		require.Equal(t, c.rule, v.Rule, "%v", c.now)
		if after != nil {
			require.Equal(t, c.now[key(1)].Count+1, after[key(1)].Count)
			require.Len(t, after, 3)
		}
	}
	stranger := pays(600)
	stranger.CustomerID, stranger.Card, stranger.Currency = "", "", "USD"
	require.Empty(t, set(t, example).Screen(stranger, nil).Counters)
}

func TestLists(t *testing.T) {
	t.Parallel()
	s := set(t, example)
	on := func(e Entry) Entry { e.Listed = Listed{KindCustomer, "usr_1"}; return e }
	soft, hard := on(Entry{Block: true}), on(Entry{Block: true, Hard: true, Reason: "a court says so"})
	allow, over := on(Entry{}), on(Entry{OverHard: true})
	for _, c := range []struct {
		hits  []Entry
		minor int64
		want  string
		rule  string
	}{
		{[]Entry{soft}, 1, Refuse, "block_list_customer@7"}, {[]Entry{hard}, 1, Refuse, "block_list_customer@7"},
		{[]Entry{allow}, 2000, Allow, "allow_list@7"}, {[]Entry{soft, allow}, 2000, Allow, "allow_list@7"},
		{[]Entry{allow, hard}, 1, Refuse, "block_list_customer@7"}, {[]Entry{hard, over}, 1, Allow, "allow_list@7"},
		{[]Entry{over}, 4001, Refuse, "max_amount@7"},
	} {
		v, _ := s.Screen(pays(c.minor), c.hits).Decide(nil)
		require.Equal(t, c.want, v.Decision, "%+v", c.hits)
		require.Equal(t, c.rule, v.Rule, "%+v", c.hits)
	}
	secret := []byte(strings.Repeat("s", 32))
	a, err := Digest(secret, KindEmail, " Ann@Example.com ")
	require.NoError(t, err)
	b, _ := Digest(secret, KindEmail, "ann@example.com")
	phone, _ := Digest(secret, KindPhone, "+86 138-0013")
	same, _ := Digest(secret, KindPhone, "861380013")
	other, _ := Digest([]byte(strings.Repeat("t", 32)), KindEmail, "ann@example.com")
	require.Equal(t, a, b)
	require.Equal(t, phone, same)
	require.NotEqual(t, a, other)
	require.NotContains(t, a, "ann")
	require.Empty(t, func() string { d, _ := Digest(secret, KindPhone, " "); return d }())
	_, err = Digest([]byte("short"), KindEmail, "x")
	require.Equal(t, fault.KindInternal, fault.Of(err))
	f := pays(1)
	f.Email = a
	require.Equal(t, []Listed{{KindCustomer, "usr_1"}, {KindCountry, "CN"}, {KindCard, "f1"}, {KindEmail, a}}, f.Lookup())
	require.NoError(t, Entry{Listed: Listed{KindEmail, a}, Block: true}.Check())
	for _, e := range []Entry{{}, {Listed: Listed{KindEmail, "ann@example.com"}}, {Listed: Listed{"name", "Ann"}}, {Listed: Listed{KindCustomer, ""}},
		{Listed: Listed{KindCountry, "CN"}, Hard: true}, {Listed: Listed{KindCountry, "CN"}, Block: true, OverHard: true}} {
		require.Equal(t, fault.KindInvalid, fault.Of(e.Check()), "%+v", e)
	}
}

func TestFailingRules(t *testing.T) {
	t.Parallel()
	rules := []RuleDef{{Name: "broken", When: `metadata.x == "1"`, Then: Refuse}, {Name: "big", When: "amount > 10", Then: Refuse}}
	for onError, want := range map[string][2]string{"": {Review, Refuse}, Refuse: {Refuse, Refuse}, Allow: {Allow, Refuse}} {
		s := set(t, Definition{Rules: rules, OnError: onError})
		for i, minor := range []int64{1, 11} {
			sc := s.Screen(pays(minor), nil)
			v, _ := sc.Decide(nil)
			require.Equal(t, want[i], v.Decision, "on error %q", onError)
			require.Equal(t, []Note{{Rule: "broken", Failure: rule.NoSuchKey}}, sc.Notes)
		}
	}
}

func TestBlind(t *testing.T) {
	t.Parallel()
	s := set(t, example)
	for _, c := range []struct {
		minor   int64
		country string
		want    string
		again   bool
	}{{500, "CN", Allow, true}, {501, "CN", Refuse, false}, {1, "US", Refuse, false}} {
		f := pays(c.minor)
		f.Country = c.country
		v := s.Screen(f, nil).Blind(s.Unreadable(), money.New(c.minor, "CNY"))
		require.Equal(t, c.want, v.Decision)
		require.Equal(t, c.again, v.Recheck)
	}
	require.Equal(t, Refuse, Unreadable{}.Judge("", money.New(1, "CNY")).Decision, "who has no policy is careful")
}

func TestBadDefinitionsAreRefused(t *testing.T) {
	t.Parallel()
	ok := Velocity{Name: "v", By: ByCard, Window: PerDay, MaxCount: 1}
	vary := func(change func(*Velocity)) Definition {
		v := ok
		change(&v)
		return Definition{Velocities: []Velocity{v}}
	}
	for _, c := range []struct {
		param string
		def   Definition
	}{
		{"rules", Definition{Rules: make([]RuleDef, MaxRules+1)}}, {"rules[0].name", Definition{Rules: []RuleDef{{Then: Allow}}}},
		{"rules[0].then", Definition{Rules: []RuleDef{{Name: "a", Then: "maybe"}}}}, {"rules[0].when", Definition{Rules: []RuleDef{{Name: "a", Then: Allow, When: "amount"}}}},
		{"rules[0].reason", Definition{Rules: []RuleDef{{Name: "a", Then: Allow, Reason: strings.Repeat("x", 201)}}}},
		{"velocities[0].name", Definition{Rules: []RuleDef{{Name: "v", Then: Allow}}, Velocities: []Velocity{ok}}},
		{"velocities[0].by", vary(func(v *Velocity) { v.By = "shoe" })}, {"velocities[0].window", vary(func(v *Velocity) { v.Window = "year" })},
		{"velocities[0].max_count", vary(func(v *Velocity) { v.MaxCount = 0 })}, {"velocities[0].currency", vary(func(v *Velocity) { v.MaxSumMinor = 1 })},
		{"velocities[0].currency", vary(func(v *Velocity) { v.Currency = "XXQ" })}, {"velocities[0].then", vary(func(v *Velocity) { v.Then = Allow })},
		{"limits[0].currency", Definition{Limits: []Limit{{Currency: "??", MaxMinor: 1}}}}, {"limits[0]", Definition{Limits: []Limit{{Currency: "CNY"}}}},
		{"limits[0]", Definition{Limits: []Limit{{Currency: "CNY", MaxMinor: -1}}}}, {"on_error", Definition{OnError: "shrug"}},
		{"review_for_minutes", Definition{ReviewFor: -1}},
		{"unreadable.refuse_above_minor", Definition{Unreadable: Unreadable{RefuseAboveMinor: map[string]int64{"CNY": -1}}}},
	} {
		s, err := Compile(c.def)
		require.Equal(t, fault.KindInvalid, fault.Of(err), "%s: %v", c.param, err)
		require.Equal(t, c.param, fault.As(err).Param)
		require.Nil(t, s)
	}
}
