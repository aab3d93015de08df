package risk_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/domain/rule"
)

// BenchmarkPayment is what rules add to one payment: routing and risk, some
// rules each of which only the last holds, velocities, eight accounts with
// health. The bound is 300 µs of CPU for 20 rules each and five velocities.
func BenchmarkPayment(b *testing.B) {
	b.Run("20-rules-5-velocities", func(b *testing.B) { benchPayment(b, 20, 5) })
	b.Run("30-rules-10-velocities", func(b *testing.B) { benchPayment(b, 30, 10) })
}

func benchPayment(b *testing.B, rules, velocities int) {
	last := fmt.Sprint("r", rules-1)
	routes := routing.Definition{Version: "1", Default: routing.Default{Order: routing.ByCost, MinSuccessPerMille: 900}}
	risks := risk.Definition{Version: "1", Limits: []risk.Limit{{Currency: "CNY", MaxMinor: 1 << 40, MaxDailyMinor: 1 << 50}}}
	for i := range rules {
		when := fmt.Sprintf(`amount > %d && currency in ["USD", "EUR"] || "tier" in metadata && metadata["tier"] == "t%d" || hour == 25`, 1000+i, i)
		if i == rules-1 {
			when = `amount > 100 && customer_age >= duration("24h") && country == "CN"`
		}
		routes.Rules = append(routes.Rules, routing.RuleDef{Name: fmt.Sprint("r", i), When: when,
			Use: []routing.Target{{Channel: "stripe", Weight: 70}, {Channel: "sandbox", Weight: 30}}})
		risks.Rules = append(risks.Rules, risk.RuleDef{Name: fmt.Sprint("r", i), When: when, Then: risk.Allow})
	}
	for i := range velocities {
		risks.Velocities = append(risks.Velocities, risk.Velocity{Name: fmt.Sprint("v", i), By: []string{risk.ByCard, risk.ByCustomer}[i%2],
			Window: []string{risk.PerHour, risk.PerDay}[i%4/2], Currency: "CNY", MaxCount: 1000, MaxSumMinor: 1 << 40})
	}
	plans, err := routing.Compile(routes)
	require.NoError(b, err)
	judge, err := risk.Compile(risks)
	require.NoError(b, err)
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	facts := rule.Facts{PaymentID: "pay_1", MerchantID: "mer_1", Method: payment.MethodQR, Currency: "CNY", AmountMinor: 5000, CustomerID: "usr_1",
		CustomerSince: at.AddDate(0, -1, 0), Country: "CN", Metadata: map[string]string{"tier": "gold"}, CreatedAt: at}
	var open []routing.Candidate
	health := map[string]routing.Health{}
	for i := range 8 {
		account := fmt.Sprint("cha_", i)
		open = append(open, routing.Candidate{ChannelAccount: account, Channel: []string{"stripe", "sandbox"}[i%2], Priority: i,
			Methods: []payment.MethodType{payment.MethodQR}, Cost: routing.Cost{BasisPoints: int64(100 - i)}})
		health[account] = routing.Health{Stats: routing.Stats{Calls: 100, SuccessPerMille: 850 + 20*i}}
	}
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		plan, err := plans.Plan(facts, open, health)
		if err != nil || plan.Rule != last {
			b.Fatal(plan, err)
		}
		v, _ := judge.Screen(risk.Facts{Facts: facts, Card: "f1"}, nil).Decide(nil)
		if v.Rule != last+"@1" {
			b.Fatal(v)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpu is what the process has used so far: a busy machine stretches the clock,
// not this.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
