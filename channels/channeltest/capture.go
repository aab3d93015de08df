package channeltest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func canCapture(h *Harness, d channels.Description) bool {
	return h.Authorize != nil && d.Can(channels.OpCapture)
}

func canCaptureInParts(h *Harness, d channels.Description) bool {
	return canCapture(h, d) && d.MultiCapture
}

// captureCall is the call of a capture of c's charge: the same payment, a step of its own.
func (k *kit) captureCall(c channels.Call) channels.Call { return k.nthCapture(c, 1) }

// nthCapture is the call of another one.
func (k *kit) nthCapture(c channels.Call, n int) channels.Call {
	k.Helper()
	name, _, _ := strings.Cut(c.Key.ID, ":")
	key, err := channels.NewKey(id.Key(name, id.Step{Code: id.CaptureOut, Ordinal: n}), hash("capture "+strconv.Itoa(n)+" of "+name), k.h.Now())
	require.NoError(k, err)
	return channels.Call{Account: c.Account, Key: key, Now: k.h.Now()}
}

func (k *kit) capture(c channels.Call, of payment.Outcome, amount int64) channels.CaptureRequest {
	return channels.CaptureRequest{ChargeKey: c.Key.ID, ChannelID: of.ChannelID, AmountMinor: amount,
		Currency: k.h.Authorize.Currency, Final: true}
}

// captured is what the channel's book says was taken of a charge.
func (k *kit) captured(c channels.Call) (sum int64) {
	for _, e := range k.h.Book(c.Key) {
		sum += e.CapturedMinor
	}
	return sum
}

var captures = []testCase{
	{"a capture takes the money once per key", canCapture, func(k *kit) {
		r := k.h.Authorize
		c := k.chargeCall(r)
		out := k.charge(c, r)
		call, q := k.captureCall(c), k.capture(c, out, r.AmountMinor)
		for range 3 {
			taken, err := k.ch.Capture(k.Context(), call, q)
			require.NoError(k, err)
			k.succeeded(taken, r)
		}
		assert.Equal(k, r.AmountMinor, k.captured(c))
		k.succeeded(k.ask(c, r), r)
	}},
	{"a partial capture takes its part and releases the rest", canCapture, func(k *kit) {
		r := k.h.Authorize
		c := k.chargeCall(r)
		out := k.charge(c, r)
		taken, err := k.ch.Capture(k.Context(), k.captureCall(c), k.capture(c, out, r.AmountMinor-100))
		require.NoError(k, err)
		assert.Equal(k, payment.Succeeded, taken.Verdict)
		assert.Equal(k, r.AmountMinor-100, taken.AmountMinor)
		assert.Equal(k, r.AmountMinor-100, k.captured(c))
		assert.Equal(k, r.AmountMinor-100, k.ask(c, r).AmountMinor)
	}},
	{"several captures take their parts, each once, and never more than was authorized", canCaptureInParts, func(k *kit) {
		r := k.h.Authorize
		c := k.chargeCall(r)
		out := k.charge(c, r)
		part := k.capture(c, out, 100)
		part.Final = false
		for n := range 3 {
			for range 2 {
				taken, err := k.ch.Capture(k.Context(), k.nthCapture(c, n+1), part)
				require.NoError(k, err)
				assert.Equal(k, payment.Succeeded, taken.Verdict)
				assert.Equal(k, int64(100), taken.AmountMinor)
			}
			assert.Equal(k, int64(100*(n+1)), k.captured(c))
			assert.Equal(k, payment.Authorized, k.ask(c, r).Verdict, "the rest is still held")
		}
		beyond := part
		beyond.AmountMinor = r.AmountMinor - 299
		k.refused(k.ch.Capture(k.Context(), k.nthCapture(c, 4), beyond))
		closed, err := k.ch.Cancel(k.Context(), c, *r)
		require.NoError(k, err)
		assert.Equal(k, payment.Succeeded, closed.Verdict, "the rest is given back, and what was captured stays")
		assert.Equal(k, int64(300), closed.AmountMinor)
		assert.Equal(k, int64(300), k.captured(c))
		after, err := k.ch.Capture(k.Context(), k.nthCapture(c, 5), part)
		assert.True(k, err != nil || after.Verdict == payment.Closed, "captured after the end: %v", after.Verdict)
	}},
	{"no more is captured than was authorized", canCapture, func(k *kit) {
		r := k.h.Authorize
		c := k.chargeCall(r)
		out := k.charge(c, r)
		k.refused(k.ch.Capture(k.Context(), k.captureCall(c), k.capture(c, out, r.AmountMinor+1)))
		assert.Zero(k, k.captured(c))
	}},
	{"a capture whose answer is lost is Unknown, and done once under the same key", canCapture, func(k *kit) {
		r := k.h.Authorize
		for _, f := range append([]spoiler{cutBefore}, spoilt...) {
			c := k.chargeCall(r)
			out := k.charge(c, r)
			call, q := k.captureCall(c), k.capture(c, out, r.AmountMinor)
			k.relay.next(http.MethodPost, f)
			k.unknown(k.ch.Capture(k.under(f), call, q))
			taken, err := k.ch.Capture(k.Context(), call, q)
			require.NoError(k, err)
			k.succeeded(taken, r)
			assert.Equal(k, r.AmountMinor, k.captured(c))
		}
	}},
}
