package alipay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// refunded sends a refund of a charge.
func (d *desk) refunded(of channels.Call, amount int64) (channels.Call, channels.RefundRequest, payment.Outcome) {
	d.Helper()
	c, r := d.call(id.Refund, id.RefundOut), channels.RefundRequest{ChargeKey: of.Key.ID, AmountMinor: amount, TotalMinor: 1234, Currency: "CNY", Reason: "returned"}
	out, err := d.ch.Refund(d.Context(), c, r)
	require.NoError(d, err)
	return c, r, out
}

func TestRefundsThatAlipayRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{Credit: 1})
	c, _ := d.charged(charge(payment.MethodBarcode, d.fake.Barcode(fake.Pays)))
	_, _, out := d.refunded(c, 1235)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, "refund_exceeds_charge", out.Decline.Code)

	d.fake.Withdraw(1200)
	back, r, out := d.refunded(c, 1000)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.Equal(t, "insufficient_balance", out.Decline.Code)
	assert.False(t, out.Dead, "with money on the account the same number works")
	d.fake.Withdraw(-1200)
	out, err := d.ch.Refund(t.Context(), back, r)
	require.NoError(t, err)
	assert.Equal(t, payment.Succeeded, out.Verdict)

	d.fake.Advance(91 * 24 * time.Hour)
	_, _, out = d.refunded(c, 1)
	assert.Equal(t, "charge_too_old", out.Decline.Code)
	assert.True(t, out.Dead)
	assert.Equal(t, payment.Succeeded, d.ask(c, charge(payment.MethodBarcode, "")).Verdict, "finished is paid")

	_, err = d.ch.Refund(t.Context(), d.call(id.Refund, id.RefundOut), channels.RefundRequest{ChargeKey: d.call(id.Payment, id.Charge).Key.ID, AmountMinor: 1, Currency: "CNY"})
	assert.Equal(t, fault.KindNotFound, fault.Of(err))
}

// paidOut sends a payout.
func (d *desk) paidOut(destination string, amount int64) (channels.Call, channels.PayoutRequest, payment.Outcome) {
	d.Helper()
	c, r := d.call(id.Payout, id.PayoutOut), channels.PayoutRequest{AmountMinor: amount, Currency: "CNY", Destination: destination}
	out, err := d.ch.Payout(d.Context(), c, r)
	require.NoError(d, err)
	return c, r, out
}

func TestTransfersEndInEveryWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{Credit: 10_000})
	_, _, out := d.paidOut("wallet:"+fake.Nobody, 100)
	assert.Equal(t, "account_closed", out.Decline.Code)
	assert.True(t, out.Dead)
	_, _, out = d.paidOut("wallet:2088000000000077", 10_001)
	assert.Equal(t, "insufficient_balance", out.Decline.Code)
	assert.False(t, out.Dead)
	_, _, out = d.paidOut("wallet:"+fake.BrokePayee, 100)
	assert.Equal(t, payment.Unknown, out.Verdict)

	for end, want := range map[string]payment.Verdict{"SUCCESS": payment.Succeeded, "FAIL": payment.Declined} {
		c, r, out := d.paidOut("wallet:"+fake.SlowPayee, 100)
		require.Equal(t, payment.Pending, out.Verdict)
		asked, err := d.ch.AskPayout(t.Context(), c, r)
		require.NoError(t, err)
		require.Equal(t, payment.Pending, asked.Verdict)
		require.True(t, d.fake.FinishTransfer(c.Key.Reference, end))
		asked, err = d.ch.AskPayout(t.Context(), c, r)
		require.NoError(t, err)
		assert.Equal(t, want, asked.Verdict)
		assert.Equal(t, end == "FAIL", asked.Dead)
	}
	c, r, out := d.paidOut("wallet:074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5", 100)
	require.Equal(t, payment.Succeeded, out.Verdict)
	require.True(t, d.fake.FinishTransfer(c.Key.Reference, "REFUND"))
	asked, err := d.ch.AskPayout(t.Context(), c, r)
	require.NoError(t, err)
	assert.Equal(t, "payout_returned", asked.Decline.Code)
	assert.True(t, asked.Dead)
	cb, err := d.ch.ParseCallback(d.account, channels.RawCallback{Body: d.fake.Callback(c.Key.Reference), Now: d.fake.Now()})
	require.NoError(t, err)
	assert.Equal(t, asked, cb.Outcome)
}

func TestDestinationsThatAlipayCantPay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	for _, destination := range []string{"iban:DE89370400440532013000", "card:4111111111111111", "wallet:ada@example.com", "wallet:13800000000", "2088000000000077", ""} {
		_, err := d.ch.Payout(t.Context(), d.call(id.Payout, id.PayoutOut), channels.PayoutRequest{AmountMinor: 100, Currency: "CNY", Destination: destination})
		assert.True(t, fault.Is(err, fault.KindInvalid, "destination_unsupported"), "%s: %v", destination, err)
	}
	for _, r := range []channels.PayoutRequest{{AmountMinor: 9, Currency: "CNY"}, {AmountMinor: 100, Currency: "USD"}} {
		r.Destination = "wallet:2088000000000077"
		_, err := d.ch.Payout(t.Context(), d.call(id.Payout, id.PayoutOut), r)
		assert.Equal(t, fault.KindInvalid, fault.Of(err))
	}
	assert.Empty(t, d.fake.Calls())
}
