package routing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func open3() []Candidate {
	list := []Candidate{candidate("cha_a", "sandbox", 1), candidate("cha_b", "stripe", 2), candidate("cha_c", "stripe", 3)}
	list[0].Cost, list[1].Cost, list[2].Cost = Cost{BasisPoints: 100}, Cost{BasisPoints: 50, FixedMinor: 30}, Cost{FixedMinor: 40}
	return list
}

func qr(amount int64) Facts {
	return Facts{PaymentID: "pay_1", Method: payment.MethodQR, Currency: "CNY", AmountMinor: amount}
}

func compiled(t testing.TB, def Definition) *RuleSet {
	t.Helper()
	s, err := Compile(def)
	require.NoError(t, err)
	return s
}

func TestRulesDecide(t *testing.T) {
	t.Parallel()
	s := compiled(t, Definition{Version: "7", Rules: []RuleDef{
		{Name: "vip", When: `metadata["tier"] == "vip"`, Use: []Target{{Account: "cha_c"}}, Only: true},
		{Name: "big", When: `amount > 1000`, Use: []Target{{Channel: "stripe"}}},
		{Name: "nobody", When: `amount > 500`, Use: []Target{{Channel: "gone"}}, Only: true},
	}})
	with := func(amount int64, tier string) Facts {
		f := qr(amount)
		f.Metadata = map[string]string{"tier": tier}
		return f
	}
	for _, c := range []struct {
		facts Facts
		want  string
		rule  string
	}{
		{with(1, "vip"), "cha_c", "vip"}, {with(2000, ""), "cha_b cha_c cha_a", "big"}, {with(1, ""), "cha_a cha_b cha_c", ""},
		{with(600, ""), "cha_a cha_b cha_c", "nobody"}, {qr(2000), "cha_a cha_b cha_c", ""},
	} {
		plan, err := s.Plan(c.facts, open3(), nil)
		require.NoError(t, err)
		require.Equal(t, c.want, accounts(plan))
		require.Equal(t, c.rule, plan.Rule)
		require.Equal(t, "7", plan.Version)
		for _, r := range plan.Routes {
			require.NotEmpty(t, r.Reason)
		}
		require.Len(t, plan.Skipped, 3-len(plan.Routes), "whoever isn't tried has a reason")
	}
	failed, err := s.Plan(qr(2000), open3(), nil) // no metadata: the first rule fails
	require.NoError(t, err)
	require.Equal(t, []Note{{Rule: "vip", Version: "7", Failure: "no_such_key"}}, failed.Notes)
	require.Contains(t, failed.Reason, "vip failed")
}

func TestOrdersAndHealth(t *testing.T) {
	t.Parallel()
	seen := func(calls, per int, p95 int64) Health {
		return Health{Stats: Stats{Calls: calls, SuccessPerMille: per, P95: bounds[p95]}}
	}
	health := map[string]Health{"cha_a": seen(100, 700, 5), "cha_b": seen(100, 990, 3), "cha_c": seen(5, 0, 0)}
	for _, c := range []struct {
		def    Default
		amount int64
		want   string
	}{
		{Default{}, 1, "cha_a cha_b cha_c"}, {Default{Order: ByCost}, 100, "cha_a cha_b cha_c"}, {Default{Order: ByCost}, 10_000, "cha_c cha_b cha_a"},
		{Default{Order: BySuccessRate}, 1, "cha_c cha_b cha_a"}, {Default{Order: ByLatency}, 1, "cha_c cha_b cha_a"},
		{Default{MinSuccessPerMille: 800}, 1, "cha_b cha_c cha_a"}, {Default{MaxLatencyMS: 1000}, 1, "cha_b cha_c cha_a"},
		{Default{MinSuccessPerMille: 800, MinCalls: 1000}, 1, "cha_a cha_b cha_c"},
	} {
		plan, err := compiled(t, Definition{Default: c.def}).Plan(qr(c.amount), open3(), health)
		require.NoError(t, err)
		require.Equal(t, c.want, accounts(plan), "%+v", c)
	}
	s := &RuleSet{}
	plan, _ := s.Plan(qr(1), open3(), map[string]Health{"cha_a": {State: Open}, "cha_b": {State: HalfOpen, ProbeFree: true}})
	require.Equal(t, "cha_b cha_c", accounts(plan))
	require.True(t, plan.Routes[0].Probe)
	require.Equal(t, []Skipped{{"cha_a", "its circuit is open"}}, plan.Skipped)
	plan, _ = s.Plan(qr(1), open3(), map[string]Health{"cha_a": {State: Open}, "cha_b": {State: HalfOpen}, "cha_c": {State: Open}})
	require.Equal(t, "cha_a cha_b cha_c", accounts(plan), "all circuits are open: the order stays")
	require.Contains(t, plan.Routes[0].Reason, "so are all others")
}

func TestTheSplitFollowsItsWeights(t *testing.T) {
	t.Parallel()
	s := compiled(t, Definition{Rules: []RuleDef{{Name: "split", Use: []Target{
		{Account: "cha_c"}, {Account: "cha_a", Weight: 70}, {Account: "cha_b", Weight: 30}}}}})
	first := map[string]int{}
	for i := range 10_000 {
		f := qr(1)
		f.PaymentID = fmt.Sprintf("pay_%d", i)
		plan, err := s.Plan(f, open3(), nil)
		require.NoError(t, err)
		again, _ := s.Plan(f, open3(), nil)
		require.Equal(t, plan, again, "a repeat gives the same plan")
		require.Equal(t, "cha_c", plan.Routes[2].ChannelAccount, "weight 0 is for failover only")
		require.Contains(t, plan.Routes[0].Reason, "of 100 in the split")
		first[plan.Routes[0].ChannelAccount]++
	}
	require.InDelta(t, 7000, first["cha_a"], 200)
	require.InDelta(t, 3000, first["cha_b"], 200)
}

func TestBadDefinitionsAreRefused(t *testing.T) {
	t.Parallel()
	use := []Target{{Channel: "stripe"}}
	for param, def := range map[string]Definition{
		"rules":                         {Rules: make([]RuleDef, MaxRules+1)},
		"rules[0].name":                 {Rules: []RuleDef{{Name: "A b", Use: use}}},
		"rules[1].name":                 {Rules: []RuleDef{{Name: "a", Use: use}, {Name: "a", Use: use}}},
		"rules[0].use":                  {Rules: []RuleDef{{Name: "a"}}},
		"rules[0].use[0]":               {Rules: []RuleDef{{Name: "a", Use: []Target{{}}}}},
		"rules[0].use[1]":               {Rules: []RuleDef{{Name: "a", Use: []Target{use[0], {Channel: "x", Account: "y"}}}}},
		"rules[0].use[0].weight":        {Rules: []RuleDef{{Name: "a", Use: []Target{{Channel: "x", Weight: -1}}}}},
		"rules[1].when":                 {Rules: []RuleDef{{Name: "a", Use: use}, {Name: "b", When: "amount", Use: use}}},
		"default.order":                 {Default: Default{Order: "random"}},
		"default.min_success_per_mille": {Default: Default{MinSuccessPerMille: 1001}},
		"default":                       {Default: Default{MinCalls: -1}},
	} {
		_, err := Compile(def)
		require.Equal(t, fault.KindInvalid, fault.Of(err), param)
		require.Equal(t, param, fault.As(err).Param)
	}
}

func TestARuleSetOwnsItsDefinition(t *testing.T) {
	t.Parallel()
	def := Definition{Rules: []RuleDef{{Name: "a", Use: []Target{{Account: "cha_c"}}}}}
	s := compiled(t, def)
	def.Rules[0].Use[0].Account, def.Rules[0].Name = "cha_b", "changed"
	plan, err := s.Plan(qr(1), open3(), nil)
	require.NoError(t, err)
	require.Equal(t, "cha_c", plan.Routes[0].ChannelAccount)
	require.Equal(t, "a", plan.Rule)
}

// Simulate plans as Plan does, and has a word for every rule.
func TestSimulate(t *testing.T) {
	t.Parallel()
	s := compiled(t, Definition{Rules: []RuleDef{
		{Name: "no", When: "amount > 10", Use: []Target{{Channel: "stripe"}}}, {Name: "yes", When: "amount == 1", Use: []Target{{Channel: "stripe"}}},
		{Name: "late", When: "true", Use: []Target{{Channel: "sandbox"}}}, {Name: "broken", When: `metadata.x == ""`, Use: []Target{{Channel: "sandbox"}}},
	}})
	out := s.Simulate(qr(1), open3(), nil)
	plan, err := s.Plan(qr(1), open3(), nil)
	require.NoError(t, err)
	require.Equal(t, plan, out.Plan)
	var why []string
	for _, r := range out.Rules {
		why = append(why, r.Rule+": "+r.Why)
	}
	require.Equal(t, "no: its condition is false\nyes: its condition holds, it decides\n"+
		"late: its condition holds, but rule yes stands before it\nbroken: its condition failed: no_such_key", strings.Join(why, "\n"))
	require.Nil(t, out.Refused)
	require.Equal(t, "no_channel", s.Simulate(qr(1), nil, nil).Refused.Code)
}

// Whatever the rules and the health, a plan holds each account that fits once,
// as a route or with a reason, and is never empty.
func TestPlansLoseNobody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var def Definition
		for i := range rapid.IntRange(0, 4).Draw(t, "rules") {
			r := RuleDef{Name: fmt.Sprint("r", i), When: rapid.SampledFrom([]string{"", "amount > 5", "metadata.x == ''", "false"}).Draw(t, "when"),
				Only: rapid.Bool().Draw(t, "only")}
			for range rapid.IntRange(1, 3).Draw(t, "targets") {
				target := rapid.SampledFrom([]Target{{Channel: "stripe"}, {Account: "cha_a"}, {Account: "cha_c"}, {Channel: "gone"}}).Draw(t, "target")
				target.Weight = rapid.IntRange(0, 3).Draw(t, "weight")
				r.Use = append(r.Use, target)
			}
			def.Rules = append(def.Rules, r)
		}
		def.Default.Order = rapid.SampledFrom([]Order{"", ByCost, BySuccessRate, ByLatency}).Draw(t, "order")
		s, err := Compile(def)
		require.NoError(t, err)
		health := map[string]Health{}
		for _, c := range open3() {
			health[c.ChannelAccount] = Health{State: rapid.SampledFrom([]State{Closed, Open, HalfOpen}).Draw(t, "state"), ProbeFree: rapid.Bool().Draw(t, "probe")}
		}
		f := qr(rapid.Int64Range(1, 10).Draw(t, "amount"))
		plan, err := s.Plan(f, open3(), health)
		require.NoError(t, err)
		require.NotEmpty(t, plan.Routes)
		all := map[string]int{}
		for _, r := range plan.Routes {
			all[r.ChannelAccount]++
		}
		for _, sk := range plan.Skipped {
			all[sk.ChannelAccount]++
		}
		require.Equal(t, map[string]int{"cha_a": 1, "cha_b": 1, "cha_c": 1}, all)
		require.Equal(t, plan, s.Simulate(f, rapid.Permutation(open3()).Draw(t, "listed"), health).Plan)
	})
}

// What is shut when an attempt is about to begin is passed over, unless nobody
// behind it is admitted.
func TestAPlanAdmits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from int
		shut string
		want string
	}{
		"all are well":               {1, "", "abc"},
		"the first is shut":          {1, "a", "bc"},
		"two are shut":               {1, "ab", "c"},
		"all are shut":               {1, "abc", "abc"},
		"who comes later may wait":   {1, "c", "abc"},
		"failover passes one over":   {2, "b", "ac"},
		"failover has nobody else":   {2, "bc", "abc"},
		"what was tried isn't asked": {2, "a", "abc"},
		"the last one":               {3, "c", "abc"},
	} {
		p := Plan{Routes: []Route{{ChannelAccount: "a"}, {ChannelAccount: "b"}, {ChannelAccount: "c"}}}
		changed := p.Admit(c.from, func(account string) bool { return !strings.Contains(c.shut, account) })
		got := ""
		for _, r := range p.Routes {
			got += r.ChannelAccount
		}
		require.Equal(t, c.want, got, name)
		require.Equal(t, c.want != "abc", changed, name)
		require.Len(t, p.Skipped, 3-len(got), name)
	}
}
