package bank_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/channels/bank"
	"paysaga/channels/bank/fake"
	"paysaga/domain/fault"
	"paysaga/domain/reconcile"
)

func lines(t testing.TB, kind, content string) (list []reconcile.Line, sums reconcile.Control, err error) {
	t.Helper()
	sums, err = channels.Guard(bank.New(nil)).ReadStatement(reconcile.File{Name: "day.xml", Kind: kind, Account: "cha_1", Hash: "hash"},
		strings.NewReader(content), func(l *reconcile.Line) error { list = append(list, *l); return nil })
	return list, sums, err
}

// A day of everything that happens to an account, as each version tells of it.
func TestADayIsReadLineByLine(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"02", "04", "08"} {
		w := newWorld(t)
		w.bank.Camt = version
		charge, rf := w.charge()
		payout := w.payout()
		w.pays(10000, rf)
		w.hear()
		w.advance(5 * time.Hour)
		w.exchange()
		w.bank.Return(payout.Key.Reference, "AC01")
		w.bank.Enter(fake.Booking{Minor: -50, Currency: "EUR", Code: "MDOP.CHRG"})
		w.bank.Enter(fake.Booking{Minor: 700, Currency: "JPY", Text: "hello"})
		w.bank.Day()
		w.work()
		ch := w.channel()
		r, err := ch.Statement(t.Context(), w.acct, channels.StatementRequest{Kind: bank.KindStatement, Day: w.clock()})
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		list, sums, err := lines(t, bank.KindStatement, string(content))
		require.NoError(t, err, version)
		assert.True(t, sums.Declared)
		assert.Equal(t, reconcile.Total{Lines: 4, Gross: 10000, Fee: 50, Net: 9950}, sums.Totals["EUR"])
		kinds := map[reconcile.Kind]reconcile.Line{}
		for _, l := range list {
			kinds[l.Kind] = l
			assert.Equal(t, "2026-11-16", l.SettledOn.String())
			assert.Equal(t, "hash", l.FileHash)
			assert.Positive(t, l.Row)
		}
		assert.Len(t, list, 5)
		assert.Equal(t, int64(10000), kinds[reconcile.Charge].Gross)
		assert.Equal(t, rf, kinds[reconcile.Charge].OriginalID)
		assert.Equal(t, w.askCharge(charge).ChannelID, kinds[reconcile.Charge].ChannelID, "as its callback named it")
		assert.Equal(t, payout.Key.Reference, kinds[reconcile.Payout].Reference)
		assert.Equal(t, int64(-12345), kinds[reconcile.Payout].Net)
		assert.Equal(t, payout.Key.Reference, kinds[reconcile.PayoutReturned].Reference)
		assert.Equal(t, int64(12345), kinds[reconcile.PayoutReturned].Net)
		assert.Equal(t, int64(50), kinds[reconcile.Fee].Fee)
		assert.Equal(t, int64(700), kinds[reconcile.Other].Net)
		assert.Equal(t, "PMNT.RCDT.ESCT", kinds[reconcile.Other].Detail)
	}
}

func TestADayWithoutAStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.channel().Statement(t.Context(), w.acct, channels.StatementRequest{Kind: bank.KindStatement, Day: w.clock()})
	assert.Equal(t, fault.KindNotFound, fault.Of(err), "%v", err)
	_, err = w.channel().Statement(t.Context(), w.acct, channels.StatementRequest{Kind: "mt940", Day: w.clock()})
	assert.Equal(t, fault.KindInvalid, fault.Of(err), "%v", err)
}

const entry = `<Ntry><Amt Ccy="EUR">10.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-11-16</Dt></BookgDt><AcctSvcrRef>R1</AcctSvcrRef>
<NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch><TxDtls><Amt Ccy="EUR">4.00</Amt></TxDtls><TxDtls><Amt Ccy="EUR">6.00</Amt></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">3.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>2026-11-16T09:00:00+01:00</DtTm></BookgDt></Ntry>
<Ntry><Amt Ccy="EUR">99.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>PDNG</Sts></Ntry>`

func dayOf(version, entries string, more ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.` + version + `"><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr>` +
		oneDay(entries) + strings.Join(more, "") + `</BkToCstmrStmt></Document>`
}

func oneDay(entries string) string {
	return `<Stmt><Id>1</Id><Acct><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-11-16</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">5.50000</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-16</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>FWAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">7.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-17</Dt></Dt></Bal>
<TxsSummry><TtlNtries><NbOfNtries>3</NbOfNtries></TtlNtries><TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>3.50</Sum></TtlDbtNtries></TxsSummry>` + entries + `</Stmt>`
}

func TestBatchesSignsAndSeveralStatements(t *testing.T) {
	t.Parallel()
	list, sums, err := lines(t, bank.KindStatement, dayOf("04", entry, oneDay(entry)))
	require.NoError(t, err)
	require.Len(t, list, 6)
	assert.Equal(t, reconcile.Total{Lines: 6, Gross: 1300, Net: 1300}, sums.Totals["EUR"])
	assert.Equal(t, []int64{400, 600, -350}, []int64{list[0].Net, list[1].Net, list[2].Net})
	assert.Equal(t, "R1", list[0].Batch)
	assert.Equal(t, time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC), list[2].OccurredAt.UTC())
	assert.NotEqual(t, list[0].Identity, list[1].Identity)
	seen := map[string]bool{}
	for _, l := range list {
		assert.False(t, seen[l.Identity], "a movement of the second statement is another one")
		seen[l.Identity] = true
	}
}

// What isn't as it should be is refused, with file, line and reason, and nothing of the file in it.
func TestBrokenStatementsAreRefused(t *testing.T) {
	t.Parallel()
	good := dayOf("04", entry)
	_, _, err := lines(t, bank.KindStatement, good)
	require.NoError(t, err)
	change := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	for reason, content := range map[string]string{
		"it ends before it is complete":                                                good[:len(good)/2],
		"it is neither a camt.053 nor a camt.054 of version 02, 04 or 08":              change("001.04", "001.03"),
		"it has a DOCTYPE or another directive":                                        change(`<Document`, `<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document`),
		"it has an entity of its own":                                                  change("R1", "&x;"),
		"it is nested too deeply":                                                      change("R1", strings.Repeat("<a>", 30)),
		"a text is too long":                                                           change("R1", strings.Repeat("R", 5000)),
		"a part of it is too large":                                                    change(`<Ntry>`, "<Ntry "+strings.Repeat(`a="b" `, 40000)+">"),
		"it is not well-formed XML":                                                    change("</Ntry>", "</Stmt>"),
		"it has a processing instruction":                                              change("<Ntry>", "<?php x ?><Ntry>"),
		"its encoding is not UTF-8, US-ASCII or ISO-8859-1":                            change("UTF-8", "UTF-16"),
		"the opening balance and the booked entries don't come to the closing balance": change("5.50000", "5.51"),
		"a statement has another number of entries than it says":                       change("<NbOfNtries>3", "<NbOfNtries>4"),
		"the entries of a statement come to another sum than it says":                  change("<Sum>3.50", "<Sum>3.51"),
		"a statement has one of its balances only":                                     change("OPBD", "OPAV"),
		"a balance stands twice":                                                       change("FWAV", "CLBD"),
		"the transactions of an entry don't add up to it":                              change("4.00", "4.01"),
		"some transactions of an entry have no amount":                                 change(`<Amt Ccy="EUR">4.00</Amt>`, ""),
		"an amount can't be read":                                                      change("3.50", "-3.50"),
		"an amount is in a currency that we don't know":                                change(`<Amt Ccy="EUR">10.00`, `<Amt Ccy="DEM">10.00`),
		"an entry has no direction":                                                    change("<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "<CdtDbtInd>BOTH</CdtDbtInd><Sts>"),
		"an entry has no status":                                                       change("<Sts>BOOK</Sts>", ""),
		"a booked entry has no day":                                                    change("<BookgDt><Dt>2026-11-16</Dt></BookgDt>", ""),
		"a date can't be read":                                                         change("<BookgDt><Dt>2026-11-16", "<BookgDt><Dt>16.11.2026"),
		"a statement has entries in two currencies":                                    change(`<Amt Ccy="EUR">3.50`, `<Amt Ccy="CHF">3.50`),
		"it has no statement":                                                          `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.04"><BkToCstmrStmt></BkToCstmrStmt></Document>`,
		"a count isn't a number":                                                       change("<NbOfNtries>3", "<NbOfNtries>three"),
		"an amount, direction, status or day stands twice":                             change("<Sts>BOOK", `<Amt Ccy="EUR">10.00</Amt><Sts>BOOK`),
	} {
		_, _, err := lines(t, bank.KindStatement, content)
		assert.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", reason, err)
		assert.ErrorContains(t, err, reason)
		assert.ErrorContains(t, err, "day.xml, line ")
		for _, secret := range []string{"passwd", "three", "RRRR", "DEM"} {
			assert.NotContains(t, err.Error(), secret)
		}
	}
	for _, again := range []string{"<Sts>BOOK</Sts>", "<CdtDbtInd>CRDT</CdtDbtInd>", "<BookgDt><DtTm>2026-11-17T09:00:00Z</DtTm></BookgDt>",
		`<NtryDtls><TxDtls><Amt Ccy="EUR">10.00</Amt><Amt Ccy="EUR">10.00</Amt></TxDtls></NtryDtls>`} {
		_, _, err := lines(t, bank.KindStatement, change("<AcctSvcrRef>", again+"<AcctSvcrRef>"))
		assert.ErrorContains(t, err, "stands twice", again)
	}
	_, _, err = lines(t, bank.KindNotification, good)
	assert.ErrorContains(t, err, "it is a camt.053, and not a camt.054")
	for name, content := range map[string]string{"empty": "", "text": "hello", "zip": "PK\x03\x04", "utf-16": "\xff\xfe<\x00D\x00", "doubled": good + good[38:],
		"ISO-8859-1 that says UTF-8": change("R1", "R\xe9"),
		"GBK that says UTF-8":        change("R1", "\xb2\xe8<"), "an entry twice": good[:strings.Index(good, "<Ntry>")] + entry + good[strings.Index(good, "<Ntry>"):],
		"an entry lost": change(entry[:strings.Index(entry, "</Ntry>")+7], ""), "details before the amount": change(`<Amt Ccy="EUR">10.00</Amt>`, ""),
		"a bomb of entities":        `<!DOCTYPE a [<!ENTITY b "` + strings.Repeat("x", 1000) + `"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>` + good,
		"amount beyond all measure": change("10.00", "99999999999999999999"), "amount too fine": change("10.00", "10.001")} {
		_, _, err := lines(t, bank.KindStatement, content)
		if name == "doubled" { // two documents one after the other are read as two statements
			assert.NoError(t, err)
			continue
		}
		assert.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%s: %v", name, err)
	}
}

// Cut anywhere, a day is refused; only the space behind it may be missing.
func TestADayCutAnywhereIsRefused(t *testing.T) {
	t.Parallel()
	for _, good := range []string{dayOf("04", entry), strings.Replace(dayOf("04", entry), "UTF-8", "ISO-8859-1", 1)} {
		for n := range len(good) {
			_, _, err := lines(t, bank.KindStatement, good[:n])
			require.True(t, fault.Is(err, fault.KindInvalid, "statement_broken"), "%d: %v", n, err)
			require.ErrorContains(t, err, "it ends before it is complete", "%d", n)
		}
	}
}

func TestWhatBanksWriteOtherwise(t *testing.T) {
	t.Parallel()
	good := dayOf("04", entry)
	for name, content := range map[string]string{
		"a byte order mark": "\ufeff" + good,
		"ISO-8859-1":        strings.Replace(strings.Replace(good, "UTF-8", "ISO-8859-1", 1), "R1", "R\xe9", 1),
		"a prefix": strings.NewReplacer("</", "</n:", "<?xml", "<?xml", "<", "<n:").Replace(strings.Replace(strings.TrimPrefix(good, `<?xml version="1.0" encoding="UTF-8"?>`),
			"xmlns=", "xmlns:n=", 1)),
		"another's data": strings.Replace(good, "</Ntry>", `<SplmtryData><Envlp><x xmlns="urn:other"><Amt Ccy="EUR">666</Amt></x></Envlp></SplmtryData></Ntry>`, 1),
		"a comment":      strings.Replace(good, "<Ntry>", "<!-- <Ntry> --><Ntry>", 1),
	} {
		list, _, err := lines(t, bank.KindStatement, content)
		require.NoError(t, err, name)
		assert.Len(t, list, 3, name)
	}
	list, _, err := lines(t, bank.KindStatement, dayOf("08", strings.ReplaceAll(strings.ReplaceAll(entry, "<Sts>", "<Sts><Cd>"), "</Sts>", "</Cd></Sts>")))
	require.NoError(t, err)
	assert.Len(t, list, 3)
}

// generated is a notification of n entries, made while it is read.
type generated struct {
	n, at int
	rest  string
}

func (g *generated) Read(p []byte) (int, error) {
	for g.rest == "" {
		switch {
		case g.at == 0:
			g.rest = `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>1</MsgId></GrpHdr><Ntfctn><Id>1</Id>`
		case g.at <= g.n:
			g.rest = fmt.Sprintf(`<Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-16</Dt></BookgDt><AcctSvcrRef>R%d</AcctSvcrRef>`+
				`<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>E%d</EndToEndId></Refs>`+
				`<Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Pty><Nm>Ada</Nm></Pty></Dbtr></RltdPties>`+
				`<RmtInf><Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry>`, g.at, g.at)
		case g.at == g.n+1:
			g.rest = `</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>`
		default:
			return 0, io.EOF
		}
		g.at++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func BenchmarkReadNotification(b *testing.B) {
	ch := bank.New(nil)
	b.ReportAllocs()
	n := 0
	_, err := ch.ReadStatement(reconcile.File{Name: "b", Kind: bank.KindNotification}, &generated{n: b.N}, func(*reconcile.Line) error { n++; return nil })
	require.NoError(b, err)
	require.Equal(b, b.N, n)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
}
