package channeltest

import (
	"net"
	"net/http"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

var lost = []testCase{
	{"a request that was lost is Unknown, then absent, then done once under the same key", needs(ok), func(k *kit) {
		for _, f := range []spoiler{cutBefore, hangBefore} {
			c := k.chargeCall(k.h.OK)
			k.relay.next(http.MethodPost, f)
			k.unknown(k.ch.Charge(k.under(f), c, *k.h.OK))
			require.Equal(k, payment.Absent, k.ask(c, k.h.OK).Verdict)
			k.unpaidInBook(c)
			k.succeeded(k.charge(c, k.h.OK), k.h.OK)
			k.onceInBook(c, k.h.OK.AmountMinor)
		}
	}},
	{"an answer that was lost is Unknown, and asking finds the charge", needs(ok), func(k *kit) {
		for _, f := range spoilt {
			c := k.chargeCall(k.h.OK)
			k.relay.next(http.MethodPost, f)
			out, err := k.ch.Charge(k.under(f), c, *k.h.OK)
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, out.Verdict, "%s", f)
			k.unknown(out, err)
			k.succeeded(k.arrived(c, k.h.OK), k.h.OK)
			k.succeeded(k.charge(c, k.h.OK), k.h.OK)
			k.onceInBook(c, k.h.OK.AmountMinor)
		}
	}},
	{"a channel that asks to slow down did nothing", needs(ok), func(k *kit) {
		c := k.chargeCall(k.h.OK)
		k.relay.next(http.MethodPost, limited)
		_, err := k.ch.Charge(k.Context(), c, *k.h.OK)
		k.unavailable(err)
		assert.NotZero(k, fault.As(err).RetryAfter)
		k.unpaidInBook(c)
		k.succeeded(k.charge(c, k.h.OK), k.h.OK)
		k.onceInBook(c, k.h.OK.AmountMinor)
	}},
	{"a channel that can't be reached did nothing", needs(func(h *Harness) bool { return ok(h) && h.NoNetwork == "" }), func(k *kit) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(k, err)
		require.NoError(k, l.Close())
		c := k.chargeCall(k.h.OK)
		c.Account.BaseURL = "http://" + l.Addr().String()
		_, err = k.ch.Charge(k.Context(), c, *k.h.OK)
		k.unavailable(err)
		_, err = k.ch.Ask(k.Context(), c, *k.h.OK)
		k.unavailable(err)
	}},
}

var hostile = []testCase{
	{"a question without a clear answer stays open", needs(ok), func(k *kit) {
		c, _ := k.paid()
		unasked := k.chargeCall(k.h.OK)
		for _, f := range spoilt {
			for _, each := range []channels.Call{c, unasked} {
				k.relay.next(http.MethodGet, f)
				out, err := k.ch.Ask(k.under(f), each, *k.h.OK)
				require.NoError(k, err, "%s", f)
				require.Equal(k, payment.Unknown, out.Verdict, "%s", f)
			}
		}
		k.relay.heal()
		k.succeeded(k.ask(c, k.h.OK), k.h.OK)
		k.onceInBook(c, k.h.OK.AmountMinor)
	}},
	{"a state that we don't know is Unknown", needs(func(h *Harness) bool { return ok(h) && h.UnknownState != nil }), func(k *kit) {
		k.falsified(k.h.UnknownState)
	}},
	{"an answer about another charge is Unknown", needs(func(h *Harness) bool { return ok(h) && h.WrongReference != nil }), func(k *kit) {
		k.falsified(k.h.WrongReference)
	}},
	{"a wrong amount shows in the outcome", needs(func(h *Harness) bool { return ok(h) && h.WrongAmount != nil }), func(k *kit) {
		c := k.chargeCall(k.h.OK)
		var out payment.Outcome
		if k.h.PaysLater { // the first answer speaks of no amount
			k.charge(c, k.h.OK)
			k.relay.falsify(http.MethodGet, k.h.WrongAmount)
			out = k.ask(c, k.h.OK)
			k.relay.heal()
		} else {
			k.relay.falsify(http.MethodPost, k.h.WrongAmount)
			out = k.charge(c, k.h.OK)
		}
		assert.Equal(k, payment.Succeeded, out.Verdict)
		assert.Equal(k, k.h.OK.AmountMinor+1, out.AmountMinor)
	}},
}

func (k *kit) falsified(edit func(map[string]any)) {
	k.Helper()
	c := k.chargeCall(k.h.OK)
	k.relay.falsify(http.MethodPost, edit)
	k.unknown(k.ch.Charge(k.Context(), c, *k.h.OK))
	k.relay.falsify(http.MethodGet, edit)
	out, err := k.ch.Ask(k.Context(), c, *k.h.OK)
	k.relay.heal()
	require.NoError(k, err)
	assert.Contains(k, []payment.Verdict{payment.Unknown, payment.Absent}, out.Verdict)
	k.succeeded(k.arrived(c, k.h.OK), k.h.OK)
	k.onceInBook(c, k.h.OK.AmountMinor)
}
