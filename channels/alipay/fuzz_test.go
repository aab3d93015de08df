package alipay

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

// Whatever a callback says, nothing is read of it without a signature; and once the signature is right it is read strictly
// or refused by name. The second part begins behind the signature: fuzzing RSA finds nothing.
func FuzzCallback(f *testing.F) {
	key, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 65537})
	require.NoError(f, err)
	account := channels.Account{Credentials: map[string]string{AppID: fake.AppID, PublicKey: base64.StdEncoding.EncodeToString(key)}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, zone)
	f.Add("notify_id=n&notify_time=2026-03-01+12%3A00%3A00&trade_status=TRADE_SUCCESS&total_amount=12.34&trade_no=1&out_trade_no=p&gmt_payment=2026-03-01+12%3A00%3A00")
	f.Add("notify_id=n&notify_time=2026-03-01+12%3A00%3A00&trade_status=TRADE_CLOSED&refund_fee=1.00&total_amount=1&trade_no=1&gmt_payment=2026-03-01+12%3A00%3A00")
	f.Add("notify_id=m&utc_timestamp=1772337600000&msg_method=alipay.fund.trans.order.changed&biz_content=%7B%22out_biz_no%22%3A%22y%22%2C%22status%22%3A%22FAIL%22%7D")
	f.Fuzz(func(t *testing.T, form string) {
		_, err := New(nil).ParseCallback(account, channels.RawCallback{Body: []byte(form), Now: now})
		require.Equal(t, fault.KindDenied, fault.Of(err), "nobody signed this")
		p, ok := parameters([]byte(form))
		if !ok {
			return
		}
		if err := timely(p, now); err != nil {
			require.Contains(t, []fault.Kind{fault.KindDenied, fault.KindInvalid}, fault.Of(err))
		}
		cb, err := readCallback(p)
		if err != nil {
			require.Equal(t, fault.KindInvalid, fault.Of(err))
			return
		}
		require.NotEmpty(t, cb.EventID)
		if cb.Outcome.Verdict == payment.Succeeded {
			require.Positive(t, cb.Outcome.AmountMinor)
			require.Equal(t, "CNY", cb.Outcome.Currency)
			require.False(t, cb.Outcome.Dead)
		}
	})
}

// Whatever is cut out of an answer stands in it, once, and is what a strict reader finds under the name.
func FuzzCut(f *testing.F) {
	const name = "alipay_trade_query_response"
	f.Add([]byte(`{"` + name + `":{"code":"10000","sign":"\"}"},"sign":"AA==","alipay_cert_sn":"0f"}`))
	f.Add([]byte(`{"error_response": {"code":"40002"} , "x":[1,{"a":null}]}`))
	f.Add([]byte(`{"` + name + `":{},"` + name + `":{}}`))
	f.Add([]byte(`{"` + name + `":"x"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, ok := cut(body, name)
		if !ok {
			return
		}
		require.True(t, bytes.Contains(body, e.value))
		require.True(t, json.Valid(body))
		var v map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(body, &v))
		want := v[name]
		if want == nil {
			want = v["error_response"]
		}
		require.Equal(t, string(want), string(e.value))
	})
}

// fuzzBill: whatever a bill says, its lines are whole and add up to what it says itself, or it is refused by name.
func fuzzBill(t *testing.T, kind string, content []byte) {
	if len(content) > 1<<16 {
		return
	}
	f := reconcile.File{Name: "bill", Kind: kind, Account: "cha_1"}
	var net int64
	n := 0
	total, err := New(nil).ReadStatement(f, bytes.NewReader(content), func(l *reconcile.Line) error {
		net += l.Net
		n++
		if l.Identity == "" || l.ChannelID == "" || l.OccurredAt.IsZero() || l.Net != l.Gross-l.Fee {
			t.Errorf("line %d isn't whole", l.Row)
		}
		return nil
	})
	if err != nil {
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%v", err)
		return
	}
	require.True(t, total.Declared)
	require.Equal(t, n, total.Lines)
	require.Equal(t, net, total.Totals["CNY"].Net)
}

func FuzzTradeBill(f *testing.F) {
	text := fake.GBK("#x\r\n" + fake.TradeColumns + "\r\n" +
		"22\t,p01\t,交易\t,茶,2026-03-01 11:59:50,2026-03-01 12:00:00,\t,\t,\t,\t,*三,12.34,12.34,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,-0.07,0.00,\r\n" +
		"22\t,p01\t,退款\t,\"茶,\",2026-03-01 11:59:50,2026-03-01 12:00:00,\t,\t,\t,\t,*三,-2.34,-2.34,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,r1\t,0.00,0.00,\r\n" +
		"#业务明细列表结束\r\n#交易合计：1笔，商家实收共12.34元，x\r\n#退款合计：1笔，商家实收退款共-2.34元，x\r\n")
	f.Add([]byte(text))
	f.Add([]byte(strings.ReplaceAll(text, "\r", "")))
	f.Add([]byte(fake.Zip(map[string]string{"业务明细.csv": "#x\r\n" + fake.TradeColumns + "\r\n#业务明细列表结束\r\n#交易合计：0笔，商家实收共0.00元\r\n#退款合计：0笔，商家实收退款共0.00元\r\n"})))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzBill(t, BillTrade, content) })
}

func FuzzAccountBill(f *testing.F) {
	text := fake.GBK("#x\r\n" + fake.AccountColumns + "\r\n" +
		"88\t,22\t,p01\t,茶,2026-03-01 12:00:00,*三,12.34,,100.00,支付宝\t,在线支付\t,\r\n" +
		"89\t,22\t,p01\t,茶,2026-03-01 12:00:01,*三,,-0.07,99.93,支付宝\t,收费\t,\r\n" +
		"#账务明细列表结束\r\n#支出合计：1笔，共-0.07元\r\n#收入合计：1笔，共12.34元\r\n")
	f.Add([]byte(text))
	f.Add([]byte(strings.ReplaceAll(text, "-0.07", "0.07")))
	f.Add([]byte(fake.Zip(map[string]string{"账务明细.csv": "#x\r\n" + fake.AccountColumns + "\r\n#账务明细列表结束\r\n#支出合计：0笔，共0.00元\r\n#收入合计：0笔，共0.00元\r\n"})))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzBill(t, BillAccount, content) })
}
