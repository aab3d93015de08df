package channeltest

import (
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/payment"
)

func canConfirm(h *Harness, d channels.Description) bool {
	return waiting(h) && d.Can(channels.OpConfirm)
}

// pay lets the customer pay, and says the second word where the channel waits for one. It reports whether money was taken.
func (k *kit) pay(c channels.Call, r *channels.ChargeRequest) bool {
	k.Helper()
	if !k.h.Pay(c.Key) {
		return false
	}
	return !k.ch.Describe().Can(channels.OpConfirm) || k.confirm(c, r).Verdict == payment.Succeeded
}

func (k *kit) confirm(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Confirm(k.Context(), c, *r)
	require.NoError(k, err)
	return out
}

// approved makes a charge and lets the customer approve it.
func (k *kit) approved() channels.Call {
	k.Helper()
	c := k.chargeCall(k.h.Waiting)
	k.charge(c, k.h.Waiting)
	require.True(k, k.h.Pay(c.Key))
	return c
}

// confirms are about channels that take the money only on the merchant's second word.
var confirms = []testCase{
	{"an approval is shown, and moves nothing by itself", canConfirm, func(k *kit) {
		c := k.approved()
		for range 2 {
			out := k.ask(c, k.h.Waiting)
			assert.Equal(k, payment.Pending, out.Verdict)
			assert.True(k, out.Approved)
		}
		if k.h.Callback != nil {
			cb, err := k.ch.ParseCallback(c.Account, k.h.Callback(c.Key))
			require.NoError(k, err)
			assert.Equal(k, c.Key.Reference, cb.Reference)
			assert.True(k, k.hints(cb) || cb.Outcome.Approved)
		}
		k.unpaidInBook(c)
	}},
	{"what nobody approved isn't taken", canConfirm, func(k *kit) {
		c := k.chargeCall(k.h.Waiting)
		k.charge(c, k.h.Waiting)
		out := k.confirm(c, k.h.Waiting)
		assert.Equal(k, payment.Pending, out.Verdict)
		assert.False(k, out.Approved)
		k.unpaidInBook(c)
	}},
	{"an approved charge is taken once, however often and late it is confirmed", canConfirm, func(k *kit) {
		c := k.approved()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				out, err := k.ch.Confirm(k.Context(), c, *k.h.Waiting)
				if assert.NoError(k, err) && out.Verdict != payment.Unknown {
					assert.Equal(k, payment.Succeeded, out.Verdict)
				}
			})
		}
		wg.Wait()
		if life := k.ch.Describe().KeyLife; life > 0 { // the key is worn, the charge isn't
			k.h.Advance(life*3/4 + time.Minute)
			c.Now = k.h.Now()
		}
		k.succeeded(k.confirm(c, k.h.Waiting), k.h.Waiting)
		k.onceInBook(c, k.h.Waiting.AmountMinor)
	}},
	{"a confirmation whose answer is lost is Unknown, and done once", canConfirm, func(k *kit) {
		for _, f := range append([]spoiler{cutBefore, hangBefore}, spoilt...) {
			c := k.approved()
			k.relay.next(http.MethodPost, f)
			out, err := k.ch.Confirm(k.under(f), c, *k.h.Waiting)
			require.NoError(k, err, "%s", f)
			require.Equal(k, payment.Unknown, out.Verdict, "%s", f)
			asked := k.ask(c, k.h.Waiting)
			if f == cutBefore || f == hangBefore {
				require.True(k, asked.Approved, "%s", f)
			} else {
				k.succeeded(asked, k.h.Waiting)
			}
			k.succeeded(k.confirm(c, k.h.Waiting), k.h.Waiting)
			k.onceInBook(c, k.h.Waiting.AmountMinor)
		}
	}},
	{"a closed charge isn't taken, also if it was approved", canConfirm, func(k *kit) {
		c := k.approved()
		k.closed(k.cancel(c, k.h.Waiting))
		k.closed(k.confirm(c, k.h.Waiting))
		k.unpaidInBook(c)
	}},
	{"a close and a confirmation at once end the same for both", canConfirm, func(k *kit) {
		for range 5 {
			c := k.approved()
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = k.ch.Confirm(k.Context(), c, *k.h.Waiting) })
			wg.Go(func() { _, _ = k.ch.Cancel(k.Context(), c, *k.h.Waiting) })
			wg.Wait()
			end := k.cancel(c, k.h.Waiting)
			assert.Equal(k, end.Verdict, k.ask(c, k.h.Waiting).Verdict)
			if end.Verdict == payment.Succeeded {
				k.onceInBook(c, k.h.Waiting.AmountMinor)
				continue
			}
			k.closed(end)
			k.unpaidInBook(c)
		}
	}},
}
