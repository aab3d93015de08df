package wechatpay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

// The table of routing explains each code as this adapter maps it.
func TestTheDeclineTableAgrees(t *testing.T) {
	t.Parallel()
	table := routing.Declines(Name)
	require.Len(t, table, len(declines))
	for code, n := range declines {
		d := routing.Explain(Name, payment.Decline{Code: n.code, Channel: code, Hard: n.hard})
		require.Equal(t, n.code, d.Code, code)
		require.Equal(t, n.hard, table[code].Class == routing.Hard, code)
	}
}
