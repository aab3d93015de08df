package channels_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/routing"
)

func TestStandings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from  channels.Standing
		act   channels.Act
		to    channels.Standing
		fails string
	}{
		{channels.Active, channels.Pause, channels.Paused, ""}, {channels.Paused, channels.Pause, channels.Paused, ""},
		{channels.Active, channels.Drain, channels.Draining, ""}, {channels.Paused, channels.Drain, channels.Draining, ""},
		{channels.Draining, channels.Resume, channels.Active, ""}, {channels.Active, channels.Resume, channels.Active, ""},
		{channels.Draining, channels.Disable, channels.Disabled, ""}, {channels.Disabled, channels.Enable, channels.Active, ""},
		{channels.Disabled, channels.Pause, channels.Disabled, "standing_refused"}, {channels.Paused, channels.Enable, channels.Paused, "standing_refused"},
		{channels.Active, "smash", channels.Active, "act_unknown"},
	} {
		after, moved, err := c.from.After(c.act)
		require.Equal(t, c.to, after, c)
		require.Equal(t, c.fails == "" && c.from != c.to, moved, c)
		require.Equal(t, c.fails != "", err != nil, c)
		if err != nil {
			require.Equal(t, c.fails, fault.As(err).Code)
		}
	}
}

// A plan names those that an operator has halted, with the reason, and never routes there, not even when nobody else is left.
func TestHaltedAccountsAreSkippedAloud(t *testing.T) {
	t.Parallel()
	r := channels.NewRegistry(named("any"))
	open := []channels.OpenAccount{{ID: "cha_1", Channel: "any", Standing: channels.Paused, Reason: "keys leak"}, {ID: "cha_2", Channel: "any", Standing: channels.Active}}
	facts := routing.Facts{Method: payment.MethodQR, Currency: "CNY"}
	plan, err := routing.Make(facts, r.Candidates(open, "CNY"))
	require.NoError(t, err)
	require.Len(t, plan.Routes, 1)
	require.Equal(t, "cha_2", plan.Routes[0].ChannelAccount)
	require.Equal(t, []routing.Skipped{{ChannelAccount: "cha_1", Reason: "an operator has paused it: keys leak"}}, plan.Skipped)

	open[1].Standing, open[1].Reason = channels.Draining, "moves house"
	_, err = routing.Make(facts, r.Candidates(open, "CNY"))
	require.True(t, fault.Is(err, fault.KindUnavailable, "channel_paused"), "%v", err)
	require.NotZero(t, fault.As(err).RetryAfter)
}

// What goes to a wallet has to become ours: it isn't routed to accounts whose money never does.
func TestOwnFundsTakeNothingForWallets(t *testing.T) {
	t.Parallel()
	open := []channels.OpenAccount{{ID: "cha_own", OwnFunds: true}, {ID: "cha_ours"}}
	sale := payment.Payment{ID: "pay_1", OrderID: "ord_1", Parts: []payment.Part{{Ordinal: 1, Source: payment.FromChannel}}}
	require.Len(t, channels.Open(open, sale), 2)
	sale.Parts = append(sale.Parts, payment.Part{Ordinal: 2, Source: payment.FromWallet})
	require.Equal(t, []channels.OpenAccount{{ID: "cha_ours"}}, channels.Open(open, sale))
	require.Equal(t, []channels.OpenAccount{{ID: "cha_ours"}}, channels.Open(open, payment.Payment{ID: id.New(id.TopUp, 1, [10]byte{})}))
	require.Len(t, open, 2)
}
