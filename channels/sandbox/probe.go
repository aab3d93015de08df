package sandbox

import (
	"context"
	"net/http"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// Probe asks for a charge that nobody made. The sandbox says that it has none, or that it doesn't know the secret.
func (ch *Channel) Probe(ctx context.Context, a channels.Account) error {
	req, err := request(ctx, a, http.MethodGet, "/v1/charges/probe", nil)
	if err != nil {
		return err
	}
	res, err := ch.wire.Do(ctx, req)
	if err != nil {
		return err
	}
	switch res.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied("credentials_refused", "the sandbox doesn't know the account's secret: see `paysaga sandbox --help` for the ones it takes")
	case http.StatusOK:
		return nil
	}
	_, err = refused(res, true)
	return err
}
