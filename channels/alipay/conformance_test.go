package alipay_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/channels/channeltest"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// serve runs a fake, with an account there.
func serve(t *testing.T, c fake.Config) (*fake.Server, channels.Account) {
	t.Helper()
	f := fake.New(c)
	h := httptest.NewServer(f.Handler())
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return f, channels.Account{ID: "cha_1", Channel: alipay.Name, Book: id.Test, BaseURL: h.URL, Credentials: f.Credentials()}
}

func charge(m payment.MethodType, token string) *channels.ChargeRequest {
	return &channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true, Description: "绿茶 tea",
		Method: payment.Method{Type: m, Token: token}, ReturnURL: "https://shop.test/back", CallbackURL: "https://pay.test/v1/callbacks/alipay/cha_1"}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("public key", func(t *testing.T) {
		t.Parallel()
		channeltest.Run(t, func(t *testing.T) *channeltest.Harness { return harness(t, fake.Config{ScanAtOnce: true}) })
	})
	t.Run("certificates", func(t *testing.T) {
		t.Parallel()
		channeltest.Run(t, func(t *testing.T) *channeltest.Harness {
			return harness(t, fake.Config{ScanAtOnce: true, Certificates: true})
		})
	})
}

// asks are the methods that change nothing.
var asks = map[string]bool{"alipay.trade.query": true, "alipay.trade.fastpay.refund.query": true, "alipay.fund.trans.common.query": true}

func harness(t *testing.T, c fake.Config) *channeltest.Harness {
	f, account := serve(t, c)
	code := func(scenario string) *channels.ChargeRequest {
		return charge(payment.MethodBarcode, f.Barcode(scenario))
	}
	return &channeltest.Harness{
		New:     func(c *wire.Client) channels.Channel { return alipay.New(c) },
		Account: account, Foreign: f.Foreign(), Rejected: f.Rejected(),
		Now: f.Now, Advance: f.Advance,
		OK: code(fake.Pays), DeclineSoft: code(fake.Poor), DeclineHard: code(fake.Risky), Waiting: charge(payment.MethodQR, ""),
		PendingRefund: code(fake.SlowRefunds), RefundsStay: true, RefundsUntold: true,
		FinishRefund: func(k channels.Key, act string) bool { return f.FinishRefund(k.Reference, act == "settle") },
		Payout:       &channels.PayoutRequest{AmountMinor: 700, Currency: "CNY", Destination: "wallet:2088000000000077", Note: "一月"},
		Book:         func(k channels.Key) []channeltest.Entry { return entries(f, k) },
		Pay:          func(k channels.Key) bool { return f.Pay(k.Reference) },
		Callback: func(k channels.Key) channels.RawCallback {
			return channels.RawCallback{Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
				Body: f.Callback(k.Reference), Now: f.Now()}
		},
		Asks: func(_ *http.Request, body []byte) bool {
			form, err := url.ParseQuery(string(body))
			return err == nil && asks[form.Get("method")]
		},
		Lapse: 2 * time.Minute, CallbackAge: 48 * time.Hour, Unsigned: unsigned,
		Sealed:         func(_ http.Header, body []byte) []byte { return f.Resign(body) },
		UnknownState:   edit(func(v map[string]any) { v["trade_status"] = "TRADE_LIMBO" }),
		WrongReference: edit(func(v map[string]any) { v["out_trade_no"] = "somebodyelses" }),
		WrongAmount: edit(func(v map[string]any) {
			v["total_amount"] = strings.Replace(v["total_amount"].(string), "12.34", "12.35", 1)
		}),
		Falsified: map[channels.Operation]channeltest.Falsified{
			channels.OpRefund: {
				UnknownState:   edit(func(v map[string]any) { v["refund_status"], v["gmt_refund_pay"] = "REFUND_LIMBO", "some day" }),
				WrongReference: edit(func(v map[string]any) { v["out_trade_no"] = "somebodyelses" }),
				WrongAmount:    edit(func(v map[string]any) { v["refund_amount"] = "1.01" }),
			},
			channels.OpPayout: {
				UnknownState:   edit(func(v map[string]any) { v["status"] = "TRANSFER_LIMBO" }),
				WrongReference: edit(func(v map[string]any) { v["out_biz_no"] = "somebodyelses" }),
				WrongAmount:    edit(func(v map[string]any) { v["trans_amount"] = "7.01" }),
			},
		},
	}
}

// edit changes the content of an answer.
func edit(do func(map[string]any)) func(map[string]any) {
	return func(v map[string]any) {
		for name, inner := range v {
			if strings.HasSuffix(name, "_response") {
				do(inner.(map[string]any))
			}
		}
	}
}

// unsigned takes a callback's signature away in every way.
func unsigned(raw channels.RawCallback) (list []channels.RawCallback) {
	form, err := url.ParseQuery(string(raw.Body))
	if err != nil {
		panic(err)
	}
	for name, values := range map[string][]string{"sign": {"\x01", "", "AAAA", "%", "\x00"}, "sign_type": {"\x01", "", "RSA", "none", "rsa2"}} {
		was := form.Get(name)
		for _, v := range values {
			form.Set(name, v)
			if v == "\x01" {
				form.Del(name)
			}
			other := raw
			other.Body = []byte(form.Encode())
			list = append(list, other)
		}
		form.Set(name, was)
	}
	twice := raw
	twice.Body = append([]byte("trade_status=TRADE_SUCCESS&"), raw.Body...)
	return append(list, twice, channels.RawCallback{Now: raw.Now, Body: []byte("&&&")}, channels.RawCallback{Now: raw.Now, Body: []byte("{}")})
}

func entries(f *fake.Server, k channels.Key) []channeltest.Entry {
	if t, ok := f.Trade(k.Reference); ok {
		e := channeltest.Entry{ChannelID: t.No, Paid: !t.PaidAt.IsZero(), AmountMinor: t.Total, RefundedMinor: t.Refunded}
		if e.Paid {
			e.CapturedMinor = t.Total
		}
		return []channeltest.Entry{e}
	}
	if r, ok := f.Refund(k.Reference); ok {
		return []channeltest.Entry{{ChannelID: r.TradeNo, Paid: r.Done, AmountMinor: r.Amount}}
	}
	if o, ok := f.Transfer(k.Reference); ok {
		return []channeltest.Entry{{ChannelID: o.No, Paid: o.Status == "SUCCESS", AmountMinor: o.Amount}}
	}
	return nil
}
