package paypal

import (
	"context"
	"net/http"
	"strings"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// Refund gives captured money back. PayPal knows the request id for 45 days, far longer than Guard sends it.
func (ch *Channel) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	want, err := toAmount(r.AmountMinor, r.Currency)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, err := s.orderOfCharge(ctx, r.ChannelID, r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	of := o.refundable()
	if of == "" {
		return payment.Outcome{}, fault.Invalid("charge_not_refundable", "channel_id", "nothing was captured that could be given back")
	}
	body := map[string]any{"amount": want, "custom_id": s.Key.Reference, "invoice_id": s.Key.Reference}
	if note := cut(r.Reason, 255); note != "" {
		body["note_to_payer"] = note
	}
	res, err := s.send(ctx, request{method: http.MethodPost, path: "/v2/payments/captures/" + of + "/refund", id: s.Key.Reference, body: body})
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusCreated {
		return notRefunded(refusalOf(res))
	}
	var m moved
	if err := res.Decode(&m); err != nil {
		return payment.Outcome{}, err
	}
	if m.CustomID != s.Key.Reference {
		return payment.Outcome{}, fault.Unknown("channel_answer_mismatch", "paypal's answer speaks of something else", nil)
	}
	if a, err := m.read(); err == nil && (a.Minor != r.AmountMinor || string(a.Currency) != r.Currency) {
		return payment.Outcome{}, fault.Conflict("idempotency_key_reused", "paypal knows the key for another refund")
	}
	return m.refunded()
}

// refundable is the capture that took the money.
func (o order) refundable() string {
	for _, c := range o.Units[0].Payments.Captures {
		switch c.Status {
		case "COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED":
			if idText(c.ID) {
				return c.ID
			}
		}
	}
	return ""
}

// refusedRefunds are the issues by which PayPal says that a valid refund can't be had.
var refusedRefunds = map[string]string{
	"CAPTURE_FULLY_REFUNDED":                 "already_refunded",
	"REFUND_AMOUNT_EXCEEDED":                 "refund_too_large",
	"REFUND_NOT_ALLOWED":                     "not_refundable",
	"REFUND_IS_RESTRICTED":                   "not_refundable",
	"PARTIAL_REFUND_NOT_ALLOWED":             "not_refundable",
	"REFUND_TIME_LIMIT_EXCEEDED":             "charge_too_old",
	"MAX_NUMBER_OF_REFUNDS_EXCEEDED":         "too_many_refunds",
	"REFUND_FAILED_INSUFFICIENT_FUNDS":       "channel_balance_insufficient",
	"REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": "charge_disputed",
	"TRANSACTION_DISPUTED":                   "charge_disputed",
	"PAYER_ACCOUNT_LOCKED_OR_CLOSED":         "account_closed",
}

func notRefunded(no refusal) (payment.Outcome, error) {
	issue := no.issue()
	if code, ok := refusedRefunds[issue]; ok {
		return payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: code, Channel: strings.ToLower(issue)}}, nil
	}
	return payment.Outcome{}, no.err()
}

// refunded is the outcome of one refund.
func (m moved) refunded() (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: m.ID}
	switch m.Status {
	case "COMPLETED":
		a, err := m.read()
		if err != nil {
			return payment.Outcome{}, err
		}
		out.Verdict, out.AmountMinor, out.Currency, out.EffectiveAt = payment.Succeeded, a.Minor, string(a.Currency), m.CreateTime
	case "PENDING":
		out.Verdict = payment.Pending
	case "FAILED":
		out.Verdict, out.Dead, out.Decline = payment.Declined, true, &payment.Decline{Code: "refund_failed", Channel: "failed"}
	case "CANCELLED":
		out.Verdict, out.Dead = payment.Closed, true
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	return out, nil
}

// AskRefund reads what became of a refund: by its id, or among those of the charge's order.
func (ch *Channel) AskRefund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := ch.session(c)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, err := s.orderOfCharge(ctx, r.ChannelID, r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, asked(err)
	}
	for _, m := range o.Units[0].Payments.Refunds {
		if m.CustomID == s.Key.Reference {
			return m.refunded()
		}
	}
	return payment.Outcome{Verdict: payment.Absent}, nil
}
