package alipay_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

var told = map[string]string{"notify_time": "2026-03-01 12:00:00", "notify_type": "trade_status_sync", "notify_id": "n1", "app_id": fake.AppID, "charset": "utf-8",
	"sign_type": "RSA2", "trade_no": "2200", "out_trade_no": "p01", "trade_status": "TRADE_SUCCESS", "total_amount": "12.34", "gmt_payment": "2026-03-01 11:59:58",
	"seller_id": fake.SellerID, "subject": "100% + a&b=c 茶", "fund_bill_list": `[{"amount":"12.34","fundChannel":"ALIPAYACCOUNT"}]`}

func TestCallbacksAreRead(t *testing.T) {
	t.Parallel()
	f := fake.New(fake.Config{})
	account := channels.Account{ID: "cha_1", Book: id.Test, Credentials: f.Credentials()}
	account.Credentials[alipay.SellerID] = fake.SellerID
	ch := channels.Guard(alipay.New(nil))
	parse := func(change map[string]string) (channels.Callback, error) {
		p := maps.Clone(told)
		maps.Copy(p, change)
		return ch.ParseCallback(account, channels.RawCallback{Body: f.Notify(p), Now: noon})
	}
	type fields = map[string]string
	paid := payment.Outcome{Verdict: payment.Succeeded, AmountMinor: 1234, Currency: "CNY", ChannelID: "2200", EffectiveAt: noon.Add(-2 * time.Second)}
	for name, c := range map[string]struct {
		change fields
		want   payment.Outcome
	}{
		"paid":                       {nil, paid},
		"too old for refunds":        {fields{"trade_status": "TRADE_FINISHED"}, paid},
		"partly given back":          {fields{"refund_fee": "1.00", "gmt_refund": "2026-03-01 12:00:00.123", "out_biz_no": "r01"}, paid},
		"given back":                 {fields{"trade_status": "TRADE_CLOSED", "refund_fee": "12.34", "fund_bill_list": ""}, paid},
		"waiting":                    {fields{"trade_status": "WAIT_BUYER_PAY", "gmt_payment": ""}, payment.Outcome{Verdict: payment.Pending, ChannelID: "2200"}},
		"closed, nobody paid":        {fields{"trade_status": "TRADE_CLOSED", "gmt_payment": "", "fund_bill_list": "", "refund_fee": "0.00"}, payment.Outcome{Verdict: payment.Closed, Dead: true, ChannelID: "2200"}},
		"closed, and maybe paid":     {fields{"trade_status": "TRADE_CLOSED", "fund_bill_list": ""}, payment.Outcome{Verdict: payment.Unknown, Reason: "alipay closed the trade, and doesn't say whether it was paid before"}},
		"a state that we don't know": {fields{"trade_status": "TRADE_LIMBO"}, payment.Outcome{Verdict: payment.Unknown, Reason: "alipay names a state that we don't know"}},
		"no amount":                  {fields{"total_amount": ""}, payment.Outcome{Verdict: payment.Unknown, Reason: "alipay's answer can't be read"}},
	} {
		cb, err := parse(c.change)
		require.NoError(t, err, name)
		assert.Equal(t, channels.SubjectCharge, cb.Subject, name)
		assert.Equal(t, "p01", cb.Reference, name)
		assert.Equal(t, "n1", cb.EventID, name)
		assert.True(t, c.want.EffectiveAt.Equal(cb.Outcome.EffectiveAt), name)
		cb.Outcome.EffectiveAt = c.want.EffectiveAt
		assert.Equal(t, c.want, cb.Outcome, name)
	}
	cb, err := parse(fields{"trade_status": ""})
	require.NoError(t, err)
	assert.Equal(t, channels.SubjectOther, cb.Subject, "signed, and about nothing of ours")

	for code, change := range map[string]fields{
		"callback_forged": {"sign_type": "RSA"}, "callback_foreign": {"app_id": "2021999"}, "callback_stale": {"notify_time": "2026-02-26 12:00:00"},
	} {
		_, err := parse(change)
		assert.True(t, fault.Is(err, fault.KindDenied, code), "%s: %v", code, err)
	}
	_, err = parse(fields{"seller_id": "2088000000000002"})
	assert.True(t, fault.Is(err, fault.KindDenied, "callback_foreign"), "%v", err)
	for _, change := range []fields{{"charset": "gbk"}, {"notify_id": ""}, {"notify_time": ""}, {"notify_time": "soon"},
		{"trade_status": "", "msg_method": "alipay.fund.trans.order.changed", "biz_content": "{"},
		{"notify_time": "", "utc_timestamp": "now"}} {
		_, err := parse(change)
		assert.True(t, fault.Is(err, fault.KindInvalid, "callback_unreadable"), "%v: %v", change, err)
	}
}

// Alipay repeats a callback until it hears its one word, and then no more.
func TestCallbacksAreRepeatedUntilTheyAreAnswered(t *testing.T) {
	t.Parallel()
	d := newDesk(t, fake.Config{})
	reply := alipay.New(nil).Describe().Reply
	var seen []channels.Callback
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		cb, err := d.ch.ParseCallback(d.account, channels.RawCallback{Header: r.Header, Body: body, Now: d.fake.Now()})
		assert.NoError(t, err)
		seen = append(seen, cb)
		if len(seen) < 3 {
			_, _ = io.WriteString(w, `{"received":true}`)
			return
		}
		w.Header().Set("Content-Type", reply.Type)
		w.WriteHeader(reply.Status)
		_, _ = io.WriteString(w, reply.Body)
	}))
	defer shop.Close()
	r := charge(payment.MethodBarcode, d.fake.Barcode(fake.Pays))
	r.CallbackURL = shop.URL
	c, out := d.charged(r)
	for _, wait := range []time.Duration{0, 4 * time.Minute, 10 * time.Minute} {
		require.Zero(t, len(seen)/3)
		d.fake.Advance(wait)
		d.fake.Deliver(t.Context(), shop.Client())
		d.fake.Deliver(t.Context(), shop.Client())
	}
	require.Len(t, seen, 3)
	for _, cb := range seen {
		assert.Equal(t, seen[0], cb)
		assert.Equal(t, c.Key.Reference, cb.Reference)
		assert.Equal(t, out.ChannelID, cb.Outcome.ChannelID)
	}
	d.fake.Advance(25 * time.Hour)
	assert.Zero(t, d.fake.Deliver(t.Context(), shop.Client()))
}
