package channeltest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func canSettle(h *Harness, d channels.Description) bool {
	return canRefund(h, d) && h.PendingRefund != nil && h.FinishRefund != nil
}

func canReturn(h *Harness, d channels.Description) bool { return canSettle(h, d) && !h.RefundsStay }

func canTellRefund(h *Harness, d channels.Description) bool {
	return canSettle(h, d) && canCallback(h, d) && !h.RefundsUntold
}

// slow makes a charge whose refunds are pending, and a refund of it.
func (k *kit) slow(amount int64) (of, call channels.Call, r channels.RefundRequest) {
	k.Helper()
	of = k.chargeCall(k.h.PendingRefund)
	out := k.charge(of, k.h.PendingRefund)
	k.succeeded(out, k.h.PendingRefund)
	call, r = k.refundOf(of, out, amount)
	r.TotalMinor, r.Currency = k.h.PendingRefund.AmountMinor, k.h.PendingRefund.Currency
	call.Key.BodyHash = hash(r)
	first, err := k.ch.Refund(k.Context(), call, r)
	require.NoError(k, err)
	require.Equal(k, payment.Pending, first.Verdict, "%+v", first)
	call.ChannelID = first.ChannelID
	return of, call, r
}

// settlements are refunds that end after their answer.
var settlements = []testCase{
	{"a pending refund stays open until it settles", canSettle, func(k *kit) {
		of, call, r := k.slow(100)
		assert.Equal(k, payment.Pending, k.askRefund(call, r).Verdict)
		again, err := k.ch.Refund(k.Context(), call, r)
		require.NoError(k, err)
		assert.Equal(k, payment.Pending, again.Verdict)
		assert.Equal(k, call.ChannelID, again.ChannelID)
		require.True(k, k.h.FinishRefund(call.Key, "settle"))
		out := k.askRefund(call, r)
		assert.Equal(k, payment.Succeeded, out.Verdict)
		assert.Equal(k, int64(100), out.AmountMinor)
		assert.Equal(k, call.ChannelID, out.ChannelID)
		call.ChannelID = ""
		assert.Equal(k, out, k.askRefund(call, r), "the channel's id only saves a search")
		assert.Equal(k, int64(100), k.refunded(of))
	}},
	{"a pending refund that fails is dead, and the money is where it was", canSettle, func(k *kit) {
		of, call, r := k.slow(100)
		require.True(k, k.h.FinishRefund(call.Key, "decline"))
		out := k.askRefund(call, r)
		assert.Contains(k, []payment.Verdict{payment.Declined, payment.Closed}, out.Verdict)
		assert.True(k, out.Dead, "failed, but not said to be dead")
		assert.Zero(k, k.refunded(of))
	}},
	{"a refund that comes back after its success is dead, and its key gives nothing more", canReturn, func(k *kit) {
		of, paid := k.paid()
		call, r := k.refundOf(of, paid, 100)
		first := k.refund(call, r)
		require.Equal(k, payment.Succeeded, first.Verdict)
		require.True(k, k.h.FinishRefund(call.Key, "return"))
		for range 2 {
			out := k.askRefund(call, r)
			assert.Contains(k, []payment.Verdict{payment.Declined, payment.Closed}, out.Verdict)
			assert.True(k, out.Dead)
			again, err := k.ch.Refund(k.Context(), call, r)
			require.NoError(k, err)
			assert.NotEqual(k, payment.Succeeded, again.Verdict)
		}
		assert.Zero(k, k.refunded(of))
	}},
	{"a callback says what became of our refund", canTellRefund, func(k *kit) {
		_, call, r := k.slow(100)
		require.True(k, k.h.FinishRefund(call.Key, "settle"))
		cb, err := k.ch.ParseCallback(call.Account, k.h.Callback(call.Key))
		require.NoError(k, err)
		assert.Equal(k, channels.SubjectRefund, cb.Subject)
		assert.Equal(k, call.Key.Reference, cb.Reference)
		if k.hints(cb) {
			cb.Outcome = k.askRefund(call, r)
		}
		assert.Equal(k, payment.Succeeded, cb.Outcome.Verdict)
		assert.Equal(k, int64(100), cb.Outcome.AmountMinor)
		assert.Equal(k, r.Currency, cb.Outcome.Currency)
		assert.Equal(k, call.ChannelID, cb.Outcome.ChannelID)
	}},
	{"a callback says that a refund came back", func(h *Harness, d channels.Description) bool {
		return canReturn(h, d) && canCallback(h, d)
	}, func(k *kit) {
		of, paid := k.paid()
		call, r := k.refundOf(of, paid, 100)
		_, err := k.ch.Refund(k.Context(), call, r)
		require.NoError(k, err)
		require.True(k, k.h.FinishRefund(call.Key, "return"))
		cb, err := k.ch.ParseCallback(call.Account, k.h.Callback(call.Key))
		require.NoError(k, err)
		assert.Equal(k, call.Key.Reference, cb.Reference)
		if k.hints(cb) {
			cb.Outcome = k.askRefund(call, r)
		}
		assert.True(k, cb.Outcome.Dead)
	}},
	{"a refund's callback signed by another is denied", func(h *Harness, d channels.Description) bool {
		return canTellRefund(h, d) && h.Foreign != nil
	}, func(k *kit) {
		_, call, _ := k.slow(100)
		require.True(k, k.h.FinishRefund(call.Key, "settle"))
		a := call.Account
		a.Credentials = k.h.Foreign
		_, err := k.ch.ParseCallback(a, k.h.Callback(call.Key))
		assert.Equal(k, fault.KindDenied, fault.Of(err), "%v", err)
	}},
	{"a charge keeps its channel id", canRefund, func(k *kit) {
		c, first := k.paid()
		assert.Equal(k, first.ChannelID, k.charge(c, k.h.OK).ChannelID, "repeated")
		assert.Equal(k, first.ChannelID, k.ask(c, k.h.OK).ChannelID, "asked")
		call, r := k.refundOf(c, first, 10)
		_, err := k.ch.Refund(k.Context(), call, r)
		require.NoError(k, err)
		assert.Equal(k, first.ChannelID, k.ask(c, k.h.OK).ChannelID, "refunded")
		assert.Equal(k, first.ChannelID, k.charge(c, k.h.OK).ChannelID, "repeated after a refund")
	}},
}
