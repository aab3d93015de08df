package stripe

import (
	"context"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Capture takes money from an authorization, once: Stripe releases the rest. Captures that leave a rest open
// (multicapture) are Invalid "capture_must_be_final".
func (c *Channel) Capture(ctx context.Context, call channels.Call, r channels.CaptureRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	units, err := toUnits(r.AmountMinor, r.Currency)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case r.ChannelID == "":
		return payment.Outcome{}, fault.Invalid("channel_id_missing", "channel_id", "a capture names the channel's id of its charge")
	case !r.Final:
		return payment.Outcome{}, fault.Invalid("capture_must_be_final", "final", "stripe releases what a capture leaves")
	}
	p := &sdk.PaymentIntentCaptureParams{AmountToCapture: sdk.Int64(units), Expand: expand}
	p.SetIdempotencyKey(s.Key.ID)
	pi, err := s.api.V1PaymentIntents.Capture(ctx, r.ChannelID, p)
	switch {
	case reused(err):
		return s.standingCapture(ctx, r, units)
	case err != nil:
		return s.notCaptured(ctx, r, err)
	}
	return captured(pi, r)
}

// captured judges an intent after its capture.
func captured(pi *sdk.PaymentIntent, r channels.CaptureRequest) (payment.Outcome, error) {
	if err := readable(pi); err != nil {
		return payment.Outcome{}, err
	}
	if pi.ID != r.ChannelID || pi.Metadata[metaKey] != r.ChargeKey {
		return payment.Outcome{}, fault.Unknown("channel_answer_foreign", "stripe answered with another payment's intent", nil)
	}
	return intentOutcome(pi)
}

// notCaptured judges a refusal. An intent that was cancelled or has lapsed is closed; one that was captured before is
// not this capture's doing.
func (s session) notCaptured(ctx context.Context, r channels.CaptureRequest, err error) (payment.Outcome, error) {
	e := complete(err)
	if e == nil || e.Code != sdk.ErrorCodePaymentIntentUnexpectedState {
		return payment.Outcome{}, readError(err)
	}
	pi, readErr := s.retrieve(ctx, r.ChannelID)
	switch {
	case readErr != nil:
		return payment.Outcome{}, readErr
	case pi != nil && pi.Status == sdk.PaymentIntentStatusCanceled:
		return captured(pi, r)
	}
	return payment.Outcome{}, fault.Invalid("charge_not_capturable", "channel_id", "the charge is not open for a capture")
}

// standingCapture answers when the key was used with other parameters. A capture carries no metadata, so what tells
// our earlier words from another request is the amount.
func (s session) standingCapture(ctx context.Context, r channels.CaptureRequest, units int64) (payment.Outcome, error) {
	pi, err := s.retrieve(ctx, r.ChannelID)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case pi != nil && pi.Status == sdk.PaymentIntentStatusSucceeded && pi.AmountReceived == units:
		return captured(pi, r)
	}
	return payment.Outcome{}, keyReused()
}
