package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox/server"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// charged makes a charge of 12.34 by a token, with callbacks to in.
func (b *box) charged(token string, in *inbox) (channels.Call, payment.Outcome) {
	b.Helper()
	c := b.call(id.Payment, id.Charge)
	r := card(token)
	if in != nil {
		r.CallbackURL = in.url
	}
	out := b.charge(c, r)
	require.Equal(b, payment.Succeeded, out.Verdict)
	return c, out
}

func (b *box) refund(of channels.Call, out payment.Outcome, amount int64) (channels.Call, channels.RefundRequest, payment.Outcome, error) {
	b.Helper()
	call := b.call(id.Refund, id.RefundOut)
	r := channels.RefundRequest{ChargeKey: of.Key.ID, ChannelID: out.ChannelID, AmountMinor: amount, TotalMinor: 1234, Currency: "CNY"}
	got, err := b.ch.Refund(b.Context(), call, r)
	return call, r, got, err
}

func (b *box) refunded(c channels.Call) int64 { return b.s.Lookup(c.Key.ID).Charges[0].RefundedMinor }

func TestAPendingRefundSettlesByItselfAndCallsBack(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{PendingDelay: 10 * time.Millisecond})
	in := b.inbox()
	c, out := b.charged("tok_refund_pending", in)
	call, r, first, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.Equal(t, payment.Pending, first.Verdict)
	cb := b.next(in)
	require.Equal(t, channels.SubjectRefund, cb.Subject)
	require.Equal(t, call.Key.Reference, cb.Reference)
	require.Equal(t, payment.Succeeded, cb.Outcome.Verdict)
	require.Equal(t, int64(100), cb.Outcome.AmountMinor)
	asked, err := b.ch.AskRefund(t.Context(), call, r)
	require.NoError(t, err)
	require.Equal(t, cb.Outcome, asked)
	require.Equal(t, int64(100), b.refunded(c))
}

func TestAnAbnormalRefundIsNotDeadAndIsTriedAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c, out := b.charged("tok_refund_abnormal", nil)
	call, r, first, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.Equal(t, payment.Declined, first.Verdict)
	require.False(t, first.Dead)
	require.Equal(t, "refund_abnormal", first.Decline.Code)
	asked, err := b.ch.AskRefund(t.Context(), call, r)
	require.NoError(t, err)
	require.False(t, asked.Dead)
	require.Equal(t, int64(100), b.refunded(c), "what isn't dead stays reserved")
	b.admin("/admin/script", `{"operation":"refund","fault":"abnormal"}`)
	again, err := b.ch.Refund(t.Context(), call, r)
	require.NoError(t, err)
	require.Equal(t, payment.Declined, again.Verdict, "a script keeps it abnormal")
	again, err = b.ch.Refund(t.Context(), call, r)
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, again.Verdict)
	require.Equal(t, int64(100), b.refunded(c))
}

func TestARefundComesBack(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{PendingDelay: 10 * time.Millisecond})
	in := b.inbox()
	c, out := b.charged("tok_refund_returned", in)
	call, _, first, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, first.Verdict)
	cb := b.next(in)
	require.Equal(t, call.Key.Reference, cb.Reference)
	require.True(t, cb.Outcome.Dead)
	require.Equal(t, "refund_returned", cb.Outcome.Decline.Code)
	require.Zero(t, b.refunded(c))
}

func TestRefundsGiveWhatTheyShouldNot(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c, out := b.charged("tok_refund_wrong_amount", nil)
	_, _, more, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.Equal(t, int64(101), more.AmountMinor)
	_, _, less, err := b.refund(c, out, 1133)
	require.NoError(t, err)
	require.Equal(t, int64(1132), less.AmountMinor)
	require.Equal(t, int64(1233), b.refunded(c))
	c, out = b.charged("tok_refund_declined", nil)
	_, _, no, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.True(t, no.Dead)
	require.Zero(t, b.refunded(c))
}

func TestRefundsOfACallbackAreSpokenOfOnPurpose(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	in := b.inbox()
	c, out := b.charged("tok_ok", in)
	call, _, _, err := b.refund(c, out, 100)
	require.NoError(t, err)
	b.admin("/admin/callbacks", `{"reference":`+quoted(call.Key.ID)+`,"mode":"out_of_order"}`)
	require.Equal(t, payment.Succeeded, b.next(in).Outcome.Verdict)
	before := b.next(in)
	require.Equal(t, payment.Pending, before.Outcome.Verdict)
	require.Equal(t, channels.SubjectRefund, before.Subject)
	b.admin("/admin/callbacks", `{"reference":`+quoted(call.Key.ID)+`,"mode":"forged","state":"declined"}`)
	_, err = b.ch.ParseCallback(b.account(), <-in.got)
	require.Equal(t, fault.KindDenied, fault.Of(err))
}

func TestRefundsOfOneChargeAreSpaced(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{Refunds: server.Spacing{MinInterval: time.Minute, Max: 2, MaxAge: 24 * time.Hour}})
	c, out := b.charged("tok_ok", nil)
	call, r, _, err := b.refund(c, out, 100)
	require.NoError(t, err)
	_, err = b.ch.Refund(t.Context(), call, r)
	require.NoError(t, err, "a repeat is no second refund")
	_, _, _, err = b.refund(c, out, 100)
	require.Equal(t, fault.KindUnavailable, fault.Of(err), "too soon: nothing happened")
	b.s.SetOffset(time.Minute)
	_, _, second, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, second.Verdict)
	b.s.SetOffset(2 * time.Minute)
	_, _, third, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.True(t, third.Dead)
	require.Equal(t, "too_many_refunds", third.Decline.Code)
	old, paid := b.charged("tok_ok", nil)
	b.s.SetOffset(25 * time.Hour)
	_, _, late, err := b.refund(old, paid, 100)
	require.NoError(t, err)
	require.Equal(t, "charge_too_old", late.Decline.Code)
	require.Equal(t, int64(200), b.refunded(c))
	status, _ := b.send(http.MethodPost, "/admin/spacing", `{"max":-1}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	b.admin("/admin/spacing", `{}`)
	_, _, free, err := b.refund(old, paid, 100)
	require.NoError(t, err)
	require.Equal(t, payment.Succeeded, free.Verdict)
}

func TestWhatASandboxOwesAboutARefundSurvivesItsRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := server.New(server.Config{Dir: dir, PendingDelay: time.Hour})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	b := open(t, server.Config{Dir: dir, PendingDelay: time.Hour})
	in := b.inbox()
	c, out := b.charged("tok_refund_pending", in)
	call, _, _, err := b.refund(c, out, 100)
	require.NoError(t, err)
	require.NoError(t, b.s.Close())
	next := open(t, server.Config{Dir: dir})
	next.s.SetOffset(time.Hour + time.Second)
	require.Equal(t, server.Succeeded, next.s.Lookup(call.Key.ID).Refunds[0].State)
	select {
	case <-in.got:
	case <-time.After(20 * time.Second):
		t.Fatal("no callback came")
	}
}
