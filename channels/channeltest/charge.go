package channeltest

import (
	"context"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func ok(h *Harness) bool { return h.OK != nil }

var describes = []testCase{
	{"the description is constant and complete", nil, func(k *kit) {
		d := k.ch.Describe()
		assert.Equal(k, plain(d), plain(k.open(time.Second).Describe()))
		assert.Regexp(k, `^[a-z0-9]+$`, d.Name)
		assert.NotEmpty(k, d.Operations)
		if d.Can(channels.OpCharge) {
			assert.NotEmpty(k, d.Methods)
			assert.True(k, d.Can(channels.OpAsk), "a charge that can't be asked about")
			assert.True(k, d.Can(channels.OpCancel), "a charge that can't be closed")
		}
		if d.Can(channels.OpStatement) {
			assert.NotEmpty(k, d.Statements, "statements of no kind: none could be asked for or read")
		}
	}},
	{"an operation that isn't offered is refused", nil, func(k *kit) {
		d := k.ch.Describe()
		c := k.chargeCall(nil)
		for op, call := range operations(k.ch, k.Context(), c) {
			if d.Can(op) {
				continue
			}
			assert.True(k, fault.Is(call(), fault.KindInvalid, "operation_unsupported"), "%s", op)
		}
		assert.Zero(k, k.relay.requests())
	}},
	{"a reference fits every channel", nil, func(k *kit) {
		assert.Regexp(k, regexp.MustCompile(`^[0-9a-z]{1,32}$`), k.chargeCall(nil).Key.Reference)
	}},
}

func operations(ch channels.Channel, ctx context.Context, c channels.Call) map[channels.Operation]func() error {
	drop := func(_ payment.Outcome, err error) error { return err }
	return map[channels.Operation]func() error{
		channels.OpCharge:    func() error { return drop(ch.Charge(ctx, c, channels.ChargeRequest{})) },
		channels.OpCapture:   func() error { return drop(ch.Capture(ctx, c, channels.CaptureRequest{})) },
		channels.OpCancel:    func() error { return drop(ch.Cancel(ctx, c, channels.ChargeRequest{})) },
		channels.OpAsk:       func() error { return drop(ch.Ask(ctx, c, channels.ChargeRequest{})) },
		channels.OpRefund:    func() error { return drop(ch.Refund(ctx, c, channels.RefundRequest{})) },
		channels.OpConfirm:   func() error { return drop(ch.Confirm(ctx, c, channels.ChargeRequest{})) },
		channels.OpAskRefund: func() error { return drop(ch.AskRefund(ctx, c, channels.RefundRequest{})) },
		channels.OpPayout:    func() error { return drop(ch.Payout(ctx, c, channels.PayoutRequest{})) },
		channels.OpAskPayout: func() error { return drop(ch.AskPayout(ctx, c, channels.PayoutRequest{})) },
		channels.OpCallback: func() error {
			_, err := ch.ParseCallback(c.Account, channels.RawCallback{Now: c.Now})
			return err
		},
		channels.OpStatement: func() error {
			_, err := ch.Statement(ctx, c.Account, channels.StatementRequest{Day: c.Now})
			return err
		},
	}
}

var repeats = []testCase{
	{"a charge succeeds and says its amount", needs(ok), func(k *kit) {
		c, out := k.paid()
		k.onceInBook(c, k.h.OK.AmountMinor)
		assert.Equal(k, out.ChannelID, k.h.Book(c.Key)[0].ChannelID)
		assert.Nil(k, out.Decline)
	}},
	{"a repeat under the same key is the same charge", needs(ok), func(k *kit) {
		c, first := k.paid()
		before := k.h.Book(c.Key)
		for range 3 {
			assert.Equal(k, first.ChannelID, k.charge(c, k.h.OK).ChannelID)
		}
		assert.Equal(k, before, k.h.Book(c.Key))
	}},
	{"a new process repeats into the same charge", needs(ok), func(k *kit) {
		c, first := k.paid()
		k.ch = k.open(20 * time.Second)
		assert.Equal(k, first.ChannelID, k.charge(c, k.h.OK).ChannelID)
		assert.Equal(k, first.ChannelID, k.ask(c, k.h.OK).ChannelID)
		k.onceInBook(c, k.h.OK.AmountMinor)
	}},
	{"another body under the same key is refused", needs(ok), func(k *kit) {
		c, _ := k.paid()
		before := k.h.Book(c.Key)
		other := *k.h.OK
		other.AmountMinor += 100
		c.Key.BodyHash = hash(other)
		k.refused(k.ch.Charge(k.Context(), c, other))
		assert.Equal(k, before, k.h.Book(c.Key))
	}},
	{"twenty equal charges at once are one charge", needs(ok), twentyAtOnce},
	{"an old key sends nothing", needs(ok), oldKey},
	{"an authorization reserves and takes nothing", needs(func(h *Harness) bool { return h.Authorize != nil }), func(k *kit) {
		c := k.chargeCall(k.h.Authorize)
		out := k.charge(c, k.h.Authorize)
		assert.Equal(k, payment.Authorized, out.Verdict)
		assert.Equal(k, k.h.Authorize.AmountMinor, out.AmountMinor)
		k.onceInBook(c, k.h.Authorize.AmountMinor)
		assert.Zero(k, k.h.Book(c.Key)[0].CapturedMinor)
	}},
	{"a soft decline is an outcome", needs(func(h *Harness) bool { return h.DeclineSoft != nil }), func(k *kit) {
		k.declined(k.h.DeclineSoft, false)
	}},
	{"a hard decline is an outcome", needs(func(h *Harness) bool { return h.DeclineHard != nil }), func(k *kit) {
		k.declined(k.h.DeclineHard, true)
	}},
	{"an unknown reference is absent", needs(ok), func(k *kit) {
		assert.Equal(k, payment.Outcome{Verdict: payment.Absent}, k.ask(k.chargeCall(k.h.OK), k.h.OK))
	}},
	{"refused credentials are our failure", needs(func(h *Harness) bool { return h.OK != nil && h.Rejected != nil }), func(k *kit) {
		c := k.chargeCall(k.h.OK)
		c.Account.Credentials = k.h.Rejected
		_, err := k.ch.Charge(k.Context(), c, *k.h.OK)
		assert.Equal(k, fault.KindInternal, fault.Of(err), "%v", err)
		for _, secret := range k.h.Rejected {
			assert.NotContains(k, err.Error(), secret)
		}
	}},
}

// plain is a description without its functions, which can't be compared.
func plain(d channels.Description) channels.Description {
	d.Credentials = slices.Clone(d.Credentials)
	for i := range d.Credentials {
		d.Credentials[i].Check = nil
	}
	return d
}

// declined charges what the bank refuses, and sees that it stays refused.
func (k *kit) declined(r *channels.ChargeRequest, hard bool) {
	k.Helper()
	c := k.chargeCall(r)
	out := k.charge(c, r)
	require.Equal(k, payment.Declined, out.Verdict, "%+v", out)
	require.NotNil(k, out.Decline)
	assert.Equal(k, hard, out.Decline.Hard)
	assert.NotEmpty(k, out.Decline.Code)
	assert.NotEmpty(k, out.Decline.Channel)
	assert.Zero(k, out.AmountMinor)
	if !out.Dead {
		// The channel would still take another try: it has to be possible to end that.
		k.buried(c, r)
	}
	again := k.charge(c, r)
	assert.NotEqual(k, payment.Succeeded, again.Verdict)
	k.unpaidInBook(c)
}

// twentyAtOnce allows a channel to refuse a request while an equal one runs; what it answers must not contradict.
func twentyAtOnce(k *kit) {
	c := k.chargeCall(k.h.OK)
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			out, err := k.ch.Charge(k.Context(), c, *k.h.OK)
			if err != nil {
				assert.Contains(k, []fault.Kind{fault.KindUnavailable, fault.KindConflict}, fault.Of(err), "%v", err)
				return
			}
			if out.Verdict == payment.Unknown {
				return
			}
			if k.h.PaysLater {
				assert.Equal(k, payment.Pending, out.Verdict)
				return
			}
			assert.Equal(k, payment.Succeeded, out.Verdict)
			mu.Lock()
			defer mu.Unlock()
			ids[out.ChannelID] = true
		})
	}
	wg.Wait()
	if !k.h.PaysLater {
		assert.Len(k, ids, 1)
	}
	k.succeeded(k.charge(c, k.h.OK), k.h.OK)
	k.onceInBook(c, k.h.OK.AmountMinor)
}

// oldKey lets the channel forget the key: a repeat would be a second charge, so Guard must not send one (I-14).
func oldKey(k *kit) {
	c, first := k.paid()
	before := k.h.Book(c.Key)
	life := k.ch.Describe().KeyLife
	k.h.Advance(max(25*time.Hour, life+time.Hour))
	c.Now = k.h.Now()
	if life > 0 {
		sent := k.relay.requests()
		k.unknown(k.ch.Charge(k.Context(), c, *k.h.OK))
		assert.Equal(k, sent, k.relay.requests(), "something was sent under an old key")
	} else {
		assert.Equal(k, first.ChannelID, k.charge(c, k.h.OK).ChannelID)
	}
	k.succeeded(k.ask(c, k.h.OK), k.h.OK)
	assert.Equal(k, before, k.h.Book(c.Key))
}
