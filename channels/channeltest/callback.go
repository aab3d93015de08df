package channeltest

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func canCallback(h *Harness, d channels.Description) bool {
	return h.Callback != nil && d.Can(channels.OpCallback)
}

// told makes a charge, lets the customer pay it where one has to, and returns the channel's callback about it.
func (k *kit) told() (channels.Call, *channels.ChargeRequest, channels.RawCallback) {
	k.Helper()
	if !waiting(k.h) {
		c, _ := k.paid()
		return c, k.h.OK, k.h.Callback(c.Key)
	}
	c := k.chargeCall(k.h.Waiting)
	k.charge(c, k.h.Waiting)
	require.True(k, k.pay(c, k.h.Waiting))
	return c, k.h.Waiting, k.h.Callback(c.Key)
}

// hints: the channel's callbacks prove nothing, and this one says no more than what to ask about.
func (k *kit) hints(cb channels.Callback) bool {
	k.Helper()
	if !k.ch.Describe().Hints {
		return false
	}
	out := cb.Outcome
	out.Reason = ""
	require.Equal(k, payment.Outcome{Verdict: payment.Unknown}, out, "a callback that proves nothing was believed")
	require.Nil(k, cb.Dispute)
	return true
}

// confirmed says the second word about a charge that waits for it.
func (k *kit) confirmed(c channels.Call, r *channels.ChargeRequest, out payment.Outcome) payment.Outcome {
	k.Helper()
	if out.Approved {
		return k.confirm(c, r)
	}
	return out
}

// denied requires that a callback is not believed, and returns why.
func (k *kit) denied(a channels.Account, raw channels.RawCallback) {
	k.Helper()
	cb, err := k.ch.ParseCallback(a, raw)
	require.Error(k, err, "%+v", cb)
	require.Contains(k, []fault.Kind{fault.KindDenied, fault.KindInvalid}, fault.Of(err), "%v", err)
	require.Equal(k, channels.Callback{}, cb, "something was read from a callback that isn't believed")
}

var callbacks = []testCase{
	{"a callback says what became of our charge", canCallback, func(k *kit) {
		c, r, raw := k.told()
		cb, err := k.ch.ParseCallback(c.Account, raw)
		require.NoError(k, err)
		assert.Equal(k, channels.SubjectCharge, cb.Subject)
		assert.Equal(k, c.Key.Reference, cb.Reference)
		asked := k.ask(c, r)
		if k.hints(cb) {
			k.succeeded(k.confirmed(c, r, asked), r)
			return
		}
		k.succeeded(cb.Outcome, r)
		assert.Equal(k, asked.ChannelID, cb.Outcome.ChannelID)
	}},
	{"a callback tells of a dispute, and how it ends", func(h *Harness, d channels.Description) bool {
		return canCallback(h, d) && h.Dispute != nil
	}, func(k *kit) {
		c, r, _ := k.told()
		var words []dispute.Word
		for _, act := range []struct {
			act  string
			want dispute.Status
		}{{"open", dispute.Open}, {"lose", dispute.Lost}, {"win", dispute.Won}} {
			raw := k.h.Dispute(c.Key, act.act)
			cb, err := k.ch.ParseCallback(c.Account, raw)
			require.NoError(k, err)
			require.Equal(k, channels.SubjectDispute, cb.Subject)
			if cb.Reference == "" { // then it names the charge as the channel does
				require.Equal(k, k.ask(c, r).ChannelID, cb.Outcome.ChannelID)
			} else {
				require.Equal(k, c.Key.Reference, cb.Reference)
			}
			require.NotNil(k, cb.Dispute)
			require.NoError(k, cb.Dispute.Check())
			assert.Equal(k, act.want, cb.Dispute.Status)
			assert.Equal(k, r.AmountMinor, cb.Dispute.AmountMinor)
			assert.Equal(k, r.Currency, cb.Dispute.Currency)
			words = append(words, *cb.Dispute)
			raw.Body = append(slices.Clone(raw.Body), ' ')
			_, err = k.ch.ParseCallback(c.Account, raw)
			assert.Equal(k, fault.KindDenied, fault.Of(err), "%v", err)
		}
		assert.Equal(k, words[0].ID, words[2].ID)
		assert.False(k, words[2].At.Before(words[0].At))
	}},
	{"a callback about a waiting charge says no more than that", needs(func(h *Harness) bool {
		return waiting(h) && h.Callback != nil
	}), func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		k.charge(c, k.h.Waiting)
		raw := k.h.Callback(c.Key)
		if raw.Body == nil {
			return
		}
		cb, err := k.ch.ParseCallback(c.Account, raw)
		require.NoError(k, err)
		assert.Contains(k, []payment.Verdict{payment.Pending, payment.Unknown, ""}, cb.Outcome.Verdict)
	}},
	{"a repeated callback is recognised", canCallback, func(k *kit) {
		c, _, raw := k.told()
		first, err := k.ch.ParseCallback(c.Account, raw)
		require.NoError(k, err)
		raw.Now = raw.Now.Add(time.Minute)
		second, err := k.ch.ParseCallback(c.Account, raw)
		require.NoError(k, err)
		assert.Equal(k, first, second)
	}},
	{"a callback signed by another is denied", func(h *Harness, d channels.Description) bool {
		return canCallback(h, d) && h.Foreign != nil
	}, func(k *kit) {
		c, _, raw := k.told()
		a := c.Account
		a.Credentials = k.h.Foreign
		_, err := k.ch.ParseCallback(a, raw)
		assert.Equal(k, fault.KindDenied, fault.Of(err), "%v", err)
	}},
	{"a callback out of its time is denied", canCallback, func(k *kit) {
		c, _, raw := k.told()
		for _, d := range []time.Duration{k.h.CallbackAge + 10*time.Minute, -10 * time.Minute, k.h.CallbackAge + 25*time.Hour} {
			late := raw
			late.Now = raw.Now.Add(d)
			_, err := k.ch.ParseCallback(c.Account, late)
			assert.Equal(k, fault.KindDenied, fault.Of(err), "%s: %v", d, err)
		}
	}},
	{"a callback that isn't signed is denied", canCallback, func(k *kit) {
		c, _, raw := k.told()
		if k.h.Unsigned != nil {
			for _, bare := range k.h.Unsigned(raw) {
				k.denied(c.Account, bare)
			}
			return
		}
		k.denied(c.Account, channels.RawCallback{Body: raw.Body, Now: raw.Now})
		for name := range raw.Header {
			genuine := raw.Header[name]
			for _, values := range [][]string{nil, {""}, {"t=1"}, {"t=,v1="}, {"v1=00"}, {"\x00"}, {strings.Repeat("A", 1<<20)}, slices.Concat(genuine, genuine),
				slices.Concat(genuine, []string{"x"}), slices.Concat([]string{"x"}, genuine), {strings.Join(genuine, "") + "x"}, {strings.ToUpper(strings.Join(genuine, ""))}} {
				bare := raw
				bare.Header = maps.Clone(raw.Header)
				bare.Header[name] = values
				if cb, err := k.ch.ParseCallback(c.Account, bare); err == nil {
					// A header that carries no signature may say what it likes.
					honest, honestErr := k.ch.ParseCallback(c.Account, raw)
					require.NoError(k, honestErr)
					require.Equal(k, honest, cb)
				}
			}
		}
	}},
	{"a callback with a changed body is denied", canCallback, func(k *kit) {
		c, _, raw := k.told()
		honest, err := k.ch.ParseCallback(c.Account, raw)
		require.NoError(k, err)
		change := func(body []byte) {
			other := raw
			other.Body = body
			cb, err := k.ch.ParseCallback(c.Account, other)
			if k.h.Unsigned != nil && err == nil { // the same, written otherwise
				require.Equal(k, honest, cb)
				return
			}
			require.Equal(k, fault.KindDenied, fault.Of(err), "%v", err)
		}
		change(nil)
		change(append(slices.Clone(raw.Body), ' '))
		change(bytes.ReplaceAll(raw.Body, []byte(":"), []byte(": ")))
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			body := slices.Clone(raw.Body)
			body[random.IntN(len(body))] ^= byte(1 + random.IntN(255))
			change(body)
		}
	}},
}
