package alipay

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

const (
	// callbackLife is twice as long as Alipay goes on sending a callback that isn't answered.
	callbackLife = 48 * time.Hour
	// ahead is how far Alipay's clock may be before ours.
	ahead = 5 * time.Minute
)

// maxFields bounds a callback; Alipay's have some thirty.
const maxFields = 128

// ParseCallback verifies the signature over the sorted parameters, each decoded once, and only then reads them (I-21).
//
// It tells of trades (trade_status) and of transfers (msg_method). A refund is told as its trade, which stays a success.
func (c *Channel) ParseCallback(a channels.Account, raw channels.RawCallback) (channels.Callback, error) {
	k, err := open(a)
	if err != nil {
		return channels.Callback{}, err
	}
	p, ok := parameters(raw.Body)
	// sign_type isn't signed, and neither is sign: only what we expect of them is taken.
	if !ok || p["sign_type"] != "RSA2" || !k.verify([]byte(content(p, "sign", "sign_type")), p["sign"]) {
		return channels.Callback{}, fault.Denied("callback_forged", "the callback's signature doesn't verify")
	}
	if charset := strings.ToLower(p["charset"]); charset != "" && charset != "utf-8" {
		return channels.Callback{}, fault.Invalid("callback_unreadable", "", "the callback isn't in UTF-8")
	}
	if p["app_id"] != k.appID || k.seller != "" && p["seller_id"] != "" && p["seller_id"] != k.seller {
		return channels.Callback{}, fault.Denied("callback_foreign", "the callback is about another merchant's account")
	}
	if err := timely(p, raw.Now); err != nil {
		return channels.Callback{}, err
	}
	return readCallback(p)
}

// parameters reads a form in which each name stands once.
func parameters(body []byte) (map[string]string, bool) {
	parts := strings.Split(string(body), "&")
	if len(parts) > maxFields {
		return nil, false
	}
	p := make(map[string]string, len(parts))
	for _, part := range parts {
		rawName, rawValue, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		if _, twice := p[name]; twice || err != nil || valueErr != nil || name == "" {
			return nil, false
		}
		p[name] = value
	}
	return p, true
}

// timely refuses what Alipay would no longer send, or not yet.
func timely(p map[string]string, now time.Time) error {
	at, err := moment(p["notify_time"])
	if ms := p["utc_timestamp"]; ms != "" && err == nil && at.IsZero() {
		at, err = fromMillis(ms)
	}
	if err != nil || at.IsZero() {
		return fault.Invalid("callback_unreadable", "", "the callback has no time")
	}
	if age := now.Sub(at); age > callbackLife || age < -ahead {
		return fault.Denied("callback_stale", "the callback's time is too far from now")
	}
	return nil
}

func fromMillis(text string) (time.Time, error) {
	if len(text) != 13 || strings.Trim(text, "0123456789") != "" {
		return time.Time{}, unreadable()
	}
	var ms int64
	for _, d := range text {
		ms = ms*10 + int64(d-'0')
	}
	return time.UnixMilli(ms), nil
}

func readCallback(p map[string]string) (channels.Callback, error) {
	cb := channels.Callback{EventID: p["notify_id"], Subject: channels.SubjectOther}
	if cb.EventID == "" {
		return channels.Callback{}, fault.Invalid("callback_unreadable", "", "the callback has no id")
	}
	var err error
	switch {
	case p["trade_status"] != "":
		cb.Subject, cb.Reference = channels.SubjectCharge, p["out_trade_no"]
		cb.Outcome, err = told(p).outcome()
	case p["msg_method"] == "alipay.fund.trans.order.changed":
		var t transfer
		if json.Unmarshal([]byte(p["biz_content"]), &t) != nil || t.OutBizNo == "" {
			return channels.Callback{}, fault.Invalid("callback_unreadable", "", "the callback's content can't be read")
		}
		cb.Subject, cb.Reference = channels.SubjectPayout, t.OutBizNo
		cb.Outcome, err = t.outcome()
	}
	if fault.Of(err) == fault.KindUnknown { // verified, and about something of ours: who asks will know
		cb.Outcome, err = payment.Outcome{Verdict: payment.Unknown, Reason: fault.As(err).Message}, nil
	}
	return cb, err
}

// told is the trade that a callback speaks of. One that was paid has the time of it, also when it is closed because all
// of it was given back; one that nobody paid has none.
func told(p map[string]string) trade {
	t := trade{TradeNo: p["trade_no"], OutTradeNo: p["out_trade_no"], Status: p["trade_status"], Total: decimal(p["total_amount"]),
		BuyerPaid: decimal(p["buyer_pay_amount"]), Received: decimal(p["receipt_amount"]), PaidAt: p["gmt_payment"], FundDetails: json.RawMessage(p["fund_bill_list"])}
	back, err := money.Parse(p["refund_fee"], yuan)
	t.refunded = p["gmt_refund"] != "" || err == nil && back.Minor > 0
	return t
}
