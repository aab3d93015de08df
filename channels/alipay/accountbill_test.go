package alipay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels/alipay"
	"paysaga/channels/alipay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

const (
	inRow  = "88\t,22\t,p01\t,茶,2026-03-01 12:00:00,*三,12.34,,100.00,支付宝\t,在线支付\t,\r\n"
	outRow = "89\t,22\t,p01\t,茶,2026-03-01 12:00:01,*三,,-0.07,99.93,支付宝\t,收费\t,\r\n"
	ruled  = "#账务明细列表结束\r\n"
	summed = "#支出合计：1笔，共-0.07元\r\n#收入合计：1笔，共12.34元\r\n"
)

func accountBill(rows, sums string) string {
	return "#支付宝账务明细查询\r\n" + fake.AccountColumns + "\r\n" + rows + ruled + sums
}

func TestAnAccountBillThatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	good := accountBill(inRow+outRow, summed)
	lines, total, err := read(alipay.BillAccount, strings.NewReader(fake.GBK(good)))
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Equal(t, reconcile.Total{Lines: 2, Gross: 1234, Fee: 7, Net: 1227}, total.Totals["CNY"])
	same, _, err := read(alipay.BillAccount, strings.NewReader(fake.GBK(accountBill(outRow+inRow, summed))))
	require.NoError(t, err)
	require.Equal(t, []string{lines[1].Identity, lines[0].Identity}, []string{same[0].Identity, same[1].Identity}, "in any order a row is the same row")

	swap := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct{ text, reason string }{
		"a row twice":             {accountBill(inRow+inRow+outRow, summed), "differ from its lines"},
		"a row less":              {accountBill(inRow, summed), "differ from its lines"},
		"another sum":             {swap("共12.34元", "共12.35元"), "differ from its lines"},
		"another count":           {swap("收入合计：1笔", "收入合计：2笔"), "differ from its lines"},
		"no sums":                 {accountBill(inRow+outRow, ""), "sums at the end are missing"},
		"half of the sums":        {accountBill(inRow+outRow, strings.SplitAfter(summed, "\r\n")[0]), "sums at the end are missing"},
		"sums of another kind":    {accountBill(inRow+outRow, goodSums), ""},
		"the end before the rows": {accountBill("", "") + inRow + outRow + summed, "a line follows the end"},
		"in and out at once":      {swap("12.34,,", "12.34,-1.00,"), "line 3: "},
		"neither in nor out":      {swap("12.34,,", ",,"), "line 3: "},
		"an amount as text":       {swap("12.34,,", "1e1,,"), "line 3: "},
		"a time that isn't one":   {swap("2026-03-01 12:00:00", "2026-02-30 12:00:00"), "line 3: the time"},
		"no number":               {strings.Replace(good, "88\t", "\t", 1), "line 3: "},
		"an injected cell":        {swap("茶,", "茶,x,"), "line 3: the line doesn't have as many cells"},
		"another kind of bill":    {tradeBill(tradeRow+backRow, goodSums), "columns aren't those"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken(t, alipay.BillAccount, []byte(fake.GBK(c.text)), c.reason)
		})
	}
}

func TestAnAccountBillThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	good := accountBill(inRow+outRow, summed)
	broken(t, alipay.BillAccount, []byte(good), "isn't in GB18030")
	for _, trap := range []string{"\x81", "\xb0", "\x81\x30", "\xff\x40"} {
		broken(t, alipay.BillAccount, []byte(strings.Replace(fake.GBK(good), fake.GBK("茶,"), trap+",", 1)), "line 3: the line isn't in GB18030")
	}
	text := []byte(fake.GBK(good))
	for n := range len(text) - len("\r\n") {
		_, _, err := read(alipay.BillAccount, bytes.NewReader(text[:n]))
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%d: %v", n, err)
	}
}
