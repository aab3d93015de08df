package ledger

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/money"
)

// An account of ours at a bank has no clearing: what comes over it is our cash, in every currency, unless it is its merchant's own.
func TestWhatComesOverOurBankIsOurCash(t *testing.T) {
	t.Parallel()
	c := Chart{Book: "test", Currency: "EUR", AtBank: true}
	require.Equal(t, "bank/cha_1/cash", c.Clearing("cha_1").Code)
	require.Equal(t, c.Cash("cha_1"), c.Clearing("cha_1"))
	require.Equal(t, "bank/cha_1/cash", c.In("USD").Clearing("cha_1").Code)
	p := Payout{Chart: c, ChannelAccount: "cha_1", From: c.Wallet("usr_1"), Amount: money.New(100, "EUR")}
	require.Equal(t, c.Cash("cha_1"), p.Source())
	own := c
	own.Own = Own{ChannelAccount: "cha_1", Merchant: "mer_1"}
	require.Equal(t, "memo/own_funds/cha_1", own.Clearing("cha_1").Code)
	require.Equal(t, "channel/cha_1/clearing", Chart{Book: "test", Currency: "EUR"}.Clearing("cha_1").Code)
}
