package server_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/sandbox/server"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

func TestTokensThatAnswerAtOnce(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{SlowDelay: time.Millisecond})
	cases := map[string]struct {
		verdict payment.Verdict
		code    string
		hard    bool
		amount  int64
	}{
		"tok_ok":                 {verdict: payment.Succeeded, amount: 1234},
		"tok_slow":               {verdict: payment.Succeeded, amount: 1234},
		"tok_authorize":          {verdict: payment.Authorized, amount: 1234},
		"tok_wrong_amount":       {verdict: payment.Succeeded, amount: 1235},
		"tok_insufficient_funds": {verdict: payment.Declined, code: "insufficient_funds"},
		"tok_stolen":             {verdict: payment.Declined, code: "stolen_card", hard: true},
		"4242424242424242":       {verdict: payment.Declined, code: "invalid_token", hard: true},
	}
	for token, want := range cases {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			c := b.call(id.Payment, id.Charge)
			for range 2 { // the repeat says the same
				out := b.charge(c, card(token))
				assert.Equal(t, want.verdict, out.Verdict)
				assert.Equal(t, want.amount, out.AmountMinor)
				if want.code != "" {
					assert.Equal(t, &payment.Decline{Code: want.code, Channel: want.code, Hard: want.hard}, out.Decline)
					assert.True(t, out.Dead)
				}
				if want.verdict == payment.Authorized {
					assert.WithinDuration(t, b.s.Now().Add(7*24*time.Hour), out.ExpiresAt, time.Minute)
				}
			}
			book := b.s.Lookup(c.Key.ID)
			require.Len(t, book.Charges, 1)
			assert.Equal(t, 2, book.Charges[0].Calls)
			assert.Equal(t, int64(1234), book.Charges[0].AskedMinor)
		})
	}
}

func TestTokensThatSpoilTheFirstRequest(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	cases := map[string]struct {
		first   payment.Verdict
		between payment.Verdict
		hang    bool
	}{
		"tok_timeout_before": {payment.Unknown, payment.Absent, true},
		"tok_timeout_after":  {payment.Unknown, payment.Succeeded, true},
		"tok_500":            {payment.Unknown, payment.Absent, false},
		"tok_garbage":        {payment.Unknown, payment.Succeeded, false},
		"tok_429":            {"", payment.Absent, false},
	}
	for token, want := range cases {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			c, ch := b.call(id.Payment, id.Charge), b.ch
			if want.hang {
				ch = b.hasty()
			}
			out, err := ch.Charge(t.Context(), c, card(token))
			if want.first == "" {
				require.Equal(t, fault.KindUnavailable, fault.Of(err), "%v", err)
				require.Equal(t, time.Second, fault.As(err).RetryAfter)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, want.first, out.Verdict)
			assert.Equal(t, want.between, b.ask(c).Verdict)
			assert.Equal(t, payment.Succeeded, b.charge(c, card(token)).Verdict)
			assert.Len(t, b.s.Lookup(c.Key.ID).Charges, 1)
		})
	}
}

func TestPendingSucceedsByItself(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{PendingDelay: 20 * time.Millisecond})
	in := b.inbox()
	c, r := b.call(id.Payment, id.Charge), card("tok_pending")
	r.CallbackURL = in.url
	out := b.charge(c, r)
	assert.Equal(t, payment.Pending, out.Verdict)
	assert.Nil(t, out.Action)
	cb := b.next(in)
	assert.Equal(t, c.Key.Reference, cb.Reference)
	assert.Equal(t, payment.Succeeded, cb.Outcome.Verdict)
	assert.Equal(t, payment.Succeeded, b.ask(c).Verdict)
}

func TestAnAuthorizationLapses(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c := b.call(id.Payment, id.Charge)
	require.Equal(t, payment.Authorized, b.charge(c, card("tok_authorize")).Verdict)
	b.s.SetOffset(7*24*time.Hour - time.Minute)
	require.Equal(t, payment.Authorized, b.ask(c).Verdict)
	b.s.SetOffset(7*24*time.Hour + time.Minute)
	out := b.ask(c)
	assert.Equal(t, payment.Closed, out.Verdict)
	assert.True(t, out.Dead)
}

// The sandbox forgets a key as a real channel does: that is what Guard protects from, so here it is left out.
func TestAForgottenKeyMakesASecondChargeThatTheBookShows(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	c := b.call(id.Payment, id.Charge)
	first := b.charge(c, card("tok_ok"))
	b.s.SetOffset(23 * time.Hour)
	assert.Equal(t, first.ChannelID, b.charge(c, card("tok_ok")).ChannelID)
	b.s.SetOffset(25 * time.Hour)
	second := b.charge(c, card("tok_ok")) // c.Now is still the old one: Guard is deceived
	assert.NotEqual(t, first.ChannelID, second.ChannelID)
	assert.Len(t, b.s.Lookup(c.Key.ID).Charges, 2)
	assert.Equal(t, 1, b.s.Summarize().PaidTwice)
}

func TestAHangEndsWhenTheSandboxCloses(t *testing.T) {
	t.Parallel()
	b := open(t, server.Config{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = b.ch.Charge(t.Context(), b.call(id.Payment, id.Charge), card("tok_timeout_before"))
	}()
	require.NoError(t, b.s.Close())
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the request hangs")
	}
}
