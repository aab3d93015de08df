package channeltest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// kit is what a case works with: the guarded adapter, as paysaga calls it, with the relay before the server.
type kit struct {
	*testing.T
	h     *Harness
	ch    channels.Channel
	relay *relay
	acct  channels.Account
	minor byte
	// called are the operations that reached the adapter.
	called map[channels.Operation]bool
}

func newKit(t *testing.T, h *Harness) *kit {
	k := &kit{T: t, h: h, called: map[channels.Operation]bool{}, relay: newRelay(t, h.Account.BaseURL, h.Aside), acct: h.Account}
	k.acct.BaseURL = k.relay.URL
	k.relay.sealed, k.relay.asks = h.Sealed, h.Asks
	if h.NoNetwork != "" {
		k.relay.absent = func() { k.Skipf("a network's fault, and the channel has %s", h.NoNetwork) }
	}
	k.ch = k.open(20 * time.Second)
	return k
}

// open makes an adapter as a new process would.
func (k *kit) open(timeout time.Duration) channels.Channel {
	c := wire.New(wire.Config{Timeout: timeout})
	k.Cleanup(c.CloseIdle)
	return channels.Guard(&noting{Channel: k.h.New(c), called: k.called})
}

// under is the context of a call that meets a fault. Where no answer ever comes the caller gives up, once the relay
// says that the request has arrived: no time-out decides what a case sees.
func (k *kit) under(f spoiler) context.Context {
	if !endless(f) {
		return k.Context()
	}
	ctx, cancel := context.WithCancel(k.Context())
	k.Cleanup(cancel)
	k.relay.whenStuck(cancel)
	return ctx
}

// call is a call under a key that is born now.
func (k *kit) call(p id.Prefix, code id.Code, request any) channels.Call {
	k.Helper()
	k.minor++
	now := k.h.Now()
	name := id.New(p, uint64(now.UnixMilli()), [10]byte{k.minor})
	key, err := channels.NewKey(id.Key(name, id.Step{Code: code, Ordinal: 1}), hash(request), now)
	require.NoError(k, err)
	return channels.Call{Account: k.acct, Key: key, Now: now}
}

func (k *kit) chargeCall(r *channels.ChargeRequest) channels.Call {
	k.Helper()
	return k.call(id.Payment, id.Charge, r)
}

func hash(request any) string {
	raw, _ := json.Marshal(request)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// charge makes a charge that has to be answered. Where it is paid later it is paid now.
func (k *kit) charge(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Charge(k.Context(), c, *r)
	require.NoError(k, err)
	if k.later(r) && out.Verdict == payment.Pending {
		return k.arrived(c, r)
	}
	return out
}

// later says that the customer has to pay what would succeed at once elsewhere.
func (k *kit) later(r *channels.ChargeRequest) bool {
	return k.h.PaysLater && (r == k.h.OK || r == k.h.PendingRefund)
}

// arrived asks about a charge that has reached the channel. Where it is paid later it is paid now.
func (k *kit) arrived(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	k.Helper()
	out := k.ask(c, r)
	if k.later(r) {
		require.Equal(k, payment.Pending, out.Verdict, "%+v", out)
		require.True(k, k.h.Pay(c.Key))
		out = k.ask(c, r)
	}
	return out
}

// payout makes a payout that has to be answered. Where it ends later it ends now.
func (k *kit) payout(c channels.Call, r channels.PayoutRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Payout(k.Context(), c, r)
	require.NoError(k, err)
	if k.h.FinishPayout != nil && out.Verdict == payment.Pending {
		require.True(k, k.h.FinishPayout(c.Key))
		out, err = k.ch.AskPayout(k.Context(), c, r)
		require.NoError(k, err)
	}
	return out
}

// paid makes a charge that succeeds.
func (k *kit) paid() (channels.Call, payment.Outcome) {
	k.Helper()
	c := k.chargeCall(k.h.OK)
	out := k.charge(c, k.h.OK)
	k.succeeded(out, k.h.OK)
	return c, out
}

func (k *kit) ask(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Ask(k.Context(), c, *r)
	require.NoError(k, err)
	return out
}

func (k *kit) cancel(c channels.Call, r *channels.ChargeRequest) payment.Outcome {
	k.Helper()
	out, err := k.ch.Cancel(k.Context(), c, *r)
	require.NoError(k, err)
	return out
}

func (k *kit) succeeded(out payment.Outcome, r *channels.ChargeRequest) {
	k.Helper()
	require.Equal(k, payment.Succeeded, out.Verdict, "%+v", out)
	require.Equal(k, r.AmountMinor, out.AmountMinor)
	require.Equal(k, r.Currency, out.Currency)
	require.NotEmpty(k, out.ChannelID)
}

// buried cancels a charge that the channel has nothing of, and requires that it ends: at once, or once nothing can be on
// its way any more.
func (k *kit) buried(c channels.Call, r *channels.ChargeRequest) {
	k.Helper()
	out := k.cancel(c, r)
	if k.h.Lapse > 0 && out.Verdict == payment.Absent {
		k.h.Advance(k.h.Lapse)
		c.Now = k.h.Now()
		out = k.cancel(c, r)
	}
	k.closed(out)
}

// closed requires the outcome of something that can never succeed.
func (k *kit) closed(out payment.Outcome) {
	k.Helper()
	require.Equal(k, payment.Closed, out.Verdict, "%+v", out)
	require.True(k, out.Dead, "closed, but not said to be dead")
}

// onceInBook requires one paid charge under the key, of this amount.
func (k *kit) onceInBook(c channels.Call, amount int64) {
	k.Helper()
	var paid []Entry
	for _, e := range k.h.Book(c.Key) {
		if e.Paid {
			paid = append(paid, e)
		}
	}
	require.Len(k, paid, 1, "the channel's book")
	require.Equal(k, amount, paid[0].AmountMinor)
}

// unpaidInBook requires that no money moved under the key.
func (k *kit) unpaidInBook(c channels.Call) {
	k.Helper()
	for _, e := range k.h.Book(c.Key) {
		require.False(k, e.Paid, "the channel's book: %+v", e)
	}
}

// unknown requires the outcome Unknown, with a reason and nothing else that could be believed.
func (k *kit) unknown(out payment.Outcome, err error) {
	k.Helper()
	require.NoError(k, err)
	require.Equal(k, payment.Unknown, out.Verdict, "%+v", out)
	require.NotEmpty(k, out.Reason)
	require.False(k, out.Dead)
	require.Zero(k, out.AmountMinor)
}

// unavailable requires the promise that nothing happened.
func (k *kit) unavailable(err error) {
	k.Helper()
	require.Equal(k, fault.KindUnavailable, fault.Of(err), "%v", err)
}

// refused requires an error by which the channel did nothing and never will.
func (k *kit) refused(out payment.Outcome, err error) {
	k.Helper()
	require.Error(k, err, "%+v", out)
	require.Contains(k, []fault.Kind{fault.KindConflict, fault.KindInvalid}, fault.Of(err), "%v", err)
}
