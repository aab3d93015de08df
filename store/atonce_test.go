package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
)

// A Step that is committed while an object is being read is seen whole or not at all: what is read last comes from the same instant as what
// was read first.
func TestWhatIsReadAtOnceIsOfOneInstant(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.pay("torn", cny(1234))
	h.commit(h.open(p, 1))
	success := h.settle(p, 1, h.succeeded(p))
	ctx := context.Background()
	held, err := h.db.Owner.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = held.Rollback(ctx) }()
	_, err = held.Exec(ctx, `LOCK TABLE payment_details IN ACCESS EXCLUSIVE MODE`) // read behind the payment, and before its attempts
	require.NoError(t, err)
	read := make(chan payment.Dossier, 1)
	go func() {
		d, err := h.s.Dossier(ctx, h.Book, p)
		if err != nil {
			close(read)
			return
		}
		read <- d
	}()
	require.Eventually(t, func() bool {
		var waits bool
		err := h.db.Owner.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'payment_details'::regclass)`).Scan(&waits)
		return err == nil && waits
	}, 30*time.Second, time.Millisecond)
	h.commit(success)
	require.NoError(t, held.Rollback(ctx))
	select {
	case d, ok := <-read:
		require.True(t, ok)
		require.Equal(t, payment.Processing, d.Payment.Status)
		require.Empty(t, d.Attempts[0].Verdict, "an attempt from after a Step with its payment from before it")
	case <-time.After(30 * time.Second):
		t.Fatal("the reading doesn't end")
	}
	after := h.dossier(p)
	require.Equal(t, payment.Paid, after.Payment.Status)
	require.Equal(t, payment.Succeeded, after.Attempts[0].Verdict)
}
