package bank

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// seeds are small files of each kind, whole and hurt.
var seeds = []string{
	`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"><CstmrPmtStsRpt><GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-16T15:00:00</CreDtTm></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>M</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>G</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>E</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf><OrgnlTxRef><Amt><InstdAmt Ccy="EUR">1.00</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`,
	`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn><Id>1</Id><Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-16</Dt></BookgDt><AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><Refs><EndToEndId>E</EndToEndId></Refs><Amt Ccy="EUR">12.34</Amt><RmtInf><Ustrd>RF18 5390 0754 7034</Ustrd></RmtInf><RtrInf><Rsn><Cd>AC01</Cd></Rsn></RtrInf></TxDtls></NtryDtls></Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>`,
	`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><Stmt><Id>1</Id><Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="JPY">1</Amt><CdtDbtInd>DBIT</CdtDbtInd></Bal><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="JPY">2</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal><Ntry><Amt Ccy="JPY">3</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>2026-11-16T09:00:00+01:00</DtTm></BookgDt></Ntry></Stmt></BkToCstmrStmt></Document>`,
	"", "<", "\ufeff<?xml version='1.0' encoding='ISO-8859-1'?><a/>", `<!DOCTYPE a><a/>`, `<a xmlns="b">&lt;</a>`, "\xff\xfe<\x00",
}

func seed(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(s[:len(s)/2])
	}
}

// judged: a file is read, or refused with a line and a reason of ours.
func judged(t *testing.T, content string, err error) {
	t.Helper()
	var bad *flaw
	if err != nil && (!errors.As(err, &bad) || bad.reason == "" || bad.line < 1) {
		t.Fatalf("%q: %v", content, err)
	}
}

func FuzzPain002(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, content string) {
		r, err := readStatus(strings.NewReader(content), time.UTC)
		judged(t, content, err)
		if err == nil && (r.msgID == "" || r.created.IsZero()) {
			t.Fatalf("%q is believed", content)
		}
		for _, s := range r.statuses {
			if s.code == "" || s.amountMinor < 0 {
				t.Fatalf("%q: %+v", content, s)
			}
		}
	})
}

// What is read adds up: the same sum by lines and by reports.
func FuzzCamt(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, content string) {
		sum, reported, rows := int64(0), int64(0), 0
		_, err := readCamt(strings.NewReader(content), 1<<20, nil, func(m *movement) error {
			if rows++; m.row != rows || m.currency == "" || m.at.IsZero() || m.id() == "" {
				t.Fatalf("%q: %+v", content, m)
			}
			_ = m.rf()
			sum += m.minor
			return nil
		}, func(r *report) error { reported += r.booked; return nil })
		judged(t, content, err)
		if err == nil && sum != reported {
			t.Fatalf("%q: lines come to %d, reports to %d", content, sum, reported)
		}
	})
}

// What the scanner takes, encoding/xml takes too, and reads the same of it.
func FuzzXML(f *testing.F) {
	seed(f)
	for _, s := range []string{"<a b='1'\tc=\"&#x3c;]]>\"><![CDATA[ ]]]]><![CDATA[>]]>x&amp;\r\ny<b/></a >", "<p:a xmlns:p='1'><q:a xmlns:q='1'/><p:b xmlns:p='2'><a/></p:b></p:a>",
		"<?xml version='1.0' encoding='latin1'?><a>\xe9<!-- - --></a>\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		ours, err := eventsOf(strings.NewReader(content))
		judged(t, content, err)
		if err != nil {
			return
		}
		theirs, err := eventsOfLibrary(strings.NewReader(content))
		if olderNames(content, err) {
			return
		}
		if err != nil {
			t.Fatalf("%q is taken, but not by encoding/xml: %v", content, err)
		}
		if diff := differ(ours, theirs); diff != "" {
			t.Fatalf("%q: %s", content, diff)
		}
	})
}

// olderNames: encoding/xml knows the names of XML 1.0's fourth edition. The fifth lets them have almost any letter beyond ASCII.
func olderNames(content string, err error) bool {
	return err != nil && strings.Contains(err.Error(), "invalid XML name") && strings.ContainsFunc(content, func(r rune) bool { return r >= utf8.RuneSelf })
}
