package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/id"
)

// texts are all the words that an error and its causes have, however they are printed.
func texts(err error) string {
	var all strings.Builder
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&all, "%v %+v %#v\n", err, err, err)
	}
	return all.String()
}

// I-26: Stripe's errors carry the intent with its client_secret, its messages quote tokens and keys, and the library
// puts a sample of an unreadable body into its own error. None of it may come out.
func TestNoSecretComesOutOfAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, token := "sk_test_bench", "pm_secret_nonesuch"
	b.account.Credentials[stripe.SecretKey] = secret
	tamper := func(status string) *fake.Fault {
		return b.fake.Plant(fake.Fault{Kind: fake.Tamper, Edit: func(o map[string]any) { o["status"] = status }})
	}
	var said []string
	note := func(out any, err error) { said = append(said, fmt.Sprintf("%+v", out), texts(err)) }
	ctx := context.Background()
	hold := card("pm_card_visa")
	hold.Capture = false

	note(b.ch.Charge(ctx, b.call(id.Charge), card(token)))
	note(b.ch.Charge(ctx, b.call(id.Charge), card("pm_card_visa_chargeDeclined")))
	for _, kind := range []fake.FaultKind{fake.LostRequest, fake.LostAnswer, fake.Garbage, fake.Error500, fake.BadGateway, fake.RateLimited} {
		b.fake.Plant(fake.Fault{Kind: kind, Method: "POST"})
		note(b.ch.Charge(ctx, b.call(id.Charge), card("pm_card_visa")))
		b.fake.Plant(fake.Fault{Kind: kind, Method: "GET"})
		note(b.ch.Ask(ctx, b.call(id.Charge), card("pm_card_visa")))
	}
	tamper("pi_x_secret_y")
	note(b.ch.Charge(ctx, b.call(id.Charge), card("pm_card_visa")))

	held := b.call(id.Charge)
	out := b.charge(held, hold)
	capture := channels.CaptureRequest{ChargeKey: held.Key.ID, ChannelID: out.ChannelID, AmountMinor: 9999, Currency: "EUR", Final: true}
	note(b.ch.Capture(ctx, b.call(id.CaptureOut), capture))
	note(b.ch.Refund(ctx, b.call(id.RefundOut), channels.RefundRequest{ChannelID: out.ChannelID, AmountMinor: 1, Currency: "EUR"}))
	b.fake.SetStatus(out.ChannelID, "processing")
	note(b.ch.Cancel(ctx, held, hold))
	note(b.ch.Capture(ctx, b.call(id.CaptureOut), capture))

	revoked := b.call(id.Charge)
	revoked.Account.Credentials = map[string]string{stripe.SecretKey: secret + fake.Revoked}
	note(b.ch.Charge(ctx, revoked, card("pm_card_visa")))
	revoked.Account.Credentials = map[string]string{stripe.SecretKey: "sk_live_wrong"}
	note(b.ch.Charge(ctx, revoked, card("pm_card_visa")))
	body := []byte(`{"client_secret":"pi_x_secret_y"}`)
	note(b.parse(b.fake.Sign(body, b.fake.Now()), body))
	note(b.parse(b.fake.Sign(body, b.fake.Now(), "whsec_wrong"), body))

	all := strings.Join(said, "\n")
	require.Contains(t, all, "channel_refused")
	for _, never := range []string{"_secret", "client_secret", secret, token, "sk_", "whsec", "<html>", "Your card was declined", "No such"} {
		assert.NotContains(t, all, never)
	}
}
