package wechatpay_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// FuzzCallback: whatever anybody sends is refused with a reason, and what WeChat itself signed and encrypted is read as
// something that can be stored, or refused. Nothing panics.
func FuzzCallback(f *testing.F) {
	f.Add("TRANSACTION.SUCCESS", []byte(`{"mchid":"`+fake.MchID+`","appid":"`+fake.AppID+`","out_trade_no":"p1","trade_state":"SUCCESS","transaction_id":"42","success_time":"2026-11-21T10:00:00+08:00","amount":{"total":1,"currency":"CNY"}}`), "1763690000", "sig")
	f.Add("REFUND.ABNORMAL", []byte(`{"mchid":"`+fake.MchID+`","out_refund_no":"r1","refund_status":"ABNORMAL","refund_id":"50300"}`), "-1", "WECHATPAY/SIGNTEST/x")
	f.Add("MCHTRANSFER.BILL.FINISHED", []byte(`{"mch_id":"`+fake.MchID+`","out_bill_no":"o1","state":"FAIL","fail_reason":"X_Y"}`), "", "")
	s := fake.New(f, fake.Config{Mode: fake.PublicKeys})
	ch := channels.Guard(wechatpay.New(wire.New(wire.Config{})).Clocked(s.Now))
	account := channels.Account{ID: "cha_1", Channel: wechatpay.Name, Book: id.Test, BaseURL: "http://127.0.0.1:1", Credentials: s.Credentials()}
	f.Fuzz(func(t *testing.T, event string, plain []byte, stamp, signature string) {
		header, body := s.Event("EV-1", event, "x", plain)
		cb, err := ch.ParseCallback(account, channels.RawCallback{Header: header, Body: body, Now: s.Now()})
		switch {
		case err != nil:
			require.Contains(t, []fault.Kind{fault.KindInvalid, fault.KindDenied}, fault.Of(err))
			require.Equal(t, channels.Callback{}, cb)
		case cb.Outcome.Verdict == payment.Succeeded:
			require.Positive(t, cb.Outcome.AmountMinor)
		}
		for _, raw := range []channels.RawCallback{
			{Header: http.Header{"Wechatpay-Timestamp": {stamp}, "Wechatpay-Nonce": {event}, "Wechatpay-Serial": {fake.PublicKeyID}, "Wechatpay-Signature": {signature}}, Body: plain, Now: time.Now()},
			{Header: header, Body: plain, Now: s.Now()},
		} {
			cb, err = ch.ParseCallback(account, raw)
			require.Equal(t, fault.KindDenied, fault.Of(err))
			require.Equal(t, channels.Callback{}, cb)
		}
	})
}

// FuzzTradeBill: a bill is read to its end and agrees with its own sums, or is refused by file, line and reason.
func FuzzTradeBill(f *testing.F) { fuzzBill(f, wechatpay.Trade) }

// FuzzFundFlowBill does the same with the other kind.
func FuzzFundFlowBill(f *testing.F) { fuzzBill(f, wechatpay.FundFlow) }

func fuzzBill(f *testing.F, kind string) {
	f.Add([]byte("\ufeff" + fake.TradeColumns + "\r\n" + fake.TradeSummary + "\r\n`0,`0.00,`0.00,`0.00,`0.00,`0.00,`0.00\r\n"))
	f.Add([]byte("\ufeff" + fake.FundFlowColumns + "\r\n" + fake.FundFlowSummary + "\r\n`0,`0,`0.00,`0,`0.00\r\n"))
	ch := wechatpay.New(wire.New(wire.Config{}))
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func() (n int, c reconcile.Control, err error) {
			c, err = ch.ReadStatement(reconcile.File{Name: "bill.csv", Kind: kind}, bytes.NewReader(text), func(l *reconcile.Line) error {
				n++
				require.Equal(t, l.Net, l.Gross-l.Fee)
				require.NotEmpty(t, l.Identity)
				require.NotEmpty(t, l.Kind)
				require.False(t, l.OccurredAt.IsZero())
				require.Positive(t, l.Row)
				return nil
			})
			return n, c, err
		}
		n, c, err := read()
		if err != nil {
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%v", err)
			require.ErrorContains(t, err, "bill.csv")
			return
		}
		require.Equal(t, n, c.Lines)
		require.True(t, c.Declared)
		again, same, err := read()
		require.NoError(t, err)
		require.Equal(t, n, again)
		require.Equal(t, c, same)
	})
}
