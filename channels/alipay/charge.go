package alipay

import (
	"context"
	"strings"
	"time"
	"unicode"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// maxTrade is the largest trade, in minor units: 100,000,000 yuan.
const maxTrade = 100_000_000_00

// order is the content of every kind of charge.
type order struct {
	OutTradeNo  string `json:"out_trade_no"`
	Total       string `json:"total_amount"`
	Subject     string `json:"subject"`
	ProductCode string `json:"product_code,omitempty"`
	Seller      string `json:"seller_id,omitempty"`
	Scene       string `json:"scene,omitempty"`
	AuthCode    string `json:"auth_code,omitempty"`
	// Expire is an absolute time: a time-out would begin only with the trade, which is when the customer scans or opens
	// the page.
	Expire  string `json:"time_expire,omitempty"`
	Timeout string `json:"timeout_express,omitempty"`
}

// Charge asks for a QR code, takes the customer's barcode, or signs the page or the order string with which the customer
// goes to Alipay: those two are made here, and Alipay hears of them from the customer.
func (c *Channel) Charge(ctx context.Context, call channels.Call, r channels.ChargeRequest) (payment.Outcome, error) {
	s, err := c.session(call)
	if err != nil {
		return payment.Outcome{}, err
	}
	o, err := s.order(r)
	if err != nil {
		return payment.Outcome{}, err
	}
	switch r.Method.Type {
	case payment.MethodQR:
		return s.precreate(ctx, o, r)
	case payment.MethodBarcode:
		return s.pay(ctx, o, r)
	case payment.MethodRedirect:
		return s.page(o, r)
	}
	return s.app(o, r)
}

// order is the frozen request in Alipay's words: a function of the request and the key, so that a repeat is the same (I-13).
func (s *session) order(r channels.ChargeRequest) (order, error) {
	switch {
	case r.Currency != yuan:
		return order{}, fault.Invalid("currency_unsupported", "currency", "alipay takes CNY only")
	case r.AmountMinor < 1 || r.AmountMinor > maxTrade:
		return order{}, fault.Invalid("amount_not_allowed", "amount", "alipay takes 0.01 to 100,000,000.00 yuan")
	case !r.Capture:
		return order{}, fault.Invalid("authorization_unsupported", "capture_method", "alipay takes the money at once: it can't be authorized first")
	}
	o := order{OutTradeNo: s.Key.Reference, Total: amount(r.AmountMinor), Subject: subject(r.Description), Seller: s.seller,
		Expire: s.expiry(r).In(zone).Format(stamp)}
	switch r.Method.Type {
	case payment.MethodQR:
	case payment.MethodBarcode:
		if !isAuthCode(r.Method.Token) {
			return order{}, fault.Invalid("token_unsupported", "method.token", "a barcode of Alipay's is 16 to 24 digits and begins with 25 to 30")
		}
		o.ProductCode, o.Scene, o.AuthCode, o.Expire, o.Timeout = "FACE_TO_FACE_PAYMENT", "bar_code", r.Method.Token, "", "3m"
	case payment.MethodRedirect:
		o.ProductCode = "FAST_INSTANT_TRADE_PAY"
		if r.Method.Device == payment.Mobile {
			o.ProductCode = "QUICK_WAP_WAY"
		}
	case payment.MethodInApp:
		o.ProductCode = "QUICK_MSECURITY_PAY"
	default:
		return order{}, fault.Invalid("method_unsupported", "method.type", "alipay does not offer this method")
	}
	return o, nil
}

// expiry is when an unpaid charge can no longer be paid, on the second.
func (s *session) expiry(r channels.ChargeRequest) time.Time {
	switch {
	case r.Method.Type == payment.MethodBarcode:
		return s.Key.BornAt.Add(codeLife + barcodeWait)
	case r.ExpiresAt != nil:
		return r.ExpiresAt.Truncate(time.Second)
	}
	return s.Key.BornAt.Add(tradeLife).Truncate(time.Second)
}

// isAuthCode says whether text has the form of a customer's barcode.
func isAuthCode(text string) bool {
	return len(text) >= 16 && len(text) <= 24 && strings.Trim(text, "0123456789") == "" && text[:2] >= "25" && text[:2] <= "30"
}

// subject is what the customer sees. Alipay takes no / = & in it, and what would break a line of a bill is left out as well.
func subject(description string) string {
	var b strings.Builder
	n := 0
	for _, c := range description {
		if unicode.IsControl(c) || strings.ContainsRune(`/=&,"`, c) || c == unicode.ReplacementChar {
			c = ' '
		}
		if n++; n > 128 {
			break
		}
		b.WriteRune(c)
	}
	if text := strings.TrimSpace(b.String()); text != "" {
		return text
	}
	return "order"
}

// precreate answers with the text of a QR code. There is no trade before the customer scans it.
func (s *session) precreate(ctx context.Context, o order, r channels.ChargeRequest) (payment.Outcome, error) {
	var a struct {
		OutTradeNo string `json:"out_trade_no"`
		QR         string `json:"qr_code"`
	}
	v, err := s.call(ctx, request{method: "alipay.trade.precreate", content: o, notifyURL: r.CallbackURL}, &a)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case !v.done():
		return s.said(ctx, v, r)
	case a.OutTradeNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	case a.QR == "":
		return payment.Outcome{}, unreadable()
	}
	return payment.Outcome{Verdict: payment.Pending, ExpiresAt: s.expiry(r), Action: &payment.Action{Type: payment.ActionQR, URL: a.QR}}, nil
}

// pay takes the money with the barcode that the customer's app shows, or waits for the customer to confirm.
func (s *session) pay(ctx context.Context, o order, r channels.ChargeRequest) (payment.Outcome, error) {
	var t trade
	v, err := s.call(ctx, request{method: "alipay.trade.pay", content: o, notifyURL: r.CallbackURL}, &t)
	switch {
	case err != nil:
		return payment.Outcome{}, err
	case v.Code == codeBusiness:
		return s.said(ctx, v, r)
	case t.OutTradeNo != s.Key.Reference:
		return payment.Outcome{}, foreign()
	case v.Code == codeWaiting:
		return payment.Outcome{Verdict: payment.Pending, ChannelID: t.TradeNo, ExpiresAt: s.expiry(r)}, nil
	case t.Status != "" && t.Status != success && t.Status != finished:
		return payment.Outcome{}, unreadable()
	}
	return t.paid()
}

// page is the address of Alipay's page. It is signed as of the key's birth, so that a repeat shows the same.
func (s *session) page(o order, r channels.ChargeRequest) (payment.Outcome, error) {
	if r.ReturnURL == "" {
		return payment.Outcome{}, fault.Invalid("return_url_required", "return_url", "alipay sends the customer back to a return_url")
	}
	method := "alipay.trade.page.pay"
	if o.ProductCode == "QUICK_WAP_WAY" {
		method = "alipay.trade.wap.pay"
	}
	p, err := s.parameters(request{method: method, content: o, notifyURL: r.CallbackURL, returnURL: r.ReturnURL, at: s.Key.BornAt})
	if err != nil {
		return payment.Outcome{}, err
	}
	return payment.Outcome{Verdict: payment.Pending, ExpiresAt: s.expiry(r),
		Action: &payment.Action{Type: payment.ActionRedirect, URL: s.address() + "?" + encode(p)}}, nil
}

// app is the signed order string that the merchant's app hands to Alipay's SDK.
func (s *session) app(o order, r channels.ChargeRequest) (payment.Outcome, error) {
	p, err := s.parameters(request{method: "alipay.trade.app.pay", content: o, notifyURL: r.CallbackURL, at: s.Key.BornAt})
	if err != nil {
		return payment.Outcome{}, err
	}
	// The SDK takes %20 for a space, never +.
	text := strings.ReplaceAll(encode(p), "+", "%20")
	return payment.Outcome{Verdict: payment.Pending, ExpiresAt: s.expiry(r),
		Action: &payment.Action{Type: payment.ActionSDK, Parameters: map[string]string{"order_string": text}}}, nil
}

// said judges a business answer to a charge.
func (s *session) said(ctx context.Context, v verdict, r channels.ChargeRequest) (payment.Outcome, error) {
	switch {
	case v.is("ACQ.TRADE_HAS_SUCCESS", "ACQ.TRADE_HAS_FINISHED"):
		return s.look(ctx, r)
	case v.is("ACQ.TRADE_HAS_CLOSE"):
		return s.look(ctx, r)
	case v.is("ACQ.CONTEXT_INCONSISTENT", "ACQ.TRADE_BUYER_NOT_MATCH"):
		return payment.Outcome{}, fault.Conflict("key_reused", "the reference was used for another charge")
	case v.is("ACQ.INVALID_PARAMETER", "ACQ.EXIST_FORBIDDEN_WORD", "ACQ.PARTNER_ERROR", "ACQ.ACCESS_FORBIDDEN"):
		return payment.Outcome{}, fault.Invalid("channel_refused", "", "alipay refuses the request: "+v.word())
	}
	if d, known := declines[v.SubCode]; known {
		// Not dead: a request that is still on its way would be judged anew.
		return payment.Outcome{Verdict: payment.Declined, Decline: &payment.Decline{Code: d.code, Channel: v.SubCode, Hard: d.hard}}, nil
	}
	return payment.Outcome{}, v.unexplained()
}
