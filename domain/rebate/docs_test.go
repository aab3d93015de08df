package rebate_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/rebate"
)

// Whoever writes a rule reads which facts and strategies there are.
func TestDocsNameEveryFactAndStrategy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/campaigns.md")
	require.NoError(t, err)
	for _, f := range rebate.Facts() {
		require.Contains(t, string(text), "`"+f.Name+"`")
	}
	for _, k := range []rebate.Kind{rebate.Percentage, rebate.Fixed, rebate.Tiered, rebate.Stepped, rebate.PerGroup, rebate.NewUser, rebate.Referral} {
		require.Contains(t, string(text), "`"+string(k)+"`")
	}
}
