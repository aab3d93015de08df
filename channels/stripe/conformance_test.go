package stripe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/channeltest"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/channels/wire"
	"paysaga/domain/payment"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, func(t *testing.T) *channeltest.Harness {
		b := newBench(t)
		slow := card("pm_card_pendingRefund")
		ok, hold, soft, hard, waiting := card("pm_card_visa"), card("pm_card_visa"), card("pm_card_visa_chargeDeclinedInsufficientFunds"),
			card("pm_card_visa_chargeDeclinedStolenCard"), card("")
		hold.Capture = false
		waiting.Method = payment.Method{Type: payment.MethodQR}
		return &channeltest.Harness{
			New:      func(c *wire.Client) channels.Channel { return stripe.New(c) },
			Account:  b.account,
			Foreign:  map[string]string{stripe.SecretKey: "sk_test_foreign", stripe.WebhookSecret: "whsec_foreign"},
			Rejected: map[string]string{stripe.SecretKey: "sk_test" + fake.Revoked, stripe.WebhookSecret: "whsec_fake"},
			Now:      b.fake.Now, Advance: b.fake.Advance,
			OK: &ok, Authorize: &hold, DeclineSoft: &soft, DeclineHard: &hard, Waiting: &waiting,
			PendingRefund: &slow,
			FinishRefund: func(k channels.Key, act string) bool {
				status := map[string]string{"settle": "succeeded", "decline": "failed", "return": "failed"}[act]
				r, found := refundUnder(b.fake, k)
				return found && b.fake.FinishRefund(r.ID, status, "")
			},
			Book: func(k channels.Key) []channeltest.Entry { return entries(b.fake, k) },
			Pay: func(k channels.Key) bool {
				i, found := under(b.fake, k)
				return found && b.fake.Approve(i.ID)
			},
			Callback: func(k channels.Key) channels.RawCallback {
				about := ""
				if i, found := under(b.fake, k); found {
					about = i.ID
				} else if r, found := refundUnder(b.fake, k); found {
					about = r.ID
				}
				require.NotEmpty(t, about)
				var last fake.Event
				for _, e := range b.fake.Events() {
					if e.About == about {
						last = e
					}
				}
				return channels.RawCallback{Header: b.fake.Sign(last.Body, b.fake.Now()), Body: last.Body, Now: b.fake.Now()}
			},
			Dispute: func(k channels.Key, act string) channels.RawCallback {
				i, found := under(b.fake, k)
				require.True(t, found && b.fake.Dispute(i.ID, act))
				events := b.fake.Events()
				last := events[len(events)-1]
				return channels.RawCallback{Header: b.fake.Sign(last.Body, b.fake.Now()), Body: last.Body, Now: b.fake.Now()}
			},
			UnknownState: intents(func(pi map[string]any) { pi["status"] = "requires_patience" }),
			WrongReference: intents(func(pi map[string]any) {
				pi["metadata"] = map[string]any{"paysaga_key": "pay_other:ch1", "paysaga_reference": "pother"}
			}),
			WrongAmount: intents(func(pi map[string]any) { pi["amount_received"] = pi["amount_received"].(float64) + 1 }),
			Falsified: map[channels.Operation]channeltest.Falsified{channels.OpRefund: {
				UnknownState: refunds(func(re map[string]any) { re["status"] = "requires_patience" }),
				WrongReference: refunds(func(re map[string]any) {
					re["metadata"] = map[string]any{"paysaga_key": "rfd_other:rf1", "paysaga_reference": "rother"}
				}),
				WrongAmount: refunds(func(re map[string]any) { re["amount"] = re["amount"].(float64) + 1 }),
			}},
		}
	})
}

// intents edits the intents of an answer, a list's too.
func intents(edit func(map[string]any)) func(map[string]any) {
	return func(o map[string]any) {
		if o["object"] != "list" {
			edit(o)
			return
		}
		for _, item := range o["data"].([]any) {
			edit(item.(map[string]any))
		}
	}
}

// refunds edits the refunds of an answer, and nothing else.
func refunds(edit func(map[string]any)) func(map[string]any) {
	return intents(func(o map[string]any) {
		if o["object"] == "refund" {
			edit(o)
		}
	})
}

// under is the intent that was made under a key.
func under(f *fake.Server, k channels.Key) (fake.Intent, bool) {
	for _, i := range f.Intents() {
		if i.Metadata["paysaga_key"] == k.ID {
			return i, true
		}
	}
	return fake.Intent{}, false
}

// refundUnder is the refund that was made under a key.
func refundUnder(f *fake.Server, k channels.Key) (fake.Refund, bool) {
	for _, r := range f.Refunds() {
		if r.Metadata["paysaga_key"] == k.ID {
			return r, true
		}
	}
	return fake.Refund{}, false
}

func entries(f *fake.Server, k channels.Key) []channeltest.Entry {
	var list []channeltest.Entry
	for _, i := range f.Intents() {
		if i.Metadata["paysaga_key"] == k.ID {
			list = append(list, channeltest.Entry{ChannelID: i.ID, Paid: i.Received > 0 || i.Capturable > 0,
				AmountMinor: i.Amount, CapturedMinor: i.Received, RefundedMinor: i.Refunded})
		}
	}
	for _, r := range f.Refunds() {
		if r.Metadata["paysaga_key"] == k.ID {
			list = append(list, channeltest.Entry{ChannelID: r.ID, AmountMinor: r.Amount, RefundedMinor: r.Amount})
		}
	}
	return list
}
