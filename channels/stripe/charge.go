package stripe

import (
	"context"
	"strings"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Charge creates and confirms a payment intent in one request, under the step's own key.
func (c *Channel) Charge(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	p, err := s.creation(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	pi, err := s.api.V1PaymentIntents.Create(ctx, p)
	switch {
	case reused(err):
		return s.standing(ctx)
	case err != nil:
		return s.refused(ctx, err)
	}
	return s.made(ctx, pi)
}

// made judges the intent that a creation answered.
func (s session) made(ctx context.Context, pi *sdk.PaymentIntent) (payment.Outcome, error) {
	if err := readable(pi); err != nil {
		return payment.Outcome{}, err
	}
	if !s.ours(pi.Metadata) {
		return payment.Outcome{}, fault.Unknown("channel_answer_foreign", "stripe answered with another payment's intent", nil)
	}
	if replayed(pi.LastResponse) {
		return s.now(ctx, pi.ID)
	}
	return intentOutcome(pi)
}

// now reads an intent as it is. Stripe repeats under a key what it once answered, which may have changed since.
func (s session) now(ctx context.Context, id string) (payment.Outcome, error) {
	pi, err := s.retrieve(ctx, id)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case pi == nil || !s.ours(pi.Metadata):
		return payment.Outcome{}, unreadable()
	}
	return intentOutcome(pi)
}

// refused judges an error answer of a creation: a bank's no is a result, and so is whatever names an intent.
func (s session) refused(ctx context.Context, err error) (payment.Outcome, error) {
	e := complete(err)
	if e == nil {
		return payment.Outcome{}, readError(err)
	}
	pi := e.PaymentIntent
	switch {
	case pi == nil && declines(e):
		return payment.Outcome{Verdict: payment.Declined, Decline: declineOf(e, advice(e.LastResponse))}, nil
	case pi == nil || !declines(e) && pi.LastPaymentError == nil:
		return payment.Outcome{}, readError(err)
	case readable(pi) != nil || !s.ours(pi.Metadata):
		return payment.Outcome{}, unreadable()
	case replayed(e.LastResponse) || pi.Status != sdk.PaymentIntentStatusRequiresPaymentMethod:
		return s.now(ctx, pi.ID)
	}
	if pi.LastPaymentError == nil {
		pi.LastPaymentError = e
	}
	pi.LastResponse = e.LastResponse
	return intentOutcome(pi)
}

// standing answers when the key was used with other parameters: the intent made then is the answer, whether Cancel put
// it there or an earlier release of ours that asked in other words. One of another request is our bug (I-20).
func (s session) standing(ctx context.Context) (payment.Outcome, error) {
	pi, err := s.find(ctx)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case pi == nil:
		return payment.Outcome{Verdict: payment.Unknown, Reason: "the key was used before, and no intent shows yet"}, nil
	case pi.Metadata[metaBody] != s.Key.BodyHash:
		return payment.Outcome{}, keyReused()
	}
	return intentOutcome(pi)
}

// creation is the frozen request in Stripe's words. It is a function of the request and the key, so that a repeat
// sends the same parameters (I-13).
func (s session) creation(r channels.ChargeRequest) (*sdk.PaymentIntentCreateParams, error) {
	units, err := toUnits(r.AmountMinor, r.Currency)
	if err != nil {
		return nil, err
	}
	p := &sdk.PaymentIntentCreateParams{
		Amount:        sdk.Int64(units),
		Currency:      sdk.String(strings.ToLower(r.Currency)),
		Confirm:       sdk.Bool(true),
		CaptureMethod: sdk.String("automatic"),
		Metadata:      s.metadata(),
		Expand:        expand,
	}
	p.SetIdempotencyKey(s.Key.ID)
	if !r.Capture {
		p.CaptureMethod = sdk.String("manual")
	}
	if r.Description != "" {
		p.Description = sdk.String(r.Description)
	}
	if r.ReturnURL != "" {
		p.ReturnURL = sdk.String(r.ReturnURL)
	}
	return p, s.method(p, r)
}

// method says how the customer pays.
func (s session) method(p *sdk.PaymentIntentCreateParams, r channels.ChargeRequest) error {
	kind := ""
	switch r.Method.Type {
	case payment.MethodCardToken:
		return card(p, r)
	case payment.MethodRedirect:
		if r.ReturnURL == "" {
			return fault.Invalid("return_url_required", "return_url", "stripe sends the customer back to a return_url")
		}
		if kind = s.Account.Credentials[RedirectMethod]; kind == "" {
			kind = "alipay"
		}
	case payment.MethodQR:
		kind = "wechat_pay"
		p.PaymentMethodOptions = &sdk.PaymentIntentCreatePaymentMethodOptionsParams{
			WeChatPay: &sdk.PaymentIntentCreatePaymentMethodOptionsWeChatPayParams{Client: sdk.String("web")}}
	default:
		return fault.Invalid("method_unsupported", "method.type", "stripe does not offer this method")
	}
	p.PaymentMethodTypes = []*string{sdk.String(kind)}
	p.PaymentMethodData = &sdk.PaymentIntentCreatePaymentMethodDataParams{Type: sdk.String(kind)}
	return nil
}

// card pays with a card that Stripe already knows. Where the bank asks for the customer and there is no way back from
// it, the payment fails at once instead of waiting for nobody.
func card(p *sdk.PaymentIntentCreateParams, r channels.ChargeRequest) error {
	switch token := r.Method.Token; {
	case strings.HasPrefix(token, "pm_"), strings.HasPrefix(token, "card_"), strings.HasPrefix(token, "src_"):
		p.PaymentMethod = sdk.String(token)
	case strings.HasPrefix(token, "ctoken_"):
		p.ConfirmationToken = sdk.String(token)
	default:
		return fault.Invalid("token_unsupported", "method.token",
			"stripe takes the id of a payment method (pm_…) or of a confirmation token (ctoken_…)")
	}
	p.PaymentMethodTypes = []*string{sdk.String("card")}
	if r.ReturnURL == "" {
		p.ErrorOnRequiresAction = sdk.Bool(true)
	}
	return nil
}
