package stripe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// What goes wrong with the answer, whether the charge happened, and what a repeat under the same key says.
func TestNoFaultChargesTwice(t *testing.T) {
	t.Parallel()
	cases := []struct {
		kind   fake.FaultKind
		first  payment.Verdict // "" for an error of kind unavailable
		asked  payment.Verdict
		repeat payment.Verdict
		after  int // charges after the repeat
	}{
		{fake.LostRequest, payment.Unknown, payment.Absent, payment.Succeeded, 1},
		{fake.LostAnswer, payment.Unknown, payment.Succeeded, payment.Succeeded, 1},
		{fake.Slow, payment.Unknown, payment.Succeeded, payment.Succeeded, 1},
		{fake.Garbage, payment.Unknown, payment.Succeeded, payment.Succeeded, 1},
		{fake.Error500, payment.Unknown, payment.Succeeded, payment.Unknown, 1}, // the 500 is what Stripe stored
		{fake.Error500Undone, payment.Unknown, payment.Absent, payment.Unknown, 0},
		{fake.BadGateway, payment.Unknown, payment.Absent, payment.Succeeded, 1},
		{fake.RateLimited, "", payment.Absent, payment.Succeeded, 1},
	}
	for _, c := range cases {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.fake.Plant(fake.Fault{Kind: c.kind, Method: "POST"})
			call, r := b.call(id.Charge), card("pm_card_visa")
			out, err := b.ch.Charge(context.Background(), call, r)
			if c.first == "" {
				assert.True(t, fault.Is(err, fault.KindUnavailable, "channel_rate_limited"), err)
				assert.Equal(t, time.Second, fault.As(err).RetryAfter)
			} else {
				require.NoError(t, err)
				assert.Equal(t, c.first, out.Verdict)
			}
			assert.Equal(t, c.asked, b.ask(call).Verdict)
			assert.Equal(t, c.repeat, b.charge(call, r).Verdict)
			assert.Equal(t, c.after, b.charged())

			b.fake.Advance(25 * time.Hour) // Stripe has forgotten the key
			assert.Equal(t, payment.Unknown, b.charge(b.later(call), r).Verdict, "an old key sends nothing (I-14)")
			assert.Equal(t, c.after, b.charged())
		})
	}
}

func TestFaultsOfAsking(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.FaultKind{fake.LostRequest, fake.LostAnswer, fake.Slow, fake.Garbage, fake.BadGateway, fake.Error500Undone} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			call := b.call(id.Charge)
			done := b.charge(call, card("pm_card_visa"))
			for _, known := range []string{"", done.ChannelID} {
				call.ChannelID = known
				b.fake.Plant(fake.Fault{Kind: kind, Method: "GET", Times: -1}) // a broken read may be repeated by net/http
				assert.Equal(t, payment.Unknown, b.ask(call).Verdict, "never absent because of a fault")
				b.fake.Heal()
			}
			assert.Equal(t, done, b.ask(call))
		})
	}
}

func TestTheSearchTurnsPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	wanted := b.call(id.Charge)
	done := b.charge(wanted, card("pm_card_visa"))
	for range 220 {
		b.charge(b.call(id.Charge), card("pm_card_visa"))
	}
	assert.Equal(t, done, b.ask(wanted))
	assert.Equal(t, payment.Absent, b.ask(b.call(id.Charge)).Verdict)

	// A late charge lies outside of the near window.
	late := b.call(id.Charge)
	b.fake.Advance(3 * time.Hour)
	done = b.charge(b.later(late), card("pm_card_visa"))
	assert.Equal(t, done, b.ask(b.later(late)))
	b.fake.Advance(60 * 24 * time.Hour)
	assert.Equal(t, done, b.ask(b.later(late)))
}

func TestAWrongChannelIDIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.charge(b.call(id.Charge), card("pm_card_visa"))
	call := b.call(id.Charge)
	for _, known := range []string{other.ChannelID, "pi_nonesuch"} {
		call.ChannelID = known
		assert.Equal(t, payment.Absent, b.ask(call).Verdict)
	}
}

func TestCancelWithoutAnIntentTakesTheKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	for range 2 {
		out := b.cancel(call, r)
		assert.Equal(t, payment.Closed, out.Verdict)
		assert.True(t, out.Dead)
	}
	// The charge was on its way and arrives now.
	out := b.charge(call, r)
	assert.Equal(t, payment.Closed, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, payment.Closed, b.ask(call).Verdict)
	assert.Equal(t, 0, b.charged())
	assert.Len(t, b.fake.Intents(), 1)
}

func TestCancelWhileTheChargeRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	hold := b.fake.Plant(fake.Fault{Kind: fake.Hold, Method: "POST"})
	done := make(chan payment.Outcome, 1)
	go func() {
		out, _ := b.ch.Charge(context.Background(), call, r)
		done <- out
	}()
	<-hold.Held()
	out, err := b.ch.Charge(context.Background(), call, r)
	require.NoError(t, err)
	assert.Equal(t, payment.Unknown, out.Verdict, "409: the first still runs")
	assert.Equal(t, payment.Unknown, b.cancel(call, r).Verdict, "the key is taken, and nothing shows")
	hold.Release()
	<-done
	assert.Equal(t, payment.Succeeded, b.cancel(call, r).Verdict, "the money was there first")
	assert.Equal(t, 1, b.charged())
}

func TestCancelAfterARefusalWithoutAnIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_nonesuch")
	_, err := b.ch.Charge(context.Background(), call, r)
	assert.True(t, fault.Is(err, fault.KindInvalid, "channel_refused"), err)
	out := b.cancel(call, r)
	assert.Equal(t, payment.Closed, out.Verdict, "the stored refusal proves that there is nothing")
	assert.Empty(t, b.fake.Intents())
}

func TestCancelAfterAStoredFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	b.fake.Plant(fake.Fault{Kind: fake.Error500Undone, Method: "POST"})
	b.charge(call, r)
	assert.Equal(t, payment.Unknown, b.cancel(call, r).Verdict, "a stored 500 proves nothing")
	b.fake.Advance(13*time.Hour + time.Minute)
	out := b.cancel(b.later(call), r)
	assert.Equal(t, payment.Closed, out.Verdict, "nothing sends the key any more")
	assert.True(t, out.Dead)
	assert.Empty(t, b.fake.Intents())
}

func TestCancelWithoutAnIntentMeetsFaults(t *testing.T) {
	t.Parallel()
	for _, kind := range []fake.FaultKind{fake.LostRequest, fake.LostAnswer, fake.Garbage, fake.BadGateway} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			call, r := b.call(id.Charge), card("pm_card_visa")
			b.fake.Plant(fake.Fault{Kind: kind, Method: "POST"})
			assert.Equal(t, payment.Unknown, b.cancel(call, r).Verdict)
			b.fake.Plant(fake.Fault{Kind: kind, Method: "POST", Path: "/cancel"})
			assert.Equal(t, payment.Unknown, b.cancel(call, r).Verdict)
			assert.Equal(t, payment.Closed, b.cancel(call, r).Verdict)
			assert.Equal(t, payment.Closed, b.charge(call, r).Verdict)
			assert.Equal(t, 0, b.charged())
		})
	}
}

func TestWhatIsProcessingCannotBeCancelledYet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_threeDSecureRequired")
	out := b.charge(call, r)
	b.fake.SetStatus(out.ChannelID, "processing")
	assert.Equal(t, payment.Pending, b.cancel(call, r).Verdict)
	b.fake.SetStatus(out.ChannelID, "requires_action")
	b.fake.Advance(time.Second)
	assert.Equal(t, payment.Closed, b.cancel(b.later(call), r).Verdict, "an earlier refusal isn't repeated for ever")
}

func TestAKeyWithAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	b.charge(call, r)
	other := call
	other.Key.BodyHash = "another"
	r.AmountMinor = 99
	_, err := b.ch.Charge(context.Background(), other, r)
	assert.True(t, fault.Is(err, fault.KindInvalid, "key_reused"), err)
	assert.Equal(t, 1, b.charged())
	assert.Equal(t, int64(1234), b.fake.Intents()[0].Received)
}

func TestARequestInOtherWordsFindsItsIntent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	done := b.charge(call, r)
	r.Description = "an earlier release of ours asked otherwise"
	assert.Equal(t, done, b.charge(call, r), "the frozen request is the same by its hash")
	assert.Equal(t, 1, b.charged())
}

func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	set := func(name string, v any) func(map[string]any) { return func(o map[string]any) { o[name] = v } }
	edits := map[string]func(map[string]any){
		"another object":    set("object", "charge"),
		"no id":             set("id", ""),
		"foreign id":        set("id", "ch_1"),
		"new status":        set("status", "requires_patience"),
		"no status":         set("status", nil),
		"negative amount":   set("amount_received", -1),
		"text for amount":   set("amount_received", "12.34"),
		"no currency":       set("currency", ""),
		"unknown currency":  set("currency", "zzz"),
		"foreign metadata":  set("metadata", map[string]any{"paysaga_key": "pay_other:ch1"}),
		"no metadata":       set("metadata", nil),
		"an error with 200": func(o map[string]any) { clear(o); o["error"] = map[string]any{"type": "card_error"} },
		"nothing":           func(o map[string]any) { clear(o) },
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.fake.Plant(fake.Fault{Kind: fake.Tamper, Method: "POST", Edit: edit})
			call := b.call(id.Charge)
			assert.Equal(t, payment.Unknown, b.charge(call, card("pm_card_visa")).Verdict)
			assert.Equal(t, payment.Succeeded, b.ask(call).Verdict)
			assert.Equal(t, 1, b.charged())
		})
	}
	t.Run("another amount", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.fake.Plant(fake.Fault{Kind: fake.Tamper, Method: "POST", Edit: set("amount_received", 1)})
		out := b.charge(b.call(id.Charge), card("pm_card_visa"))
		assert.Equal(t, payment.Succeeded, out.Verdict)
		assert.Equal(t, int64(1), out.AmountMinor, "the caller compares")
	})
	t.Run("a list without end", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.fake.Plant(fake.Fault{Kind: fake.Tamper, Method: "GET", Times: -1, Edit: set("has_more", true)})
		assert.Equal(t, payment.Unknown, b.ask(b.call(id.Charge)).Verdict)
	})
	t.Run("a list with holes", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.fake.Plant(fake.Fault{Kind: fake.Tamper, Method: "GET", Edit: set("data", []any{nil})})
		assert.Equal(t, payment.Unknown, b.ask(b.call(id.Charge)).Verdict)
	})
}

func TestTheModeOfTheKeyMustBeTheBooks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cases := map[string]struct {
		book   id.Book
		secret string
		ok     bool
	}{
		"test":                  {id.Test, "sk_test_1", true},
		"test, restricted":      {id.Test, "rk_test_1", true},
		"shadow":                {id.Shadow, "sk_test_1", true},
		"live":                  {id.Live, "sk_live_1", true},
		"live key, test book":   {id.Test, "sk_live_1", false},
		"live key, shadow book": {id.Shadow, "rk_live_1", false},
		"test key, live book":   {id.Live, "sk_test_1", false},
		"publishable key":       {id.Test, "pk_test_1", false},
		"no key":                {id.Test, "", false},
	}
	for name, c := range cases {
		before := len(b.fake.Requests())
		call := b.call(id.Charge)
		call.Account.Book, call.Account.Credentials = c.book, map[string]string{"secret_key": c.secret}
		out, err := b.ch.Charge(context.Background(), call, card("pm_card_visa"))
		if c.ok {
			require.NoError(t, err, name)
			assert.Equal(t, payment.Succeeded, out.Verdict, name)
			continue
		}
		assert.Equal(t, fault.KindInternal, fault.Of(err), name)
		assert.Len(t, b.fake.Requests(), before, name)
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	edit := func(f func(*channels.ChargeRequest)) channels.ChargeRequest {
		r := card("pm_card_visa")
		f(&r)
		return r
	}
	cases := map[string]struct {
		r     channels.ChargeRequest
		code  string
		param string
	}{
		"too small":           {edit(func(r *channels.ChargeRequest) { r.AmountMinor = 10 }), "amount_too_small", ""},
		"too large":           {edit(func(r *channels.ChargeRequest) { r.AmountMinor = 100_000_000 }), "amount_too_large", "amount"},
		"zero":                {edit(func(r *channels.ChargeRequest) { r.AmountMinor = 0 }), "amount_invalid", "amount"},
		"negative":            {edit(func(r *channels.ChargeRequest) { r.AmountMinor = -5 }), "amount_invalid", "amount"},
		"no currency":         {edit(func(r *channels.ChargeRequest) { r.Currency = "" }), "currency_unsupported", "currency"},
		"a third decimal":     {edit(func(r *channels.ChargeRequest) { r.Currency = "KWD" }), "amount_not_representable", "amount"},
		"a part of an ariary": {edit(func(r *channels.ChargeRequest) { r.Currency = "MGA" }), "amount_not_representable", "amount"},
		"an old token":        {card("tok_visa"), "token_unsupported", "method.token"},
		"no token":            {card(""), "token_unsupported", "method.token"},
		"no way back":         {edit(func(r *channels.ChargeRequest) { r.Method.Type, r.ReturnURL = payment.MethodRedirect, "" }), "return_url_required", "return_url"},
		"an unknown method":   {edit(func(r *channels.ChargeRequest) { r.Method.Type = "cheque" }), "method_unsupported", "method.type"},
		"an unknown card":     {card("pm_nonesuch"), "channel_refused", ""},
	}
	for name, c := range cases {
		_, err := b.ch.Charge(context.Background(), b.call(id.Charge), c.r)
		require.Error(t, err, name)
		assert.True(t, fault.Is(err, fault.KindInvalid, c.code), "%s: %v", name, err)
		assert.Equal(t, c.param, fault.As(err).Param, name)
	}
	assert.Empty(t, b.fake.Intents())
}
