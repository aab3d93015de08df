package alipay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/routing"
)

// The table of routing explains each code as this adapter maps it.
func TestTheDeclineTableAgrees(t *testing.T) {
	t.Parallel()
	table := routing.Declines(Name)
	require.Len(t, table, len(declines))
	for code, ours := range declines {
		require.Equal(t, ours.code, table[code].Code, code)
		require.Equal(t, ours.hard, table[code].Class == routing.Hard, code)
	}
}
