package rebate_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/rebate"
	"paysaga/domain/trade"
)

// paid is on a Friday; in Shanghai it is Saturday already.
var paid = time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC)

func campaign(letter string) rebate.Campaign {
	return rebate.Campaign{ID: "cmp_" + letter, Book: id.Test, MerchantID: "mer_1", Currency: "CNY"}
}

// rules compiles a definition as it is written.
func rules(t testing.TB, c rebate.Campaign, definition string) *rebate.Rules {
	t.Helper()
	var d rebate.Definition
	require.NoError(t, json.Unmarshal([]byte(definition), &d))
	r, err := rebate.Compile(c, rebate.Version{CampaignID: c.ID, Number: 1, Definition: d})
	require.NoError(t, err)
	return r
}

// order has a line of each base, 1 in category a, 2 in b, 3 in a, ….
func order(bases ...int64) rebate.Order {
	o := rebate.Order{Book: id.Test, ID: "ord_1", MerchantID: "mer_1", Type: trade.Purchase, Currency: "CNY", PaidAt: paid,
		Buyer: rebate.Buyer{UserID: "usr_1", OrdersPaid: 2, SpentMinor: 700, Referrer: "usr_2", ReferrerTwo: "usr_3", Since: paid.AddDate(0, 0, -10)}}
	for i, b := range bases {
		o.Lines = append(o.Lines, rebate.Line{Number: i + 1, SKU: "s", Category: []string{"a", "b"}[i%2], Quantity: int64(i + 1), Base: b})
	}
	return o
}

func rich(versions ...*rebate.Rules) rebate.Used {
	u := rebate.Used{Counters: map[string]int64{}, Budget: map[string]int64{}}
	for _, v := range versions {
		u.Budget[v.Campaign.ID] = 1 << 50
	}
	return u
}

// earned writes what an order earns: rule, line, level and amount of each.
func earned(t testing.TB, o rebate.Order, used rebate.Used, versions ...*rebate.Rules) string {
	t.Helper()
	out, err := rebate.Rate(versions, o, used)
	require.NoError(t, err)
	require.Empty(t, out.Failed)
	var list []string
	for _, e := range out.Earnings {
		list = append(list, e.Rule+" "+string(rune('0'+e.Line))+"/"+e.Beneficiary[4:]+" "+money.New(e.Minor, "CNY").Decimal())
	}
	return strings.Join(list, ", ")
}

func one(strategy string) string { return `{"rules":[{"name":"r","strategy":` + strategy + `}]}` }

func TestStrategies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ definition, want string }{
		"percentage":        {one(`{"type":"percentage","rate_bps":150}`), "r 1/1 0.15, r 2/1 0.30"},
		"rounded down":      {one(`{"type":"percentage","rate_bps":199}`), "r 1/1 0.19, r 2/1 0.39"},
		"rounded half up":   {`{"rounding":"half_up","rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":199}}]}`, "r 1/1 0.20, r 2/1 0.40"},
		"fixed per order":   {one(`{"type":"fixed","amount_minor":100}`), "r 1/1 0.33, r 2/1 0.67"},
		"fixed per line":    {one(`{"type":"fixed","amount_minor":100,"per":"line"}`), "r 1/1 1.00, r 2/1 1.00"},
		"fixed per unit":    {one(`{"type":"fixed","amount_minor":100,"per":"unit"}`), "r 1/1 1.00, r 2/1 2.00"},
		"more than paid":    {one(`{"type":"fixed","amount_minor":1500,"per":"line"}`), "r 1/1 10.00, r 2/1 15.00"},
		"below the tiers":   {one(`{"type":"tiered","tiers":[{"from_minor":3001,"rate_bps":100}]}`), ""},
		"second tier":       {one(`{"type":"tiered","tiers":[{"from_minor":0,"rate_bps":100},{"from_minor":3000,"rate_bps":200},{"from_minor":9000,"rate_bps":300}]}`), "r 1/1 0.20, r 2/1 0.40"},
		"tier of an amount": {one(`{"type":"tiered","tiers":[{"from_minor":1000,"amount_minor":10}]}`), "r 1/1 0.03, r 2/1 0.07"},
		"steps":             {one(`{"type":"stepped","tiers":[{"from_minor":0,"rate_bps":100},{"from_minor":2500,"rate_bps":1000}]}`), "r 1/1 0.10, r 2/1 0.65"},
		"category":          {one(`{"type":"category","rates_bps":{"a":500}}`), "r 1/1 0.50"},
		"other categories":  {one(`{"type":"category","rates_bps":{"a":500},"rate_bps":100}`), "r 1/1 0.50, r 2/1 0.20"},
		"not new":           {one(`{"type":"new_user","rate_bps":500}`), ""},
		"referral":          {one(`{"type":"referral","levels_bps":[100,200,300]}`), "r 1/1 0.10, r 1/2 0.20, r 1/3 0.30, r 2/1 0.20, r 2/2 0.40, r 2/3 0.60"},
		"referral, one":     {one(`{"type":"referral","levels_bps":[0,200]}`), "r 1/2 0.20, r 2/2 0.40"},
		"a condition":       {`{"rules":[{"name":"r","when":"line_category == \"b\" && order_amount == 3000 && weekday == 5","strategy":{"type":"percentage","rate_bps":100}}]}`, "r 2/1 0.20"},
		"of the order":      {`{"rules":[{"name":"r","when":"orders_before > 2","strategy":{"type":"percentage","rate_bps":100}}]}`, ""},
		"history":           {`{"rules":[{"name":"r","when":"spent_before >= 700 && customer_age > duration(\"48h\") && referrer != \"\"","strategy":{"type":"fixed","amount_minor":2}}]}`, "r 1/1 0.01, r 2/1 0.01"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rules(t, campaign("a"), c.definition)
			require.Equal(t, c.want, earned(t, order(1000, 2000), rich(r), r))
		})
	}
}

func TestNewUsersAreNewOnce(t *testing.T) {
	t.Parallel()
	r := rules(t, campaign("a"), one(`{"type":"new_user","amount_minor":500,"within_days":7}`))
	o := order(1000)
	o.Buyer.OrdersPaid = 0
	require.Empty(t, earned(t, o, rich(r), r), "they came ten days ago")
	o.Buyer.Since = paid.AddDate(0, 0, -7)
	out, err := rebate.Rate([]*rebate.Rules{r}, o, rich(r))
	require.NoError(t, err)
	require.Len(t, out.Earnings, 1)
	used := rich(r)
	used.Counters = out.Takes // another first order that was paid at once
	require.Empty(t, earned(t, o, used, r))
}

// Nobody earns twice of one line, however a chain of referrers was made.
func TestACircleOfReferrersEarnsOnce(t *testing.T) {
	t.Parallel()
	r := rules(t, campaign("a"), one(`{"type":"referral","levels_bps":[100,100,100]}`))
	for _, c := range []struct{ one, two, want string }{
		{"usr_1", "usr_2", "r 1/1 0.10"}, {"usr_2", "usr_1", "r 1/1 0.10, r 1/2 0.10"}, {"usr_2", "usr_2", "r 1/1 0.10, r 1/2 0.10"}, {"", "usr_3", "r 1/1 0.10"},
	} {
		o := order(1000)
		o.Buyer.Referrer, o.Buyer.ReferrerTwo = c.one, c.two
		require.Equal(t, c.want, earned(t, o, rich(r), r), c)
	}
	o := order(1000)
	o.Buyer.UserID = ""
	require.Empty(t, earned(t, o, rich(r), r), "nobody is named")
}

const three = `{"stacking":"%","rules":[
	{"name":"low","priority":5,"strategy":{"type":"percentage","rate_bps":100}},
	{"name":"high","when":"line_category == \"a\"","strategy":{"type":"percentage","rate_bps":300}},
	{"name":"same","priority":5,"strategy":{"type":"percentage","rate_bps":100}}]}`

func TestStacking(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{
		"best":     "low 2/1 0.20, high 1/1 0.30",
		"all":      "low 1/1 0.10, low 2/1 0.20, high 1/1 0.30, same 1/1 0.10, same 2/1 0.20",
		"priority": "low 1/1 0.10, low 2/1 0.20",
	} {
		r := rules(t, campaign("a"), strings.Replace(three, "%", policy, 1))
		require.Equal(t, want, earned(t, order(1000, 2000), rich(r), r), policy)
	}
}

// What an exclusive campaign gives on a line keeps the others from it; by priority, not by the order of asking.
func TestExclusiveCampaigns(t *testing.T) {
	t.Parallel()
	a, b, c := campaign("a"), campaign("b"), campaign("c")
	a.Priority, b.Priority, c.Priority = 1, 2, 3
	b.Exclusive = true
	shoes := rules(t, b, `{"rules":[{"name":"b","when":"line_category == \"a\"","strategy":{"type":"percentage","rate_bps":100}}]}`)
	all, books := rules(t, a, one(`{"type":"percentage","rate_bps":200}`)), rules(t, c, `{"rules":[{"name":"c","when":"line_amount == 1000","strategy":{"type":"percentage","rate_bps":300}}]}`)
	require.Equal(t, "b 1/1 0.10, r 2/1 0.40, b 3/1 0.30", sorted(earned(t, order(1000, 2000, 3000), rich(all, shoes), all, shoes)))
	require.Equal(t, "c 1/1 0.30, b 3/1 0.30, r 1/1 0.20, r 2/1 0.40", earned(t, order(1000, 2000, 3000), rich(all, shoes, books), all, shoes, books))
}

// sorted puts earnings in the order of their lines.
func sorted(text string) string {
	list := strings.Split(text, ", ")
	for i := range list {
		for j := i; j > 0 && list[j][2] < list[j-1][2]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return strings.Join(list, ", ")
}

func TestCaps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caps, rule, want string
		used             map[string]int64
	}{
		"line":         {caps: `{"line_minor":25}`, want: "r 1/1 0.10, r 2/1 0.20, r 3/1 0.25"},
		"order":        {caps: `{"order_minor":25}`, want: "r 1/1 0.10, r 2/1 0.15"},
		"rule's order": {rule: `{"order_minor":25}`, want: "r 1/1 0.10, r 2/1 0.15"},
		"user and day": {caps: `{"user_day_minor":100}`, used: map[string]int64{"cmp_a/*/day/usr_1/2026-11-21": 85}, want: "r 1/1 0.10, r 2/1 0.05"},
		"period":       {rule: `{"user_period_minor":100}`, used: map[string]int64{"cmp_a/r/period/usr_1": 100}, want: ""},
		"total":        {caps: `{"total_minor":40}`, used: map[string]int64{"cmp_a/*/total": 39, "cmp_a/r/total": 500}, want: "r 1/1 0.01"},
	} {
		t.Run(name, func(t *testing.T) {
			d := `{"caps":` + orEmpty(c.caps) + `,"rules":[{"name":"r","caps":` + orEmpty(c.rule) + `,"strategy":{"type":"percentage","rate_bps":100}}]}`
			r := rules(t, campaign("a"), d)
			used := rich(r)
			if c.used != nil {
				used.Counters = c.used
			}
			o := order(1000, 2000, 3000)
			o.Zone = time.FixedZone("Shanghai", 8*3600)
			require.Equal(t, c.want, earned(t, o, used, r))
			used.Budget["cmp_a"] = 7
			if c.want != "" {
				require.Contains(t, []string{"r 1/1 0.07", "r 1/1 0.01"}, earned(t, o, used, r), "never past the budget")
			}
		})
	}
}

// What orders share decides whether a correction has to keep to their order.
func TestWhatOrdersShare(t *testing.T) {
	t.Parallel()
	for definition, shared := range map[string]bool{
		one(`{"type":"percentage","rate_bps":100}`):                                                         false,
		one(`{"type":"new_user","amount_minor":100}`):                                                       true,
		one(`{"type":"percentage","rate_bps":100},"caps":{"line_minor":1,"order_minor":2}`):                 false,
		one(`{"type":"percentage","rate_bps":100},"caps":{"user_day_minor":1}`):                             true,
		one(`{"type":"percentage","rate_bps":100},"caps":{"user_period_minor":1}`):                          true,
		`{"caps":{"total_minor":1},"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":100}}]}`: true,
		`{"caps":{"order_minor":1},"rules":[{"name":"r","strategy":{"type":"percentage","rate_bps":100}}]}`: false,
	} {
		require.Equal(t, shared, rules(t, campaign("a"), definition).Shared(), definition)
	}
}

func orEmpty(text string) string {
	if text == "" {
		return "{}"
	}
	return text
}

func TestVesting(t *testing.T) {
	t.Parallel()
	r := rules(t, campaign("a"), `{"vest":{"days":7},"rules":[
		{"name":"p","strategy":{"type":"fixed","amount_minor":1}},
		{"name":"q","strategy":{"type":"fixed","amount_minor":2},"vest":{"after":"receipt","days":3,"at_latest_days":30}}],"stacking":"all"}`)
	o := order(1000)
	o.Zone = time.FixedZone("Shanghai", 8*3600)
	out, err := rebate.Rate([]*rebate.Rules{r}, o, rich(r))
	require.NoError(t, err)
	require.Equal(t, "2026-11-28", out.Earnings[0].VestsOn.Format(time.DateOnly))
	require.False(t, out.Earnings[0].FromReceipt)
	require.Equal(t, "2026-12-21", out.Earnings[1].VestsOn.Format(time.DateOnly))
	require.True(t, out.Earnings[1].FromReceipt)
	require.Equal(t, 3, out.Earnings[1].Days)
}

// A condition that fails gives nothing, says so, and hides no other rule.
func TestAFailedConditionIsTold(t *testing.T) {
	t.Parallel()
	r := rules(t, campaign("a"), `{"stacking":"all","rules":[
		{"name":"broken","when":"metadata[\"tier\"] == \"gold\"","strategy":{"type":"percentage","rate_bps":100}},
		{"name":"fine","strategy":{"type":"percentage","rate_bps":100}}]}`)
	out, err := rebate.Explain([]*rebate.Rules{r}, order(1000), rich(r))
	require.NoError(t, err)
	require.Len(t, out.Earnings, 1)
	require.Equal(t, []rebate.Failure{{CampaignID: "cmp_a", Version: 1, Rule: "broken", Failure: "no_such_key"}}, out.Failed)
	require.Equal(t, "condition", out.Why[0].Because)
}

func TestReasons(t *testing.T) {
	t.Parallel()
	r := rules(t, campaign("a"), strings.Replace(three, "%", "best", 1))
	used := rich(r)
	used.Budget["cmp_a"] = 25
	out, err := rebate.Explain([]*rebate.Rules{r}, order(1000, 2000), used)
	require.NoError(t, err)
	var list []string
	for _, w := range out.Why {
		list = append(list, w.Rule+string(rune('0'+w.Line))+" "+money.New(w.OfferMinor, "CNY").Decimal()+" "+money.New(w.Minor, "CNY").Decimal()+" "+w.Because)
	}
	require.Equal(t, []string{"high2 0.00 0.00 condition", "low1 0.10 0.00 stacking", "low2 0.20 0.20 ", "high1 0.30 0.05 budget",
		"same1 0.10 0.00 stacking", "same2 0.20 0.00 stacking"}, list)
}

func TestOthersCampaignsRateNothing(t *testing.T) {
	t.Parallel()
	c := campaign("a")
	c.MerchantID = "mer_2"
	r := rules(t, c, one(`{"type":"percentage","rate_bps":100}`))
	_, err := rebate.Rate([]*rebate.Rules{r}, order(1000), rich(r))
	require.Equal(t, fault.KindInternal, fault.Of(err)) // I-25
}

// The order's discounts are shared by its lines, and nothing is lost (I-08).
func TestLinesAreWhatWasPaidForThem(t *testing.T) {
	t.Parallel()
	cny := func(minor int64) money.Amount { return money.New(minor, "CNY") }
	o, err := trade.New(trade.Order{Reference: "r", Type: trade.Purchase, Currency: "CNY",
		Lines:       []trade.Line{{SKU: "a", Category: "x", Quantity: 2, UnitPrice: cny(500)}, {SKU: "b", Quantity: 1, UnitPrice: cny(1000), Discount: cny(100), Tax: cny(100)}, {SKU: "c", Quantity: 1, UnitPrice: cny(1000)}},
		Adjustments: []trade.Adjustment{{Type: trade.Shipping, Amount: cny(700)}, {Type: trade.Discount, Amount: cny(100)}}}, money.Amount{})
	require.NoError(t, err)
	lines, err := rebate.Lines(o)
	require.NoError(t, err)
	require.Equal(t, []int64{966, 967, 967}, []int64{lines[0].Base, lines[1].Base, lines[2].Base})
	require.Equal(t, "x", lines[0].Category)
	whole, err := rebate.Lines(trade.Order{Sums: trade.Sums{Total: cny(5)}})
	require.NoError(t, err)
	require.Equal(t, []rebate.Line{{Number: 1, Quantity: 1, Base: 5}}, whole)
}
