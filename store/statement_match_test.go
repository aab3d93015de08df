package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/reconcile"
	"paysaga/store"
)

// What a statement says of a charge is noted once, and only of the account that the statement is of (I-25).
func TestAChargeKeepsWhenItCountedAndWhatItWasPaidOutWith(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	paid := h.paid("A-1", cny(1000))
	reference, err := id.Reference(id.Key(paid, id.Step{Code: id.Charge, Ordinal: 1}))
	require.NoError(t, err)
	other, err := h.s.AddChannelAccount(t.Context(), store.ChannelAccount{Book: h.Book, Channel: "sandbox", Credentials: map[string]string{"secret": "x"}})
	require.NoError(t, err)
	said := func(hash, account, batch string, day int) (got string) {
		seed := h.Seed
		seed.ChannelAccount = account
		l := charged("c1-"+hash, 1000, 6)
		l.Reference, l.Batch, l.SettledOn = reference, batch, reconcile.Date{Year: 2026, Month: 11, Day: day}
		b := aBill(seed, hash, l)
		_, err := h.s.ImportStatement(t.Context(), b.stored, b.read, nil)
		require.NoError(t, err)
		require.NoError(t, h.db.Owner.QueryRow(t.Context(), `SELECT coalesce(settled_on::text, '-') || ' ' || coalesce(batch, '-') FROM attempts WHERE payment_id = $1`, paid).Scan(&got))
		return got
	}
	require.Equal(t, "- -", said("a1", other, "po_other", 1), "another account's statement says nothing of it")
	require.Equal(t, "2026-11-02 -", said("b2", h.ChannelAccount, "", 2))
	require.Equal(t, "2026-11-02 po_1", said("c3", h.ChannelAccount, "po_1", 3), "what was missing is added, what was said stays")
	require.Equal(t, "2026-11-02 po_1", said("d4", h.ChannelAccount, "po_2", 4))
}
