package sandbox

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/routing"
)

// The table of routing explains each code as this adapter maps it.
func TestTheDeclineTableAgrees(t *testing.T) {
	t.Parallel()
	table := routing.Declines("sandbox")
	require.Len(t, table, len(declines))
	for code, ours := range declines {
		require.Equal(t, ours, table[code].Code, code)
	}
}
