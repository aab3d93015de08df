package rebate_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/id"
	"paysaga/domain/rebate"
)

// Whatever merchants write: nothing is given past a budget, a cap or what was paid for a line, one rule gives one beneficiary on one
// line once, counters move by what was given, and the counters that were named are all that move (I-06, I-22).
func TestNothingIsGivenPastItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var versions []*rebate.Rules
		for n := range rapid.IntRange(1, 3).Draw(t, "campaigns") {
			versions = append(versions, drawVersion(t, n))
		}
		o := drawOrder(t)
		used := rebate.Used{Counters: map[string]int64{}, Budget: map[string]int64{}}
		keys := rebate.Counters(versions, o)
		for _, k := range keys {
			if rapid.Bool().Draw(t, "counted") {
				used.Counters[k] = rapid.Int64Range(0, 2000).Draw(t, "stands")
			}
		}
		for _, v := range versions {
			used.Budget[v.Campaign.ID] = rapid.Int64Range(0, 5000).Draw(t, "budget")
		}
		out, err := rebate.Rate(versions, o, used)
		require.NoError(t, err)
		again, err := rebate.Explain(versions, o, used)
		require.NoError(t, err)
		require.Equal(t, out.Earnings, again.Earnings)
		judge(t, versions, o, used, out)
		explained(t, again)
		for k, minor := range out.Takes {
			require.Contains(t, keys, k)
			require.GreaterOrEqual(t, minor, int64(0))
		}
	})
}

func judge(t *rapid.T, versions []*rebate.Rules, o rebate.Order, used rebate.Used, out rebate.Result) {
	once, byCampaign, byLine := map[string]bool{}, map[string]int64{}, map[int]int64{}
	byUser := map[string]int64{}
	for _, e := range out.Earnings {
		require.Positive(t, e.Minor)
		key := fmt.Sprint(e.CampaignID, e.Rule, e.Line, e.Beneficiary)
		require.False(t, once[key], key)
		once[key] = true
		byCampaign[e.CampaignID] += e.Minor
		byLine[e.Line] += e.Minor
		byUser[e.CampaignID+"/"+e.Beneficiary] += e.Minor
	}
	for _, l := range o.Lines {
		require.LessOrEqual(t, byLine[l.Number], max(0, l.Base))
	}
	for _, v := range versions {
		c, caps := v.Campaign.ID, v.Definition().Caps
		require.LessOrEqual(t, byCampaign[c], used.Budget[c])
		if caps.OrderMinor > 0 {
			require.LessOrEqual(t, byCampaign[c], caps.OrderMinor)
		}
		if caps.TotalMinor > 0 {
			require.Equal(t, byCampaign[c], out.Takes[c+"/*/total"])
			require.LessOrEqual(t, byCampaign[c], max(0, caps.TotalMinor-used.Counters[c+"/*/total"]))
		}
		if caps.UserPeriodMinor > 0 {
			for _, u := range []string{"usr_1", "usr_2", "usr_3"} {
				require.LessOrEqual(t, byUser[c+"/"+u], max(0, caps.UserPeriodMinor-used.Counters[c+"/*/period/"+u]))
			}
		}
	}
}

// explained: reasons tell of all that was given, and why of all that wasn't.
func explained(t *rapid.T, out rebate.Result) {
	var given, told int64
	for _, e := range out.Earnings {
		given += e.Minor
	}
	for _, w := range out.Why {
		told += w.Minor
		require.LessOrEqual(t, w.Minor, w.OfferMinor)
		require.Equal(t, w.Minor < w.OfferMinor || w.OfferMinor == 0, w.Because != "", w)
	}
	require.Equal(t, given, told)
}

func drawOrder(t *rapid.T) rebate.Order {
	o := order(rapid.SliceOfN(rapid.Int64Range(0, 20_000), 1, 5).Draw(t, "bases")...)
	o.Buyer.OrdersPaid = rapid.Int64Range(0, 1).Draw(t, "orders")
	o.Buyer.Referrer = rapid.SampledFrom([]string{"", "usr_1", "usr_2"}).Draw(t, "referrer")
	o.Buyer.ReferrerTwo = rapid.SampledFrom([]string{"", "usr_1", "usr_2", "usr_3"}).Draw(t, "their referrer")
	return o
}

func drawVersion(t *rapid.T, n int) *rebate.Rules {
	c := rebate.Campaign{ID: fmt.Sprint("cmp_", n), Book: id.Test, MerchantID: "mer_1", Currency: "CNY"}
	c.Priority, c.Exclusive = rapid.IntRange(0, 2).Draw(t, "priority"), rapid.Bool().Draw(t, "exclusive")
	d := rebate.Definition{Stacking: rapid.SampledFrom([]rebate.Stacking{rebate.StackAll, rebate.StackBest, rebate.StackPriority}).Draw(t, "stacking"), Caps: drawCaps(t)}
	for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
		d.Rules = append(d.Rules, rebate.Rule{Name: fmt.Sprint("r", i), Priority: rapid.IntRange(0, 2).Draw(t, "rule's priority"), Caps: drawCaps(t),
			When:     rapid.SampledFrom([]string{"", `line_category == "a"`, `order_amount > 500`, `line_amount > 100 && orders_before == 0`}).Draw(t, "when"),
			Strategy: drawStrategy(t)})
	}
	text, err := json.Marshal(d)
	require.NoError(t, err)
	var read rebate.Definition
	require.NoError(t, json.Unmarshal(text, &read)) // what is stored is what was written
	r, err := rebate.Compile(c, rebate.Version{Number: 1, Definition: read})
	require.NoError(t, err)
	return r
}

func drawCaps(t *rapid.T) (c rebate.Caps) {
	for _, to := range []*int64{&c.LineMinor, &c.OrderMinor, &c.UserDayMinor, &c.UserPeriodMinor, &c.TotalMinor} {
		if rapid.IntRange(0, 3).Draw(t, "capped") == 0 {
			*to = rapid.Int64Range(1, 3000).Draw(t, "cap")
		}
	}
	return c
}

func drawStrategy(t *rapid.T) rebate.Strategy {
	bps := rapid.Int64Range(1, 10_000)
	tiers := []rebate.Tier{{FromMinor: 0, RateBps: bps.Draw(t, "first")}, {FromMinor: rapid.Int64Range(1, 9000).Draw(t, "from"), RateBps: bps.Draw(t, "second")}}
	return rapid.SampledFrom([]rebate.Strategy{
		{Type: rebate.Percentage, RateBps: bps.Draw(t, "rate")},
		{Type: rebate.Fixed, AmountMinor: bps.Draw(t, "amount"), Per: rapid.SampledFrom([]string{"", "line", "unit"}).Draw(t, "per")},
		{Type: rebate.Tiered, Tiers: tiers}, {Type: rebate.Stepped, Tiers: tiers},
		{Type: rebate.PerGroup, Rates: map[string]int64{"a": bps.Draw(t, "a"), "b": 0}},
		{Type: rebate.NewUser, AmountMinor: bps.Draw(t, "welcome")},
		{Type: rebate.Referral, Levels: []int64{rapid.Int64Range(1, 3000).Draw(t, "own"), rapid.Int64Range(0, 3000).Draw(t, "theirs"), rapid.Int64Range(0, 4000).Draw(t, "two")}},
	}).Draw(t, "strategy")
}
