package stripe

import (
	"context"
	"slices"
	"strings"
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
	if err != nil {
		if e := complete(err); e != nil && refundRefusals[e.Code] != "" {
			return payment.Outcome{Verdict: payment.Declined, Dead: true,
				Decline: &payment.Decline{Code: refundRefusals[e.Code], Channel: string(e.Code)}}, nil
		}
		return payment.Outcome{}, readError(err)
	}
	if re != nil && replayed(re.LastResponse) && strings.HasPrefix(re.ID, "re_") {
		if re, err = s.api.V1Refunds.Retrieve(ctx, re.ID, nil); err != nil {
			return payment.Outcome{}, readError(err)
		}
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
	return s.searchRefund(ctx, r.ChannelID)
}

func (s session) searchRefund(ctx context.Context, intent string) (payment.Outcome, error) {
	after := ""
	for range maxPages {
		p := &sdk.RefundListParams{PaymentIntent: sdk.String(intent)}
		p.Limit, p.Single = sdk.Int64(pageSize), true
		if after != "" {
			p.StartingAfter = sdk.String(after)
		}
		list := s.api.V1Refunds.List(ctx, p)
		if err := list.Err(); err != nil {
			return payment.Outcome{}, readError(err)
		}
		for _, re := range list.Data() {
			if re == nil || re.ID == "" {
				return payment.Outcome{}, unreadable()
			}
			if s.ours(re.Metadata) {
				return s.refundOutcome(re)
			}
			after = re.ID
		}
		switch {
		case !list.Meta().HasMore:
			return payment.Outcome{Verdict: payment.Absent}, nil
		case len(list.Data()) == 0:
			return payment.Outcome{}, unreadable()
		}
	}
	return payment.Outcome{}, fault.Unknown("channel_search_too_long", "there are too many refunds to look through", nil)
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
