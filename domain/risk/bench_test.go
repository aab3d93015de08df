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

// BenchmarkPayment is what rules add to one payment: routing and risk, 30 rules
// each of which only the last holds, ten velocities, eight accounts with
// health. The bound is 300 µs of CPU.
func BenchmarkPayment(b *testing.B) {
	routes := routing.Definition{Version: "1", Default: routing.Default{Order: routing.ByCost, MinSuccessPerMille: 900}}
	risks := risk.Definition{Version: "1", Limits: []risk.Limit{{Currency: "CNY", MaxMinor: 1 << 40, MaxDailyMinor: 1 << 50}}}
	for i := range 30 {
		when := fmt.Sprintf(`amount > %d && currency in ["USD", "EUR"] || "tier" in metadata && metadata["tier"] == "t%d" || hour == 25`, 1000+i, i)
		if i == 29 {
			when = `amount > 100 && customer_age >= duration("24h") && country == "CN"`
		}
		routes.Rules = append(routes.Rules, routing.RuleDef{Name: fmt.Sprint("r", i), When: when,
			Use: []routing.Target{{Channel: "stripe", Weight: 70}, {Channel: "sandbox", Weight: 30}}})
		risks.Rules = append(risks.Rules, risk.RuleDef{Name: fmt.Sprint("r", i), When: when, Then: risk.Allow})
	}
	for i := range 10 {
		risks.Velocities = append(risks.Velocities, risk.Velocity{Name: fmt.Sprint("v", i), By: []string{risk.ByCard, risk.ByCustomer}[i%2],
			Window: []string{risk.PerHour, risk.PerDay}[i/5], Currency: "CNY", MaxCount: 1000, MaxSumMinor: 1 << 40})
	}
	plans, err := routing.Compile(routes)
	require.NoError(b, err)
	rules, err := risk.Compile(risks)
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
		if err != nil || plan.Rule != "r29" {
			b.Fatal(plan, err)
		}
		v, _ := rules.Screen(risk.Facts{Facts: facts, Card: "f1"}, nil).Decide(nil)
		if v.Rule != "r29@1" {
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
