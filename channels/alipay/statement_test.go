package alipay_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/reconcile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, fake.Zone)

// file is a statement of a kind.
func file(kind string) reconcile.File {
	return reconcile.File{Name: "bill.zip", Kind: kind, Account: "cha_1", Book: id.Test, Hash: "feed"}
}

// read reads a bill and keeps its lines.
func read(kind string, r io.Reader) ([]reconcile.Line, reconcile.Control, error) {
	var list []reconcile.Line
	total, err := alipay.New(nil).ReadStatement(file(kind), r, func(l *reconcile.Line) error {
		list = append(list, *l)
		return nil
	})
	return list, total, err
}

// broken requires that a bill isn't believed, and that the error says which file and why.
func broken(t *testing.T, kind string, content []byte, reason string) {
	t.Helper()
	_, total, err := read(kind, bytes.NewReader(content))
	require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%v", err)
	require.ErrorContains(t, err, "bill.zip")
	require.ErrorContains(t, err, reason)
	require.Equal(t, reconcile.Control{}, total)
}

func call(t *testing.T, f *fake.Server, a channels.Account, p id.Prefix, code id.Code, n byte) channels.Call {
	t.Helper()
	name := id.New(p, uint64(f.Now().UnixMilli()), [10]byte{n})
	key, err := channels.NewKey(id.Key(name, id.Step{Code: code, Ordinal: 1}), hex.EncodeToString(sha256.New().Sum(nil)), f.Now())
	require.NoError(t, err)
	return channels.Call{Account: a, Key: key, Now: f.Now()}
}

// aDay is a day at Alipay: two payments, a refund, a payout, a withdrawal.
type aDay struct {
	*desk
	first, second, back, out channels.Call
	paid                     payment.Outcome
}

func newDay(t *testing.T) *aDay {
	t.Helper()
	d := &aDay{desk: newDesk(t, fake.Config{Now: func() time.Time { return noon }})}
	d.first, d.paid = d.charged(charge(payment.MethodBarcode, d.fake.Barcode(fake.Pays)))
	d.second, _ = d.charged(charge(payment.MethodQR, ""))
	require.True(t, d.fake.Pay(d.second.Key.Reference))
	d.fake.Advance(time.Hour)
	d.back, _, _ = d.refunded(d.first, 234)
	d.out, _, _ = d.paidOut("wallet:2088000000000077", 700)
	d.fake.Withdraw(50_000)
	return d
}

// fetch reads a bill of the day from Alipay.
func (d *aDay) fetch(kind string) []reconcile.Line {
	d.Helper()
	body, err := d.ch.Statement(d.Context(), d.account, channels.StatementRequest{Kind: kind, Day: noon})
	require.NoError(d, err)
	defer body.Close()
	lines, total, err := read(kind, body)
	require.NoError(d, err)
	require.True(d, total.Declared)
	require.Equal(d, len(lines), total.Lines)
	return lines
}

// The bills of a day say what happened, line by line.
func TestTheBillsOfADay(t *testing.T) {
	t.Parallel()
	d := newDay(t)
	_, err := d.ch.Statement(t.Context(), d.account, channels.StatementRequest{Kind: alipay.BillTrade, Day: noon})
	require.Equal(t, fault.KindNotFound, fault.Of(err), "by our clock it should have been there: %v", err)
	d.fake.Advance(24 * time.Hour)
	trades := d.fetch(alipay.BillTrade)
	require.Len(t, trades, 3)
	require.True(t, noon.Equal(trades[0].OccurredAt))
	assert.Equal(t, reconcile.Line{Account: "cha_1", Book: id.Test, Kind: reconcile.Charge, Detail: "交易", Currency: "CNY", Reference: d.first.Key.Reference,
		ChannelID: d.paid.ChannelID, Gross: 1234, Fee: 7, Net: 1227, OccurredAt: trades[0].OccurredAt, SettledOn: reconcile.Date{Year: 2026, Month: 3, Day: 1},
		FileHash: "feed", Row: 6, Identity: "paid/" + d.paid.ChannelID}, trades[0])
	assert.Equal(t, d.second.Key.Reference, trades[1].Reference)
	assert.Equal(t, reconcile.Refund, trades[2].Kind)
	assert.Equal(t, d.back.Key.Reference, trades[2].Reference)
	assert.Equal(t, d.paid.ChannelID, trades[2].OriginalID)
	assert.Equal(t, int64(-234), trades[2].Net)

	var kinds []reconcile.Kind
	var net int64
	for _, l := range d.fetch(alipay.BillAccount) {
		kinds = append(kinds, l.Kind)
		net += l.Net
		switch l.Kind {
		case reconcile.Fee:
			assert.Equal(t, int64(7), l.Fee)
			assert.Zero(t, l.Gross)
		case reconcile.Payout:
			assert.Equal(t, d.out.Key.Reference, l.Reference)
		}
	}
	assert.Equal(t, []reconcile.Kind{reconcile.Charge, reconcile.Fee, reconcile.Charge, reconcile.Fee, reconcile.Refund, reconcile.Payout, reconcile.Settlement}, kinds)
	assert.Equal(t, int64(2*1234-2*7-234-700-50_000), net)

	_, err = d.ch.Statement(t.Context(), d.account, channels.StatementRequest{Kind: alipay.BillTrade, Day: noon.AddDate(-10, 0, 0)})
	require.Equal(t, fault.KindNotFound, fault.Of(err), "%v", err)
}

const (
	ruleEnd  = "#-----------------------------------------业务明细列表结束------------------------------------\r\n"
	tradeRow = "2026030122001400000000000001\t,p01\t,交易\t,绿茶,2026-03-01 11:59:50,2026-03-01 12:00:00,\t,\t,\t,\t,*三(a***@x.cn),12.34,12.34,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,\t,-0.07,0.00,\r\n"
	backRow  = "2026030122001400000000000001\t,p01\t,退款\t,绿茶,2026-03-01 11:59:50,2026-03-01 13:00:00,\t,\t,\t,\t,*三(a***@x.cn),-2.34,-2.34,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,r01\t,0.00,0.00,\r\n"
)

// tradeBill is a trade bill's text.
func tradeBill(rows, sums string) string {
	return "#支付宝业务明细查询\r\n#账号：[20880000000000010156]\r\n#起始日期：[2026年03月01日 00:00:00]   终止日期：[2026年03月02日 00:00:00]\r\n" +
		"#-----------------------------------------业务明细列表----------------------------------------\r\n" + fake.TradeColumns + "\r\n" + rows + ruleEnd + sums +
		"#导出时间：[2026年03月02日 05:46:49]\r\n"
}

const goodSums = "#交易合计：1笔，商家实收共12.34元，商家优惠共0.00元\r\n#退款合计：1笔，商家实收退款共-2.34元，商家优惠退款共0.00元\r\n"

func TestABillThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	good := tradeBill(tradeRow+backRow, goodSums)
	lines, total, err := read(alipay.BillTrade, strings.NewReader(fake.GBK(good)))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Equal(t, reconcile.Total{Lines: 2, Gross: 1000, Fee: 7, Net: 993}, total.Totals["CNY"])

	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for name, c := range map[string]struct{ text, reason string }{
		"a duplicated row":            {tradeBill(tradeRow+tradeRow+backRow, goodSums), "differ from its lines"},
		"a row less":                  {tradeBill(tradeRow, goodSums), "differ from its lines"},
		"another sum":                 {swap("共12.34元", "共12.35元"), "differ from its lines"},
		"another count":               {swap("1笔", "2笔"), "differ from its lines"},
		"no sums":                     {tradeBill(tradeRow+backRow, ""), "sums at the end are missing"},
		"sums twice":                  {tradeBill(tradeRow+backRow, goodSums+goodSums), "line 11: the sums can't be read"},
		"sums without a number":       {swap("共12.34元", "共十二元"), "the sums can't be read"},
		"no end of the list":          {strings.Replace(good, ruleEnd, "", 1), "a comment stands among the lines"},
		"a line behind the end":       {good + tradeRow, "a line follows the end"},
		"a comment among the lines":   {tradeBill(tradeRow+"#x\r\n"+backRow, goodSums), "line 7: a comment"},
		"an empty line":               {tradeBill(tradeRow+"\r\n"+backRow, goodSums), "line 7: the line doesn't have as many cells"},
		"a cell more":                 {swap("绿茶", "绿,茶"), "line 6: the line doesn't have as many cells"},
		"a quotation without an end":  {swap("绿茶", "\"绿茶"), "line 6: the line doesn't have as many cells"},
		"three decimals":              {swap("12.34,12.34", "12.34,12.340"), "line 6: an amount"},
		"an amount as text":           {swap("12.34,12.34", "12.34,1e1"), "line 6: an amount"},
		"an amount beyond everything": {swap("12.34,12.34", "12.34,9999999999999999.99"), "line 6: an amount"},
		"no amount":                   {swap("12.34,12.34", "12.34,"), "line 6: an amount"},
		"a refund above zero":         {swap("-2.34,-2.34", "2.34,2.34"), "line 7: a refund"},
		"a payment below zero":        {swap("12.34,12.34", "-12.34,-12.34"), "line 6: a payment"},
		"the 30th of February":        {swap("2026-03-01 12:00:00", "2026-02-30 12:00:00"), "line 6: the time"},
		"a time as text":              {swap("2026-03-01 12:00:00", "1 March 2026, 12:0:0"), "line 6"},
		"no number":                   {swap("2026030122001400000000000001", ""), "line 6: the line has no number"},
		"another kind of bill":        {swap(fake.TradeColumns, fake.AccountColumns), "columns aren't those"},
		"a column twice":              {swap("备注", "商户订单号"), "a column stands twice"},
		"no columns":                  {"#支付宝\r\n", "no columns"},
		"nothing":                     {"", "neither a zip"},
		"no bill":                     {"<html>", "neither a zip"},
		"an end without a line's end": {strings.TrimSuffix(good, "\r\n"), "the file is cut"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken(t, alipay.BillTrade, []byte(fake.GBK(c.text)), c.reason)
		})
	}
}

// Bytes that no bill has, and bills that end too early.
func TestABillThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	good := tradeBill(tradeRow+backRow, goodSums)
	t.Run("written anew in UTF-8", func(t *testing.T) {
		t.Parallel()
		broken(t, alipay.BillTrade, []byte(good), "isn't in GB18030")
		broken(t, alipay.BillTrade, []byte("\ufeff"+good), "neither a zip")
	})
	t.Run("half a character that would swallow a comma", func(t *testing.T) {
		t.Parallel()
		for _, trap := range []string{"\x81", "\xb0", "\x81\x30", "\x81\x30\x81", "\xff\x40", "\x80"} {
			text := strings.Replace(fake.GBK(good), fake.GBK("绿茶,"), trap+",", 1)
			broken(t, alipay.BillTrade, []byte(text), "line 6: the line isn't in GB18030")
		}
	})
	t.Run("a line without an end", func(t *testing.T) {
		t.Parallel()
		broken(t, alipay.BillTrade, []byte(fake.GBK(strings.Replace(good, "绿茶", strings.Repeat("x", 70_000), 1))), "longer than any")
	})
	t.Run("cut anywhere", func(t *testing.T) {
		t.Parallel()
		text := []byte(fake.GBK(good))
		// Without its very last line, the time of the export, it says all that is to be believed.
		for n := 0; n < bytes.LastIndex(text, []byte("#")); n += 3 {
			_, _, err := read(alipay.BillTrade, bytes.NewReader(text[:n]))
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%d: %v", n, err)
		}
	})
}

// Columns go by their names, cells may be quoted, and characters of four bytes are characters.
func TestABillWrittenOtherwiseIsTheSame(t *testing.T) {
	t.Parallel()
	want, _, err := read(alipay.BillTrade, strings.NewReader(fake.GBK(tradeBill(tradeRow+backRow, goodSums))))
	require.NoError(t, err)
	for _, other := range []string{
		strings.ReplaceAll(tradeBill(tradeRow+backRow, goodSums), "绿茶", `"绿, ""茶"""`),
		strings.ReplaceAll(tradeBill(tradeRow+backRow, goodSums), "绿茶", "𠀀 é ʬ"),
		strings.ReplaceAll(tradeBill(tradeRow+backRow, goodSums), "\r\n", "\n"),
		strings.ReplaceAll(tradeBill(tradeRow+backRow, goodSums), "共-2.34元", "共2.34元"),
	} {
		got, _, err := read(alipay.BillTrade, iotest.OneByteReader(strings.NewReader(fake.GBK(other))))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestTheReaderMayStop(t *testing.T) {
	t.Parallel()
	stop := fault.Conflict("enough", "enough")
	_, err := alipay.New(nil).ReadStatement(file(alipay.BillTrade), strings.NewReader(fake.GBK(tradeBill(tradeRow+backRow, goodSums))),
		func(*reconcile.Line) error { return stop })
	require.ErrorIs(t, err, stop)
	lost := fault.Unknown("channel_answer_lost", "cut", nil)
	for _, text := range []string{"", "P", "#", fake.GBK(tradeBill(tradeRow, goodSums))[:300], string(fake.Zip(map[string]string{"业务明细.csv": tradeBill(tradeRow, goodSums)}))[:200]} {
		_, _, err := read(alipay.BillTrade, io.MultiReader(strings.NewReader(text), iotest.ErrReader(lost)))
		require.ErrorIs(t, err, lost, "%q", text)
	}
}

// again reads the same bytes n times.
type again struct {
	block []byte
	n, at int
}

func (a *again) Read(p []byte) (int, error) {
	if a.n == 0 {
		return 0, io.EOF
	}
	n := copy(p, a.block[a.at:])
	if a.at += n; a.at == len(a.block) {
		a.n, a.at = a.n-1, 0
	}
	return n, nil
}

// many is a bill of n thousand lines, made while it is read.
func many(n int) io.Reader {
	head, _, _ := strings.Cut(fake.GBK(tradeBill("", "")), fake.GBK(ruleEnd))
	sum := n * 1000 * 1234
	return io.MultiReader(strings.NewReader(head), &again{block: []byte(fake.GBK(strings.Repeat(tradeRow, 1000))), n: n},
		strings.NewReader(fake.GBK(fmt.Sprintf(ruleEnd+"#交易合计：%d笔，商家实收共%d.%02d元\r\n#退款合计：0笔，商家实收退款共0.00元\r\n", n*1000, sum/100, sum%100))))
}

func TestABillOfAnySizeTakesTheSameMemory(t *testing.T) {
	const n = 200_000
	var most uint64
	seen := 0
	total, err := alipay.New(nil).ReadStatement(file(alipay.BillTrade), many(n/1000), func(*reconcile.Line) error {
		if seen++; seen%(n/4) == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, n, total.Lines)
	require.Less(t, most, uint64(32<<20), "a bill of 40 MB was kept")
}

func BenchmarkTradeBill(b *testing.B) {
	total, err := alipay.New(nil).ReadStatement(file(alipay.BillTrade), many(b.N/1000+1), func(*reconcile.Line) error { return nil })
	require.NoError(b, err)
	b.ReportMetric(float64(total.Lines)/b.Elapsed().Seconds(), "lines/s")
}
