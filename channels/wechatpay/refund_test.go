package wechatpay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// An abnormal refund is a no that isn't final: a person sends the money elsewhere, under the same number.
func TestAnAbnormalRefundWaitsForAPerson(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	r := request(qr)
	r.Description = fake.Slow
	key := b.key(t)
	b.pay(t, key, r)
	refund := b.refundKey(t)
	q := channels.RefundRequest{ChargeKey: key.ID, AmountMinor: 100, TotalMinor: r.AmountMinor, Currency: "CNY", Reason: "缺货"}
	out, err := b.ch.Refund(t.Context(), b.call(refund), q)
	require.NoError(t, err)
	assert.Equal(t, payment.Pending, out.Verdict)
	require.True(t, b.fake.FinishRefund(refund.Reference, "ABNORMAL"))
	header, body := b.fake.Told(refund.Reference)
	cb, err := b.ch.ParseCallback(b.account, channels.RawCallback{Header: header, Body: body, Now: b.fake.Now()})
	require.NoError(t, err)
	out, err = b.ch.AskRefund(t.Context(), b.call(refund), q)
	require.NoError(t, err)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.False(t, out.Dead)
	assert.Equal(t, "refund_abnormal", out.Decline.Code)
	assert.Equal(t, out, cb.Outcome)
	require.True(t, b.fake.FinishRefund(refund.Reference, fake.Success))
	out, err = b.ch.AskRefund(t.Context(), b.call(refund), q)
	require.NoError(t, err)
	assert.Equal(t, payment.Succeeded, out.Verdict)
	assert.Equal(t, int64(100), out.AmountMinor)
}

// The channel's rules about refunds of one order are those that the description declares.
func TestRefundsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	d := b.ch.Describe()
	key, r := b.key(t), request(qr)
	b.pay(t, key, r)
	give := func() (payment.Outcome, error) {
		return b.ch.Refund(t.Context(), b.call(b.refundKey(t)), channels.RefundRequest{ChargeKey: key.ID, AmountMinor: 1, TotalMinor: r.AmountMinor, Currency: "CNY"})
	}
	for n := range d.MaxRefunds {
		_, err := give()
		require.NoError(t, err, "%d", n)
		if n == 0 {
			_, err = give()
			require.Equal(t, fault.KindUnavailable, fault.Of(err), "too soon: %v", err)
		}
		b.fake.Advance(d.MinRefundInterval)
	}
	_, err := give()
	require.Equal(t, fault.KindInvalid, fault.Of(err), "one too many: %v", err)

	old := b.key(t)
	b.pay(t, old, r)
	b.fake.Advance(d.MaxRefundAge + 24*time.Hour)
	out, err := b.ch.Refund(t.Context(), b.call(b.refundKey(t)), channels.RefundRequest{ChargeKey: old.ID, AmountMinor: 1, TotalMinor: r.AmountMinor, Currency: "CNY"})
	require.NoError(t, err)
	assert.Equal(t, "charge_too_old", out.Decline.Code)
	assert.True(t, out.Dead)
}

func TestATransferShowsThePayeeWhatToConfirm(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]fake.Mode{"public key": fake.PublicKeys, "certificates": fake.Certificates} {
		b := newBench(t, fake.Config{Mode: mode})
		key := b.payoutKey(t)
		q := channels.PayoutRequest{AmountMinor: 2500_00, Currency: "CNY", Destination: "wallet:oPayee", Name: "张三", Note: "返利",
			CallbackURL: "https://pay.example/cb"}
		out, err := b.ch.Payout(t.Context(), b.call(key), q)
		require.NoError(t, err, name)
		require.Equal(t, payment.Pending, out.Verdict)
		require.Equal(t, payment.ActionSDK, out.Action.Type)
		assert.Equal(t, fake.MchID, out.Action.Parameters["mchId"])
		assert.NotEmpty(t, out.Action.Parameters["package"])
		assert.NotContains(t, b.sent(t, "/v3/fund-app/mch-transfer/transfer-bills")["user_name"], "张三")
		asked, err := b.ch.AskPayout(t.Context(), b.call(key), q)
		require.NoError(t, err)
		assert.Equal(t, payment.Pending, asked.Verdict)
		for _, open := range []string{"ACCEPTED", "PROCESSING", "TRANSFERING", "CANCELING"} {
			b.fake.FinishTransfer(key.Reference, open, "")
			asked, err = b.ch.AskPayout(t.Context(), b.call(key), q)
			require.NoError(t, err)
			assert.Equal(t, payment.Pending, asked.Verdict, open)
		}
		require.True(t, b.fake.FinishTransfer(key.Reference, "FAIL", "PAYEE_ACCOUNT_ABNORMAL"))
		asked, err = b.ch.AskPayout(t.Context(), b.call(key), q)
		require.NoError(t, err)
		assert.True(t, asked.Dead)
		assert.Equal(t, payment.Decline{Code: "payout_failed", Channel: "PAYEE_ACCOUNT_ABNORMAL"}, *asked.Decline)
		q.Name = ""
		_, err = b.ch.Payout(t.Context(), b.call(b.payoutKey(t)), q)
		assert.True(t, fault.Is(err, fault.KindInvalid, "name_required"), "%v", err)
		late := b.call(b.payoutKey(t))
		late.Key.BornAt = late.Now.Add(-31 * 24 * time.Hour)
		gone, err := b.ch.AskPayout(t.Context(), late, q)
		require.NoError(t, err)
		assert.Equal(t, payment.Unknown, gone.Verdict, "what WeChat doesn't show any more isn't absent")
	}
}

// WeChat says that a refused transfer may still have been made: only a question that finds nothing makes the refusal true.
func TestARefusedTransferIsBelievedOnlyOnceNoneIsFound(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	q := channels.PayoutRequest{AmountMinor: 100, Currency: "CNY", Destination: "wallet:unknown"}
	_, err := b.ch.Payout(t.Context(), b.call(b.payoutKey(t)), q)
	assert.Equal(t, fault.KindInvalid, fault.Of(err), "%v", err)
	asked := b.fake.Requests()
	assert.Equal(t, "GET", asked[len(asked)-1].Method)

	q.Destination = "wallet:oPayee"
	key := b.payoutKey(t)
	_, err = b.ch.Payout(t.Context(), b.call(key), q)
	require.NoError(t, err)
	q.Note = "another remark, which WeChat refuses under the number"
	out, err := b.ch.Payout(t.Context(), b.call(key), q)
	require.NoError(t, err)
	assert.Equal(t, payment.Pending, out.Verdict, "there is one")
	q.AmountMinor = 200
	_, err = b.ch.Payout(t.Context(), b.call(key), q)
	assert.Equal(t, fault.KindConflict, fault.Of(err), "%v", err)
}

// A refund of what WeChat never took is nobody's.
func TestARefundOfNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	_, err := b.ch.Refund(t.Context(), b.call(b.refundKey(t)), channels.RefundRequest{ChargeKey: b.key(t).ID, AmountMinor: 1, TotalMinor: 1, Currency: "CNY"})
	assert.Equal(t, fault.KindNotFound, fault.Of(err), "%v", err)
}
