package paypal

import (
	"context"
	"net/http"
	"strings"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Charge makes the order. A redirect is Pending with PayPal's page; a vaulted token is captured (or authorized) at once.
func (ch *Channel) Charge(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	source, err := sourceOf(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, fresh, err := s.create(ctx, r)
	if err != nil {
		return payment.Outcome{}, err
	}
	if o.Units[0].ReferenceID != s.Key.BodyHash {
		return payment.Outcome{}, fault.Conflict("idempotency_key_reused", "paypal knows the key for another request")
	}
	if !fresh { // what is answered for a known id may be as old as the first answer
		now, err := s.get(ctx, o.ID)
		if err != nil || now == nil {
			return payment.Outcome{}, orMissing(err)
		}
		o = *now
	}
	out, err := o.outcome(r)
	if err == nil && source != nil && out.Verdict == payment.Absent {
		return s.take(ctx, o, r, source)
	}
	return out, err
}

func orMissing(err error) error {
	if err == nil {
		err = fault.Unknown("channel_order_missing", "paypal shows no order under its own id", nil)
	}
	return err
}

// paymentSource is a vaulted card or PayPal account.
type paymentSource map[string]map[string]string

// sourceOf reads a token: "<source>:<vault id>" with the source card or paypal; without one it is a card's. A redirect has
// none, but needs somewhere to bring its customer back to.
func sourceOf(r channels.ChargeRequest) (paymentSource, error) {
	if r.Method.Type != payment.MethodCardToken {
		if r.Method.Type == payment.MethodRedirect && r.ReturnURL == "" {
			return nil, fault.Invalid("return_url_missing", "return_url", "a payment by redirect at paypal needs a return_url")
		}
		return nil, nil
	}
	kind, vault, named := strings.Cut(r.Method.Token, ":")
	if !named {
		kind, vault = "card", r.Method.Token
	}
	if kind != "card" && kind != "paypal" || !idText(vault) {
		return nil, fault.Invalid("token_invalid", "method.token", "the token is no vault id of paypal's")
	}
	return paymentSource{kind: {"vault_id": vault}}, nil
}

// Confirm captures (or authorizes) the order that its customer has approved.
func (ch *Channel) Confirm(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	f, err := s.find(ctx, r)
	if err != nil {
		return payment.Outcome{}, err
	}
	if f.order == nil {
		return payment.Outcome{}, fault.Unknown("channel_order_missing", "paypal shows no order to confirm", nil)
	}
	out, err := f.order.outcome(r)
	if err != nil || !out.Approved {
		return out, err
	}
	return s.take(ctx, *f.order, r, nil)
}

// take captures or authorizes an order. The intent decides which of both PayPal does, and refuses the other: an order that
// was closed has the wrong one.
func (s session) take(ctx context.Context, o order, r channels.ChargeRequest, source paymentSource) (payment.Outcome, error) {
	verb := "/capture"
	if !r.Capture {
		verb = "/authorize"
	}
	body := map[string]any{}
	if source != nil {
		body["payment_source"] = source
	}
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/checkout/orders/" + o.ID + verb, id: s.Key.Reference + "-take", body: body})
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusCreated {
		return s.notTaken(ctx, o, r, refusalOf(res))
	}
	now, err := orderUnder(res, s.Key.Reference)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case now.ID != o.ID:
		return payment.Outcome{}, unreadable("another order")
	case !now.moved():
		return payment.Outcome{}, unreadable("an order that took nothing")
	}
	return now.outcome(r)
}

// notTaken judges a refusal. That the order isn't where it was is no answer: it is read again.
func (s session) notTaken(ctx context.Context, o order, r channels.ChargeRequest, no refusal) (payment.Outcome, error) {
	issue := no.issue()
	switch issue {
	case "ORDER_ALREADY_CAPTURED", "ORDER_ALREADY_AUTHORIZED", "ACTION_DOES_NOT_MATCH_INTENT", "ORDER_NOT_APPROVED",
		"ORDER_COMPLETED_OR_VOIDED", "ORDER_EXPIRED", "DUPLICATE_INVOICE_ID":
		now, err := s.get(ctx, o.ID)
		if err != nil || now == nil {
			return payment.Outcome{}, orMissing(err)
		}
		out, err := now.outcome(r)
		if err == nil && (out.Verdict == payment.Absent || out.Approved) {
			err = fault.Unknown("channel_refuses_capture", "paypal refuses to capture the order: "+strings.ToLower(issue), nil)
		}
		return out, err
	}
	if d := declineOf(issue); d != nil && no.status == http.StatusUnprocessableEntity {
		return payment.Outcome{Verdict: payment.Declined, ChannelID: o.ID, Decline: d}, nil // the order can still be paid another way
	}
	return payment.Outcome{}, no.err()
}

// Ask reads what became of a charge.
func (ch *Channel) Ask(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	f, err := s.find(ctx, r)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case f.never:
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	case f.order == nil:
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return f.order.outcome(r)
}
