package stripe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// born is when the keys of these tests are made; the fake's clock starts there too.
var born = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// bench is a fake with an account at it.
type bench struct {
	*testing.T
	ch      channels.Channel
	fake    *fake.Server
	account channels.Account
	n       int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	f := fake.New(fake.Config{Now: func() time.Time { return born }})
	t.Cleanup(f.Close)
	client := wire.New(wire.Config{Timeout: 3 * time.Second}) // far above what a busy machine takes: only faults hang
	t.Cleanup(client.CloseIdle)
	return &bench{T: t, fake: f, ch: channels.Guard(stripe.New(client)), account: channels.Account{
		ID: "cha_01", Channel: stripe.Name, Book: id.Test, BaseURL: f.URL(),
		Credentials: map[string]string{stripe.SecretKey: "sk_test_bench", stripe.WebhookSecret: "whsec_fake"},
	}}
}

// call is a call under a key of its own, now.
func (b *bench) call(step id.Code) channels.Call {
	b.Helper()
	b.n++
	p := id.Payment
	if step == id.RefundOut {
		p = id.Refund
	}
	name := id.New(p, uint64(born.UnixMilli()), [10]byte{byte(b.n)})
	key, err := channels.NewKey(id.Key(name, id.Step{Code: step, Ordinal: 1}), fmt.Sprintf("%064d", b.n), born)
	require.NoError(b, err)
	return channels.Call{Account: b.account, Key: key, Now: b.fake.Now()}
}

// later is the same call at the fake's present time.
func (b *bench) later(c channels.Call) channels.Call {
	c.Now = b.fake.Now()
	return c
}

func card(token string) channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 1234, Currency: "EUR", Capture: true, ReturnURL: "https://shop.test/back",
		Method: payment.Method{Type: payment.MethodCardToken, Token: token}}
}

func (b *bench) charge(c channels.Call, r channels.ChargeRequest) payment.Outcome {
	b.Helper()
	out, err := b.ch.Charge(context.Background(), c, r)
	require.NoError(b, err)
	return out
}

func (b *bench) cancel(c channels.Call, r channels.ChargeRequest) payment.Outcome {
	b.Helper()
	out, err := b.ch.Cancel(context.Background(), c, r)
	require.NoError(b, err)
	return out
}

func (b *bench) ask(c channels.Call) payment.Outcome {
	b.Helper()
	out, err := b.ch.Ask(context.Background(), c, channels.ChargeRequest{})
	require.NoError(b, err)
	return out
}

// charged counts the intents that moved or reserved money.
func (b *bench) charged() (n int) {
	for _, i := range b.fake.Intents() {
		if i.Charged {
			n++
		}
	}
	return n
}

func TestChargeByToken(t *testing.T) {
	t.Parallel()
	cases := []struct {
		token   string
		verdict payment.Verdict
		decline *payment.Decline
	}{
		{"pm_card_visa", payment.Succeeded, nil},
		{"ctoken_1", payment.Succeeded, nil},
		{"pm_card_visa_chargeDeclined", payment.Declined, &payment.Decline{Code: "declined", Channel: "generic_decline"}},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", payment.Declined, &payment.Decline{Code: "insufficient_funds", Channel: "insufficient_funds"}},
		{"pm_card_visa_chargeDeclinedStolenCard", payment.Declined, &payment.Decline{Code: "stolen_card", Channel: "stolen_card", Hard: true}},
		{"pm_card_visa_chargeDeclinedLostCard", payment.Declined, &payment.Decline{Code: "lost_card", Channel: "lost_card", Hard: true}},
		{"pm_card_chargeDeclinedFraudulent", payment.Declined, &payment.Decline{Code: "suspected_fraud", Channel: "fraudulent", Hard: true}},
		{"pm_card_chargeDeclinedExpiredCard", payment.Declined, &payment.Decline{Code: "expired_card", Channel: "expired_card", Hard: true}},
		{"pm_card_chargeDeclinedIncorrectCvc", payment.Declined, &payment.Decline{Code: "incorrect_cvc", Channel: "incorrect_cvc"}},
		{"pm_card_chargeDeclinedProcessingError", payment.Declined, &payment.Decline{Code: "processing_error", Channel: "processing_error"}},
		{"pm_card_threeDSecure2Required", payment.Pending, nil},
	}
	for _, c := range cases {
		t.Run(c.token, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			call := b.call(id.Charge)
			first := b.charge(call, card(c.token))
			assert.Equal(t, c.verdict, first.Verdict)
			assert.Equal(t, c.decline, first.Decline)
			assert.False(t, first.Dead, "a browser may confirm again")
			assert.Equal(t, first, b.charge(call, card(c.token)), "a repeat answers the same")
			assert.Equal(t, first, b.ask(call), "asking answers the same")
			call.ChannelID = first.ChannelID
			assert.Equal(t, first, b.ask(call), "and so does asking by id")
			assert.Len(t, b.fake.Intents(), 1)
			if c.verdict == payment.Succeeded {
				assert.Equal(t, int64(1234), first.AmountMinor)
				assert.Equal(t, "EUR", first.Currency)
				assert.Equal(t, born, first.EffectiveAt)
			}
		})
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		method payment.Method
		kind   string
		want   payment.Action
	}{
		"three-d secure": {payment.Method{Type: payment.MethodCardToken, Token: "pm_card_threeDSecureRequired"}, "",
			payment.Action{Type: "redirect", URL: "https://hooks.stripe.test/redirect/"}},
		"redirect": {payment.Method{Type: payment.MethodRedirect}, "",
			payment.Action{Type: "redirect", URL: "https://hooks.stripe.test/redirect/"}},
		"redirect of another kind": {payment.Method{Type: payment.MethodRedirect}, "ideal",
			payment.Action{Type: "redirect", URL: "https://hooks.stripe.test/redirect/"}},
		"qr": {payment.Method{Type: payment.MethodQR}, "",
			payment.Action{Type: "qr_code", URL: "weixin://wxpay/bizpayurl?pr="}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.account.Credentials[stripe.RedirectMethod] = c.kind
			call := b.call(id.Charge)
			r := card("")
			r.Method = c.method
			out := b.charge(call, r)
			require.Equal(t, payment.Pending, out.Verdict)
			require.NotNil(t, out.Action)
			assert.Equal(t, c.want.Type, out.Action.Type)
			assert.True(t, strings.HasPrefix(out.Action.URL, c.want.URL), out.Action.URL)
			assert.Equal(t, 0, b.charged())

			require.True(t, b.fake.Approve(out.ChannelID))
			assert.Equal(t, payment.Succeeded, b.ask(call).Verdict)
			repeat := b.charge(call, r)
			assert.Equal(t, payment.Succeeded, repeat.Verdict, "a repeat answers what is, not what Stripe stored")
			assert.Equal(t, payment.Succeeded, b.cancel(call, r).Verdict, "a paid intent is not cancelled")
		})
	}
}

func TestAFailedAuthenticationIsADecline(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call := b.call(id.Charge)
	out := b.charge(call, card("pm_card_threeDSecure2Required"))
	require.True(t, b.fake.Refuse(out.ChannelID))
	out = b.ask(call)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.Equal(t, &payment.Decline{Code: "authentication_failed", Channel: "payment_intent_authentication_failure"}, out.Decline)
	assert.Equal(t, payment.Closed, b.cancel(call, card("pm_card_threeDSecure2Required")).Verdict)
}

func TestACardWithoutAWayBackFailsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := card("pm_card_authenticationRequired")
	r.ReturnURL = ""
	out := b.charge(b.call(id.Charge), r)
	assert.Equal(t, payment.Declined, out.Verdict)
	assert.Equal(t, "authentication_required", out.Decline.Code)
}

func TestAuthorizeAndCapture(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	r.Capture = false
	out := b.charge(call, r)
	assert.Equal(t, payment.Authorized, out.Verdict)
	assert.Equal(t, int64(1234), out.AmountMinor)
	assert.Equal(t, born.Add(7*24*time.Hour), out.ExpiresAt)

	b.fake.Advance(time.Hour)
	capture := channels.CaptureRequest{ChargeKey: call.Key.ID, ChannelID: out.ChannelID, AmountMinor: 1000, Currency: "EUR", Final: true}
	cp := b.call(id.CaptureOut)
	for range 2 {
		got, err := b.ch.Capture(context.Background(), cp, capture)
		require.NoError(t, err)
		assert.Equal(t, payment.Succeeded, got.Verdict)
		assert.Equal(t, int64(1000), got.AmountMinor)
		assert.Equal(t, born.Add(time.Hour), got.EffectiveAt, "the capture's time, not the authorization's")
	}
	_, err := b.ch.Capture(context.Background(), b.call(id.CaptureOut), capture)
	assert.True(t, fault.Is(err, fault.KindInvalid, "charge_not_capturable"), err)
	assert.Equal(t, int64(1000), b.fake.Intents()[0].Received)

	capture.Final = false
	_, err = b.ch.Capture(context.Background(), b.call(id.CaptureOut), capture)
	assert.True(t, fault.Is(err, fault.KindInvalid, "capture_must_be_final"), err)
}

func TestAnAuthorizationIsVoidedOrLapses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	call, r := b.call(id.Charge), card("pm_card_visa")
	r.Capture = false
	voided := b.charge(call, r)
	out := b.cancel(call, r)
	assert.Equal(t, payment.Closed, out.Verdict)
	assert.True(t, out.Dead)
	assert.Equal(t, payment.Closed, b.cancel(call, r).Verdict)
	assert.Equal(t, payment.Closed, b.charge(call, r).Verdict, "a repeat doesn't bring it back")

	lapsing := b.call(id.Charge)
	left := b.charge(lapsing, r)
	b.fake.Advance(8 * 24 * time.Hour)
	lapsing.ChannelID = left.ChannelID
	assert.Equal(t, payment.Closed, b.ask(b.later(lapsing)).Verdict)
	cp := b.call(id.CaptureOut)
	cp.Key.BornAt = b.fake.Now()
	for _, o := range []payment.Outcome{voided, left} {
		key := call.Key.ID
		if o.ChannelID == left.ChannelID {
			key = lapsing.Key.ID
		}
		got, err := b.ch.Capture(context.Background(), cp, channels.CaptureRequest{ChargeKey: key,
			ChannelID: o.ChannelID, AmountMinor: 1, Currency: "EUR", Final: true})
		require.NoError(t, err)
		assert.Equal(t, payment.Closed, got.Verdict)
		cp = b.call(id.CaptureOut)
		cp.Key.BornAt, cp.Now = b.fake.Now(), b.fake.Now()
	}
}
