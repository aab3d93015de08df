package stripe

import (
	"context"
	"net/http"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// Probe reads one payment intent of whoever's: what a key may that can find our own, see find.
func (c *Channel) Probe(ctx context.Context, a channels.Account) error {
	s, err := c.session(channels.Call{Account: a})
	if err != nil {
		return fault.Denied("credentials_refused", "the secret key is of another mode than the account's book")
	}
	var p page
	err = s.raw.Call(http.MethodGet, "/v1/payment_intents?limit=1", s.secret, &sdk.Params{Context: ctx}, &p)
	switch e := complete(err); {
	case e != nil && e.HTTPStatusCode == http.StatusUnauthorized:
		return fault.Denied("credentials_refused", "stripe refuses the secret key: it was rolled or deleted; copy the present one from Developers, API keys")
	case e != nil && e.HTTPStatusCode == http.StatusForbidden:
		return fault.Denied("credentials_refused", "the key may not read payment intents: a restricted key needs write access to payment intents, charges and refunds")
	case err != nil:
		return readError(err)
	case p.Object != "list":
		return unreadable()
	}
	return nil
}
