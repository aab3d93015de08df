package stripe

import (
	"context"
	"strconv"
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// What we write on every object, so that it can be found without its id.
const (
	metaKey       = "paysaga_key"
	metaReference = "paysaga_reference"
	metaBody      = "paysaga_body" // the hash of the frozen request
)

// session is one call: the account's client and the key.
type session struct {
	channels.Call
	api    *sdk.Client
	raw    sdk.Backend
	secret string
}

// session opens the account. A key of the wrong mode is refused here, before money of the wrong kind can move (I-25).
func (c *Channel) session(call channels.Call) (session, error) {
	secret := call.Account.Credentials[SecretKey]
	want := "test"
	if call.Account.Book.Livemode() {
		want = "live"
	}
	if kind, _ := mode(secret); kind != want {
		return session{}, fault.Internal("the stripe account "+call.Account.ID+" needs a secret key of the "+want+" mode", nil)
	}
	conf := &sdk.BackendConfig{
		HTTPClient:        c.client.HTTP(),
		MaxNetworkRetries: sdk.Int64(0),
		EnableTelemetry:   sdk.Bool(false),
		LeveledLogger:     &sdk.LeveledLogger{Level: sdk.LevelNull},
	}
	if call.Account.BaseURL != "" {
		conf.URL = sdk.String(call.Account.BaseURL)
	}
	backends := sdk.NewBackendsWithConfig(conf)
	return session{call, sdk.NewClient(secret, sdk.WithBackends(backends)), backends.API, secret}, nil
}

func (s session) metadata() map[string]string {
	return map[string]string{metaKey: s.Key.ID, metaReference: s.Key.Reference, metaBody: s.Key.BodyHash}
}

// ours says whether an object was made under this call's key.
func (s session) ours(metadata map[string]string) bool { return metadata[metaKey] == s.Key.ID }

// closingKey is a fresh key for each try to cancel. Cancelling twice does no harm, while under one key Stripe would
// repeat its first refusal for a day, long after the intent became cancellable.
func (s session) closingKey() string {
	return s.Key.ID + ":cancel:" + strconv.FormatInt(s.Now.UnixNano(), 36)
}

// what is read with every intent: the charge tells when it lapses, its balance transaction when the money moved.
var expand = []*string{sdk.String("latest_charge.balance_transaction")}

// retrieve reads one intent. One that isn't there is nil.
func (s session) retrieve(ctx context.Context, id string) (*sdk.PaymentIntent, error) {
	pi, err := s.api.V1PaymentIntents.Retrieve(ctx, id, &sdk.PaymentIntentRetrieveParams{Expand: expand})
	if err != nil {
		if err = readError(err); fault.Of(err) == fault.KindNotFound {
			return nil, nil
		}
		return nil, err
	}
	return pi, readable(pi)
}

// readable refuses an answer that isn't a payment intent.
func readable(pi *sdk.PaymentIntent) error {
	if pi == nil || pi.Object != "payment_intent" || !strings.HasPrefix(pi.ID, "pi_") {
		return unreadable()
	}
	return nil
}

func unreadable() error {
	return fault.Unknown("channel_answer_unreadable", "stripe's answer can't be read", nil)
}
