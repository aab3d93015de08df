package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

const refundsPath = "/v3/refund/domestic/refunds"

// refundAmount is of a request, an answer or a callback, which don't all say everything.
type refundAmount struct {
	Refund   int64  `json:"refund"`
	Total    int64  `json:"total"`
	Currency string `json:"currency,omitempty"`
}

type refundOrder struct {
	OutTradeNo  string       `json:"out_trade_no"`
	OutRefundNo string       `json:"out_refund_no"`
	Reason      string       `json:"reason,omitempty"`
	Amount      refundAmount `json:"amount"`
}

// refunded is a refund as an answer shows it, and as a callback does, which calls the state otherwise.
type refunded struct {
	RefundID    string       `json:"refund_id"`
	OutRefundNo string       `json:"out_refund_no"`
	Status      string       `json:"status"`
	SuccessTime string       `json:"success_time"`
	Amount      refundAmount `json:"amount"`
}

// Refund gives money back. WeChat's answer only accepts it: what becomes of it is asked, under the same number, because
// another one would be a second refund.
func (ch *Channel) Refund(ctx context.Context, c channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	of, err := id.Reference(r.ChargeKey)
	if err != nil {
		return payment.Outcome{}, err
	}
	body := refundOrder{OutTradeNo: of, OutRefundNo: c.Key.Reference, Reason: shortened(r.Reason, 80),
		Amount: refundAmount{r.AmountMinor, r.TotalMinor, r.Currency}}
	res, err := s.call(ctx, http.MethodPost, refundsPath, body)
	if err != nil {
		return payment.Outcome{}, err
	}
	if res.Status >= 400 {
		return noRefund(res)
	}
	return refundAnswer(res, c.Key)
}

// AskRefund reads what became of a refund.
func (ch *Channel) AskRefund(ctx context.Context, c channels.Call, _ channels.RefundRequest) (payment.Outcome, error) {
	s, err := ch.session(c.Account, c.Now)
	if err != nil {
		return payment.Outcome{}, err
	}
	res, err := s.call(ctx, http.MethodGet, refundsPath+"/"+url.PathEscape(c.Key.Reference), nil)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case res.refused() == "RESOURCENOTEXISTS":
		return payment.Outcome{Verdict: payment.Absent}, nil
	case res.Status >= 400:
		return res.refusal()
	}
	return refundAnswer(res, c.Key)
}

// refusedRefunds are refusals that a person can mend, by filling the account for one: the same number then works, so
// they aren't dead. Those that nothing mends are.
var refusedRefunds = map[string]struct {
	code string
	dead bool
}{
	"NOTENOUGH":           {"insufficient_balance", false},
	"USERACCOUNTABNORMAL": {"account_closed", true},
	"TRADEOVERDUE":        {"charge_too_old", true},
}

func noRefund(res answer) (payment.Outcome, error) {
	if n, ok := refusedRefunds[res.refused()]; ok {
		return no(n.code, res.code(), n.dead), nil
	}
	if res.refused() == "RESOURCENOTEXISTS" {
		return payment.Outcome{}, fault.NotFound("charge at the channel")
	}
	return res.refusal()
}

func refundAnswer(res answer, key channels.Key) (payment.Outcome, error) {
	var a refunded
	if json.Unmarshal(res.Body, &a) != nil {
		return payment.Outcome{}, unreadable("something that isn't a refund")
	}
	if a.OutRefundNo != key.Reference {
		return payment.Outcome{}, mismatch()
	}
	return a.outcome()
}

// outcome reads a refund's state. ABNORMAL is a no that isn't final: the customer's card is dead or frozen, and a person
// sends the money elsewhere at the merchant platform, under the same number.
func (a refunded) outcome() (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: a.RefundID}
	switch a.Status {
	case "PROCESSING":
		out.Verdict = payment.Pending
	case "SUCCESS":
		if a.RefundID == "" || a.Amount.Refund <= 0 {
			return payment.Outcome{}, unreadable("a success without its amount")
		}
		if a.Amount.Currency == "" { // callbacks don't say
			a.Amount.Currency = currency
		}
		out.Verdict, out.AmountMinor, out.Currency = payment.Succeeded, a.Amount.Refund, a.Amount.Currency
		out.EffectiveAt = at(a.SuccessTime)
	case "CLOSED", "CLOSE": // the documentation has both
		out.Verdict, out.Dead = payment.Closed, true
	case "ABNORMAL":
		out.Verdict, out.Decline = payment.Declined, &payment.Decline{Code: "refund_abnormal", Channel: "ABNORMAL"}
	default:
		return payment.Outcome{}, unreadable("a state that we don't know")
	}
	return out, nil
}

// shortened cuts a text after so many bytes, between two characters.
func shortened(text string, limit int) string {
	for i := range text {
		if i+len(string([]rune(text[i:])[:1])) > limit {
			return text[:i]
		}
	}
	return text
}
