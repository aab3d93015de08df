package payment

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"paysaga/domain/exception"
	"paysaga/domain/money"
)

// newest is the newest case.
func (w *world) newest() exception.Case { return w.decided[w.cases[len(w.cases)-1].ID] }

// A success after the end is taken by a case's decision alone, once, and then
// the payment is as if it had succeeded in time.
func TestALateSuccessIsAccepted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]Outcome{"canceled": closed, "declined": softNo} {
		for _, amount := range []int64{meant, 1000} {
			w := newWorld(t)
			w.open()
			w.settle(1, end, ends(Canceled), last)
			w.settle(1, of(second(succeeded), amount, "CNY"))
			require.True(t, w.payment.Status.Terminal())
			r, err := w.resolve(w.newest().ID, exception.Accept, false)
			require.NoError(t, err, name)
			require.Equal(t, Paid, w.payment.Status)
			require.Equal(t, cny(amount), w.payment.Captured)
			require.Equal(t, "tx_2", w.attempts[0].ChannelID, "refunds find the charge")
			require.Equal(t, "payment.succeeded", r.Event)
			require.Zero(t, w.balances()["suspense/cha_1/late_success CNY"])
			_, err = w.resolve(w.newest().ID, exception.Accept, false)
			require.ErrorContains(t, err, "case_closed")
		}
	}
}

// A case can't take a payment where it can't go.
func TestWhatACaseMayNotDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	w.settle(1, softNo)
	w.open()
	w.settle(1, second(succeeded)) // the first channel takes it after all, while the second is asked
	late := w.newest()
	require.Equal(t, exception.LateSuccess, late.Kind)
	_, err := w.resolve(late.ID, exception.Accept, true)
	require.ErrorContains(t, err, "decision_refused", "the payment is under way")
	w.settle(2, succeeded)
	_, err = w.resolve(late.ID, exception.Accept, true)
	require.ErrorContains(t, err, "decision_refused", "the payment has its money")
	r, err := w.resolve(late.ID, exception.Return, false)
	require.NoError(t, err)
	require.True(t, r.Quiet, "a return moves nothing of a payment that has ended")

	dollars := newWorld(t)
	dollars.open()
	dollars.settle(1, closed, ends(Expired))
	dollars.settle(1, of(second(succeeded), meant, "USD"))
	_, err = dollars.resolve(dollars.newest().ID, exception.Accept, true)
	require.ErrorContains(t, err, "decision_refused")

	for from, to := range map[Status]Status{Processing: Paid, Reserved: Paid, Paid: Paid, Failed: Canceled, Expired: Failed, Canceled: ""} {
		require.False(t, from.CanBecomeByCase(to), "%s → %s", from, to)
	}
	for _, s := range Statuses {
		require.Equal(t, s == Failed || s == Canceled || s == Expired, s.CanBecomeByCase(Paid))
	}
}

// A mismatch ends its payment one way or the other; waiting ends nothing.
func TestAMismatchIsConcluded(t *testing.T) {
	t.Parallel()
	for d, status := range map[exception.Decision]Status{exception.Accept: Paid, exception.Return: Failed, exception.WriteOff: Failed, exception.Wait: Processing} {
		w := newWorld(t)
		w.open()
		w.settle(1, of(succeeded, 1000, "CNY"))
		r, err := w.resolve(w.newest().ID, d, true)
		require.NoError(t, err, d)
		require.Equal(t, status, w.payment.Status, d)
		require.Equal(t, d == exception.Wait, r.Quiet)
		if status == Failed {
			require.Equal(t, "partial_payment", w.payment.DeclineCode)
		}
	}
}

// Each charge beyond the first has a step of its own, until none is left.
func TestEachFurtherChargeHasItsCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	w.settle(1, succeeded)
	c := w.about(1, second(succeeded))
	seen := map[string]bool{}
	for ; c.Again < 9; c.Again++ {
		r, err := Contradict(c)
		require.NoError(t, err)
		require.False(t, seen[r.Case.ID])
		seen[r.Case.ID] = true
		require.Equal(t, r.Step.String(), r.Journals[0].Cause()[len(payID)+1:])
	}
	c.Again = 10
	_, err := Contradict(c)
	require.ErrorContains(t, err, "steps_exhausted")
}

// The order is paid twice: what is too much opens a case, unless somebody knew.
func TestWhatIsTooMuchForTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		before := rapid.Int64Range(0, 2*meant).Draw(t, "paid by others")
		back := rapid.Int64Range(0, before).Draw(t, "given back")
		w.order.Paid, w.order.Refunded = cny(before), cny(back)
		w.open()
		r, err := Settle(w.about(1, succeeded))
		require.NoError(t, err)
		for _, change := range r.Changes(w.payment, &w.attempts[0]) {
			p, ok := change.(PayOrder)
			if !ok {
				continue
			}
			after := w.order
			after.Paid.Minor += p.Change.Paid
			want := max(0, min(meant, before-back+meant-after.Total.Minor))
			require.Equal(t, want, after.Excess(p.Change))
			require.True(t, p.Excess.Booked)
			require.Equal(t, exception.DuplicatePayment, p.Excess.Kind)
			require.Equal(t, exception.Policy{Do: exception.Return}, p.Excess.Policy)
		}
		require.Equal(t, before-back+meant <= w.order.Total.Minor, w.order.Wants(meant), "what it wants is never too much")
		require.Equal(t, money.Currency("CNY"), w.order.Currency)
	})
}
