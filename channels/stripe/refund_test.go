package stripe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// paid charges a card and returns a refund of it.
func (b *bench) paid(token string, refund int64) channels.RefundRequest {
	b.Helper()
	call := b.call(id.Charge)
	out := b.charge(call, card(token))
	require.Equal(b, payment.Succeeded, out.Verdict)
	return channels.RefundRequest{ChargeKey: call.Key.ID, ChannelID: out.ChannelID, AmountMinor: refund, TotalMinor: 1234, Currency: "EUR"}
}

func (b *bench) refund(c channels.Call, r channels.RefundRequest) payment.Outcome {
	b.Helper()
	out, err := b.ch.Refund(context.Background(), c, r)
	require.NoError(b, err)
	return out
}

func (b *bench) askRefund(c channels.Call, r channels.RefundRequest) payment.Outcome {
	b.Helper()
	out, err := b.ch.AskRefund(context.Background(), c, r)
	require.NoError(b, err)
	return out
}

func TestRefund(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.paid("pm_card_visa", 1000)
	r.Reason = "the customer changed her mind"
	call := b.call(id.RefundOut)
	assert.Equal(t, payment.Absent, b.askRefund(call, r).Verdict)
	out := b.refund(call, r)
	assert.Equal(t, payment.Succeeded, out.Verdict)
	assert.Equal(t, int64(1000), out.AmountMinor)
	assert.Equal(t, born, out.EffectiveAt)
	assert.Equal(t, out, b.refund(call, r), "a repeat answers the same")
	assert.Equal(t, out, b.askRefund(call, r))
	call.ChannelID = out.ChannelID
	assert.Equal(t, out, b.askRefund(call, r))
	require.Len(t, b.fake.Refunds(), 1)

	rest := r
	rest.AmountMinor = 235
	_, err := b.ch.Refund(context.Background(), b.call(id.RefundOut), rest)
	assert.True(t, fault.Is(err, fault.KindInvalid, "channel_refused"), "more than is left: %v", err)
	rest.AmountMinor, rest.Reason = 234, "requested_by_customer"
	assert.Equal(t, payment.Succeeded, b.refund(b.call(id.RefundOut), rest).Verdict)
	out = b.refund(b.call(id.RefundOut), rest)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, "already_refunded", out.Decline.Code)
	assert.Equal(t, int64(1234), b.fake.Intents()[0].Refunded)
}

func TestARefundThatTakesTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.paid("pm_card_pendingRefund", 500)
	call := b.call(id.RefundOut)
	out := b.refund(call, r)
	assert.Equal(t, payment.Pending, out.Verdict)
	require.True(t, b.fake.FinishRefund(out.ChannelID, "succeeded", ""))
	assert.Equal(t, payment.Succeeded, b.askRefund(call, r).Verdict)
	assert.Equal(t, payment.Succeeded, b.refund(call, r).Verdict, "a repeat answers what is, not what Stripe stored")

	require.True(t, b.fake.FinishRefund(out.ChannelID, "failed", "lost_or_stolen_card"))
	out = b.askRefund(call, r)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, &payment.Decline{Code: "lost_or_stolen_card", Channel: "lost_or_stolen_card"}, out.Decline)

	require.True(t, b.fake.FinishRefund(out.ChannelID, "canceled", ""))
	assert.Equal(t, payment.Closed, b.askRefund(call, r).Verdict)
}

func TestNoFaultRefundsTwice(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind   fake.FaultKind
		asked  payment.Verdict
		repeat payment.Verdict
		n      int
	}{
		{fake.LostRequest, payment.Absent, payment.Succeeded, 1},
		{fake.LostAnswer, payment.Succeeded, payment.Succeeded, 1},
		{fake.Slow, payment.Succeeded, payment.Succeeded, 1},
		{fake.Garbage, payment.Succeeded, payment.Succeeded, 1},
		{fake.Error500, payment.Succeeded, payment.Unknown, 1},
		{fake.BadGateway, payment.Absent, payment.Succeeded, 1},
	}
	for _, c := range cases {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			r := b.paid("pm_card_visa", 100)
			call := b.call(id.RefundOut)
			b.fake.Plant(fake.Fault{Kind: c.kind, Method: "POST"})
			assert.Equal(t, payment.Unknown, b.refund(call, r).Verdict)
			assert.Equal(t, c.asked, b.askRefund(call, r).Verdict)
			assert.Equal(t, c.repeat, b.refund(call, r).Verdict)
			b.fake.Advance(25 * time.Hour)
			assert.Equal(t, payment.Unknown, b.refund(b.later(call), r).Verdict, "an old key sends nothing (I-14)")
			assert.Len(t, b.fake.Refunds(), c.n)
		})
	}
}

func TestRefundsNeedTheirCharge(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.paid("pm_card_visa", 100)
	r.ChannelID = ""
	_, err := b.ch.Refund(context.Background(), b.call(id.RefundOut), r)
	assert.True(t, fault.Is(err, fault.KindInvalid, "channel_id_missing"), err)
	_, err = b.ch.AskRefund(context.Background(), b.call(id.RefundOut), r)
	assert.True(t, fault.Is(err, fault.KindInvalid, "channel_id_missing"), err)
	r.ChannelID = "pi_nonesuch"
	_, err = b.ch.Refund(context.Background(), b.call(id.RefundOut), r)
	assert.True(t, fault.Is(err, fault.KindNotFound, ""), err)
}
