package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

func TestAPaymentFromReceiptToItsEnd(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{FeeBasisPoints: 100})
	p := h.paid("A-1001", cny(1234))

	got, err := h.s.Payment(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	require.Equal(t, payment.Paid, got.Status)
	require.Equal(t, cny(1234), got.Captured)
	require.Equal(t, cny(12), got.Fee)
	require.Equal(t, "A-1001", got.OrderRef)
	require.Equal(t, cny(1234), got.Parts[0].Captured)
	require.NotEmpty(t, got.BusinessDate)
	require.True(t, id.Is(id.User, got.CustomerID))

	order, payments, err := h.s.Order(t.Context(), h.Book, h.MerchantID, got.OrderID)
	require.NoError(t, err)
	require.Equal(t, trade.Paid, order.Status)
	require.Equal(t, cny(1234), order.Paid)
	require.Len(t, payments, 1)
	require.Equal(t, got, payments[0])

	line, err := h.s.Timeline(t.Context(), h.Book, h.MerchantID, p)
	require.NoError(t, err)
	for _, o := range line {
		t.Log(o.At.Format("15:04:05.000000"), o.Kind, o.Text, o.Data)
	}
}
