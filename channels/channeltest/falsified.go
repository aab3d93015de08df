package channeltest

import (
	"net/http"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Falsified falsifies the JSON of answers about a refund or a payout, each as its name says. An edit leaves alone what it
// doesn't know.
type Falsified struct {
	UnknownState, WrongReference, WrongAmount func(map[string]any)
}

// leaving is a refund or a payout that is about to be made.
type leaving struct {
	send, ask func() (payment.Outcome, error)
	finish    func() payment.Outcome // lets it come to its end
	once      func()                 // the book has it once
	minor     int64
}

func (k *kit) leaving(op channels.Operation) leaving {
	k.Helper()
	if op == channels.OpPayout {
		r := *k.h.Payout
		c := k.call(id.Payout, id.PayoutOut, r)
		return leaving{func() (payment.Outcome, error) { return k.ch.Payout(k.Context(), c, r) },
			func() (payment.Outcome, error) { return k.ch.AskPayout(k.Context(), c, r) },
			func() payment.Outcome { return k.payout(c, r) }, func() { k.onceInBook(c, r.AmountMinor) }, r.AmountMinor}
	}
	of, paid := k.paid()
	c, r := k.refundOf(of, paid, 100)
	return leaving{func() (payment.Outcome, error) { return k.ch.Refund(k.Context(), c, r) },
		func() (payment.Outcome, error) { return k.ch.AskRefund(k.Context(), c, r) },
		func() payment.Outcome {
			_, err := k.ch.Refund(k.Context(), c, r)
			require.NoError(k, err)
			return k.askRefund(c, r)
		}, func() { assert.Equal(k, int64(100), k.refunded(of)) }, 100}
}

// lied makes it while its answers are falsified: nothing is believed, and nothing is made twice.
func (k *kit) lied(op channels.Operation, edit func(map[string]any)) {
	k.Helper()
	l := k.leaving(op)
	k.relay.falsify(http.MethodPost, edit)
	k.unknown(l.send())
	k.relay.falsify(http.MethodGet, edit)
	out, err := l.ask()
	k.relay.heal()
	require.NoError(k, err)
	assert.Contains(k, []payment.Verdict{payment.Unknown, payment.Absent}, out.Verdict)
	assert.Equal(k, payment.Succeeded, l.finish().Verdict)
	l.once()
}

// falsified are hostile answers about money that leaves; those about a charge are among hostile.
var falsified = append(lies(channels.OpRefund, "refund"), lies(channels.OpPayout, "payout")...)

func lies(op channels.Operation, what string) []testCase {
	can := func(h *Harness, d channels.Description) bool {
		f, ok := h.Falsified[op]
		return ok && f.UnknownState != nil && f.WrongReference != nil && f.WrongAmount != nil && d.Can(op)
	}
	return []testCase{
		{"a " + what + " in a state that we don't know is Unknown", can, func(k *kit) { k.lied(op, k.h.Falsified[op].UnknownState) }},
		{"an answer about another " + what + " is Unknown", can, func(k *kit) { k.lied(op, k.h.Falsified[op].WrongReference) }},
		{"a wrong amount of a " + what + " is never taken for the right one", can, func(k *kit) {
			l := k.leaving(op)
			require.Equal(k, payment.Succeeded, l.finish().Verdict)
			k.relay.falsify(http.MethodGet, k.h.Falsified[op].WrongAmount)
			out, err := l.ask()
			k.relay.heal()
			require.NoError(k, err)
			if out.Verdict != payment.Unknown {
				assert.Equal(k, payment.Succeeded, out.Verdict)
				assert.Equal(k, l.minor+1, out.AmountMinor)
			}
			l.once()
		}},
	}
}
