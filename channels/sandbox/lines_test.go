package sandbox_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/sandbox/server"
	"paysaga/channels/wire"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

var billFile = reconcile.File{Name: "2026-11-20.csv", Kind: sandbox.Moves, Account: "cha_1", Book: id.Test, Hash: "h"}

func readBill(r io.Reader) (list []reconcile.Line, sum reconcile.Control, err error) {
	sum, err = channels.Guard(sandbox.New(nil)).ReadStatement(billFile, r, func(l *reconcile.Line) error {
		list = append(list, *l)
		return nil
	})
	return list, sum, err
}

func rows(lines ...string) string {
	return strings.Join(append([]string{server.StatementHeader}, lines...), "\n") + "\n"
}

const aCharge = "charge,sbx_1,p1,pay_1:ch1,,500,3,CNY,2026-11-20T12:00:00Z"

func TestAStatementIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	text := rows(aCharge, `refund,sbx_2,r1,"a ""key"", quoted",sbx_1,-200,0,CNY,2026-11-20T23:59:59.5+00:00`, "payout,sbx_3,y1,k,,-7,1,JPY,2026-11-20T12:00:00Z", "end,3")
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		list, sum, err := readBill(r)
		require.NoError(t, err)
		require.Len(t, list, 3)
		assert.Equal(t, reconcile.Line{Account: "cha_1", Book: id.Test, Kind: reconcile.Charge, Detail: "charge", Currency: "CNY", Reference: "p1", ChannelID: "sbx_1",
			Gross: 500, Fee: 3, Net: 497, OccurredAt: noon, SettledOn: reconcile.On(noon), FileHash: "h", Row: 2, Identity: "charge:sbx_1"}, list[0])
		assert.Equal(t, "sbx_1", list[1].OriginalID)
		assert.Equal(t, int64(-200), list[1].Net)
		assert.Equal(t, reconcile.Control{Lines: 3, Declared: true, Totals: map[money.Currency]reconcile.Total{
			"CNY": {Lines: 2, Gross: 300, Fee: 3, Net: 297}, "JPY": {Lines: 1, Gross: -7, Fee: 1, Net: -8}}}, sum)
	}
}

func TestWhatIsNoStatementIsRefusedByFileLineAndReason(t *testing.T) {
	t.Parallel()
	for text, at := range map[string]string{
		"":                              "line 1: the file is cut",
		rows(aCharge):                   "line 3: the file is cut",
		rows(aCharge)[:90]:              "line 2: the file is cut",
		rows(aCharge, "end,2"):          "line 3: the file has another number",
		rows(aCharge, "end,1", aCharge): "line 4: something follows",
		rows(aCharge, "end,01"):         "line 3: the file has another number",
		rows(aCharge, "end"):            "line 3: the last line",
		"\ufeff" + rows("end,0"):        "line 1: the columns",
		strings.ReplaceAll(rows("end,0"), "\n", "\r\n"):                                      "line 1: the columns",
		rows(strings.Replace(aCharge, "500", "-500", 1)):                                     "line 2: the amount",
		rows(strings.Replace(aCharge, "500", "5.00", 1)):                                     "line 2: the amount",
		rows(strings.Replace(aCharge, "500", "0500", 1)):                                     "line 2: the amount",
		rows(strings.Replace(aCharge, "500", "9223372036854775807", 1)):                      "line 2: the amount",
		rows(strings.Replace(aCharge, ",3,", ",-3,", 1)):                                     "line 2: the fee",
		rows(strings.Replace(aCharge, "CNY", "cny", 1)):                                      "line 2: the currency",
		rows(strings.Replace(aCharge, "charge", "gift", 1)):                                  "line 2: the kind",
		rows(strings.Replace(aCharge, "sbx_1", "", 1)):                                       "line 2: the movement has no id",
		rows(strings.Replace(aCharge, "sbx_1", "\xc4\xe3", 1)):                               "line 2: an id or a key",
		rows(strings.Replace(aCharge, "2026", "26", 1)):                                      "line 2: the time",
		rows(aCharge + ",more"):                                                              "line 2: the line has too many cells",
		rows("charge,sbx_1"):                                                                 "line 2: the line has too few cells",
		rows(`charge,sbx_1,p1,"open`):                                                        "line 2: a quoted cell",
		rows(strings.Repeat("x", 100_000)):                                                   "line 2: the line is too long",
		rows(strings.Replace(aCharge, "pay_1:ch1", "pay_01hx3v6wq2k8m4n0p7r9s5t1ab:ch1", 1)): "line 2: the reference",
	} {
		_, _, err := readBill(strings.NewReader(text))
		require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%.200q: %v", text, err)
		require.Contains(t, err.Error(), "2026-11-20.csv, "+at, "%.200q", text)
	}
}

// The server's own statement is what is read.
func TestTheSandboxsStatementIsRead(t *testing.T) {
	t.Parallel()
	s, url := start(t, server.Config{Secrets: []string{secret}})
	client := wire.New(wire.Config{})
	t.Cleanup(client.CloseIdle)
	ch := sandbox.New(client)
	key, err := channels.NewKey(id.Key(id.New(id.Payment, uint64(s.Now().UnixMilli()), [10]byte{1}), id.Step{Code: id.Charge, Ordinal: 1}), strings.Repeat("0", 64), s.Now())
	require.NoError(t, err)
	_, err = ch.Charge(t.Context(), channels.Call{Account: account(url), Key: key, Now: s.Now()}, *card("tok_ok"))
	require.NoError(t, err)
	body, err := ch.Statement(t.Context(), account(url), channels.StatementRequest{Kind: sandbox.Moves, Day: s.Now()})
	require.NoError(t, err)
	defer func() { _ = body.Close() }()
	list, sum, err := readBill(body)
	require.NoError(t, err)
	require.Equal(t, 1, sum.Lines)
	require.Equal(t, key.Reference, list[0].Reference)
	require.Equal(t, int64(1234), list[0].Gross)
}

// Whatever a file holds, it is read whole or refused by name, and what was read adds up.
func FuzzStatement(f *testing.F) {
	f.Add([]byte(rows(aCharge, "end,1")))
	f.Add([]byte(rows(`refund,a,b,"c,""d""",e,-1,0,JPY,2026-11-20T12:00:00.123Z`, "end,1")))
	f.Add([]byte(rows("end,0")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := reconcile.Examine(billFile, noon)
		sum, err := sandbox.New(nil).ReadStatement(billFile, strings.NewReader(string(raw)), e.Add)
		if err != nil {
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%v", err)
			return
		}
		_, err = e.End(sum)
		require.NoError(t, err)
	})
}
