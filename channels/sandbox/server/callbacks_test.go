package server_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func TestACallbackComesWhenTheCustomerPays(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{CallbackPause: time.Millisecond})
	in := b.inbox()
	in.refuse.Store(3)
	c := b.call(id.Payment, id.Charge)
	b.charge(c, qr(in.url))
	b.admin("/admin/pay", `{"reference":`+quoted(c.Key.ID)+`}`)
	first := b.next(in)
	assert.Equal(t, payment.Succeeded, first.Outcome.Verdict)
	assert.Equal(t, int64(500), first.Outcome.AmountMinor)
	for range 3 { // refused ones come again, the same
		assert.Equal(t, first, b.next(in))
	}
	require.Eventually(t, func() bool { return b.s.Summarize().Owed == 0 }, 10*time.Second, 5*time.Millisecond)
	assert.Empty(t, in.got)
}

func TestADeclineAtThePageCallsBack(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	in := b.inbox()
	c := b.call(id.Payment, id.Charge)
	b.charge(c, qr(in.url))
	b.admin("/admin/pay", `{"reference":`+quoted(c.Key.Reference)+`,"decline":true}`)
	cb := b.next(in)
	assert.Equal(t, payment.Declined, cb.Outcome.Verdict)
	assert.Equal(t, "customer_declined", cb.Outcome.Decline.Code)
}

func TestATimeoutAfterTheEffectCallsBack(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	in := b.inbox()
	c, r := b.call(id.Payment, id.Charge), card("tok_timeout_after")
	r.CallbackURL = in.url
	_, err := b.hasty().Charge(t.Context(), c, r)
	require.NoError(t, err)
	assert.Equal(t, payment.Succeeded, b.next(in).Outcome.Verdict)
}

func TestAnInstantAnswerDoesNotCallBack(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	in := b.inbox()
	c, r := b.call(id.Payment, id.Charge), card("tok_ok")
	r.CallbackURL = in.url
	b.charge(c, r)
	assert.Zero(t, b.s.Summarize().Owed)
	// Unless a test asks for it.
	b.admin("/admin/callbacks", `{"reference":`+quoted(c.Key.ID)+`,"mode":"again"}`)
	assert.Equal(t, payment.Succeeded, b.next(in).Outcome.Verdict)
	assert.Empty(t, in.got)
}

func TestCallbacksOnPurpose(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	in := b.inbox()
	c := b.call(id.Payment, id.Charge)
	b.charge(c, qr(in.url))
	b.admin("/admin/pay", `{"reference":`+quoted(c.Key.ID)+`}`)
	first := b.next(in)
	again := func(mode, more string) (sent []server.Sent) {
		text := b.admin("/admin/callbacks", fmt.Sprintf(`{"reference":%q,"mode":%q%s}`, c.Key.ID, mode, more))
		var v struct{ Sent []server.Sent }
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		return v.Sent
	}

	assert.Len(t, again("again", `,"times":3`), 3)
	for range 3 {
		assert.Equal(t, first, b.next(in))
	}

	assert.Len(t, again("out_of_order", ""), 2)
	assert.Equal(t, first, b.next(in))
	before := b.next(in)
	assert.Equal(t, payment.Pending, before.Outcome.Verdict)
	assert.NotEqual(t, first.EventID, before.EventID)

	again("again", `,"amount_minor":1,"currency":"USD"`)
	other := b.next(in)
	assert.Equal(t, int64(1), other.Outcome.AmountMinor)
	assert.Equal(t, "USD", other.Outcome.Currency)

	for _, mode := range []string{"forged", "stale"} {
		sent := again(mode, "")
		assert.Equal(t, 200, sent[0].Status, "the inbox takes everything")
		_, err := b.ch.ParseCallback(b.account(), <-in.got)
		assert.Equal(t, fault.KindDenied, fault.Of(err), "%s: %v", mode, err)
	}

	assert.Empty(t, again("delayed", `,"delay_ms":1`))
	assert.Equal(t, first, b.next(in))

	b.admin("/admin/callbacks", fmt.Sprintf(`{"mode":"unknown","reference":"p0nobody","url":%q,"secret":%q}`, in.url, secret))
	orphan := b.next(in)
	assert.Equal(t, "p0nobody", orphan.Reference)
}

func TestOwedCallbacksOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, server.Config{Dir: dir, CallbackPause: time.Hour})
	in := b.inbox()
	in.refuse.Store(1)
	c := b.call(id.Payment, id.Charge)
	b.charge(c, qr(in.url))
	b.admin("/admin/pay", `{"reference":`+quoted(c.Key.ID)+`}`)
	first := b.next(in)
	require.NoError(t, b.s.Close())
	open(t, server.Config{Dir: dir})
	assert.Equal(t, first, b.next(in))
}
