package stripe_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/stripe"
	"paysaga/channels/stripe/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

var itemized = reconcile.File{Name: "balance.csv", Kind: stripe.StatementBalance, Account: "cha_01", Book: id.Test, Hash: "ab"}

func readItemized(r io.Reader) ([]reconcile.Line, reconcile.Control, error) {
	var list []reconcile.Line
	control, err := stripe.New(nil).ReadStatement(itemized, r, func(l *reconcile.Line) error {
		list = append(list, *l)
		return nil
	})
	return list, control, err
}

// A day's report is run, waited for under one key, streamed and read; it agrees with the fake's book.
func TestAReportOfADayIsRunAndRead(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{stripe.StatementBalance, stripe.StatementPayouts} {
		b := newBench(t)
		paid := b.call(id.Charge)
		r := card("pm_card_visa")
		out, err := b.ch.Charge(t.Context(), paid, r)
		require.NoError(t, err)
		back := b.call(id.RefundOut)
		_, err = b.ch.Refund(t.Context(), back, channels.RefundRequest{ChargeKey: paid.Key.ID, ChannelID: out.ChannelID, AmountMinor: 100,
			TotalMinor: r.AmountMinor, Currency: r.Currency})
		require.NoError(t, err)
		day := channels.StatementRequest{Kind: kind, Day: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
		_, err = b.ch.Statement(t.Context(), b.account, day)
		assert.True(t, fault.Is(err, fault.KindUnavailable, "statement_not_ready"), "the day isn't over: %v", err)
		b.fake.Advance(36 * time.Hour)
		_, err = b.ch.Statement(t.Context(), b.account, day)
		assert.True(t, fault.Is(err, fault.KindUnavailable, "statement_not_ready"), "the report is being made: %v", err)
		assert.NotZero(t, fault.As(err).RetryAfter)
		b.fake.Advance(fake.ReportDelay)
		body, err := b.ch.Statement(t.Context(), b.account, day)
		require.NoError(t, err)
		lines, control, err := readItemized(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Len(t, lines, 2)
		fee := fake.Fee(r.AmountMinor)
		assert.Equal(t, reconcile.Charge, lines[0].Kind)
		assert.Equal(t, [3]int64{r.AmountMinor, fee, r.AmountMinor - fee}, [3]int64{lines[0].Gross, lines[0].Fee, lines[0].Net})
		assert.Equal(t, paid.Key.Reference, lines[0].Reference)
		assert.Equal(t, out.ChannelID, lines[0].OriginalID)
		assert.Equal(t, "po_fake00000001", lines[0].Batch)
		assert.Equal(t, "2026-11-22", lines[0].SettledOn.String())
		assert.Equal(t, reconcile.Refund, lines[1].Kind)
		assert.Equal(t, int64(-100), lines[1].Net)
		assert.Equal(t, back.Key.Reference, lines[1].Reference)
		assert.False(t, control.Declared, "the report states no sums")
		assert.Equal(t, r.AmountMinor-fee-100, control.Totals[lines[0].Currency].Net)
	}
}

// The secret key goes to Stripe's files alone, whatever address an answer names.
func TestAReportAtAForeignAddressIsNotFetched(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fake.Advance(48 * time.Hour)
	day := channels.StatementRequest{Kind: stripe.StatementBalance, Day: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
	_, err := b.ch.Statement(t.Context(), b.account, day)
	require.Error(t, err)
	b.fake.Advance(fake.ReportDelay)
	b.fake.Plant(fake.Fault{Kind: fake.Tamper, Path: "report_runs/", Edit: func(o map[string]any) {
		o["result"].(map[string]any)["url"] = "https://files.stripe.com.example.org/v1/files/x/contents"
	}})
	_, err = b.ch.Statement(t.Context(), b.account, day)
	assert.True(t, fault.Is(err, fault.KindUnknown, "channel_answer_foreign"), "%v", err)
}

const itemizedHead = "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,customer_facing_amount,customer_facing_currency,payment_metadata[paysaga_reference]\n"

const itemizedRow = "txn_1,2026-11-20 10:00:00,2026-11-22 00:00:00,usd,12.34,0.36,11.98,charge,ch_1,12.34,usd,p00000000000000000000000000ch1\n"

func TestARowInAnotherCurrencyBecomesWhatWasPaidAndItsFee(t *testing.T) {
	t.Parallel()
	lines, control, err := readItemized(strings.NewReader(itemizedHead +
		"txn_1,2026-11-20 10:00:00,,usd,11.00,0.50,10.50,charge,ch_1,10.00,eur,p00000000000000000000000000ch1\n" +
		"txn_2,2026-11-20 11:00:00,,usd,-5.50,0.00,-5.50,refund,re_1,5.00,eur,\n" +
		"txn_3,2026-11-20 12:00:00,,jpy,-500,0,-500,something_new,x_1,,,\n"))
	require.NoError(t, err)
	require.Len(t, lines, 4)
	assert.Equal(t, reconcile.Exchanged{Currency: "USD", Minor: 1100}, lines[0].Settled)
	assert.Equal(t, int64(1000), lines[0].Net)
	assert.Equal(t, reconcile.Fee, lines[1].Kind)
	assert.Equal(t, int64(-50), lines[1].Net)
	assert.NotEqual(t, lines[0].Identity, lines[1].Identity)
	assert.Equal(t, int64(-500), lines[2].Gross, "the customer's five euros are ours to lose")
	assert.Equal(t, reconcile.Other, lines[3].Kind)
	assert.Equal(t, "something_new", lines[3].Detail)
	assert.Equal(t, int64(-500), control.Totals["JPY"].Net)
}

func TestAReportThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	good := itemizedHead + itemizedRow
	_, _, err := readItemized(strings.NewReader("\ufeff" + good))
	require.NoError(t, err)
	for what, text := range map[string]string{
		"empty":               "",
		"a missing column":    strings.Replace(good, "net,", "nett,", 1),
		"a column twice":      strings.Replace(good, "source_id", "net", 1),
		"net":                 strings.Replace(good, "11.98", "11.97", 1),
		"a comma":             strings.Replace(good, "12.34", "12,34", 1),
		"an exponent":         strings.Replace(good, "12.34", "1e1", 1),
		"half a cent":         strings.Replace(good, "12.34", "12.345", 1),
		"beyond an int64":     strings.Replace(good, "12.34", "99999999999999999999", 1),
		"a currency":          strings.Replace(good, "usd", "usx", 1),
		"a time":              strings.Replace(good, "2026-11-20 10:00:00", "20.11.2026", 1),
		"no id":               strings.Replace(good, "txn_1", "", 1),
		"a formula":           strings.Replace(good, "txn_1", "=1+1", 1),
		"no category":         strings.Replace(good, ",charge,", ",,", 1),
		"half a row":          good[:len(good)-60] + "\n",
		"UTF-16":              "\xff\xfe" + strings.Join(strings.Split(good, ""), "\x00"),
		"packed":              "PK\x03\x04" + good,
		"an id in GBK":        strings.Replace(good, "txn_1", "\xb2\xe8", 1),
		"half a character":    strings.Replace(good, "txn_1", "txn\x81", 1),
		"NUL":                 strings.Replace(good, "txn_1", "txn_\x00", 1),
		"a cell more":         strings.Replace(good, "ch_1,", "ch_1,,", 1),
		"the head again":      good + itemizedHead,
		"an open quote":       itemizedHead + "\"" + strings.Repeat("x", 3<<20),
		"the other's amount":  strings.Replace(good, "12.34,usd", "x,eur", 1),
		"the other's nothing": strings.Replace(good, "12.34,usd", "0,eur", 1),
	} {
		_, _, err := readItemized(strings.NewReader(text))
		if assert.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", what, err) {
			assert.ErrorContains(t, err, itemized.Name, what)
		}
	}
}

// Columns go by their names. The report states no sums: a row that stands twice comes out twice under one identity, and the import points at it.
func TestColumnsMayStandOtherwiseAndRowsTwice(t *testing.T) {
	t.Parallel()
	want, _, err := readItemized(strings.NewReader(itemizedHead + itemizedRow + itemizedRow))
	require.NoError(t, err)
	require.Len(t, want, 2)
	assert.Equal(t, want[0].Identity, want[1].Identity)
	turned := func(line string) string {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		slices.Reverse(cells)
		return strings.Join(cells, ",") + "\n"
	}
	got, _, err := readItemized(strings.NewReader(turned(itemizedHead) + turned(itemizedRow) + turned(itemizedRow)))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func BenchmarkItemized(b *testing.B) {
	var text bytes.Buffer
	text.WriteString(itemizedHead)
	for n := range 100_000 {
		text.WriteString(strings.Replace(itemizedRow, "txn_1", fmt.Sprintf("txn_%d", n), 1))
	}
	b.SetBytes(int64(text.Len()))
	lines := 0
	for b.Loop() {
		_, err := stripe.New(nil).ReadStatement(itemized, bytes.NewReader(text.Bytes()), func(*reconcile.Line) error { lines++; return nil })
		require.NoError(b, err)
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
}

func FuzzItemized(f *testing.F) {
	f.Add([]byte(itemizedHead + itemizedRow))
	f.Add([]byte(itemizedHead + "txn_1,2026-11-20 10:00:00,,usd,11.00,0.50,10.50,charge,ch_1,10.00,eur,\n"))
	f.Add([]byte(itemizedHead + "txn_2,2026-11-20 11:00:00,,jpy,-5,0,-5,refund,re_1,,,\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := 0
		control, err := stripe.New(nil).ReadStatement(itemized, bytes.NewReader(text), func(l *reconcile.Line) error {
			if l.Net != l.Gross-l.Fee || l.Identity == "" || l.Detail == "" || l.Row < 2 {
				t.Fatalf("a line that can't be: %+v", l)
			}
			n++
			return nil
		})
		switch {
		case err == nil && control.Lines != n:
			t.Fatalf("the control says %d of %d lines", control.Lines, n)
		case err != nil && !fault.Is(err, fault.KindInvalid, "statement_broken"):
			t.Fatalf("another error: %v", err)
		}
	})
}
