package stripe

import (
	"context"
	"net/url"
	"slices"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Refund gives captured money back. Stripe's refusal of a valid request is a dead decline: nothing was refunded.
func (c *Channel) Refund(ctx context.Context, call channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	units, err := toUnits(r.AmountMinor, r.Currency)
	if err == nil && r.ChannelID == "" {
		err = channelIDMissing()
	}
	if err != nil {
		return payment.Outcome{}, err
	}
	p := &sdk.RefundCreateParams{PaymentIntent: sdk.String(r.ChannelID), Amount: sdk.Int64(units), Metadata: s.metadata()}
	p.SetIdempotencyKey(s.Key.ID)
	if slices.Contains([]string{"duplicate", "fraudulent", "requested_by_customer"}, r.Reason) {
		p.Reason = sdk.String(r.Reason) // Stripe knows no others
	}
	re, err := s.api.V1Refunds.Create(ctx, p)
	if reused(err) {
		return s.standingRefund(ctx, r.ChannelID)
	}
	if err != nil {
		if e := complete(err); e != nil && refundRefusals[e.Code] != "" {
			return payment.Outcome{Verdict: payment.Declined, Dead: true,
				Decline: &payment.Decline{Code: refundRefusals[e.Code], Channel: string(e.Code)}}, nil
		}
		return payment.Outcome{}, readError(err)
	}
	if re != nil && re.ID != "" && replayed(re.LastResponse) {
		return s.refundNow(ctx, re.ID)
	}
	return s.refundOutcome(re)
}

// AskRefund reads what became of a refund, by its id or among the refunds of its intent.
func (c *Channel) AskRefund(ctx context.Context, call channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	if s.ChannelID != "" {
		re, err := s.api.V1Refunds.Retrieve(ctx, s.ChannelID, nil)
		if err == nil && re != nil && s.ours(re.Metadata) {
			return s.refundOutcome(re)
		}
		if err != nil && fault.Of(readError(err)) != fault.KindNotFound {
			return payment.Outcome{}, readError(err)
		}
	}
	if r.ChannelID == "" {
		return payment.Outcome{}, channelIDMissing()
	}
	found, err := s.searchRefund(ctx, r.ChannelID)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case found == nil:
		return payment.Outcome{Verdict: payment.Absent}, nil
	}
	return s.refundNow(ctx, found.ID)
}

func (s session) searchRefund(ctx context.Context, intent string) (*listed, error) {
	pages := maxPages
	return s.search(ctx, "/v1/refunds", &pages, url.Values{"payment_intent": {intent}})
}

// standingRefund answers when the key was used with other parameters, as standing does for charges.
func (s session) standingRefund(ctx context.Context, intent string) (payment.Outcome, error) {
	found, err := s.searchRefund(ctx, intent)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case found == nil:
		return payment.Outcome{Verdict: payment.Unknown, Reason: "the key was used before, and no refund shows yet"}, nil
	case found.Metadata[metaBody] != s.Key.BodyHash:
		return payment.Outcome{}, keyReused()
	}
	return s.refundNow(ctx, found.ID)
}

// refundNow reads a refund as it is.
func (s session) refundNow(ctx context.Context, id string) (payment.Outcome, error) {
	re, err := s.api.V1Refunds.Retrieve(ctx, id, nil)
	if err != nil {
		return payment.Outcome{}, readError(err)
	}
	return s.refundOutcome(re)
}

func channelIDMissing() error {
	return fault.Invalid("channel_id_missing", "channel_id", "a refund names the channel's id of its charge")
}

func (s session) refundOutcome(re *sdk.Refund) (payment.Outcome, error) {
	if re == nil || re.Object != "refund" || re.ID == "" {
		return payment.Outcome{}, unreadable()
	}
	if !s.ours(re.Metadata) {
		return payment.Outcome{}, fault.Unknown("channel_answer_foreign", "stripe answered with another refund", nil)
	}
	return refundOutcome(re)
}

// refundOutcome maps a refund. One that succeeded can still fail later; then Stripe returns the money to our balance.
func refundOutcome(re *sdk.Refund) (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: re.ID}
	switch re.Status {
	case sdk.RefundStatusPending, sdk.RefundStatusRequiresAction:
		out.Verdict = payment.Pending
	case sdk.RefundStatusSucceeded:
		amount, err := fromUnits(re.Amount, re.Currency)
		if err != nil {
			return payment.Outcome{}, err
		}
		out.Verdict, out.AmountMinor, out.Currency = payment.Succeeded, amount.Minor, string(amount.Currency)
		out.EffectiveAt = time.Unix(re.Created, 0).UTC()
	case sdk.RefundStatusFailed:
		out.Verdict, out.Dead = payment.Declined, true
		reason := codeText(string(re.FailureReason))
		out.Decline = &payment.Decline{Code: "refund_failed", Channel: reason}
		if reason != "" {
			out.Decline.Code = reason
		}
	case sdk.RefundStatusCanceled:
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable()
	}
	return out, nil
}
