package alipay

import (
	"context"
	"strings"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
)

// minTransfer is the smallest transfer, in minor units.
const minTransfer = 10

// What kind of transfer ours are: from our balance to an Alipay account.
const (
	transferProduct = "TRANS_ACCOUNT_NO_PWD"
	transferScene   = "DIRECT_TRANSFER"
)

type transferOrder struct {
	OutBizNo string `json:"out_biz_no"`
	Amount   string `json:"trans_amount,omitempty"`
	Product  string `json:"product_code"`
	Scene    string `json:"biz_scene"`
	Title    string `json:"order_title,omitempty"`
	Payee    *payee `json:"payee_info,omitempty"`
	Remark   string `json:"remark,omitempty"`
}

type payee struct {
	Identity string `json:"identity"`
	Type     string `json:"identity_type"`
}

// transfer is what an answer or a callback says of one.
type transfer struct {
	OutBizNo  string  `json:"out_biz_no"`
	OrderID   string  `json:"order_id"`
	Status    string  `json:"status"`
	Amount    decimal `json:"trans_amount"`
	At        string  `json:"trans_date"`
	PaidAt    string  `json:"pay_date"`
	ErrorCode string  `json:"error_code"`
}

// Payout sends money to an Alipay account. Alipay makes it once per out_biz_no.
func (c *Channel) Payout(ctx context.Context, call channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	to, err := payeeOf(r.Destination)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case r.Currency != yuan:
		return payment.Outcome{}, fault.Invalid("currency_unsupported", "currency", "alipay pays out CNY only")
	case r.AmountMinor < minTransfer || r.AmountMinor > maxTrade:
		return payment.Outcome{}, fault.Invalid("amount_not_allowed", "amount", "alipay transfers 0.10 to 100,000,000.00 yuan")
	}
	o := transferOrder{OutBizNo: s.Key.Reference, Amount: amount(r.AmountMinor), Product: transferProduct, Scene: transferScene,
		Title: "payout", Payee: to}
	if r.Note != "" {
		o.Title = subject(r.Note)
		o.Remark = o.Title
	}
	var a transfer
	v, err := s.call(ctx, request{method: "alipay.fund.trans.uni.transfer", content: o}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.is("BIZ_UNIQUE_EXCEPTION"):
		return payment.Outcome{}, fault.Conflict("key_reused", "the reference was used for another transfer")
	case v.is("INVALID_PARAMETER"):
		return payment.Outcome{}, fault.Invalid("channel_refused", "", "alipay refuses the request: "+v.word())
	case v.is("REQUEST_PROCESSING"):
		return payment.Outcome{Verdict: payment.Pending}, nil
	case !v.done():
		return v.outRefused()
	case a.OutBizNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	}
	if a.Amount == "" { // the answer to a transfer repeats no amount: it was made as asked, or refused
		a.Amount = decimal(o.Amount)
	}
	return a.outcome()
}

// AskPayout reads what became of a transfer.
func (c *Channel) AskPayout(ctx context.Context, call channels.Call, r channels.PayoutRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	o := transferOrder{OutBizNo: s.Key.Reference, Product: transferProduct, Scene: transferScene}
	var a transfer
	v, err := s.call(ctx, request{method: "alipay.fund.trans.common.query", content: o}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.is("ORDER_NOT_EXIST"):
		return payment.Outcome{Verdict: payment.Absent}, nil
	case !v.done():
		return payment.Outcome{}, v.unexplained()
	case a.OutBizNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	}
	if a.Amount == "" {
		a.Amount = decimal(amount(r.AmountMinor))
	}
	return a.outcome()
}

// outcome reads a transfer's state strictly. One that succeeded may still come back.
func (t transfer) outcome() (payment.Outcome, error) {
	out := payment.Outcome{ChannelID: t.OrderID}
	no := func(code string) payment.Outcome {
		out.Verdict, out.Dead = payment.Declined, true
		out.Decline = &payment.Decline{Code: code, Channel: verdict{SubCode: t.ErrorCode}.word()}
		if t.ErrorCode == "" {
			out.Decline.Channel = t.Status
		}
		return out
	}
	switch t.Status {
	case "SUCCESS":
		at := t.PaidAt
		if at == "" {
			at = t.At
		}
		sum, err := money.ParsePositive(string(t.Amount), yuan)
		when, timeErr := moment(at)
		if err != nil || timeErr != nil || t.OrderID == "" {
			return payment.Outcome{}, unreadable()
		}
		out.Verdict, out.AmountMinor, out.Currency, out.EffectiveAt = payment.Succeeded, sum.Minor, yuan, when
		return out, nil
	case "DEALING", "WAIT_PAY", "INIT":
		out.Verdict = payment.Pending
		return out, nil
	case "FAIL", "CLOSED":
		return no("payout_failed"), nil
	case "REFUND":
		return no("payout_returned"), nil
	}
	return payment.Outcome{}, fault.Unknown("channel_answer_unknown", "alipay names a state that we don't know", nil)
}

// payeeOf reads a destination: "wallet:" and an account's number or an openid. A login name or a bank card would need its
// holder's name, which a payout's request doesn't carry.
func payeeOf(destination string) (*payee, error) {
	kind, account, _ := strings.Cut(destination, ":")
	switch {
	case kind != string(payout.Wallet):
	case isUserID(account):
		return &payee{account, "ALIPAY_USER_ID"}, nil
	case len(account) >= 28 && !strings.ContainsAny(account, "@+.:"):
		return &payee{account, "ALIPAY_OPEN_ID"}, nil
	}
	return nil, fault.Invalid("destination_unsupported", "destination", "alipay pays out to a wallet: its account number (2088 and 12 digits) or its openid")
}
