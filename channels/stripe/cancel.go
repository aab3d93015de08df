package stripe

import (
	"context"
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Ask reads what became of a charge: by its id if the call knows it, else among the intents created since its key was
// born. Absent means that Stripe has none now; a request on its way may still make one.
func (c *Channel) Ask(ctx context.Context, call channels.Call, _ channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	pi, err := s.find(ctx)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case pi == nil:
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return intentOutcome(pi)
}

// Cancel closes the intent, or takes the key where there is none, so that none can be made any more. It answers
// Succeeded for an intent that was paid first, and Pending or Authorized where Stripe can't close it yet.
func (c *Channel) Cancel(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	pi, err := s.find(ctx)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case pi == nil:
		return s.seal(ctx, r)
	}
	return s.close(ctx, pi)
}

func (s session) close(ctx context.Context, pi *sdk.PaymentIntent) (payment.Outcome, error) {
	if pi.Status == sdk.PaymentIntentStatusCanceled || pi.Status == sdk.PaymentIntentStatusSucceeded {
		return intentOutcome(pi)
	}
	p := &sdk.PaymentIntentCancelParams{Expand: expand}
	p.SetIdempotencyKey(s.closingKey())
	closed, err := s.api.V1PaymentIntents.Cancel(ctx, pi.ID, p)
	if err == nil {
		return s.made(ctx, closed)
	}
	if e := complete(err); e != nil && e.Code == sdk.ErrorCodePaymentIntentUnexpectedState {
		return s.now(ctx, pi.ID) // it moved under our hands, maybe to succeeded
	}
	return payment.Outcome{}, readError(err)
}

// seal closes a charge that Stripe has no intent of. A request for it may still be on its way, so the key is taken: an
// intent that charges nothing is created under it and cancelled. A request that comes later carries other parameters
// under a known key, and Stripe refuses that for as long as it knows the key, which is longer than Guard sends it.
func (s session) seal(ctx context.Context, r channels.ChargeRequest) (payment.Outcome, error) {
	if s.Now.Sub(s.Key.BornAt) > settled {
		// Nothing sends this key any more, and Stripe may have forgotten it: the absence is final by itself.
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	}
	units, err := toUnits(r.AmountMinor, r.Currency)
	if err != nil {
		return payment.Outcome{}, err
	}
	p := &sdk.PaymentIntentCreateParams{
		Amount:             sdk.Int64(units),
		Currency:           sdk.String(strings.ToLower(r.Currency)),
		PaymentMethodTypes: []*string{sdk.String("card")},
		Description:        sdk.String("closed before it was charged"),
		Metadata:           s.metadata(),
	}
	p.SetIdempotencyKey(s.Key.ID)
	pi, err := s.api.V1PaymentIntents.Create(ctx, p)
	switch {
	case reused(err):
		return s.sealed(ctx, r)
	case err != nil:
		return payment.Outcome{}, readError(err)
	}
	if err := readable(pi); err != nil {
		return payment.Outcome{}, err
	}
	return s.close(ctx, pi)
}

// sealed closes what the key was used for. Stripe knows the key, so sending the charge again can't make one: it repeats
// the stored answer, which names the intent, or shows that it was refused without one.
func (s session) sealed(ctx context.Context, r channels.ChargeRequest) (payment.Outcome, error) {
	pi, err := s.find(ctx)
	if err != nil {
		return payment.Outcome{}, err
	}
	if pi != nil {
		return s.close(ctx, pi)
	}
	p, err := s.creation(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	pi, err = s.api.V1PaymentIntents.Create(ctx, p)
	if err == nil {
		if err = readable(pi); err == nil {
			return s.close(ctx, pi)
		}
		return payment.Outcome{}, err
	}
	e := complete(err)
	switch {
	case e == nil:
		return payment.Outcome{}, readError(err)
	case e.PaymentIntent != nil && readable(e.PaymentIntent) == nil:
		return s.close(ctx, e.PaymentIntent)
	case replayed(e.LastResponse) && !reused(err):
		return payment.Outcome{Verdict: payment.Closed, Dead: true}, nil
	}
	return payment.Outcome{}, fault.Unknown("channel_key_busy", "stripe knows the key but shows no intent for it", nil)
}
