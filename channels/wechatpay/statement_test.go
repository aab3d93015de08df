package wechatpay_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// parse reads a bill and keeps its lines.
func parse(kind string, text []byte) (lines []reconcile.Line, c reconcile.Control, err error) {
	c, err = wechatpay.New(wire.New(wire.Config{})).ReadStatement(reconcile.File{Name: "bill.csv", Kind: kind, Account: "cha_1", Hash: "aa"},
		bytes.NewReader(text), func(l *reconcile.Line) error {
			lines = append(lines, *l)
			return nil
		})
	return lines, c, err
}

// day is one on which everything happens: payments, refunds that end in every way, a transfer.
func day(t *testing.T) (*fake.Server, *bench) {
	b := newBench(t, fake.Config{})
	for i := range 5 {
		key := b.key(t)
		out := b.pay(t, key, request(qr))
		if i == 0 {
			continue
		}
		r := request(qr)
		r.Description = fake.Slow
		slow := b.key(t)
		b.pay(t, slow, r)
		refund := b.refundKey(t)
		_, err := b.ch.Refund(t.Context(), b.call(refund), channels.RefundRequest{ChargeKey: slow.ID, AmountMinor: int64(100 * i), TotalMinor: r.AmountMinor, Currency: "CNY"})
		require.NoError(t, err, "%+v", out)
		if state := []string{"", fake.Success, fake.Closed, "ABNORMAL", ""}[i]; state != "" {
			require.True(t, b.fake.FinishRefund(refund.Reference, state))
		}
	}
	payout := b.payoutKey(t)
	_, err := b.ch.Payout(t.Context(), b.call(payout), channels.PayoutRequest{AmountMinor: 300, Currency: "CNY", Destination: "wallet:oPayee"})
	require.NoError(t, err)
	require.True(t, b.fake.FinishTransfer(payout.Reference, "FAIL", "PAYEE_ACCOUNT_ABNORMAL"))
	return b.fake, b
}

func fetch(t *testing.T, b *bench, kind string) []byte {
	t.Helper()
	on := b.fake.Now().In(fake.Beijing)
	b.fake.Advance(36 * time.Hour)
	body, err := b.ch.Statement(t.Context(), b.account, channels.StatementRequest{Kind: kind, Day: on})
	b.fake.Advance(-36 * time.Hour)
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return text
}

func TestTheTradeBillIsReadAsTheChannelKeepsIt(t *testing.T) {
	t.Parallel()
	_, b := day(t)
	lines, c, err := parse(wechatpay.Trade, fetch(t, b, wechatpay.Trade))
	require.NoError(t, err)
	assert.True(t, c.Declared)
	kinds, identities := map[string]int{}, map[string]bool{}
	for _, l := range lines {
		kinds[string(l.Kind)+" "+l.Detail]++
		assert.False(t, identities[l.Identity], l.Identity)
		identities[l.Identity] = true
		assert.Equal(t, "cha_1", l.Account)
		assert.Equal(t, money.Currency("CNY"), l.Currency)
		assert.WithinDuration(t, b.fake.Now(), l.OccurredAt, time.Minute)
		assert.NotEmpty(t, l.Reference)
		assert.Equal(t, l.Kind == reconcile.Charge, l.OriginalID == "")
	}
	assert.Equal(t, map[string]int{"charge SUCCESS": 9, "refund REFUND SUCCESS": 1, "other REFUND FAIL": 1, "refund REFUND CHANGE": 1,
		"refund REFUND PROCESSING": 1}, kinds)
	charge := lines[0]
	assert.Equal(t, [3]int64{1234, 7, 1227}, [3]int64{charge.Gross, charge.Fee, charge.Net})
}

func TestTheFundFlowBillIsTheBalance(t *testing.T) {
	t.Parallel()
	s, b := day(t)
	lines, c, err := parse(wechatpay.FundFlow, fetch(t, b, wechatpay.FundFlow))
	require.NoError(t, err)
	assert.True(t, c.Declared)
	assert.Equal(t, s.Balance()-1_000_000_00, c.Totals["CNY"].Net, "what the day moved")
	kinds, identities := map[reconcile.Kind]int{}, map[string]bool{}
	for _, l := range lines {
		kinds[l.Kind]++
		identities[l.Identity] = true
	}
	assert.Len(t, identities, len(lines))
	assert.Equal(t, map[reconcile.Kind]int{reconcile.Charge: 9, reconcile.Fee: 13, reconcile.Refund: 4, reconcile.RefundReturned: 1,
		reconcile.Payout: 1, reconcile.PayoutReturned: 1}, kinds)
}

func TestABillThatIsNotReadyOrNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	today := b.fake.Now().In(fake.Beijing)
	_, err := b.ch.Statement(t.Context(), b.account, channels.StatementRequest{Kind: wechatpay.Trade, Day: today})
	assert.True(t, fault.Is(err, fault.KindUnavailable, "statement_not_ready"), "%v", err)
	_, err = b.ch.Statement(t.Context(), b.account, channels.StatementRequest{Kind: wechatpay.FundFlow, Day: today.AddDate(0, 0, -3)})
	assert.Equal(t, fault.KindNotFound, fault.Of(err), "%v", err)
	_, err = b.ch.Statement(t.Context(), b.account, channels.StatementRequest{Kind: "balance", Day: today})
	assert.Equal(t, fault.KindInvalid, fault.Of(err), "%v", err)
}

// A bill on the way that isn't the one whose hash was signed ends in an error, never in io.EOF.
func TestABillOfAnotherHashIsNotBelieved(t *testing.T) {
	t.Parallel()
	_, b := day(t)
	b.tamper = func(path string, body []byte) []byte {
		if path == "/v3/billdownload/file" {
			return bytes.Replace(body, []byte("12.34"), []byte("12.35"), 1)
		}
		return body
	}
	on := b.fake.Now().In(fake.Beijing)
	b.fake.Advance(36 * time.Hour)
	body, err := b.ch.Statement(t.Context(), b.account, channels.StatementRequest{Kind: wechatpay.Trade, Day: on})
	require.NoError(t, err)
	_, err = io.ReadAll(body)
	assert.Equal(t, fault.KindUnknown, fault.Of(err), "%v", err)
}

// What a bill may suffer on its way, and what it is refused for. No reason quotes a cell.
func TestBrokenBillsAreRefused(t *testing.T) {
	t.Parallel()
	_, b := day(t)
	trade, flow := string(fetch(t, b, wechatpay.Trade)), string(fetch(t, b, wechatpay.FundFlow))
	rows := strings.SplitAfter(trade, "\r\n")
	swap := func(text, from, to string) string {
		require.Contains(t, text, from)
		return strings.Replace(text, from, to, 1)
	}
	for name, c := range map[string]struct{ kind, text, reason string }{
		"empty":                  {"trade", "", "empty"},
		"only the head":          {"trade", rows[0], "ends without its sums"},
		"cut in a row":           {"trade", trade[:len(trade)/2], ""},
		"cut before the sums":    {"trade", strings.Join(rows[:len(rows)-3], ""), "ends without its sums"},
		"the sums' values cut":   {"trade", strings.Join(rows[:len(rows)-2], ""), "number of cells"},
		"a row twice":            {"trade", rows[0] + rows[1] + strings.Join(rows[1:], ""), "number of rows"},
		"a row lost":             {"trade", rows[0] + strings.Join(rows[2:], ""), "number of rows"},
		"an amount changed":      {"trade", swap(trade, "`12.34", "`12.35"), ""},
		"the sums changed":       {"trade", swap(trade, "`13.0", "`12.0"), "number of rows"},
		"something after it":     {"trade", trade + "hello\r\n", "goes on"},
		"another bill after it":  {"trade", trade + trade, "goes on"},
		"a missing column":       {"trade", swap(trade, "交易状态,", "状态,"), "column is missing"},
		"a column twice":         {"trade", swap(trade, "设备号,", "商户号,"), "same name"},
		"a lost cell":            {"trade", swap(trade, "`OTHERS,", ""), "number of cells"},
		"an injected cell":       {"trade", swap(trade, "茶", "茶,`x"), "number of cells"},
		"another encoding":       {"trade", swap(trade, "交易时间", "\xbd\xbb\xd2\xd7"), "column is missing"},
		"UTF-16":                 {"trade", "\xff\xfe" + strings.Join(strings.Split(trade, ""), "\x00"), ""},
		"a half character":       {"trade", swap(trade, "`SUCCESS", "`\x81"), "state"},
		"packed":                 {"trade", "PK\x03\x04" + trade, "column is missing"},
		"a number in GBK":        {"trade", swap(trade, "`12.34", "`\xa3\xb1\xa3\xb2"), "amount"},
		"an unknown state":       {"trade", swap(trade, "`SUCCESS", "`SETTLED"), "state"},
		"an unknown refund":      {"trade", swap(trade, "`PROCESSING", "`PONDERING"), "state"},
		"another currency":       {"trade", swap(trade, "`CNY", "`USD"), "currency"},
		"an exponent":            {"trade", swap(trade, "`12.34", "`1e3"), "amount"},
		"finer than a fen":       {"trade", swap(trade, "`0.07000", "`0.07001"), "amount"},
		"a huge amount":          {"trade", swap(trade, "`12.34", "`99999999999999999999"), "amount"},
		"a 31st of February":     {"trade", swap(trade, b.fake.Now().In(fake.Beijing).Format("`2006-01-02"), "`2026-02-31"), "time"},
		"an endless line":        {"trade", rows[0] + "`" + strings.Repeat("x", 70<<10) + "\r\n", "too long"},
		"the other kind":         {"fundflow", trade, "column is missing"},
		"fund flow, a direction": {"fundflow", swap(flow, "收入", "流入"), "direction"},
		"fund flow, a sum":       {"fundflow", swap(flow, "`支出", "`收入"), ""},
		"fund flow, a row twice": {"fundflow", swap(flow, strings.SplitAfter(flow, "\r\n")[1], strings.Repeat(strings.SplitAfter(flow, "\r\n")[1], 2)), "number of rows"},
		"fund flow, GBK":         {"fundflow", swap(flow, "收入", "\xca\xd5\xc8\xeb"), "direction"},
		"fund flow, cut":         {"fundflow", flow[:len(flow)/3], ""},
		"fund flow, negative":    {"fundflow", swap(flow, "收入,`", "收入,`-"), "amount"},
	} {
		_, control, err := parse(c.kind, []byte(c.text))
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", name, err)
		assert.ErrorContains(t, err, "bill.csv", name)
		assert.ErrorContains(t, err, c.reason, name)
		assert.NotContains(t, err.Error(), "12.34", name)
		_ = control
	}
}

// Cut anywhere, a bill is refused: its sums are its end.
func TestABillCutAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	_, b := day(t)
	for _, kind := range []string{wechatpay.Trade, wechatpay.FundFlow} {
		text := bytes.TrimRight(fetch(t, b, kind), "\r\n")
		last := bytes.LastIndexByte(text, ',') // of the last sum a digit may be missing that says nothing, as in 0.00
		for n := 0; n < last; n += 5 {
			_, _, err := parse(kind, text[:n])
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s, %d: %v", kind, n, err)
			require.ErrorContains(t, err, "bill.csv")
		}
	}
}

// Merchants that never changed to the form of 2018 have other names and fewer columns; a coupon of the merchant's own
// is never settled.
func TestOldAndCouponBills(t *testing.T) {
	t.Parallel()
	old := "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额," +
		"微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率\n" +
		"`2026-11-10 16:33:45,`wx1,`1000,`0,`,`1001690740201411100005734289,`1415640626,`o,`JSAPI,`SUCCESS,`CFT,`CNY,`0.12,`0.0,`0,`0,`0,`0,`,`,`a, b,`,`0.00000,`0.60%\n" +
		"总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额\n`1,`0.12,`0.0,`0.0,`0"
	lines, c, err := parse(wechatpay.Trade, []byte(old))
	require.NoError(t, err)
	require.Len(t, lines, 1)
	assert.Equal(t, int64(12), lines[0].Net)
	assert.Equal(t, 1, c.Lines)
	assert.Equal(t, "2026-11-10T16:33:45+08:00", lines[0].OccurredAt.Format(time.RFC3339))

	row := "`2026-11-10 16:33:45,`wx1,`1000,`0,`,`4200,`ref1,`o,`JSAPI,`SUCCESS,`CFT,`CNY,`8.00,`2.00,`0,`0,`0.00,`0.00,`,`,`x,`,`0.05,`0.60%,`10.00,`0.00,`\n"
	back := "`2026-11-10 17:33:45,`wx1,`1000,`0,`,`4200,`ref1,`o,`JSAPI,`REFUND,`CFT,`CNY,`0.00,`0.00,`50300,`ref2,`4.00,`0.00,`ORIGINAL,`SUCCESS,`x,`,`-0.02,`0.60%,`0.00,`5.00,`\n"
	lines, _, err = parse(wechatpay.Trade, []byte(fake.TradeColumns+"\n"+row+back+fake.TradeSummary+"\n`2,`8.00,`4.00,`0.00,`0.03,`10.00,`5.00\n"))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	assert.Equal(t, [3]int64{1000, 205, 795}, [3]int64{lines[0].Gross, lines[0].Fee, lines[0].Net})
	assert.Equal(t, [3]int64{-500, -102, -398}, [3]int64{lines[1].Gross, lines[1].Fee, lines[1].Net})
	assert.Equal(t, []string{"ref2", "50300", "4200"}, []string{lines[1].Reference, lines[1].ChannelID, lines[1].OriginalID})
}

// endless is a trade bill of so many rows, made while it is read.
func endless(rows int) io.Reader {
	row := "`2026-11-10 16:33:45,`wx0123456789abcdef,`1900000001,`0,`,`42000020261110%010d,`p01hx3v6wq2k8m4n0p7r9s5t1abch1,`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o," +
		"`NATIVE,`SUCCESS,`OTHERS,`CNY,`12.34,`0.00,`0,`0,`0.00,`0.00,`,`,`茶 tea,`,`0.07000,`0.60%%,`12.34,`0.00,`\r\n"
	r, w := io.Pipe()
	go func() {
		var batch bytes.Buffer
		batch.WriteString("\ufeff" + fake.TradeColumns + "\r\n")
		for i := range rows {
			fmt.Fprintf(&batch, row, i)
			if batch.Len() > 1<<20 {
				_, _ = batch.WriteTo(w)
			}
		}
		total := money.New(int64(rows)*1234, "CNY").Decimal()
		fmt.Fprintf(&batch, "%s\r\n`%d.0,`%s,`0.00,`0.00,`%s,`%s,`0.00\r\n", fake.TradeSummary, rows, total, money.New(int64(rows)*7, "CNY").Decimal(), total)
		_, _ = batch.WriteTo(w)
		_ = w.Close()
	}()
	return r
}

// Memory doesn't grow with the bill: what is live after many rows is what was live before.
func TestALongBillIsReadInConstantMemory(t *testing.T) {
	const rows = 100_000
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	c, err := wechatpay.New(wire.New(wire.Config{})).ReadStatement(reconcile.File{Name: "b", Kind: wechatpay.Trade}, endless(rows), func(*reconcile.Line) error {
		if n++; n == rows {
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, rows, c.Lines)
	assert.Less(t, int64(during.HeapAlloc)-int64(before.HeapAlloc), int64(16<<20))
}

func BenchmarkTradeBill(b *testing.B) {
	text, err := io.ReadAll(endless(50_000))
	require.NoError(b, err)
	ch := wechatpay.New(wire.New(wire.Config{}))
	for b.Loop() {
		_, err := ch.ReadStatement(reconcile.File{Name: "b", Kind: wechatpay.Trade}, bytes.NewReader(text), func(*reconcile.Line) error { return nil })
		require.NoError(b, err)
	}
	b.ReportMetric(float64(50_000*b.N)/b.Elapsed().Seconds(), "lines/s")
}
