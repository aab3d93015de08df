package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/activities"
	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// authorized carries a payment to its authorization.
func (h *shop) authorized(reference string, minor int64) string {
	h.t.Helper()
	p := h.pay(reference, cny(minor))
	h.commit(h.open(p, 1))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Authorized, AmountMinor: minor, Currency: "CNY", ChannelID: "ch_1",
		ExpiresAt: time.Now().Add(24 * time.Hour)}))
	return p
}

// capture makes the Step of POST /v1/payments/{id}/capture.
func (h *shop) capture(paymentID, key string, minor int64) ledger.Step {
	captureID := h.s.Mint(id.Capture)
	return h.step(captureID, id.Receive, 1, payment.ReceiveCapture{Idempotency: h.key("POST /v1/payments/"+paymentID+"/capture", key, fmt.Sprint(minor)),
		CaptureID: captureID, PaymentID: paymentID, Wish: payment.CaptureWish{Amount: cny(minor)}, Can: true, Several: true})
}

// captured makes the Step of what became of a capture.
func (h *shop) captured(paymentID, captureID string, out payment.Outcome) ledger.Step {
	h.t.Helper()
	d := h.dossier(paymentID)
	c := d.Capture(captureID)
	k := payment.CaptureCase{Capture: *c, Others: d.Captures, Case: payment.Case{Payment: d.Payment, Attempt: d.Attempt(c.Attempt), Terms: d.Terms,
		Calendar: d.Calendar, Now: time.Now(), Outcome: out}}
	r, err := payment.SettleCapture(k)
	require.NoError(h.t, err)
	step := h.step(captureID, r.Step.Code, r.Step.Ordinal, r.Changes(k)...)
	step.Journals = r.Journals
	return step
}

func took(minor int64) payment.Outcome {
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: minor, Currency: "CNY", ChannelID: "ch_1_c1", EffectiveAt: time.Now()}
}

// Fifty captures of 1.00 of an authorization of 10.00, at once: ten are
// received, and no more (I-09).
func TestCapturesAtOnceNeverExceedTheAuthorization(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{FeeBasisPoints: 60})
	p := h.authorized("A-1", 1000)
	var wg sync.WaitGroup
	var received, refused atomic.Int64
	for n := range 50 {
		step := h.capture(p, fmt.Sprint("key-", n), 100)
		wg.Go(func() {
			switch _, err := h.s.Commit(context.Background(), step); {
			case err == nil:
				received.Add(1)
			case fault.Of(err) == fault.KindConflict:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 10, received.Load())
	require.EqualValues(t, 40, refused.Load())
	d := h.dossier(p)
	require.Len(t, d.Captures, 10)
	require.Equal(t, cny(1000), d.Payment.Capturing)
	for n, c := range d.Captures {
		require.Equal(t, n+1, c.Ordinal)
		h.commit(h.captured(p, c.ID, took(100)))
	}
	d = h.dossier(p)
	require.Equal(t, payment.Paid, d.Payment.Status)
	require.Equal(t, cny(1000), d.Payment.Captured)
	require.Equal(t, cny(6), d.Payment.Fee, "ten fees of rounded 0.6 are 6 all together (I-08)")
	require.EqualValues(t, -994, h.balance("merchant/"+h.MerchantID+"/available"))
}

func TestACaptureIsAnIntent(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.authorized("A-1", 1000)
	step := h.capture(p, "k", 300)
	h.commit(step)
	first := h.commit(step)
	require.True(t, first.Replayed)
	again := h.commit(h.capture(p, "k", 300))
	require.True(t, again.Replayed)
	require.Equal(t, first.Object, again.Object, "one key, one capture (I-20)")
	h.refused(h.capture(p, "k", 400), fault.KindInvalid, "idempotency_key_reused")

	in, err := h.s.CaptureIntent(t.Context(), h.Book, first.Object+":cp1")
	require.NoError(t, err)
	require.Equal(t, channels.CaptureRequest{ChargeKey: p + ":ch1", ChannelID: "ch_1", AmountMinor: 300, Currency: "CNY"}, in.Request)
	_, hash, err := channels.Freeze(in.Request)
	require.NoError(t, err)
	require.Equal(t, hash, in.Key.BodyHash, "what is sent is what was committed (I-13)")
	for _, key := range []string{first.Object + ":cp2", p + ":ch1", h.s.Mint(id.Capture) + ":cp1"} {
		_, err = h.s.CaptureIntent(t.Context(), h.Book, key)
		require.Error(t, err, key)
	}
}

func TestWhatCanNotBeCaptured(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	paid, waits := h.paid("A-1", cny(500)), h.pay("A-2", cny(500))
	for _, p := range []string{paid, waits} {
		h.refused(h.capture(p, "k", 100), fault.KindConflict, "payment_not_capturable")
	}
	h.refused(h.capture(h.s.Mint(id.Payment), "k", 100), fault.KindNotFound, "not_found")
	p := h.authorized("A-3", 500)
	foreign := h.capture(p, "k", 100)
	mine := foreign.Changes[0].(payment.ReceiveCapture)
	mine.Idempotency.MerchantID = "mer_other"
	foreign.Changes[0] = mine
	h.refused(foreign, fault.KindNotFound, "not_found") // I-25
	_, err := h.s.Captures(t.Context(), h.Book, "mer_other", p)
	require.True(t, fault.Is(err, fault.KindNotFound, "not_found"))

	captureID := h.commit(h.capture(p, "k", 100)).Object
	d := h.dossier(p)
	ends := h.settleOf(d, payment.Outcome{Verdict: payment.Closed, Dead: true})
	require.True(t, fault.Is(ends, fault.KindConflict, "capture_open"))
	h.commit(h.step(p, id.CancelRequested, 1, payment.RequestCancel{PaymentID: p}))
	h.refused(h.capture(p, "k2", 100), fault.KindConflict, "payment_not_capturable")
	h.commit(h.captured(p, captureID, took(100)))
	h.commit(h.settle(p, 1, payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 100, Currency: "CNY", ChannelID: "ch_1"}))
	d = h.dossier(p)
	require.Equal(t, payment.Paid, d.Payment.Status, "a cancel after a capture gives the rest back")
	require.Equal(t, cny(100), d.Payment.Captured)
}

// settleOf is what Settle says.
func (h *shop) settleOf(d payment.Dossier, out payment.Outcome) error {
	_, err := payment.Settle(payment.Case{Payment: d.Payment, Attempt: d.Attempt(1), Terms: d.Terms, Now: time.Now(), Outcome: out, End: payment.Canceled})
	return err
}

// A payment that moved between a capture's reading and its Step is read again.
func TestACaptureReceivedMeanwhileIsNotPassedOver(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.authorized("A-1", 1000)
	stale := h.settle(p, 1, payment.Outcome{Verdict: payment.Closed, Dead: true})
	h.commit(h.capture(p, "k", 300))
	h.refused(stale, fault.KindConflict, "stale_state")
}

func TestCapturesWaitForTheirSaga(t *testing.T) {
	t.Parallel()
	h := newShop(t)
	p := h.authorized("A-1", 1000)
	c := h.commit(h.capture(p, "k", 300)).Object
	list, err := h.s.CapturesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list, "the API's Update has time to arrive")
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE captures SET due_at = now() - interval '1 second'`)
	require.NoError(t, err)
	for _, n := range []int{1, 0} { // claimed once, and then later
		list, err = h.s.CapturesWaiting(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, list, n)
	}
	h.commit(h.captured(p, c, took(300)))
	_, err = h.db.Owner.Exec(t.Context(), `UPDATE captures SET due_at = now() WHERE status = 'processing'`)
	require.NoError(t, err)
	list, err = h.s.CapturesWaiting(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, list)
}

// Two captures whose merchant is settled two days later: each becomes available
// when its own time comes.
func TestCapturesMatureOneByOne(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{SettlementDays: 2})
	p := h.authorized("A-1", 1000)
	for n, minor := range []int64{300, 700} {
		c := h.commit(h.capture(p, fmt.Sprint("k", n), minor)).Object
		out := took(minor)
		out.EffectiveAt = time.Now().AddDate(0, 0, n-1)
		h.commit(h.captured(p, c, out))
	}
	d := h.dossier(p)
	require.Equal(t, cny(1000), d.Payment.Pending)
	pending, available := "merchant/"+h.MerchantID+"/pending", "merchant/"+h.MerchantID+"/available"
	for n, want := range []int64{300, 1000} {
		due := d.Captures[n].MaturesAt
		steps := activities.New(activities.Config{Committer: h.s, Files: h.s, Now: func() time.Time { return due.Add(time.Minute) }})
		for range 2 {
			err := steps.Mature(t.Context(), activities.Ref{Book: h.Book, PaymentID: p})
			require.True(t, err == nil || fault.Of(err) == fault.KindConflict, "%v", err)
		}
		require.EqualValues(t, -want, h.balance(available))
		require.EqualValues(t, want-1000, h.balance(pending))
	}
	require.True(t, h.dossier(p).Payment.Pending.IsZero())
}

// A capture is settled by what was read before an earlier one became available: what waits is counted under the lock, or money that is
// available would wait a second time.
func TestACaptureSettlesWhileAnotherMatures(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{SettlementDays: 2})
	p := h.authorized("A-1", 1000)
	first := h.commit(h.capture(p, "k1", 300)).Object
	early := took(300)
	early.EffectiveAt = time.Now().AddDate(0, 0, -1)
	h.commit(h.captured(p, first, early))
	second := h.commit(h.capture(p, "k2", 700)).Object
	late := h.captured(p, second, took(700)) // read now, committed below

	due := h.dossier(p).Captures[0].MaturesAt
	mature := func(at time.Time) {
		steps := activities.New(activities.Config{Committer: h.s, Files: h.s, Now: func() time.Time { return at }})
		require.NoError(t, steps.Mature(t.Context(), activities.Ref{Book: h.Book, PaymentID: p}))
	}
	mature(due.Add(time.Minute))
	h.commit(late)
	d := h.dossier(p)
	require.EqualValues(t, 700, d.Payment.Pending.Minor, "the 300 are available")
	require.EqualValues(t, -700, h.balance("merchant/"+h.MerchantID+"/pending"))
	mature(d.Captures[1].MaturesAt.Add(time.Minute))
	require.EqualValues(t, -1000, h.balance("merchant/"+h.MerchantID+"/available"))
	require.Zero(t, h.balance("merchant/"+h.MerchantID+"/pending"))
}

// What is due before a later capture comes stays due then.
func TestALaterCaptureKeepsTheEarlierOnesDue(t *testing.T) {
	t.Parallel()
	h := newShop(t, payment.Terms{SettlementDays: 2})
	p := h.authorized("A-1", 1000)
	first := h.commit(h.capture(p, "k1", 300)).Object
	h.commit(h.captured(p, first, took(300)))
	for _, sql := range []string{"UPDATE captures SET matures_at = now() - interval '1 hour'", "UPDATE payments SET mature_due_at = now() - interval '1 hour'"} {
		_, err := h.db.Owner.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	h.commit(h.captured(p, h.commit(h.capture(p, "k2", 700)).Object, took(700)))
	list, err := h.s.Maturing(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
}
