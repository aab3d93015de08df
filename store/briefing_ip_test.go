package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
	"paysaga/domain/risk"
)

// The address that a customer pays from is judged by its digest: lists of addresses find it, and nothing holds it in clear (I-26).
func TestAnAddressIsJudgedByItsDigest(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	step := h.receive("k1", "A-1", cny(100))
	r := step.Changes[0].(payment.Receive)
	r.Secrets.CustomerIP = "203.0.113.7"
	step.Changes[0] = r
	paid := h.commit(step).Object
	_, b, err := h.s.Opening(t.Context(), h.Book, paid)
	require.NoError(t, err)
	digest, err := h.s.Digest(t.Context(), h.Book, risk.KindIP, "203.0.113.7")
	require.NoError(t, err)
	require.Equal(t, digest, b.Facts.IP)
	require.NotContains(t, b.Facts.IP, "203")
}
