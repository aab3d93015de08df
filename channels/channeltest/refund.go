package channeltest

import (
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func canRefund(h *Harness, d channels.Description) bool {
	return h.OK != nil && d.Can(channels.OpRefund) && d.Can(channels.OpAskRefund)
}

func (k *kit) refundOf(c channels.Call, of payment.Outcome, amount int64) (channels.Call, channels.RefundRequest) {
	k.Helper()
	r := channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: of.ChannelID, AmountMinor: amount,
		TotalMinor: k.h.OK.AmountMinor, Currency: k.h.OK.Currency}
	if d := k.ch.Describe().MinRefundInterval; d > 0 {
		k.h.Advance(d)
	}
	return k.call(id.Refund, id.RefundOut, r), r
}

// refunded is what the channel's book says went back of a charge.
func (k *kit) refunded(c channels.Call) (sum int64) {
	for _, e := range k.h.Book(c.Key) {
		sum += e.RefundedMinor
	}
	return sum
}

var refunds = []testCase{
	{"a refund is made once per key", canRefund, func(k *kit) {
		c, out := k.paid()
		call, r := k.refundOf(c, out, 100)
		assert.Equal(k, payment.Absent, k.askRefund(call, r).Verdict)
		var ids []string
		for range 3 {
			back := k.refund(call, r)
			require.Equal(k, payment.Succeeded, back.Verdict, "%+v", back)
			require.Equal(k, int64(100), back.AmountMinor)
			ids = append(ids, back.ChannelID)
		}
		assert.Equal(k, ids[0], ids[1])
		assert.Equal(k, ids[0], ids[2])
		assert.Equal(k, ids[0], k.askRefund(call, r).ChannelID)
		assert.Equal(k, int64(100), k.refunded(c))
		assert.Len(k, k.h.Book(call.Key), 1)
	}},
	{"another refund under the same key is refused", canRefund, func(k *kit) {
		c, out := k.paid()
		call, r := k.refundOf(c, out, 100)
		k.refund(call, r)
		r.AmountMinor = 200
		call.Key.BodyHash = hash(r)
		k.refused(k.ch.Refund(k.Context(), call, r))
		assert.Equal(k, int64(100), k.refunded(c))
	}},
	{"a refund whose answer is lost is Unknown, and never made twice", canRefund, func(k *kit) {
		c, out := k.paid()
		var want int64
		for _, f := range append([]spoiler{cutBefore, hangBefore}, spoilt...) {
			call, r := k.refundOf(c, out, 10)
			k.relay.next(http.MethodPost, f)
			got, err := k.ch.Refund(k.under(f), call, r)
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, got.Verdict, "%s", f)
			asked := k.askRefund(call, r).Verdict
			if f == cutBefore || f == hangBefore {
				require.Equal(k, payment.Absent, asked, "%s", f)
			} else {
				require.Equal(k, payment.Succeeded, asked, "%s", f)
			}
			_, err = k.ch.Refund(k.Context(), call, r)
			require.NoError(k, err)
			want += 10
			require.Equal(k, want, k.refunded(c), "%s", f)
		}
	}},
	{"a question about a refund without a clear answer stays open", canRefund, func(k *kit) {
		c, out := k.paid()
		call, r := k.refundOf(c, out, 100)
		_, err := k.ch.Refund(k.Context(), call, r)
		require.NoError(k, err)
		for _, f := range spoilt {
			k.relay.next(http.MethodGet, f)
			got, err := k.ch.AskRefund(k.under(f), call, r)
			k.relay.heal()
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, got.Verdict, "%s", f)
		}
	}},
	{"no more goes back than was taken, however many ask at once", canRefund, func(k *kit) {
		c, out := k.paid()
		part := k.h.OK.AmountMinor/2 + 1
		var mu sync.Mutex
		var went int64
		var wg sync.WaitGroup
		var open []func()
		for range 5 {
			call, r := k.refundOf(c, out, part)
			wg.Go(func() {
				back, err := k.ch.Refund(k.Context(), call, r)
				if err == nil && back.Verdict == payment.Pending && k.h.RefundsLater {
					mu.Lock()
					defer mu.Unlock()
					open = append(open, func() {
						require.True(k, k.h.FinishRefund(call.Key, "settle"))
						went += k.askRefund(call, r).AmountMinor
					})
				}
				if err == nil && back.Verdict == payment.Succeeded {
					mu.Lock()
					defer mu.Unlock()
					went += back.AmountMinor
				}
			})
		}
		wg.Wait()
		for _, end := range open {
			end()
		}
		assert.Equal(k, part, went)
		assert.Equal(k, part, k.refunded(c))
	}},
	{"an old refund key sends nothing", canRefund, func(k *kit) {
		c, out := k.paid()
		call, r := k.refundOf(c, out, 100)
		_, err := k.ch.Refund(k.Context(), call, r)
		require.NoError(k, err)
		life := k.ch.Describe().KeyLife
		if life == 0 {
			return
		}
		k.h.Advance(max(25*time.Hour, life+time.Hour))
		call.Now = k.h.Now()
		sent := k.relay.requests()
		k.unknown(k.ch.Refund(k.Context(), call, r))
		assert.Equal(k, sent, k.relay.requests())
		assert.Equal(k, payment.Succeeded, k.askRefund(call, r).Verdict)
		assert.Equal(k, int64(100), k.refunded(c))
	}},
}

// refund makes a refund that has to be answered. Where it ends later it ends now.
func (k *kit) refund(c channels.Call, r channels.RefundRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Refund(k.Context(), c, r)
	require.NoError(k, err)
	if k.h.RefundsLater && out.Verdict == payment.Pending {
		require.True(k, k.h.FinishRefund(c.Key, "settle"))
		return k.askRefund(c, r)
	}
	return out
}

func (k *kit) askRefund(c channels.Call, r channels.RefundRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.AskRefund(k.Context(), c, r)
	require.NoError(k, err)
	return out
}

func canPayout(h *Harness, d channels.Description) bool {
	return h.Payout != nil && d.Can(channels.OpPayout) && d.Can(channels.OpAskPayout)
}

var payouts = []testCase{
	{"a payout is made once per key", canPayout, func(k *kit) {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		asked, err := k.ch.AskPayout(k.Context(), c, r)
		require.NoError(k, err)
		assert.Equal(k, payment.Absent, asked.Verdict)
		for range 3 {
			out := k.payout(c, r)
			assert.Equal(k, payment.Succeeded, out.Verdict, "%+v", out)
			assert.Equal(k, r.AmountMinor, out.AmountMinor)
		}
		k.onceInBook(c, r.AmountMinor)
		r.AmountMinor++
		c.Key.BodyHash = hash(r)
		k.refused(k.ch.Payout(k.Context(), c, r))
		k.onceInBook(c, k.h.Payout.AmountMinor)
	}},
	{"a payout whose answer is lost is Unknown, and never made twice", canPayout, func(k *kit) {
		r := *k.h.Payout
		for _, f := range append([]spoiler{cutBefore, hangBefore}, spoilt...) {
			c := k.call(id.Payout, id.PayoutOut, r)
			k.relay.next(http.MethodPost, f)
			out, err := k.ch.Payout(k.under(f), c, r)
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, out.Verdict, "%s", f)
			k.payout(c, r)
			k.onceInBook(c, r.AmountMinor)
		}
	}},
	{"a question about a payout without a clear answer stays open", canPayout, func(k *kit) {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		k.payout(c, r)
		for _, f := range spoilt {
			k.relay.next(http.MethodGet, f)
			got, err := k.ch.AskPayout(k.under(f), c, r)
			k.relay.heal()
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, got.Verdict, "%s", f)
		}
	}},
	{"a payout that its payee has to confirm says how, until that is kept", func(h *Harness, d channels.Description) bool {
		return canPayout(h, d) && h.PayoutConfirms != nil
	}, func(k *kit) {
		r := *k.h.Payout
		says := func(out payment.Outcome, err error) payment.Outcome {
			require.NoError(k, err)
			require.Equal(k, payment.Pending, out.Verdict, "%+v", out)
			require.NotNil(k, out.Action)
			assert.Equal(k, payment.ActionSDK, out.Action.Type)
			for _, name := range k.h.PayoutConfirms {
				assert.NotEmpty(k, out.Action.Parameters[name], name)
			}
			return out
		}
		c := k.call(id.Payout, id.PayoutOut, r)
		first := says(k.ch.Payout(k.Context(), c, r))
		assert.Equal(k, first, says(k.ch.Payout(k.Context(), c, r)), "repeated")
		assert.Equal(k, first, says(k.ch.AskPayout(k.Context(), c, r)), "asked, while nothing was kept")
		lost := k.call(id.Payout, id.PayoutOut, r)
		k.relay.next(http.MethodPost, cutAfter)
		k.unknown(k.ch.Payout(k.Context(), lost, r))
		says(k.ch.AskPayout(k.Context(), lost, r))
		require.True(k, k.h.FinishPayout(lost.Key))
		k.onceInBook(lost, r.AmountMinor)
		c.ChannelID = first.ChannelID
		kept, err := k.ch.AskPayout(k.Context(), c, r)
		require.NoError(k, err)
		assert.Equal(k, payment.Pending, kept.Verdict)
		require.True(k, k.h.FinishPayout(c.Key))
		done, err := k.ch.AskPayout(k.Context(), c, r)
		require.NoError(k, err)
		assert.Equal(k, payment.Succeeded, done.Verdict)
		assert.Nil(k, done.Action)
		k.onceInBook(c, r.AmountMinor)
	}},
	{"an old payout key sends nothing", canPayout, func(k *kit) {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		_, err := k.ch.Payout(k.Context(), c, r)
		require.NoError(k, err)
		life := k.ch.Describe().KeyLife
		if life == 0 {
			return
		}
		k.h.Advance(max(25*time.Hour, life+time.Hour))
		c.Now = k.h.Now()
		sent := k.relay.requests()
		k.unknown(k.ch.Payout(k.Context(), c, r))
		assert.Equal(k, sent, k.relay.requests())
		k.onceInBook(c, r.AmountMinor)
	}},
	{"a callback about a payout says what a question does", func(h *Harness, d channels.Description) bool {
		return canPayout(h, d) && canCallback(h, d)
	}, func(k *kit) {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		made := k.payout(c, r)
		cb, err := k.ch.ParseCallback(k.acct, k.h.Callback(c.Key))
		require.NoError(k, err)
		assert.Equal(k, channels.SubjectPayout, cb.Subject)
		assert.Equal(k, c.Key.Reference, cb.Reference)
		assert.Equal(k, made.ChannelID, cb.Outcome.ChannelID)
		assert.Equal(k, made.AmountMinor, cb.Outcome.AmountMinor)
	}},
	{"a payout that the channel can't be reached for did not happen", canPayout, func(k *kit) {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		k.relay.next(http.MethodPost, limited)
		_, err := k.ch.Payout(k.Context(), c, r)
		assert.Equal(k, fault.KindUnavailable, fault.Of(err))
		k.unpaidInBook(c)
	}},
}
