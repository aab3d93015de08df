package main

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wechatpay"
	"paysaga/channels/wire"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/store/storetest"
)

// desk is a database with an account at the sandbox and one at WeChat Pay, and somebody with statements in their folder.
type desk struct {
	books
	sandbox, wechat string
}

func newDesk(t *testing.T, url string) *desk {
	t.Helper()
	d := &desk{books: books{t: t, db: storetest.Open(t), dir: t.TempDir()}}
	keys := storetest.SealKeys
	d.env = map[string]string{"PAYSAGA_DATABASE_URL": d.db.Config.URL,
		"PAYSAGA_SEAL_KEYS": keys.Current + ":" + base64.StdEncoding.EncodeToString(keys.Keys[keys.Current])}
	d.sandbox = d.account(store.ChannelAccount{Channel: sandbox.Name, BaseURL: url, Credentials: map[string]string{sandbox.Secret: "s"}})
	d.wechat = d.account(store.ChannelAccount{Channel: wechatpay.Name, StatementZone: "Asia/Shanghai", Credentials: map[string]string{"mch_id": "1900000001"}})
	return d
}

func (d *desk) account(a store.ChannelAccount) string {
	d.t.Helper()
	a.Book, a.Lane = id.Test, payment.Standard
	account, err := d.db.Store.AddChannelAccount(d.t.Context(), a)
	require.NoError(d.t, err)
	return account
}

// file leaves a statement in the folder.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	require.NoError(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (d *desk) moves(account string, files ...string) []string {
	return append([]string{"statement", "import", "--account", account, "--kind", sandbox.Moves}, files...)
}

// lines is how many lines the database holds.
func (d *desk) lines() (n int) {
	d.t.Helper()
	require.NoError(d.t, d.db.Owner.QueryRow(d.t.Context(), `SELECT count(*) FROM statement_lines`).Scan(&n))
	return n
}

// move is a row of a sandbox's statement, and day a statement of some.
func move(n int) string {
	return fmt.Sprintf("charge,sbx_%d,ref%d,k,,1234,8,CNY,2026-11-20T12:34:56Z", n, n)
}

func day(rows ...string) string {
	return strings.Join(append(append([]string{server.StatementHeader}, rows...), fmt.Sprintf("end,%d", len(rows))), "\n") + "\n"
}

func TestStatementsComeInOnceAndAreShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	first, second := d.file("first.csv", day(move(1), move(2))), d.file("second.csv", day(move(2), move(3)))
	out := d.does("2 lines, 2 of them new", d.moves(d.sandbox, first)...)
	require.Contains(t, out, "imported  first.csv")
	require.Equal(t, 2, d.lines())

	require.Equal(t, out, d.does("first.csv", d.moves(d.sandbox, first)...), "the same file again is the same file")
	require.Equal(t, 2, d.lines())
	d.does("second.csv: 2 lines, 1 of them new", d.moves(d.sandbox, first, second)...)
	require.Equal(t, 3, d.lines())

	list := d.does("NO", "statement", "list")
	require.Less(t, strings.Index(list, "second.csv"), strings.Index(list, "first.csv"), "the latest first")
	require.Contains(t, list, "2 of 2")
	require.NotContains(t, d.does("NO", "statement", "list", "--account", d.wechat), "first.csv")
	require.NotContains(t, d.does("NO", "statement", "list", "--status", "refused"), "first.csv")

	shown := d.does("2 of 2 lines, 2026-11-20 to 2026-11-20; 1 of them new", "statement", "show", number(t, list, "second.csv"))
	require.Contains(t, shown, "CNY 24.68")
	require.Regexp(t, `charge +2 .* 1 lines, CNY 12\.26`, shown, "what was seen before")
	rows, err := csv.NewReader(strings.NewReader(d.does("row,", "statement", "show", "--csv", number(t, list, "first.csv")))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, []string{"2", "charge", "charge", "CNY", "12.34", "0.08", "12.26", "ref1", "sbx_1"}, rows[1][:9])
	d.fails("not_found", "statement", "show", "999")
	d.fails("not_found", "statement", "show", "--book", "live", number(t, list, "first.csv"))
}

// number is a file's, as the list shows it.
func number(t *testing.T, list, name string) string {
	t.Helper()
	for line := range strings.Lines(list) {
		if strings.Contains(line, name) {
			return strings.Fields(line)[0]
		}
	}
	t.Fatalf("%s isn't listed:\n%s", name, list)
	return ""
}

// A row that a file has twice is kept once, and pointed at; one that another file has otherwise too.
func TestRowsThatContradictAreShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	d.does("3 lines, 2 of them new", d.moves(d.sandbox, d.file("twice.csv", day(move(1), move(2), move(1))))...)
	require.Equal(t, 2, d.lines())
	d.does("1 lines, 0 of them new", d.moves(d.sandbox, d.file("changed.csv", day(strings.Replace(move(2), "1234", "1235", 1))))...)
	require.Equal(t, 2, d.lines())
	list := d.does("NO", "statement", "list")
	require.Contains(t, d.does("row 4 is there twice", "statement", "show", number(t, list, "twice.csv")), "charge:sbx_1")
	require.Contains(t, d.does("row 2 is there changed", "statement", "show", number(t, list, "changed.csv")), "charge:sbx_2")
	require.NotContains(t, d.does("CNY", "statement", "show", "--findings", "0", number(t, list, "changed.csv")), "is there")
}

// Nothing of a file that can't be believed gets in: it is refused by name, line and reason, and the others of the call come in.
func TestBrokenStatementsAreRefusedAtTheCommand(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	whole := day(move(1), move(2))
	for name, c := range map[string]struct{ text, says string }{
		"cut.csv":       {whole[:len(whole)-4], "cut.csv, line 4: "},
		"count.csv":     {strings.Replace(whole, "end,2", "end,3", 1), "count.csv, line 4: the file has another number"},
		"empty.csv":     {"", "empty.csv, line 1: the file is cut"},
		"encoding.csv":  {"\ufeff" + whole, "encoding.csv, line 1: the columns"},
		"columns.csv":   {strings.Replace(whole, "kind,id", "id,kind", 1), "columns.csv, line 1: the columns"},
		"late-flaw.csv": {strings.Replace(whole, "sbx_2,ref2,k,,1234", "sbx_2,ref2,k,,12.34", 1), "late-flaw.csv, line 3: the amount"},
		"huge.csv":      {day(strings.Repeat("x", 1<<20)), "huge.csv, line 2: the line is too long"},
	} {
		path := d.file(name, c.text)
		code, out, errs := d.run(d.moves(d.sandbox, path)...)
		require.Equal(t, 1, code, name)
		require.Regexp(t, `^\d+  refused   .*`+regexp.QuoteMeta(c.says), out, name)
		require.Empty(t, errs, name)
		code, again, _ := d.run(d.moves(d.sandbox, path)...)
		require.Equal(t, 1, code, name)
		require.Equal(t, out, again, "%s again is refused again", name)
	}
	require.Zero(t, d.lines())
	require.Equal(t, 7, strings.Count(d.does("line", "statement", "list", "--status", "refused"), "refused"))

	code, out, _ := d.run(d.moves(d.sandbox, d.file("bad.csv", "hello"), d.file("good.csv", whole))...)
	require.Equal(t, 1, code, "one was refused")
	require.Contains(t, out, "good.csv: 2 lines, 2 of them new")
	require.Equal(t, 2, d.lines())

	bill := "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\r\n" +
		"`2026-11-20 12:34:56,`42,`19,`交易,`交易,`收入,`12.34,`100.00,`system,`,`ref\r\n资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\r\n`1.0,`1.0,`12.34,`0.0,`0.00\r\n"
	wechat := func(name, text string) []string {
		return []string{"statement", "import", "--account", d.wechat, "--kind", wechatpay.FundFlow, "--day", "2026-11-20", d.file(name, text)}
	}
	d.fails("sums.csv, line 4: the bill states another sum than its rows have", wechat("sums.csv", strings.Replace(bill, "`1.0,`12.34", "`1.0,`12.35", 1))...)
	require.Equal(t, 2, d.lines())
	d.does("1 lines, 1 of them new", wechat("whole.csv", bill)...)
	require.Contains(t, d.does("whole.csv", "statement", "list", "--kind", wechatpay.FundFlow), "2026-11-20")
}

func TestStatementsOfNobodyAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "")
	good := d.file("day.csv", day(move(1)))
	for _, c := range []struct {
		says string
		args []string
	}{
		{"none.csv", d.moves(d.sandbox, filepath.Join(d.dir, "none.csv"))},
		{"is a directory", d.moves(d.sandbox, d.dir)},
		{"not_found", d.moves("cha_00000000000000000000000000", good)},
		{"not_found", d.moves("sandbox", good)},
		{"has no statements of this kind; it has", []string{"statement", "import", "--account", d.sandbox, "--kind", "camt.053", good}},
		{"--day", append(d.moves(d.sandbox, good), "--day", "20.11.2026")},
		{"--account", []string{"statement", "import", "--kind", sandbox.Moves, good}},
		{"file", d.moves(d.sandbox)},
		{"--day", []string{"statement", "fetch", "--account", d.sandbox, "--kind", sandbox.Moves}},
		{"has no statements of this kind", []string{"statement", "fetch", "--account", d.sandbox, "--kind", "trade", "--day", "2026-11-20"}},
		{"not_found", []string{"statement", "fetch", "--account", "cha_00000000000000000000000000", "--kind", sandbox.Moves, "--day", "2026-11-20"}},
		{"--status", []string{"statement", "list", "--status", "lost"}},
		{"<no>", []string{"statement", "show", "first"}},
	} {
		code, out, errs := d.run(c.args...)
		require.NotZero(t, code, c.args)
		require.Contains(t, out+errs, c.says, c.args)
	}
	require.Zero(t, d.lines())
	require.NotContains(t, d.does("NO", "statement", "list"), ".csv")
}

// A day is fetched from the channel itself; a channel that can't be reached leaves nothing behind.
func TestADayIsFetchedFromTheChannel(t *testing.T) {
	t.Parallel()
	s, err := server.New(server.Config{Secrets: []string{"s"}})
	require.NoError(t, err)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() { h.CloseClientConnections(); require.NoError(t, s.Close()); h.Close() })
	d := newDesk(t, h.URL)
	client := wire.New(wire.Config{})
	t.Cleanup(client.CloseIdle)
	now := s.Now()
	key, err := channels.NewKey(id.Key(id.New(id.Payment, uint64(now.UnixMilli()), [10]byte{1}), id.Step{Code: id.Charge, Ordinal: 1}), strings.Repeat("0", 64), now)
	require.NoError(t, err)
	account := channels.Account{ID: d.sandbox, Channel: sandbox.Name, Book: id.Test, BaseURL: h.URL, Credentials: map[string]string{sandbox.Secret: "s"}}
	_, err = sandbox.New(client).Charge(t.Context(), channels.Call{Account: account, Key: key, Now: now}, channels.ChargeRequest{AmountMinor: 1234, Currency: "CNY",
		Capture: true, Description: "tea", Method: payment.Method{Type: payment.MethodCardToken, Token: "tok_ok"}})
	require.NoError(t, err)

	fetch := func(day time.Time) []string {
		return []string{"statement", "fetch", "--account", d.sandbox, "--kind", sandbox.Moves, "--day", day.UTC().Format(time.DateOnly)}
	}
	d.does("1 lines, 1 of them new", fetch(now)...)
	d.does("0 lines, 0 of them new", fetch(now.AddDate(0, 0, -7))...)
	require.Equal(t, 1, d.lines())
	require.Contains(t, d.does("sandbox moves "+now.UTC().Format(time.DateOnly), "statement", "list"), "imported")
	h.CloseClientConnections()
	h.Close()
	d.fails("unavailable", fetch(now.AddDate(0, 0, -1))...)
	require.Equal(t, 2, strings.Count(d.does("NO", "statement", "list"), "imported"))
}
