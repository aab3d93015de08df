package rebate_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/rebate"
)

// BenchmarkRate rates orders of five lines by two campaigns with four rules each, conditions of both kinds, caps that count. The bound is
// 200,000 lines a second on one core, CEL's cost limit on.
func BenchmarkRate(b *testing.B) {
	order, versions := benchOrder(), []*rebate.Rules{benchCampaign(b, 1), benchCampaign(b, 2)}
	used := rebate.Used{Counters: map[string]int64{}, Budget: map[string]int64{}}
	for _, v := range versions {
		used.Budget[v.Campaign.ID] = 1 << 50
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		out, err := rebate.Rate(versions, order, used)
		if err != nil || len(out.Earnings) == 0 || len(out.Failed) > 0 {
			b.Fatal(out, err)
		}
	}
	b.ReportMetric(float64(len(order.Lines)*b.N)/(cpu(b)-before).Seconds(), "lines/cpu-s")
}

// cpu is what the process has used so far, the collector too: a busy machine stretches the clock, not this.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func benchCampaign(b *testing.B, n int) *rebate.Rules {
	b.Helper()
	c := rebate.Campaign{ID: fmt.Sprintf("cmp_%026d", n), Book: id.Test, MerchantID: "mer_1", Currency: "CNY"}
	r, err := rebate.Compile(c, rebate.Version{Number: 1, Definition: rebate.Definition{
		Stacking: rebate.StackBest, Caps: rebate.Caps{UserDayMinor: 1 << 40, TotalMinor: 1 << 50},
		Rules: []rebate.Rule{
			{Name: "base", Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 100}},
			{Name: "shoes", When: `line_category == "shoes" && line_amount > 1000`, Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 300}},
			{Name: "gold", When: `"tier" in metadata && metadata["tier"] == "gold" && orders_before >= 3`,
				Strategy: rebate.Strategy{Type: rebate.Tiered, Tiers: []rebate.Tier{{FromMinor: 1000, RateBps: 150}, {FromMinor: 100000, RateBps: 200}}}},
			{Name: "weekend", When: `weekday >= 6 && country in ["CN", "SG"]`, Strategy: rebate.Strategy{Type: rebate.Percentage, RateBps: 500}},
		}}})
	require.NoError(b, err)
	return r
}

func benchOrder() rebate.Order {
	o := rebate.Order{Book: id.Test, ID: "ord_1", MerchantID: "mer_1", Type: "purchase", Currency: "CNY", Country: "CN",
		PaidAt: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Metadata: map[string]string{"tier": "gold"},
		Buyer: rebate.Buyer{UserID: "usr_1", OrdersPaid: 5}}
	for i := range 5 {
		o.Lines = append(o.Lines, rebate.Line{Number: i + 1, SKU: fmt.Sprint("sku", i), Category: []string{"shoes", "books"}[i%2], Quantity: 1, Base: int64(1999 + 700*i)})
	}
	return o
}
