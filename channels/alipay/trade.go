package alipay

import (
	"encoding/json"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// trade is what answers and callbacks say of one. Amounts are in yuan, times in China's.
type trade struct {
	TradeNo     string          `json:"trade_no"`
	OutTradeNo  string          `json:"out_trade_no"`
	Status      string          `json:"trade_status"`
	Total       decimal         `json:"total_amount"`
	BuyerPaid   decimal         `json:"buyer_pay_amount"`
	Received    decimal         `json:"receipt_amount"`
	SentAt      string          `json:"send_pay_date"` // in answers to a query
	PaidAt      string          `json:"gmt_payment"`
	FundDetails json.RawMessage `json:"fund_bill_list"`

	refunded bool // a callback says that some of it was given back
}

// The states of a trade.
const (
	waiting  = "WAIT_BUYER_PAY"
	success  = "TRADE_SUCCESS"
	finished = "TRADE_FINISHED" // paid, and too old for refunds
	closed   = "TRADE_CLOSED"   // timed out unpaid, closed, or given back whole after it was paid
)

// outcome reads a state strictly.
func (t trade) outcome() (payment.Outcome, error) {
	switch t.Status {
	case waiting:
		return payment.Outcome{Verdict: payment.Pending, ChannelID: t.TradeNo}, nil
	case success, finished:
		return t.paid()
	case closed:
		switch sent, moved := t.SentAt != "" || t.PaidAt != "", t.moved(); {
		case sent && moved: // paid once, given back since: a success with refunds, never a failure
			return t.paid()
		case sent || moved:
			return payment.Outcome{}, fault.Unknown("channel_answer_unclear", "alipay closed the trade, and doesn't say whether it was paid before", nil)
		}
		return payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: t.TradeNo}, nil
	}
	return payment.Outcome{}, fault.Unknown("channel_answer_unknown", "alipay names a state that we don't know", nil)
}

// moved says whether the answer shows money of a customer.
func (t trade) moved() bool {
	if t.refunded {
		return true
	}
	for _, text := range []decimal{t.BuyerPaid, t.Received} {
		if a, err := money.Parse(string(text), yuan); err == nil && a.Minor > 0 {
			return true
		}
	}
	var details []json.RawMessage
	return json.Unmarshal(t.FundDetails, &details) == nil && len(details) > 0
}

// paid is the outcome of a trade that succeeded.
func (t trade) paid() (payment.Outcome, error) {
	total, err := money.ParsePositive(string(t.Total), yuan)
	if err != nil || t.TradeNo == "" {
		return payment.Outcome{}, unreadable()
	}
	at, err := moment(t.PaidAt)
	if t.PaidAt == "" {
		at, err = moment(t.SentAt)
	}
	if err != nil {
		return payment.Outcome{}, unreadable()
	}
	return payment.Outcome{Verdict: payment.Succeeded, AmountMinor: total.Minor, Currency: yuan, ChannelID: t.TradeNo, EffectiveAt: at}, nil
}

// moment reads a time of Alipay's; the empty text is none.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(stamp, text, zone)
}

// decimal is an amount's text. Alipay writes most as JSON strings and some as bare numbers, whose digits are taken as they
// stand: no float is made of them.
type decimal string

// UnmarshalJSON takes a string or the text of a number.
func (d *decimal) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '"' && raw[0] != 'n' {
		*d = decimal(raw)
		return nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	*d = decimal(text)
	return err
}

// amount is minor units as Alipay writes them.
func amount(minor int64) string { return money.New(minor, yuan).Decimal() }
