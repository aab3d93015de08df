package store_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/transfer"
	"paysaga/store/storetest"
)

// user makes one of the shop's, with so much in the wallet.
func (h *shop) user(holds int64) string {
	h.t.Helper()
	return storetest.User(h.t, h.db, h.Seed, holds)
}

func (h *shop) wallet(user string) int64 { return -h.balance("user/" + user + "/wallet") }

func (h *shop) setStatus(user, status string) {
	h.t.Helper()
	_, err := h.db.Owner.Exec(h.t.Context(), `UPDATE users SET status = $2 WHERE id = $1`, user, status)
	require.NoError(h.t, err)
}

func (h *shop) sends(from, to string, minor int64) ledger.Step {
	t := transfer.Transfer{ID: h.s.Mint(id.Transfer), MerchantID: h.MerchantID, From: from, To: to, Amount: cny(minor)}
	return h.step(t.ID, id.Receive, 1, transfer.Receive{Transfer: t, Idempotency: h.key("transfer", t.ID, from+to)})
}

func (h *shop) moves(transferID string) ledger.Step {
	h.t.Helper()
	t, err := h.s.Transfer(h.t.Context(), h.Book, h.MerchantID, transferID)
	require.NoError(h.t, err)
	return ledger.Step{Book: h.Book, Cause: transfer.Cause(t.ID), Business: t.ID, By: ledger.Service("test"), Changes: []ledger.Change{transfer.Move{Transfer: t}}}
}

// Any number of transfers out of one wallet at once take no more than there is (I-06), and each says what became of it.
func TestTransfersAtOnce(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada, bob := h.user(1000), h.user(0)
	ids := make([]string, 40)
	for i := range ids { // each alone could be paid
		ids[i] = h.commit(h.sends(ada, bob, 60)).Object
	}
	together(len(ids), func(i int) { h.commit(h.moves(ids[i])) })
	var done, failed atomic.Int32
	for _, one := range ids {
		got, err := h.s.Transfer(t.Context(), h.Book, h.MerchantID, one)
		require.NoError(t, err)
		require.Equal(t, int64(2), got.Sequence)
		switch got.Status {
		case transfer.Succeeded:
			done.Add(1)
		case transfer.Failed:
			require.Equal(t, "insufficient_balance", got.FailureCode)
			failed.Add(1)
		}
	}
	require.Equal(t, []int32{16, 24}, []int32{done.Load(), failed.Load()})
	require.Equal(t, []int64{40, 960}, []int64{h.wallet(ada), h.wallet(bob)})
	h.refused(h.sends(ada, bob, 41), fault.KindConflict, "insufficient_balance")
	require.True(t, h.commit(h.moves(ids[0])).Replayed, "a repeat moves nothing")
	list, more, err := h.s.Transfers(t.Context(), transfer.Filter{Book: h.Book, UserID: bob, Status: transfer.Succeeded, Limit: 10})
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, list, 10)
}

// Money that goes round is never more and never less, whoever is first.
func TestTransfersInACircle(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	users := []string{h.user(100), h.user(100), h.user(100)}
	together(30, func(i int) {
		one := h.commit(h.sends(users[i%3], users[(i+1)%3], 7)).Object
		h.commit(h.moves(one))
	})
	sum := int64(0)
	for _, u := range users {
		require.GreaterOrEqual(t, h.wallet(u), int64(0), "I-06")
		sum += h.wallet(u)
	}
	require.Equal(t, int64(300), sum)
}

// Who is frozen or closed neither sends nor receives, whether that came before the request or between it and its Step.
func TestTransfersOfWhoIsFrozen(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	ada, bob := h.user(100), h.user(100)
	for i, c := range []struct{ who, status, code string }{
		{ada, "frozen", "wallet_frozen"}, {ada, "closed", "wallet_closed"}, {bob, "frozen", "recipient_frozen"}, {bob, "erased", "recipient_closed"}} {
		under := h.commit(h.sends(ada, bob, 10)).Object
		h.setStatus(c.who, c.status)
		h.refused(h.sends(ada, bob, 10), fault.KindConflict, c.code)
		h.commit(h.moves(under))
		got, err := h.s.Transfer(t.Context(), h.Book, "", under)
		require.NoError(t, err)
		require.Equal(t, []any{transfer.Failed, c.code}, []any{got.Status, got.FailureCode}, strconv.Itoa(i))
		h.setStatus(c.who, "active")
	}
	require.Equal(t, []int64{100, 100}, []int64{h.wallet(ada), h.wallet(bob)})
	other := &shop{t, h.s, h.db, storetest.Plant(t, h.s, h.Book)}
	stranger := other.user(100)
	h.refused(h.sends(ada, stranger, 10), fault.KindNotFound, "not_found") // I-25
	h.refused(h.sends(stranger, ada, 10), fault.KindNotFound, "not_found")
	h.refused(h.sends(ada, h.s.Mint(id.User), 10), fault.KindNotFound, "not_found")
	h.refused(h.sends(ada, ada, 10), fault.KindInvalid, "transfer_to_self")
}

func TestUnstartedTransfers(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	one := h.commit(h.sends(h.user(100), h.user(0), 10)).Object
	list, err := h.s.UnstartedTransfers(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, money.New(10, "CNY"), list[0].Amount)
	list, err = h.s.UnstartedTransfers(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, list, "whoever claims starts it")
	h.commit(h.moves(one))
	var due int
	require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT count(start_due_at) FROM transfers`).Scan(&due))
	require.Zero(t, due)
}
