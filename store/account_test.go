package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Whoever halts an account leaves a trail that nobody can change.
func TestAnOperatorHaltsAnAccount(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ctx, account := t.Context(), h.ChannelAccount
	by := ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1", Reason: "keys leak"}
	standing := func() channels.OpenAccount {
		t.Helper()
		open, err := h.s.OpenAccounts(ctx, h.Book, h.MerchantID)
		require.NoError(t, err)
		for _, a := range open {
			if a.ID == account {
				return a
			}
		}
		return channels.OpenAccount{Standing: channels.Disabled}
	}
	require.Equal(t, channels.Active, standing().Standing)
	for _, c := range []struct {
		act channels.Act
		to  channels.Standing
	}{{channels.Pause, channels.Paused}, {channels.Pause, channels.Paused}, {channels.Drain, channels.Draining}, {channels.Resume, channels.Active},
		{channels.Disable, channels.Disabled}, {channels.Enable, channels.Active}} {
		after, err := h.s.ActOnAccount(ctx, account, c.act, by)
		require.NoError(t, err)
		require.Equal(t, c.to, after)
		got := standing()
		require.Equal(t, c.to, got.Standing)
		require.Equal(t, c.to == channels.Paused || c.to == channels.Draining, got.Reason == "keys leak")
		_, err = h.s.Account(ctx, "sandbox", account)
		require.NoError(t, err, "what is open there goes on being asked about")
	}
	acts, err := h.s.AccountActs(ctx, account)
	require.NoError(t, err)
	require.Len(t, acts, 5, "what stands so already leaves no act")
	require.Equal(t, "operator opr_1", acts[0].By)

	_, err = h.s.ActOnAccount(ctx, account, channels.Enable, by)
	require.NoError(t, err)
	_, err = h.s.ActOnAccount(ctx, account, channels.Pause, ledger.Principal{Kind: ledger.ByOperator, ID: "opr_1"})
	require.True(t, fault.Is(err, fault.KindInvalid, "reason_missing"), "%v", err)
	_, err = h.s.ActOnAccount(ctx, h.s.Mint(id.ChannelAccount), channels.Pause, by)
	require.True(t, fault.Is(err, fault.KindNotFound, ""), "%v", err)
	_, err = h.db.Owner.Exec(ctx, `UPDATE channel_account_acts SET reason = 'none'`)
	require.ErrorContains(t, err, "insert-only")
}

// Draining knows what is open at the account, and only there.
func TestWhatIsOpenAtAnAccount(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	first, second := h.pay("A-1", cny(1234)), h.pay("A-2", cny(1234))
	h.commit(h.open(first, 1))
	open, err := h.s.OpenAtAccount(t.Context(), h.Book, h.ChannelAccount, nil)
	require.NoError(t, err)
	require.Equal(t, []string{first}, open.Payments, "%s was never routed", second)
	other, err := h.s.OpenAtAccount(t.Context(), h.Book, h.s.Mint(id.ChannelAccount), nil)
	require.NoError(t, err)
	require.Zero(t, other.Len())
	left, err := h.s.StillOpen(t.Context(), h.Book, h.ChannelAccount, open)
	require.NoError(t, err)
	require.Equal(t, 1, left)
	h.commit(h.settle(first, 1, h.succeeded(first)))
	left, err = h.s.StillOpen(t.Context(), h.Book, h.ChannelAccount, open)
	require.NoError(t, err)
	require.Zero(t, left)
}
