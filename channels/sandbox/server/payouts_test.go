package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Each destination behaves as its word says, and the admin API ends what is open.
func TestDestinations(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{PendingDelay: time.Hour})
	made := map[string]channels.Call{}
	for word, want := range map[string]payment.Outcome{
		"wallet:dest_ok":              {Verdict: payment.Succeeded, AmountMinor: 100},
		"iban:DE89370400440532013000": {Verdict: payment.Succeeded, AmountMinor: 100},
		"wallet:dest_wrong_amount":    {Verdict: payment.Succeeded, AmountMinor: 101},
		"wallet:dest_returned":        {Verdict: payment.Succeeded, AmountMinor: 100},
		"wallet:dest_pending":         {Verdict: payment.Pending},
		"wallet:dest_closed":          {Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: "account_closed"}},
		"wallet:dest_abnormal":        {Verdict: payment.Declined, Decline: &payment.Decline{Code: "payout_abnormal"}},
	} {
		c := b.call(id.Payout, id.PayoutOut)
		made[word] = c
		got, err := b.ch.Payout(t.Context(), c, channels.PayoutRequest{AmountMinor: 100, Currency: "CNY", Destination: word})
		require.NoError(t, err, word)
		require.Equal(t, want.Verdict, got.Verdict, word)
		require.Equal(t, want.AmountMinor, got.AmountMinor, word)
		require.Equal(t, want.Dead, got.Dead, word)
		if want.Decline != nil {
			require.Equal(t, want.Decline.Code, got.Decline.Code, word)
		}
	}
	ask := func(word string) payment.Outcome {
		out, err := b.ch.AskPayout(t.Context(), made[word], channels.PayoutRequest{})
		require.NoError(t, err)
		return out
	}
	abnormal := made["wallet:dest_abnormal"]
	again, err := b.ch.Payout(t.Context(), abnormal, channels.PayoutRequest{AmountMinor: 100, Currency: "CNY", Destination: "wallet:dest_abnormal"})
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, again.Verdict, "sent again it is paid")
	require.NoError(t, b.s.FinishPayout(made["wallet:dest_pending"].Key.ID, "abnormal"))
	require.Equal(t, "payout_abnormal", ask("wallet:dest_pending").Decline.Code)
	require.NoError(t, b.s.FinishPayout(made["wallet:dest_pending"].Key.ID, "decline"))
	require.True(t, ask("wallet:dest_pending").Dead)
	require.NoError(t, b.s.FinishPayout(made["wallet:dest_ok"].Key.ID, "return"))
	require.Equal(t, "payout_returned", ask("wallet:dest_ok").Decline.Code)
	require.Error(t, b.s.FinishPayout(made["wallet:dest_ok"].Key.ID, "settle"), "what has ended has ended")
	require.Error(t, b.s.FinishRefund(made["wallet:dest_ok"].Key.ID, "settle"), "a payout is no refund")
	require.Equal(t, int64(100+101+100+100), b.s.Summarize().PaidOut["CNY"])
}
