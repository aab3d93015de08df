package paypal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/paypal"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

var settlement = reconcile.File{Name: "STL-20261120.01.009.CSV", Kind: paypal.StatementSettlement, Account: "cha_x", Book: id.Test, Hash: "ab"}

func readReport(r io.Reader) ([]reconcile.Line, reconcile.Control, error) {
	var list []reconcile.Line
	control, err := paypal.New(nil).ReadStatement(settlement, r, func(l *reconcile.Line) error {
		list = append(list, *l)
		return nil
	})
	return list, control, err
}

func TestASettlementReportIsReadLineByLine(t *testing.T) {
	t.Parallel()
	f, adapter := open(t)
	ch := channels.Guard(adapter(wire.New(wire.Config{})))
	r := token("vault-ok")
	yen := token("vault-ok")
	yen.AmountMinor, yen.Currency = 500, "JPY"
	c := newCall(t, f, r)
	paid, err := ch.Charge(t.Context(), c, r)
	require.NoError(t, err)
	_, err = ch.Charge(t.Context(), newCall(t, f, yen), yen)
	require.NoError(t, err)
	q := channels.RefundRequest{ChargeKey: c.Key.ID, ChannelID: paid.ChannelID, AmountMinor: 45, TotalMinor: 12345, Currency: "USD"}
	back := newRefund(t, f, q)
	_, err = ch.Refund(t.Context(), back, q)
	require.NoError(t, err)

	lines, control, err := readReport(bytes.NewReader(f.Settlement(f.Now())))
	require.NoError(t, err)
	require.Len(t, lines, 3)
	assert.True(t, control.Declared)
	assert.Equal(t, reconcile.Total{Lines: 2, Gross: 12300, Fee: 400, Net: 11900}, control.Totals["USD"])
	assert.Equal(t, reconcile.Total{Lines: 1, Gross: 500, Fee: 16, Net: 484}, control.Totals["JPY"], "two implied decimals, also of yen")
	first, refund := lines[0], lines[1]
	assert.Equal(t, reconcile.Charge, first.Kind)
	assert.Equal(t, c.Key.Reference, first.Reference)
	assert.Equal(t, paid.ChannelID, first.OriginalID)
	assert.Equal(t, int64(12345), first.Gross)
	assert.Equal(t, reconcile.On(f.Now().UTC()), first.SettledOn)
	assert.Equal(t, reconcile.Refund, refund.Kind)
	assert.Equal(t, back.Key.Reference, refund.Reference)
	assert.Equal(t, int64(-45), refund.Net)
	assert.Equal(t, first.ChannelID, refund.OriginalID)
	assert.NotEqual(t, first.Identity, refund.Identity)
	for i, l := range lines {
		assert.Equal(t, i+5, l.Row)
		assert.Equal(t, settlement.Hash, l.FileHash)
	}
}

const head = "\"RH\",2026/11/21 06:00:00 +0000,\"X\",\"M\",009,\n\"FH\",01\n\"SH\",2026/11/20 00:00:00 +0000,2026/11/20 23:59:59 +0000,\"M\",\"\"\n" +
	"\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\"Transaction Event Code\",\"Transaction Initiation Date\"," +
	"\"Transaction Completion Date\",\"Transaction Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\"," +
	"\"Fee Amount\",\"Fee Currency\",\"Custom Field\",\"Consumer ID\"\n"

func body(txn, code, side, gross, currency, fee string) string {
	return fmt.Sprintf("\"SB\",%q,\"\",\"\",\"\",%q,2026/11/20 10:00:00 +0000,2026/11/20 10:00:01 +0000,%q,%s,%q,\"DR\",%s,%q,\"\",\"B\"\n", txn, code, side, gross, currency, fee, currency)
}

// one is a report of one row.
func one() string {
	return head + body("1AB", "T0006", "CR", "1000", "USD", "59") + tail("1000", "59", "1")
}

func tail(credits, fees, n string) string {
	sums := ",\"USD\"," + credits + ",0,0," + fees + ",\"CR\",0,\"CR\",0," + n + "\n"
	return "\"SF\"" + sums + "\"SC\"," + n + "\n\"RF\"" + sums + "\"RC\"," + n + "\n\"FF\",01\n"
}

func TestAReportThatDoesNotAddUpIsRefused(t *testing.T) {
	t.Parallel()
	_, control, err := readReport(strings.NewReader(one()))
	require.NoError(t, err)
	require.Equal(t, reconcile.Total{Lines: 1, Gross: 1000, Fee: 59, Net: 941}, control.Totals["USD"])
	for what, c := range map[string]struct{ text, says string }{
		"empty":                     {"", "ends before its footer"},
		"cut":                       {one()[:len(one())-8], "ends before its footer"},
		"no header":                 {strings.TrimPrefix(one(), one()[:strings.Index(one(), "\n")+1]), "can't follow"},
		"reordered":                 {strings.Replace(one(), "\"SH\"", "\"SB\"", 1), "can't follow"},
		"a row type":                {strings.Replace(one(), "\"SB\"", "\"XX\"", 1), "can't follow"},
		"a row twice":               {strings.Replace(one(), body("1AB", "T0006", "CR", "1000", "USD", "59"), strings.Repeat(body("1AB", "T0006", "CR", "1000", "USD", "59"), 2), 1), "differ"},
		"another amount":            {strings.Replace(one(), "\"CR\",1000,", "\"CR\",1001,", 1), "sums differ"},
		"another fee":               {strings.Replace(one(), "\"DR\",59,", "\"DR\",58,", 1), "sums differ"},
		"another direction":         {strings.Replace(one(), "\"CR\",1000,", "\"DR\",1000,", 1), "sums differ"},
		"another count":             {strings.Replace(one(), "\"SC\",1", "\"SC\",2", 1), "count differs"},
		"another report count":      {strings.Replace(one(), "\"RC\",1", "\"RC\",0", 1), "count differs"},
		"no footer of a currency":   {strings.Replace(one(), "\"SF\",\"USD\",1000,0,0,59,\"CR\",0,\"CR\",0,1\n", "", 1), "no footer"},
		"a negative amount":         {strings.Replace(one(), "\"CR\",1000,", "\"CR\",-1000,", 1), "can't be read"},
		"a decimal point":           {strings.Replace(one(), "\"CR\",1000,", "\"CR\",10.00,", 1), "can't be read"},
		"no direction":              {strings.Replace(one(), "\"CR\",1000,", "\"\",1000,", 1), "can't be read"},
		"an amount beyond counting": {strings.Replace(one(), "\"CR\",1000,", "\"CR\",99999999999999999999,", 1), "can't be read"},
		"a fraction of a yen":       {strings.ReplaceAll(one(), "USD", "JPY"), "isn't one of its currency"},
		"a currency":                {strings.ReplaceAll(one(), "USD", "USX"), "none that we know"},
		"a fee's currency":          {strings.Replace(one(), "\"DR\",59,\"USD\"", "\"DR\",59,\"EUR\"", 1), "another currency"},
		"no id":                     {strings.Replace(one(), "\"1AB\"", "\"\"", 1), "no id"},
		"a path for an id":          {strings.Replace(one(), "\"1AB\"", "\"../x\"", 1), "no id"},
		"an event code":             {strings.Replace(one(), "T0006", "T00066", 1), "event code"},
		"a time":                    {strings.Replace(one(), "2026/11/20 10:00:01 +0000", "20.11.2026", 1), "time"},
		"a missing column":          {strings.Replace(one(), "\"Fee Amount\"", "\"Fees\"", 1), "column is missing"},
		"a column twice":            {strings.Replace(one(), "\"Consumer ID\"", "\"Custom Field\"", 1), "twice"},
		"a short row":               {strings.Replace(one(), ",\"\",\"B\"\n", "\n", 1), "fewer fields"},
		"UTF-16":                    {"\xff\xfe\"\x00R\x00H\x00", "isn't CSV"},
		"packed":                    {"PK\x03\x04" + one(), ""},
		"an id in GBK":              {strings.Replace(one(), "\"1AB\"", "\"\xb2\xe8\"", 1), "no id"},
		"half a character":          {strings.Replace(one(), "\"1AB\"", "\"1AB\x81\"", 1), "no id"},
		"NUL":                       {strings.Replace(one(), "\"1AB\"", "\"1\x00AB\"", 1), "no id"},
		"an open quote":             {one()[:len(one())-8] + "\"" + strings.Repeat("x", 3<<20), "too long"},
		"a quote inside":            {strings.Replace(one(), "\"1AB\"", "\"1\"AB", 1), "isn't CSV"},
		"something behind":          {one() + "\"SB\"\n", "can't follow"},
	} {
		_, _, err := readReport(strings.NewReader(c.text))
		if assert.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", what, err) {
			assert.ErrorContains(t, err, settlement.Name, what)
			assert.ErrorContains(t, err, c.says, what)
		}
	}
}

func TestAReportCutAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	text := one()
	for n := range strings.LastIndex(text, "\"FF\"") + len("\"FF") { // the footer's own end says nothing more
		_, _, err := readReport(strings.NewReader(text[:n]))
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%d: %v", n, err)
		require.ErrorContains(t, err, settlement.Name)
	}
}

func TestTheReaderStopsWhereTheCallerDoes(t *testing.T) {
	t.Parallel()
	stop := errors.New("enough")
	n := 0
	_, err := paypal.New(nil).ReadStatement(settlement, strings.NewReader(one()), func(*reconcile.Line) error { n++; return stop })
	assert.ErrorIs(t, err, stop)
	assert.Equal(t, 1, n)
}

func TestEventCodesHaveTheirKinds(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][2]reconcile.Kind{ // credit, debit
		"T0001": {reconcile.PayoutReturned, reconcile.Payout}, "T0006": {reconcile.Charge, reconcile.Payout}, "T0100": {reconcile.Fee, reconcile.Fee},
		"T0300": {reconcile.TopUp, reconcile.TopUp}, "T0400": {reconcile.Settlement, reconcile.Settlement}, "T1107": {reconcile.RefundReturned, reconcile.Refund},
		"T1201": {reconcile.ChargebackWon, reconcile.Chargeback}, "T0200": {reconcile.Other, reconcile.Other}, "T9900": {reconcile.Other, reconcile.Other},
	} {
		for i, side := range []string{"CR", "DR"} {
			text := head + body("1AB", code, side, "1000", "USD", "0")
			credit, debit := "1000", "0"
			if side == "DR" {
				credit, debit = debit, credit
			}
			sums := ",\"USD\"," + credit + "," + debit + ",0,0,1\n"
			lines, _, err := readReport(strings.NewReader(text + "\"SF\"" + strings.TrimSuffix(sums, ",1\n") + "\n\"SC\",1\n\"RF\"" + strings.TrimSuffix(sums, ",1\n") + "\n\"RC\",1\n\"FF\",01\n"))
			if assert.NoError(t, err, code) {
				assert.Equal(t, want[i], lines[0].Kind, "%s %s", code, side)
				assert.Equal(t, code, lines[0].Detail)
			}
		}
	}
}

// long is a report of n rows that is made while it is read.
type long struct {
	rows, at int
	buf      bytes.Buffer
}

func (l *long) Read(p []byte) (int, error) {
	for l.buf.Len() < len(p) && l.at <= l.rows+1 {
		switch {
		case l.at == 0:
			l.buf.WriteString(head)
		case l.at <= l.rows:
			l.buf.WriteString(body(fmt.Sprintf("%017d", l.at), "T0006", "CR", "1000", "USD", "59"))
		default:
			l.buf.WriteString(tail(fmt.Sprint(1000*l.rows), fmt.Sprint(59*l.rows), fmt.Sprint(l.rows)))
		}
		l.at++
	}
	if l.buf.Len() == 0 {
		return 0, io.EOF
	}
	return l.buf.Read(p)
}

func BenchmarkSettlement(b *testing.B) {
	text, err := io.ReadAll(&long{rows: 100_000})
	require.NoError(b, err)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	lines := 0
	for b.Loop() {
		_, err := paypal.New(nil).ReadStatement(settlement, bytes.NewReader(text), func(*reconcile.Line) error { lines++; return nil })
		require.NoError(b, err)
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
}

func FuzzSettlement(f *testing.F) {
	f.Add([]byte(one()))
	f.Add([]byte("\ufeff" + one()))
	f.Add([]byte(head + body("1AB", "T1107", "DR", "1000", "JPY", "0") + tail("0", "0", "1")))
	f.Add([]byte(strings.Replace(one(), "\"FH\",01", "\"FH\",02", 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		var sum int64
		n := 0
		control, err := paypal.New(nil).ReadStatement(settlement, bytes.NewReader(text), func(l *reconcile.Line) error {
			if l.Net != l.Gross-l.Fee || l.ChannelID == "" || l.Identity == "" || l.Row < 1 || l.OccurredAt.Equal(time.Time{}) {
				t.Fatalf("a line that can't be: %+v", l)
			}
			if l.Currency == money.Currency("USD") {
				sum += l.Net
			}
			n++
			return nil
		})
		if err != nil {
			if !fault.Is(err, fault.KindInvalid, "statement_broken") {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		if control.Lines != n || control.Totals["USD"].Net != sum || !control.Declared {
			t.Fatalf("the control says %+v of %d lines", control, n)
		}
	})
}
