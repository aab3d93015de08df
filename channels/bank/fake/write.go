package fake

import (
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"paysaga/channels/bank"
	"paysaga/domain/money"
)

const stamp = "2006-01-02T15:04:05"

func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func amount(minor int64, currency string) string {
	return money.New(max(minor, -minor), money.Currency(currency)).Decimal()
}

func direction(minor int64) string {
	if minor < 0 {
		return "DBIT"
	}
	return "CRDT"
}

func (b *Bank) put(kind, content string) string {
	b.files++
	name := fmt.Sprintf("%s/%s-%04d.xml", bank.Inbox, kind, b.files)
	b.Disk.Put(name, []byte(content))
	return name
}

// answer writes a pain.002. About no transfers it is about the whole file.
func (b *Bank) answer(msgID, group, reason string, said []Verdict) {
	var w strings.Builder
	now := b.Now().UTC().Format(stamp) + "Z"
	fmt.Fprintf(&w, xml.Header+`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.%s"><CstmrPmtStsRpt>`, b.Version)
	fmt.Fprintf(&w, `<GrpHdr><MsgId>ST%d</MsgId><CreDtTm>%s</CreDtTm></GrpHdr>`, b.files+1, now)
	fmt.Fprintf(&w, `<OrgnlGrpInfAndSts><OrgnlMsgId>%s</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.10</OrgnlMsgNmId><GrpSts>%s</GrpSts>%s</OrgnlGrpInfAndSts>`,
		text(msgID), group, because(reason))
	groups := map[string][]Verdict{}
	for _, v := range said {
		groups[v.Group] = append(groups[v.Group], v)
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&w, `<OrgnlPmtInfAndSts><OrgnlPmtInfId>%s</OrgnlPmtInfId>`, text(name))
		for _, v := range groups[name] {
			fmt.Fprintf(&w, `<TxInfAndSts><OrgnlEndToEndId>%s</OrgnlEndToEndId><TxSts>%s</TxSts>%s<OrgnlTxRef><Amt><InstdAmt Ccy="%s">%s</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>`,
				text(v.EndToEnd), v.Status, because(v.Reason), v.Currency, amount(v.Minor, v.Currency))
		}
		w.WriteString(`</OrgnlPmtInfAndSts>`)
	}
	w.WriteString("</CstmrPmtStsRpt></Document>\n")
	b.put("pain.002", w.String())
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return "<StsRsnInf><Rsn><Cd>" + reason + "</Cd></Rsn></StsRsnInf>"
}

// Tell writes a camt.054 of what was booked since the last one, and returns its
// name; nothing new is no file.
func (b *Bank) Tell() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh := b.book[b.told:]
	b.told = len(b.book)
	if len(fresh) == 0 {
		return ""
	}
	return b.put("camt.054", b.camt("camt.054", "BkToCstmrDbtCdtNtfctn", "Ntfctn", "", fresh))
}

// Day writes a camt.053 of what was booked since the last one, a statement per
// currency, and returns its name.
func (b *Bank) Day() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	content := b.camt("camt.053", "BkToCstmrStmt", "Stmt", "balances", b.book[b.closed:])
	for _, e := range b.book[b.closed:] {
		b.opening[e.Currency] += e.Minor
	}
	b.closed = len(b.book)
	return b.put("camt.053", content)
}

func (b *Bank) camt(message, root, report, balances string, list []Booking) string {
	now := b.Now().UTC()
	var w strings.Builder
	fmt.Fprintf(&w, xml.Header+`<Document xmlns="urn:iso:std:iso:20022:tech:xsd:%s.001.%s"><%s>`, message, b.Camt, root)
	fmt.Fprintf(&w, `<GrpHdr><MsgId>C%d</MsgId><CreDtTm>%sZ</CreDtTm></GrpHdr>`, b.files+1, now.Format(stamp))
	byCurrency := map[string][]Booking{}
	for _, e := range list {
		byCurrency[e.Currency] = append(byCurrency[e.Currency], e)
	}
	if len(byCurrency) == 0 {
		byCurrency["EUR"] = nil
	}
	for _, currency := range slices.Sorted(maps.Keys(byCurrency)) {
		entries := byCurrency[currency]
		fmt.Fprintf(&w, `<%s><Id>R%d%s</Id><CreDtTm>%sZ</CreDtTm><Acct><Id><IBAN>%s</IBAN></Id><Ccy>%s</Ccy></Acct>`,
			report, b.files+1, currency, now.Format(stamp), b.IBAN, currency)
		if balances != "" {
			closing := b.opening[currency]
			for _, e := range entries {
				closing += e.Minor
			}
			w.WriteString(balance("OPBD", b.opening[currency], currency, now) + balance("CLBD", closing, currency, now))
			fmt.Fprintf(&w, `<TxsSummry><TtlNtries><NbOfNtries>%d</NbOfNtries></TtlNtries></TxsSummry>`, len(entries))
		}
		for _, e := range entries {
			b.entry(&w, e)
		}
		fmt.Fprintf(&w, `</%s>`, report)
	}
	fmt.Fprintf(&w, "</%s></Document>\n", root)
	return w.String()
}

func balance(code string, minor int64, currency string, at time.Time) string {
	return fmt.Sprintf(`<Bal><Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp><Amt Ccy="%s">%s</Amt><CdtDbtInd>%s</CdtDbtInd><Dt><Dt>%s</Dt></Dt></Bal>`,
		code, currency, amount(minor, currency), direction(minor), at.Format(time.DateOnly))
}

func (b *Bank) entry(w *strings.Builder, e Booking) {
	booked, pty := "BOOK", func(s string) string { return s }
	if b.Camt == "08" {
		booked, pty = "<Cd>BOOK</Cd>", func(s string) string { return "<Pty>" + s + "</Pty>" }
	}
	reversal := ""
	if e.Reversal {
		reversal = "<RvslInd>true</RvslInd>"
	}
	family, sub, _ := strings.Cut(e.Code, ".")
	fmt.Fprintf(w, `<Ntry><Amt Ccy="%s">%s</Amt><CdtDbtInd>%s</CdtDbtInd>%s<Sts>%s</Sts><BookgDt><Dt>%s</Dt></BookgDt><AcctSvcrRef>%s</AcctSvcrRef>`,
		e.Currency, amount(e.Minor, e.Currency), direction(e.Minor), reversal, booked, e.At.UTC().Format(time.DateOnly), e.Ref)
	fmt.Fprintf(w, `<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>%s</Cd><SubFmlyCd>%s</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls>`, family, sub)
	fmt.Fprintf(w, `<Refs><AcctSvcrRef>%s</AcctSvcrRef>`, e.Ref)
	if e.EndToEnd != "" {
		fmt.Fprintf(w, `<EndToEndId>%s</EndToEndId>`, text(e.EndToEnd))
	}
	w.WriteString(`</Refs>`)
	if b.Camt == "02" {
		fmt.Fprintf(w, `<AmtDtls><TxAmt><Amt Ccy="%s">%s</Amt></TxAmt></AmtDtls>`, e.Currency, amount(e.Minor, e.Currency))
	} else {
		fmt.Fprintf(w, `<Amt Ccy="%s">%s</Amt><CdtDbtInd>%s</CdtDbtInd>`, e.Currency, amount(e.Minor, e.Currency), direction(e.Minor))
	}
	if e.Minor > 0 && e.Name != "" {
		fmt.Fprintf(w, `<RltdPties><Dbtr>%s</Dbtr><DbtrAcct><Id><IBAN>%s</IBAN></Id></DbtrAcct></RltdPties>`, pty("<Nm>"+text(e.Name)+"</Nm>"), e.IBAN)
	}
	if e.RF != "" {
		fmt.Fprintf(w, `<RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry><Issr>ISO</Issr></Tp><Ref>%s</Ref></CdtrRefInf></Strd></RmtInf>`, text(e.RF))
	} else if e.Text != "" {
		fmt.Fprintf(w, `<RmtInf><Ustrd>%s</Ustrd></RmtInf>`, text(e.Text))
	}
	if e.Returned != "" {
		fmt.Fprintf(w, `<RtrInf><Rsn><Cd>%s</Cd></Rsn></RtrInf>`, e.Returned)
	}
	w.WriteString(`</TxDtls></NtryDtls></Ntry>`)
}
