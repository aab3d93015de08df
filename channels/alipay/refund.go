package alipay

import (
	"context"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// refundOrder names a refund by its trade's number and its own; only a request has an amount.
type refundOrder struct {
	OutTradeNo string `json:"out_trade_no"`
	RequestNo  string `json:"out_request_no"`
	Amount     string `json:"refund_amount,omitempty"`
	Reason     string `json:"refund_reason,omitempty"`
}

// Refund gives money back. Alipay makes it once per out_request_no; a repeat changes no funds (fund_change N), and so does
// one that takes its time: then the refund is asked about.
func (c *Channel) Refund(ctx context.Context, call channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, err := s.refundOrder(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	o.Amount, o.Reason = amount(r.AmountMinor), ""
	if r.Reason != "" {
		o.Reason = subject(r.Reason)
	}
	var a struct {
		trade
		FundChange string  `json:"fund_change"`
		Total      decimal `json:"refund_fee"` // everything given back of the trade so far
		PaidAt     string  `json:"gmt_refund_pay"`
	}
	v, err := s.call(ctx, request{method: "alipay.trade.refund", content: o}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !v.done():
		return v.refundRefused()
	case a.OutTradeNo != o.OutTradeNo:
		return payment.Outcome{}, foreign()
	case a.FundChange != "Y":
		return s.settled(ctx, o, r)
	}
	total, err := money.ParsePositive(string(a.Total), yuan)
	at, timeErr := moment(a.PaidAt)
	if err != nil || timeErr != nil || total.Minor < r.AmountMinor || a.TradeNo == "" {
		return payment.Outcome{}, unreadable()
	}
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: r.AmountMinor, Currency: yuan, ChannelID: a.TradeNo, EffectiveAt: at}, nil
}

func (s *session) refundOrder(r channels.RefundRequest) (refundOrder, error) {
	ref, err := id.Reference(r.ChargeKey)
	if err != nil {
		return refundOrder{}, err
	}
	if r.Currency != yuan || r.AmountMinor < 1 {
		return refundOrder{}, fault.Invalid("amount_not_allowed", "amount", "alipay gives back yuan, and at least 0.01 of them")
	}
	return refundOrder{OutTradeNo: ref, RequestNo: s.Key.Reference}, nil
}

// settled is what became of a refund that Alipay took without moving funds. One that doesn't show yet is on its way.
func (s *session) settled(ctx context.Context, o refundOrder, r channels.RefundRequest) (payment.Outcome, error) {
	out, err := s.lookRefund(ctx, refundOrder{OutTradeNo: o.OutTradeNo, RequestNo: o.RequestNo})
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case out.Verdict == payment.Absent:
		return payment.Outcome{Verdict: payment.Pending}, nil
	case out.Verdict == payment.Succeeded && out.AmountMinor != r.AmountMinor:
		return payment.Outcome{}, fault.Conflict("key_reused", "the reference was used for another refund")
	}
	return out, nil
}

// AskRefund reads what became of a refund.
func (c *Channel) AskRefund(ctx context.Context, call channels.Call, r channels.RefundRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, err := s.refundOrder(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	return s.lookRefund(ctx, o)
}

// lookRefund asks. That the question worked (10000) says nothing of the refund: only its own fields do.
func (s *session) lookRefund(ctx context.Context, o refundOrder) (payment.Outcome, error) {
	var a struct {
		trade
		RequestNo string  `json:"out_request_no"`
		Amount    decimal `json:"refund_amount"`
		Status    string  `json:"refund_status"`
		PaidAt    string  `json:"gmt_refund_pay"`
	}
	v, err := s.call(ctx, request{method: "alipay.trade.fastpay.refund.query", content: o}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.is(missing):
		return payment.Outcome{Verdict: payment.Absent}, nil
	case !v.done():
		return payment.Outcome{}, v.unexplained()
	case a.RequestNo == "" && a.Amount == "" && a.Status == "":
		return payment.Outcome{Verdict: payment.Absent}, nil
	case a.OutTradeNo != o.OutTradeNo || a.RequestNo != o.RequestNo:
		return payment.Outcome{}, foreign()
	case a.Status == "REFUND_PROCESSING":
		return payment.Outcome{Verdict: payment.Pending, ChannelID: a.TradeNo}, nil
	case a.Status == "REFUND_FAIL":
		return payment.Outcome{Verdict: payment.Declined, Dead: true, ChannelID: a.TradeNo,
			Decline: &payment.Decline{Code: "refund_failed", Channel: a.Status}}, nil
	case a.Status != "" && a.Status != "REFUND_SUCCESS":
		return payment.Outcome{}, unreadable()
	}
	back, err := money.ParsePositive(string(a.Amount), yuan)
	at, timeErr := moment(a.PaidAt)
	if err != nil || timeErr != nil || a.TradeNo == "" {
		return payment.Outcome{}, unreadable()
	}
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: back.Minor, Currency: yuan, ChannelID: a.TradeNo, EffectiveAt: at}, nil
}

// refusals are the reasons for which a refund or a transfer can never be made under its number.
var refusals = map[string]string{
	"ACQ.TRADE_HAS_FINISHED":           "charge_too_old",
	"ACQ.REFUND_AMT_NOT_EQUAL_TOTAL":   "refund_exceeds_charge",
	"ACQ.REASON_TRADE_REFUND_FEE_ERR":  "refund_exceeds_charge",
	"ACQ.REFUND_FEE_ERROR":             "refund_exceeds_charge",
	"ACQ.TRADE_NOT_ALLOW_REFUND":       "refund_not_allowed",
	"ACQ.TRADE_STATUS_ERROR":           "refund_not_allowed",
	"ACQ.REASON_TRADE_STATUS_INVALID":  "refund_not_allowed",
	"ACQ.BUYER_NOT_EXIST":              "account_closed",
	"PAYEE_NOT_EXIST":                  "account_closed",
	"PAYEE_USER_INFO_ERROR":            "invalid_token",
	"PAYEE_ACC_OCUPIED":                "invalid_token",
	"PAYEE_USERINFO_STATUS_ERROR":      "account_closed",
	"PAYEE_NOT_RELNAME_CERTIFY":        "not_permitted",
	"PAYER_PAYEE_CANNOT_SAME":          "not_permitted",
	"BLOCK_USER_FORBBIDEN_RECIEVE":     "not_permitted",
	"PERMIT_PAYER_LOWEST_FORBIDDEN":    "limit_exceeded",
	"PERMIT_NON_BANK_LIMIT_PAYEE":      "limit_exceeded",
	"EXCEED_LIMIT_SM_AMOUNT":           "limit_exceeded",
	"EXCEED_LIMIT_SM_MIN_AMOUNT":       "amount_not_allowed",
	"AMOUNT_OVER_LIMIT_PER_PAYEE_ONCE": "limit_exceeded",
}

// later are the reasons that go away: our balance, a freeze, a daily limit. The same number may be sent again, so nothing
// is dead, and a person is shown it.
var later = map[string]string{
	"ACQ.SELLER_BALANCE_NOT_ENOUGH": "insufficient_balance",
	"ACQ.REASON_TRADE_BEEN_FREEZEN": "refund_abnormal",
	"ACQ.REFUND_CHARGE_ERROR":       "insufficient_balance",
	"PAYER_BALANCE_NOT_ENOUGH":      "insufficient_balance",
	"BALANCE_IS_NOT_ENOUGH":         "insufficient_balance",
	"EXCEED_LIMIT_DM_AMOUNT":        "limit_exceeded",
	"EXCEED_LIMIT_DM_MAX_AMOUNT":    "limit_exceeded",
	"EXCEED_LIMIT_MM_AMOUNT":        "limit_exceeded",
	"EXCEED_LIMIT_MM_MAX_AMOUNT":    "limit_exceeded",
}

func (v verdict) refundRefused() (payment.Outcome, error) {
	switch {
	case v.is("ACQ.DISCORDANT_REPEAT_REQUEST"):
		return payment.Outcome{}, fault.Conflict("key_reused", "the reference was used for another refund")
	case v.is(missing):
		return payment.Outcome{}, fault.NotFound("charge at the channel")
	case v.is("ACQ.INVALID_PARAMETER"):
		return payment.Outcome{}, fault.Invalid("channel_refused", "", "alipay refuses the request: "+v.word())
	}
	return v.outRefused()
}

// outRefused judges a business no to money that leaves.
func (v verdict) outRefused() (payment.Outcome, error) {
	if code, known := refusals[v.SubCode]; known {
		return payment.Outcome{Verdict: payment.Declined, Dead: true, Decline: &payment.Decline{Code: code, Channel: v.SubCode, Hard: true}}, nil
	}
	if code, known := later[v.SubCode]; known {
		return payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: code, Channel: v.SubCode}}, nil
	}
	return payment.Outcome{}, v.unexplained()
}
