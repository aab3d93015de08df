// Package stripe is the channel of Stripe's PaymentIntents, through Stripe's own Go library.
//
// What the library decides by itself is taken out of its hands: it never retries, never makes a key, and logs nothing.
// An error of the library is never wrapped or logged, because its text is the whole answer with the intent's
// client_secret (I-26). docs/stripe.md says how an account is set up.
package stripe

import (
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Name is the channel's name in paths, queues and accounts.
const Name = "stripe"

// The credentials of a Stripe account.
const (
	SecretKey             = "secret_key"              // sk_test_…, sk_live_…, or a restricted key rk_…
	WebhookSecret         = "webhook_secret"          // whsec_…, of the endpoint that points at us
	PreviousWebhookSecret = "previous_webhook_secret" // optional, while a secret rolls
	RedirectMethod        = "redirect_method"         // optional: the payment method type behind "redirect"; default alipay
)

// keyLife is how long Stripe surely knows a key; older ones may be pruned and count as new.
const keyLife = 24 * time.Hour

// Channel is the adapter. It is safe for concurrent use.
type Channel struct {
	channels.Unsupported
	client *wire.Client
}

// New returns the adapter. It keeps no credentials: each call brings its account's.
func New(client *wire.Client) *Channel { return &Channel{client: client} }

// Describe says what the adapter offers: charges by card token, redirect and QR code, refunds, and the reports of
// balance transactions; no payouts.
func (*Channel) Describe() channels.Description {
	return channels.Description{
		Name: Name,
		Operations: []channels.Operation{channels.OpCharge, channels.OpCapture, channels.OpCancel, channels.OpAsk,
			channels.OpRefund, channels.OpAskRefund, channels.OpCallback, channels.OpStatement,
			channels.OpProbe},
		Statements: statements,
		Methods:    []payment.MethodType{payment.MethodCardToken, payment.MethodRedirect, payment.MethodQR},
		Currencies: currencies,
		KeyLife:    keyLife,
		// An intent that a search didn't show may still be made by a request on its way: Cancel takes the key, see seal.
		AbsenceIsFinal: false,
		Credentials: []channels.Credential{
			{Name: SecretKey, Required: true, Check: checkKey, Help: "sk_… or a restricted rk_…, from Developers, API keys"},
			{Name: WebhookSecret, Required: true, Check: checkWebhookSecret, Help: "whsec_… of the endpoint that points at us, from Developers, Webhooks"},
			{Name: PreviousWebhookSecret, Check: checkWebhookSecret, Help: "whsec_… that was rolled, as long as Stripe still signs with it"},
			{Name: RedirectMethod, Help: "the type of Stripe's payment method behind redirect; alipay where it isn't given"},
		},
	}
}

// checkKey holds a key to its book: live keys belong to the live book only (I-25).
func checkKey(value string, book id.Book) string {
	kind, ok := mode(value)
	switch {
	case !ok:
		return "a key begins with sk_test_, sk_live_, rk_test_ or rk_live_"
	case (kind == "live") != book.Livemode():
		return "a Stripe key of another mode than the book: live keys belong to the live book only"
	}
	return ""
}

func checkWebhookSecret(value string, _ id.Book) string {
	if !strings.HasPrefix(value, "whsec_") {
		return "a webhook secret begins with whsec_"
	}
	return ""
}

// mode of a secret key: test or live.
func mode(secret string) (string, bool) {
	for _, kind := range []string{"test", "live"} {
		if strings.HasPrefix(secret, "sk_"+kind+"_") || strings.HasPrefix(secret, "rk_"+kind+"_") {
			return kind, true
		}
	}
	return "", false
}

var _ channels.Channel = (*Channel)(nil)
