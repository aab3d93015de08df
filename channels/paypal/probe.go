package paypal

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
)

// Probe fetches a new access token and reads the webhook: that moves nothing, and shows whether all three credentials work.
func (ch *Channel) Probe(ctx context.Context, a channels.Account) error {
	s, err := ch.session(channels.Call{Account: a, Now: time.Now()})
	if err != nil {
		return err
	}
	t, err := s.fetchToken(ctx)
	switch {
	case fault.Of(err) == fault.KindInternal:
		return fault.Denied("channel_credentials_refused", "paypal refuses client_id and client_secret: check them, and that they are of the app in "+s.base)
	case err != nil:
		return err
	}
	s.ch.tokens.mu.Lock()
	s.ch.tokens.of[s.tokenKey()] = &t
	s.ch.tokens.mu.Unlock()
	res, err := s.send(ctx, request{method: http.MethodGet, path: "/v1/notifications/webhooks/" + url.PathEscape(a.Credentials[WebhookID])})
	if err != nil {
		return err
	}
	if r := refusalOf(res); res.Status >= 400 && r.readable() {
		return fault.Denied("channel_webhook_unknown", "paypal knows no webhook of that webhook_id in this app: create one for the account's callback URL, with the events of checkout orders, captures, authorizations and refunds")
	}
	var w struct {
		ID string `json:"id"`
	}
	if err := res.Decode(&w); err != nil || w.ID != a.Credentials[WebhookID] {
		return unreadable("something that isn't the webhook")
	}
	return nil
}
