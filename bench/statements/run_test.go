package statements

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/bank"
	"paysaga/channels/paypal"
	"paysaga/channels/sandbox"
	"paysaga/channels/stripe"
	"paysaga/channels/wechatpay"
)

// Every generated statement is one that its parser believes, sums and all.
func TestEveryParserReadsWhatIsGenerated(t *testing.T) {
	t.Parallel()
	registry := channels.NewRegistry(alipay.New(nil), bank.New(nil), paypal.New(nil), sandbox.New(nil), stripe.New(nil), wechatpay.New(nil))
	var out bytes.Buffer
	res, err := Run(t.Context(), Config{Channels: registry, Lines: 3000, Others: 1000, Out: &out})
	require.NoError(t, err)
	require.Len(t, res.Cells, len(subjects))
	for _, c := range res.Cells {
		require.Positive(t, c.Rate, c.Kind)
		require.Positive(t, c.Bytes, c.Kind)
		require.GreaterOrEqual(t, c.PeakRSS, c.PeakOwn, c.Kind)
	}
}
