package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/exception"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// What was opened is waiting for its saga until that has taken it, whoever
// failed to start it: Temporal may be down when a case is opened.
func TestACaseWaitsForItsSaga(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("A-1", cny(500))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 400, Currency: "CNY"}))
	list, err := h.s.CasesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	k := list[0]
	require.Equal(t, exception.PartialPayment, k.Kind)
	require.Equal(t, 1, k.Attempt)
	list, err = h.s.CasesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list, "claimed: nobody else starts it for a while")
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE cases SET start_due_at = now()`) // a while later
	require.NoError(t, err)
	list, err = h.s.CasesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 1, "whoever claimed it couldn't start it")

	h.commit(ledger.Step{Book: h.Book, Cause: id.Key(k.ID, id.Step{Code: id.Open, Ordinal: 1}), Business: p, By: ledger.Service("test"),
		Changes: []ledger.Change{exception.Take{ID: k.ID}}})
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE cases SET start_due_at = now() WHERE start_due_at IS NOT NULL`)
	require.NoError(t, err)
	list, err = h.s.CasesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list, "its saga has it")
	page, more, err := h.s.Cases(t.Context(), exception.Filter{Book: h.Book, State: exception.Open, Limit: 1})
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.False(t, more)
	require.True(t, page[0].Taken)
}
