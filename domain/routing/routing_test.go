package routing

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func candidate(account, channel string, priority int, currencies ...string) Candidate {
	return Candidate{ChannelAccount: account, Channel: channel, Lane: payment.Standard, Priority: priority,
		Methods: []payment.MethodType{payment.MethodQR, payment.MethodCardToken}, Currencies: currencies}
}

func accounts(p Plan) string {
	var list []string
	for _, r := range p.Routes {
		list = append(list, r.ChannelAccount)
	}
	return strings.Join(list, " ")
}

func TestMake(t *testing.T) {
	t.Parallel()
	open := []Candidate{
		candidate("cha_c", "stripe", 2), candidate("cha_b", "sandbox", 1, "CNY", "USD"), candidate("cha_a", "sandbox", 2, "CNY"),
		candidate("cha_d", "sandbox", 1, "JPY"), candidate("cha_e", "alipay", 9),
	}
	open[4].Currencies = []string{} // narrowed to nothing
	for _, c := range []struct {
		name  string
		facts Facts
		open  []Candidate
		want  string
		code  string
		param string
	}{
		{"by priority, then by account", Facts{Method: payment.MethodQR, Currency: "CNY"}, open, "cha_b cha_a cha_c", "", ""},
		{"a currency", Facts{Method: payment.MethodQR, Currency: "JPY"}, open, "cha_d cha_c", "", ""},
		{"named", Facts{Channel: "sandbox", Method: payment.MethodCardToken, Currency: "CNY"}, open, "cha_b cha_a", "", ""},
		{"nothing is open", Facts{Method: payment.MethodQR, Currency: "CNY"}, nil, "", "no_channel", "channel"},
		{"an unknown channel", Facts{Channel: "paypal", Method: payment.MethodQR, Currency: "CNY"}, open, "", "channel_unknown", "channel"},
		{"a channel in capitals", Facts{Channel: "Sandbox", Method: payment.MethodQR, Currency: "CNY"}, open, "", "channel_unknown", "channel"},
		{"no such method", Facts{Method: payment.MethodRedirect, Currency: "CNY"}, open, "", "method_unsupported", "method.type"},
		{"no method", Facts{Currency: "CNY"}, open, "", "method_unsupported", "method.type"},
		{"not in this currency", Facts{Channel: "sandbox", Method: payment.MethodQR, Currency: "EUR"}, open, "", "currency_unsupported", "currency"},
		{"narrowed to nothing", Facts{Channel: "alipay", Method: payment.MethodQR, Currency: "CNY"}, open, "", "currency_unsupported", "currency"},
		{"extreme priorities", Facts{Method: payment.MethodQR, Currency: "CNY"},
			[]Candidate{candidate("cha_z", "x", math.MaxInt), candidate("cha_y", "x", math.MinInt), candidate("cha_x", "x", 0)}, "cha_y cha_x cha_z", "", ""},
		{"an account listed twice is tried once", Facts{Method: payment.MethodQR, Currency: "CNY"},
			[]Candidate{candidate("cha_a", "x", 2), candidate("cha_b", "x", 1), candidate("cha_a", "x", 0)}, "cha_a cha_b", "", ""},
	} {
		plan, err := Make(c.facts, c.open)
		require.Equal(t, c.want, accounts(plan), c.name)
		if c.code == "" {
			require.NoError(t, err, c.name)
			require.NotEmpty(t, plan.Reason)
			continue
		}
		require.True(t, fault.Is(err, fault.KindInvalid, c.code), "%s: %v", c.name, err)
		require.Equal(t, c.param, fault.As(err).Param, "%s: a refusal names the field", c.name)
	}
	plan, err := Make(Facts{Channel: "stripe", Method: payment.MethodQR, Currency: "CNY"}, open)
	require.NoError(t, err)
	require.Equal(t, []Route{{ChannelAccount: "cha_c", Channel: "stripe", Lane: payment.Standard, Reason: "by priority"}}, plan.Routes)
	require.Equal(t, "the request names channel stripe", plan.Reason)
	require.Len(t, plan.Skipped, 4)
}

// The same facts give the same plan in whatever order a database lists the
// accounts; each route fits, each account is tried once, and the input stays.
func TestMakeIsAFunctionOfItsFacts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 130).Draw(t, "accounts")
		open := make([]Candidate, n)
		for i := range open {
			open[i] = candidate("cha_"+rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "account"), rapid.SampledFrom([]string{"sandbox", "stripe"}).Draw(t, "channel"),
				rapid.IntRange(-2, 2).Draw(t, "priority"), rapid.SampledFrom([][]string{nil, {"CNY"}, {"USD", "CNY"}, {"USD"}}).Draw(t, "currencies")...)
		}
		slices.SortFunc(open, func(a, b Candidate) int { return strings.Compare(a.ChannelAccount, b.ChannelAccount) })
		open = slices.CompactFunc(open, func(a, b Candidate) bool { return a.ChannelAccount == b.ChannelAccount }) // as a table has them
		facts := Facts{Channel: rapid.SampledFrom([]string{"", "sandbox"}).Draw(t, "named"), Method: payment.MethodQR, Currency: "CNY"}
		shuffled := rapid.Permutation(open).Draw(t, "order")
		given := slices.Clone(shuffled)
		a, errA := Make(facts, open)
		b, errB := Make(facts, shuffled)
		require.Equal(t, a, b)
		require.Equal(t, errA, errB)
		require.Equal(t, given, shuffled, "the input was changed")
		if errA != nil {
			require.Empty(t, a.Routes)
			return
		}
		require.LessOrEqual(t, len(a.Routes), id.MaxOrdinal)
		seen := map[string]bool{}
		for _, r := range a.Routes {
			require.False(t, seen[r.ChannelAccount])
			seen[r.ChannelAccount] = true
			require.True(t, facts.Channel == "" || r.Channel == facts.Channel)
		}
	})
}
