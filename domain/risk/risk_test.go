package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/money"
	"paysaga/domain/payment"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	rules := Rules{MaxMinor: map[string]int64{"CNY": 1000, "JPY": 0}, Version: "7"}
	for _, c := range []struct {
		amount money.Amount
		want   string
		rule   string
	}{
		{money.New(1000, "CNY"), Allow, "default@7"},
		{money.New(1001, "CNY"), Refuse, "max_amount@7"},
		{money.New(1, "JPY"), Refuse, "max_amount@7"}, // a limit of nothing closes a currency
		{money.New(1<<62, "USD"), Allow, "default@7"}, // no limit was named
	} {
		v := rules.Judge(payment.Payment{Amount: c.amount})
		require.Equal(t, c.want, v.Decision, c.amount.Text())
		require.Equal(t, c.rule, v.Rule, "the verdict names its rule and version")
		require.NotEmpty(t, v.Reason)
		require.Equal(t, v, rules.Judge(payment.Payment{Amount: c.amount}))
	}
	require.Equal(t, Allow, Rules{}.Judge(payment.Payment{Amount: money.New(1, "CNY")}).Decision)
}
