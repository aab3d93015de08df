package paypal

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// honored is how long PayPal guarantees an authorization's money; a later capture reauthorizes first.
const honored = 72 * time.Hour

func itoa(n int) string { return strconv.Itoa(n) }

// Capture takes money from an authorization, once: what it leaves is released. Captures that leave a rest open are
// Invalid "capture_must_be_final", since a refund at PayPal is one of a single capture.
func (ch *Channel) Capture(ctx context.Context, c channels.Call, r channels.CaptureRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	want, err := toAmount(r.AmountMinor, r.Currency)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case r.ChannelID == "":
		return payment.Outcome{}, fault.Invalid("channel_id_missing", "channel_id", "a capture names the channel's id of its charge")
	case !r.Final:
		return payment.Outcome{}, fault.Invalid("capture_must_be_final", "final", "an authorization at paypal is captured once")
	}
	o, err := s.orderOfCharge(ctx, r.ChannelID, r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	out, done, err := s.standing(o, r)
	if err != nil || done {
		return out, err
	}
	return s.capture(ctx, o, r, want)
}

// orderOfCharge reads the order that a charge's key made.
func (s session) orderOfCharge(ctx context.Context, channelID, chargeKey string) (order, error) {
	ref, err := id.Reference(chargeKey)
	if err != nil {
		return order{}, err
	}
	o, err := s.get(ctx, channelID)
	switch {
	case err != nil:
		return order{}, err
	case o == nil:
		return order{}, fault.NotFound("the charge at paypal")
	case o.Units[0].CustomID != ref:
		return order{}, fault.Unknown("channel_answer_foreign", "paypal answered with another payment's order", nil)
	}
	return *o, nil
}

// standing looks whether the key has captured already, and whether anything can be captured.
func (s session) standing(o order, r channels.CaptureRequest) (payment.Outcome, bool, error) {
	for _, c := range o.Units[0].Payments.Captures {
		if c.InvoiceID != s.Key.Reference || c.Status == "DECLINED" || c.Status == "FAILED" {
			continue
		}
		a, err := c.read()
		switch {
		case err != nil:
			return payment.Outcome{}, true, err
		case a.Minor != r.AmountMinor || string(a.Currency) != r.Currency:
			return payment.Outcome{}, true, fault.Conflict("idempotency_key_reused", "paypal knows the key for another capture")
		}
		out, err := c.captured(o)
		return out, true, err
	}
	out, ok, err := o.taken()
	switch {
	case err != nil:
		return payment.Outcome{}, true, err
	case !ok || out.Verdict != payment.Authorized && out.Verdict != payment.Closed:
		return payment.Outcome{}, true, fault.Invalid("charge_not_capturable", "channel_id", "the charge is not open for a capture")
	case out.Verdict == payment.Closed:
		return out, true, nil
	case out.Currency != r.Currency || out.AmountMinor < r.AmountMinor: // PayPal would take up to 115 %
		return payment.Outcome{}, true, fault.Invalid("capture_too_large", "amount", "more than was authorized can't be captured")
	}
	return payment.Outcome{}, false, nil
}

// captured is the outcome of one capture, under its order's id.
func (m moved) captured(o order) (payment.Outcome, error) {
	one := o
	one.Units = []unit{o.Units[0]}
	one.Units[0].Payments.Captures, one.Units[0].Payments.Authorizations = []moved{m}, nil
	out, _, err := one.taken()
	return out, err
}

func (s session) capture(ctx context.Context, o order, r channels.CaptureRequest, want amount) (payment.Outcome, error) {
	list := o.Units[0].Payments.Authorizations
	of := list[len(list)-1]
	if s.now().Sub(of.CreateTime) > honored && len(list) == 1 {
		of = s.reauthorize(ctx, of)
	}
	body := map[string]any{"amount": want, "final_capture": true, "invoice_id": s.Key.Reference}
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/payments/authorizations/" + of.ID + "/capture", id: s.Key.Reference, body: body})
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusCreated {
		return s.notCaptured(refusalOf(res), o)
	}
	var m moved
	if err := res.Decode(&m); err != nil {
		return payment.Outcome{}, err
	}
	if m.InvoiceID != s.Key.Reference {
		return payment.Outcome{}, fault.Unknown("channel_answer_mismatch", "paypal's answer speaks of something else", nil)
	}
	if _, err := m.read(); err != nil {
		return payment.Outcome{}, err
	}
	return m.captured(o)
}

func (s session) notCaptured(no refusal, o order) (payment.Outcome, error) {
	switch issue := no.issue(); issue {
	case "AUTHORIZATION_VOIDED", "AUTHORIZATION_EXPIRED":
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: o.ID}, nil
	case "AUTHORIZATION_ALREADY_CAPTURED", "DUPLICATE_INVOICE_ID": // by whom? the next try reads it
		return payment.Outcome{}, fault.Unknown("channel_refuses_capture", "paypal says that the authorization was captured", nil)
	case "AUTHORIZATION_DENIED":
		return payment.Outcome{Verdict: payment.Declined, Dead: true, ChannelID: o.ID, Decline: &payment.Decline{Code: "declined", Channel: "authorization_denied"}}, nil
	default:
		if d := declineOf(issue); d != nil && no.status == http.StatusUnprocessableEntity {
			return payment.Outcome{Verdict: payment.Declined, ChannelID: o.ID, Decline: d}, nil
		}
	}
	return payment.Outcome{}, no.err()
}

// reauthorize renews an authorization whose guarantee has passed, for the same amount, once; its request id makes a repeat
// the same. It is a favour to the capture that follows: where it doesn't work, the first authorization is captured.
func (s session) reauthorize(ctx context.Context, of moved) moved {
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/payments/authorizations/" + of.ID + "/reauthorize",
		id: s.Key.Reference + "-again", body: map[string]any{"amount": of.Amount}})
	var m moved
	if err != nil || res.Status != http.StatusCreated && res.Status != http.StatusOK || res.Decode(&m) != nil ||
		!idText(m.ID) || m.Status != "CREATED" || m.Amount != of.Amount {
		return of
	}
	return m
}
