package paypal

import (
	"context"
	"net/http"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Cancel closes an order that took nothing, by changing its intent, and voids an authorization. What the customer paid
// first is Succeeded.
func (ch *Channel) Cancel(ctx context.Context, c channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, dead, err := s.toClose(ctx, r)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case dead:
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	}
	return s.close(ctx, o, r)
}

// toClose finds the order, or takes the key with an empty one: a request that comes late then finds that it is closed.
func (s session) toClose(ctx context.Context, r channels.ChargeRequest) (o order, dead bool, err error) {
	f, err := s.find(ctx, r)
	switch {
	case err != nil:
		return order{}, false, err
	case f.order != nil:
		return *f.order, false, nil
	case f.never:
		return order{}, true, nil
	case s.ChannelID == "" && s.Now.Sub(s.Key.BornAt) <= lookup:
		o, _, err = s.create(ctx, r)
		return o, false, err
	}
	return order{}, false, fault.Unknown("channel_search_late", "paypal's list of transactions may still be incomplete", nil)
}

func (s session) close(ctx context.Context, o order, r channels.ChargeRequest) (payment.Outcome, error) {
	out, err := o.outcome(r)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case out.Verdict == payment.Authorized:
		return s.void(ctx, o, r)
	case out.Verdict != payment.Absent && out.Verdict != payment.Pending, o.moved():
		return out, nil // ended, or with a payment that PayPal is still working on
	}
	other := intentAuthorize
	if !r.Capture {
		other = intentCapture
	}
	patch := []map[string]string{{"op": "replace", "path": "/intent", "value": other}}
	res, err := s.send(ctx, request{method: http.MethodPatch, path: "/v2/checkout/orders/" + o.ID, body: patch})
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status == http.StatusNoContent {
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: o.ID}, nil
	}
	return s.again(ctx, o, r, refusalOf(res))
}

// void gives an authorization back. PayPal takes no id for it, so it was asked just now; a second void is refused.
func (s session) void(ctx context.Context, o order, r channels.ChargeRequest) (payment.Outcome, error) {
	list := o.Units[0].Payments.Authorizations
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/payments/authorizations/" + list[len(list)-1].ID + "/void", body: map[string]any{}})
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status == http.StatusNoContent {
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: o.ID}, nil
	}
	if res.Status == http.StatusOK {
		var m moved
		if err := res.Decode(&m); err != nil {
			return payment.Outcome{}, err
		}
		if m.Status == "VOIDED" && m.ID == list[len(list)-1].ID {
			return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: o.ID}, nil
		}
		return payment.Outcome{}, unreadable("something that isn't a void")
	}
	return s.again(ctx, o, r, refusalOf(res))
}

// again reads the order after a refusal: it moved under our hands, maybe to a success. One that stands where it was leaves
// it open whether it will ever close.
func (s session) again(ctx context.Context, o order, r channels.ChargeRequest, no refusal) (payment.Outcome, error) {
	if !no.readable() {
		return payment.Outcome{}, no.err()
	}
	now, err := s.get(ctx, o.ID)
	if err != nil || now == nil {
		return payment.Outcome{}, orMissing(err)
	}
	out, err := now.outcome(r)
	if err == nil && !out.Verdict.Known() || out.Verdict == payment.Authorized {
		return payment.Outcome{}, fault.Unknown("channel_refuses_close", "paypal refuses to close the order", nil)
	}
	return out, err
}
