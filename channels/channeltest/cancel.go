package channeltest

import (
	"net/http"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/domain/payment"
)

func waiting(h *Harness) bool   { return h.Waiting != nil && h.Pay != nil }
func authorize(h *Harness) bool { return h.Authorize != nil }

var cancels = []testCase{
	{"a waiting charge says what the customer has to do", needs(waiting), func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		out := k.charge(c, k.h.Waiting)
		require.Equal(k, payment.Pending, out.Verdict, "%+v", out)
		require.NotNil(k, out.Action)
		assert.Contains(k, []payment.ActionType{payment.ActionQR, payment.ActionRedirect, payment.ActionBankTransfer}, out.Action.Type)
		assert.True(k, out.Action.URL != "" || len(out.Action.Parameters) > 0, "nothing that the customer could do")
		assert.Zero(k, out.AmountMinor)
		assert.Equal(k, out.Action, k.charge(c, k.h.Waiting).Action, "a repeat shows the same")
		assert.Equal(k, payment.Pending, k.ask(c, k.h.Waiting).Verdict)
		k.unpaidInBook(c)
	}},
	{"every other way to pay asks for something of its own, and is paid once or closed", needs(func(h *Harness) bool {
		return len(h.Ways) > 0 && h.Pay != nil
	}), func(k *kit) {
		for name, way := range k.h.Ways {
			r := way.Request
			c := k.chargeCall(&r)
			out := k.charge(c, &r)
			require.Equal(k, payment.Pending, out.Verdict, "%s: %+v", name, out)
			require.NotNil(k, out.Action, name)
			assert.Equal(k, way.Action, out.Action.Type, name)
			for _, p := range way.Parameters {
				assert.NotEmpty(k, out.Action.Parameters[p], "%s: %s", name, p)
			}
			assert.Equal(k, out.Action, k.charge(c, &r).Action, "%s: a repeat shows the same", name)
			k.unpaidInBook(c)
			require.True(k, k.h.Pay(c.Key), name)
			k.succeeded(k.ask(c, &r), &r)
			k.onceInBook(c, r.AmountMinor)
			left := k.chargeCall(&r)
			k.charge(left, &r)
			k.closed(k.cancel(left, &r))
			k.unpaidInBook(left)
		}
	}},
	{"a charge that the customer paid is found by asking", needs(waiting), func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		k.charge(c, k.h.Waiting)
		require.True(k, k.pay(c, k.h.Waiting))
		out := k.ask(c, k.h.Waiting)
		k.succeeded(out, k.h.Waiting)
		assert.False(k, out.EffectiveAt.IsZero(), "when it was paid decides what is late")
		k.onceInBook(c, k.h.Waiting.AmountMinor)
	}},
	{"an unpaid charge is closed, and then can't be paid any more", needs(waiting), func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		k.charge(c, k.h.Waiting)
		k.closed(k.cancel(c, k.h.Waiting))
		if k.h.PaysClosed {
			k.closed(k.ask(c, k.h.Waiting))
			require.True(k, k.pay(c, k.h.Waiting))
			k.succeeded(k.ask(c, k.h.Waiting), k.h.Waiting)
			k.succeeded(k.cancel(c, k.h.Waiting), k.h.Waiting)
			return
		}
		assert.False(k, k.pay(c, k.h.Waiting), "the channel took money for a closed charge")
		k.closed(k.ask(c, k.h.Waiting))
		k.closed(k.cancel(c, k.h.Waiting))
		k.unpaidInBook(c)
	}},
	{"cancelling a paid charge says that it succeeded", needs(ok), func(k *kit) {
		c, _ := k.paid()
		k.succeeded(k.cancel(c, k.h.OK), k.h.OK)
		k.onceInBook(c, k.h.OK.AmountMinor)
	}},
	{"the customer was faster than the cancel", needs(waiting), func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		k.charge(c, k.h.Waiting)
		require.True(k, k.pay(c, k.h.Waiting))
		k.succeeded(k.cancel(c, k.h.Waiting), k.h.Waiting)
		k.onceInBook(c, k.h.Waiting.AmountMinor)
	}},
	{"absent and cancelled is dead: a request that comes late makes no charge", needs(ok), func(k *kit) {
		c := k.chargeCall(k.h.OK)
		require.Equal(k, payment.Absent, k.ask(c, k.h.OK).Verdict)
		k.buried(c, k.h.OK)
		out, err := k.ch.Charge(k.Context(), c, *k.h.OK)
		if err == nil {
			assert.NotContains(k, []payment.Verdict{payment.Succeeded, payment.Authorized, payment.Pending}, out.Verdict)
		}
		k.unpaidInBook(c)
		c.Now = k.h.Now()
		k.closed(k.cancel(c, k.h.OK))
	}},
	{"a lost charge that is cancelled is either paid or dead", needs(ok), func(k *kit) {
		for _, f := range []spoiler{cutAfter, cutBefore} {
			c := k.chargeCall(k.h.OK)
			k.relay.next(http.MethodPost, f)
			k.unknown(k.ch.Charge(k.Context(), c, *k.h.OK))
			if f == cutAfter && !k.h.PaysLater {
				k.succeeded(k.cancel(c, k.h.OK), k.h.OK)
				k.onceInBook(c, k.h.OK.AmountMinor)
			} else {
				k.buried(c, k.h.OK)
				k.unpaidInBook(c)
			}
		}
	}},
	{"a cancel whose answer is spoiled is Unknown, and repeated", needs(waiting), func(k *kit) {
		for _, f := range spoilt {
			c := k.chargeCall(k.h.Waiting)
			k.charge(c, k.h.Waiting)
			k.relay.next(http.MethodPost, f)
			out, err := k.ch.Cancel(k.under(f), c, *k.h.Waiting)
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, out.Verdict, "%s", f)
			k.closed(k.cancel(c, k.h.Waiting))
			k.unpaidInBook(c)
		}
	}},
	{"an authorization is voided, and then can't be captured", needs(authorize), func(k *kit) {
		c := k.chargeCall(k.h.Authorize)
		out := k.charge(c, k.h.Authorize)
		k.closed(k.cancel(c, k.h.Authorize))
		k.closed(k.ask(c, k.h.Authorize))
		taken, err := k.ch.Capture(k.Context(), k.captureCall(c), k.capture(c, out, k.h.Authorize.AmountMinor))
		if err == nil {
			assert.NotEqual(k, payment.Succeeded, taken.Verdict)
		}
		k.unpaidInBook(c)
	}},
}
