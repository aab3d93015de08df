package fake

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	sdk "github.com/stripe/stripe-go/v85"
)

// Event is something that the server would tell by webhook. Its body is frozen when it happens.
type Event struct {
	ID, Type string
	About    string // the id of its object
	Body     []byte
}

// Events are all events so far, in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// Sign returns the headers of a delivery of body at a time, with one v1 signature per secret; no secret means the
// server's own.
func (s *Server) Sign(body []byte, at time.Time, secrets ...string) http.Header {
	if len(secrets) == 0 {
		secrets = []string{s.conf.WebhookSecret}
	}
	sig := fmt.Sprintf("t=%d", at.Unix())
	for _, secret := range secrets {
		sig += ",v1=" + hex.EncodeToString(sdk.ComputeSignature(at, body, secret))
	}
	return http.Header{"Stripe-Signature": {sig}, "Content-Type": {"application/json; charset=utf-8"}}
}

func (s *Server) tell(kind string, object map[string]any, r request) {
	e := Event{ID: s.id("evt"), Type: kind, About: object["id"].(string)}
	body, err := json.Marshal(map[string]any{
		"id": e.ID, "object": "event", "api_version": APIVersion, "created": r.now.Unix(), "livemode": r.live,
		"pending_webhooks": 1, "request": map[string]any{"id": "req_fake", "idempotency_key": nil}, "type": kind,
		"data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err)
	}
	e.Body = body
	s.events = append(s.events, e)
}

// tellIntent tells of the state that an intent just reached.
func (s *Server) tellIntent(i *intent, r request) {
	kinds := map[string]string{
		"succeeded": "payment_intent.succeeded", "requires_capture": "payment_intent.amount_capturable_updated",
		"requires_action": "payment_intent.requires_action", "processing": "payment_intent.processing",
		"canceled": "payment_intent.canceled",
	}
	kind := kinds[i.status]
	if i.status == "requires_payment_method" && i.lastError != nil {
		kind = "payment_intent.payment_failed"
	}
	if kind != "" {
		s.tell(kind, i.object(nil), r)
	}
}
