package risk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/money"
)

func drawSet(t *rapid.T) *RuleSet {
	def := example
	def.Rules, def.Velocities = nil, nil
	word := rapid.SampledFrom([]string{Review, Refuse})
	for i := range rapid.IntRange(0, 3).Draw(t, "rules") {
		def.Rules = append(def.Rules, RuleDef{Name: fmt.Sprint("r", i), Then: rapid.SampledFrom([]string{Allow, Review, Refuse}).Draw(t, "then"),
			When: rapid.SampledFrom([]string{"amount > 50", "metadata.x == ''", "country == 'US'", ""}).Draw(t, "when")})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "velocities") {
		def.Velocities = append(def.Velocities, Velocity{Name: fmt.Sprint("v", i), By: rapid.SampledFrom([]string{ByCard, ByCustomer, ByMerchant}).Draw(t, "by"),
			Window: rapid.SampledFrom([]string{PerDay, PerHour}).Draw(t, "window"), Currency: "CNY", MaxCount: rapid.Int64Range(1, 5).Draw(t, "count"),
			MaxSumMinor: rapid.Int64Range(0, 300).Draw(t, "sum"), Then: word.Draw(t, "word")})
	}
	s, err := Compile(def)
	require.NoError(t, err)
	return s
}

// The verdict never gets milder when a counter holds more, or the payment is
// larger in what counters and limits see.
func TestMoreIsNeverMilder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sc := drawSet(t).Screen(pays(rapid.Int64Range(1, 100).Draw(t, "minor")), nil)
		less, more := map[string]Value{}, map[string]Value{}
		for _, c := range sc.Counters {
			v := Value{rapid.Int64Range(0, 6).Draw(t, "n"), rapid.Int64Range(0, 400).Draw(t, "sum")}
			less[c.Key] = v
			more[c.Key] = Value{v.Count + rapid.Int64Range(0, 3).Draw(t, "more"), v.SumMinor + rapid.Int64Range(0, 100).Draw(t, "more sum")}
		}
		a, _ := sc.Decide(less)
		b, _ := sc.Decide(more)
		require.GreaterOrEqual(t, severity(b.Decision), severity(a.Decision))
		again, _ := sc.Decide(less)
		require.Equal(t, a, again)
	})
}

// One after the other, as the Step has them: what was let through never passes
// a bound that refuses.
func TestWhatIsLetThroughStaysWithinTheBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t)
		held := map[string]Value{}
		for range rapid.IntRange(1, 20).Draw(t, "payments") {
			sc := s.Screen(pays(rapid.Int64Range(1, 100).Draw(t, "minor")), nil)
			_, after := sc.Decide(held)
			for k, v := range after {
				held[k] = v
			}
			for _, b := range sc.bounds {
				if b.then == Refuse {
					require.False(t, b.speak(held[b.key]), "%+v at %+v", b, held[b.key])
				}
			}
		}
	})
}

// A hard block refuses, whatever else is listed, unless an allowance says that
// it goes over hard blocks; one more block never makes a verdict milder.
func TestHardBlocksHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t)
		f := pays(rapid.Int64Range(1, 100).Draw(t, "minor"))
		var hits []Entry
		over := false
		for range rapid.IntRange(0, 4).Draw(t, "hits") {
			e := Entry{Listed: Listed{KindCustomer, "usr_1"}, Block: rapid.Bool().Draw(t, "block")}
			e.Hard = e.Block && rapid.Bool().Draw(t, "hard")
			e.OverHard = !e.Block && rapid.Bool().Draw(t, "over")
			over = over || e.OverHard
			hits = append(hits, e)
		}
		before, _ := s.Screen(f, hits).Decide(nil)
		hard := append(append([]Entry(nil), hits...), Entry{Listed: Listed{KindCard, "f1"}, Block: true, Hard: true})
		after, moved := s.Screen(f, hard).Decide(nil)
		require.GreaterOrEqual(t, severity(after.Decision), severity(before.Decision))
		if !over {
			require.Equal(t, Refuse, after.Decision)
			require.Nil(t, moved)
		}
	})
}

// Blind is never milder than what was screened.
func TestBlindIsNeverMilder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t)
		f := pays(rapid.Int64Range(1, 1000).Draw(t, "minor"))
		sc := s.Screen(f, nil)
		v := sc.Blind(s.Unreadable(), money.New(f.AmountMinor, f.Currency))
		require.GreaterOrEqual(t, severity(v.Decision), severity(sc.without.Decision))
		require.True(t, v.Decision != Allow || v.Recheck, "what is allowed blind is judged again")
	})
}
