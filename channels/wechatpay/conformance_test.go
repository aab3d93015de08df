package wechatpay_test

import (
	"net/http/httptest"
	"testing"

	"paysaga/channels"
	"paysaga/channels/channeltest"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Each way of signing passes the whole suite.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]fake.Mode{"public key": fake.PublicKeys, "certificates": fake.Certificates} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channeltest.Run(t, func(t *testing.T) *channeltest.Harness { return harness(t, mode) })
		})
	}
}

func start(t *testing.T, c fake.Config) (*fake.Server, channels.Account) {
	t.Helper()
	s := fake.New(t, c)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return s, channels.Account{ID: "cha_1", Channel: wechatpay.Name, Book: id.Test, BaseURL: h.URL, Credentials: s.Credentials()}
}

func request(m payment.Method) channels.ChargeRequest {
	return channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY", Capture: true, Description: "茶 tea", Method: m,
		CallbackURL: "https://pay.example/v1/callbacks/wechatpay/cha_1", ReturnURL: "https://shop.example/back?order=1"}
}

var qr = payment.Method{Type: payment.MethodQR}

func harness(t *testing.T, mode fake.Mode) *channeltest.Harness {
	s, account := start(t, fake.Config{Mode: mode})
	order, waiting, slow := request(qr), request(qr), request(qr)
	slow.Description = fake.Slow
	finish := map[string]string{"settle": fake.Success, "decline": fake.Closed}
	return &channeltest.Harness{
		New:     func(c *wire.Client) channels.Channel { return wechatpay.New(c).Clocked(s.Now) },
		Account: account, Foreign: s.Foreign(), Rejected: s.Rejected(),
		Now: s.Now, Advance: s.Advance,
		OK: &order, Waiting: &waiting, PendingRefund: &slow, PaysLater: true, RefundsStay: true,
		Ways: map[string]channeltest.Way{
			"a mobile page": {Request: request(payment.Method{Type: payment.MethodRedirect, Device: payment.Mobile, CustomerIP: "203.0.113.7"}),
				Action: payment.ActionRedirect},
			"a mini program": {Request: request(payment.Method{Type: payment.MethodMiniProgram, Token: "oPayer"}), Action: payment.ActionSDK,
				Parameters: []string{"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}},
			"an app": {Request: request(payment.Method{Type: payment.MethodInApp}), Action: payment.ActionSDK,
				Parameters: []string{"appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"}},
		},
		Payout: &channels.PayoutRequest{AmountMinor: 700, Currency: "CNY", Destination: "wallet:oPayee", Note: "返利",
			CallbackURL: order.CallbackURL},
		PayoutConfirms: []string{"mchId", "appId", "package"},
		FinishPayout:   func(k channels.Key) bool { return s.FinishTransfer(k.Reference, fake.Success, "") },
		FinishRefund:   func(k channels.Key, act string) bool { return s.FinishRefund(k.Reference, finish[act]) },
		Pay:            func(k channels.Key) bool { return s.Pay(k.Reference) },
		Book: func(k channels.Key) []channeltest.Entry {
			var list []channeltest.Entry
			for _, e := range s.Book(k.Reference) {
				list = append(list, channeltest.Entry{ChannelID: e.ID, Paid: e.Paid, AmountMinor: e.Amount, CapturedMinor: e.Amount,
					RefundedMinor: e.Refunded})
			}
			return list
		},
		Callback: func(k channels.Key) channels.RawCallback {
			header, body := s.Told(k.Reference)
			return channels.RawCallback{Header: header, Body: body, Now: s.Now()}
		},
		UnknownState: func(v map[string]any) {
			delete(v, "code_url")
			v["trade_state"] = "SETTLING_SIDEWAYS"
		},
		WrongReference: func(v map[string]any) {
			delete(v, "code_url")
			v["out_trade_no"] = "somebodyelses"
		},
		WrongAmount: func(v map[string]any) {
			a := v["amount"].(map[string]any)
			a["total"] = a["total"].(float64) + 1
		},
		Falsified: map[channels.Operation]channeltest.Falsified{
			channels.OpRefund: {
				UnknownState:   func(v map[string]any) { v["status"] = "SETTLING_SIDEWAYS" },
				WrongReference: func(v map[string]any) { v["out_refund_no"] = "somebodyelses" },
				WrongAmount: func(v map[string]any) {
					a := v["amount"].(map[string]any)
					a["refund"] = a["refund"].(float64) + 1
				},
			},
			channels.OpPayout: {
				UnknownState:   func(v map[string]any) { v["state"] = "SETTLING_SIDEWAYS" },
				WrongReference: func(v map[string]any) { v["out_bill_no"] = "somebodyelses" },
				WrongAmount:    func(v map[string]any) { v["transfer_amount"] = v["transfer_amount"].(float64) + 1 },
			},
		},
		Sealed: s.Seal,
	}
}
