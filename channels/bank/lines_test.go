package bank_test

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"paysaga/channels/bank"
	"paysaga/domain/giro"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// statementDoc is a day as encoding/xml reads it: with its own tokenizer, its own namespaces, its own idea of paths.
type statementDoc struct {
	Entries []struct {
		Amt struct {
			Ccy  string `xml:"Ccy,attr"`
			Text string `xml:",chardata"`
		}
		CdtDbtInd, AcctSvcrRef string
		Status                 string `xml:"Sts>Cd"`
		Day                    string `xml:"BookgDt>Dt"`
		Txs                    []struct {
			Amt         string
			EndToEndID  string `xml:"Refs>EndToEndId"`
			AcctSvcrRef string `xml:"Refs>AcctSvcrRef"`
			Ref         string `xml:"RmtInf>Strd>CdtrRefInf>Ref"`
			Text        string `xml:"RmtInf>Ustrd"`
		} `xml:"NtryDtls>TxDtls"`
	} `xml:"BkToCstmrStmt>Stmt>Ntry"`
}

// told is what a line tells, in words.
func told(net int64, currency, day, batch, rf string) string {
	return fmt.Sprintf("%d %s on %s of %q, %s", net, currency, day, batch, rf)
}

func (d statementDoc) told(t *testing.T) (list []string) {
	t.Helper()
	clean := strings.TrimSpace
	for _, e := range d.Entries {
		if clean(e.Status) != "BOOK" {
			continue
		}
		line := func(amount, ref, endToEnd, text string) {
			a, err := money.ParsePositive(clean(amount), money.Currency(clean(e.Amt.Ccy)))
			require.NoError(t, err)
			if clean(e.CdtDbtInd) == "DBIT" {
				a.Minor = -a.Minor
			}
			rf, found := giro.ParseReference(clean(ref))
			if !found {
				rf, found = giro.ParseReference(clean(endToEnd))
			}
			if !found {
				rf, _ = giro.FindReference(clean(text))
			}
			list = append(list, told(a.Minor, clean(e.Amt.Ccy), clean(e.Day), clean(e.AcctSvcrRef), rf))
		}
		for _, x := range e.Txs {
			line(x.Amt, x.Ref, x.EndToEndID, x.Text)
		}
		if len(e.Txs) == 0 {
			line(e.Amt.Text, "", "", "")
		}
	}
	return list
}

// hand writes a day in one of the ways in which its bank may.
type hand struct {
	*rand.Rand
	prefix string
	out    strings.Builder
}

func (h *hand) one(of ...string) string { return of[h.IntN(len(of))] }

func (h *hand) gap() { h.out.WriteString(h.one("", "", "", "\n", "\r\n\t", "<!-- a <Ntry> -->")) }

// in writes an element around what f writes.
func (h *hand) in(name, attributes string, f func()) {
	h.gap()
	h.out.WriteString("<" + h.prefix + name + attributes + h.one("", "", " ", "\n") + ">")
	f()
	h.out.WriteString("</" + h.prefix + name + h.one("", "", "\n") + ">")
	h.gap()
}

// leaf is an element with a text, which it may take apart.
func (h *hand) leaf(name, text string, attributes ...string) {
	h.in(name, strings.Join(attributes, ""), func() {
		h.out.WriteString(h.one("", "", " ", "\r\n"))
		runes := []rune(text)
		if at := h.IntN(len(runes) + 1); h.IntN(4) == 0 {
			fmt.Fprintf(&h.out, "%s<!-- 9 -->%s", escaped(string(runes[:at])), escaped(string(runes[at:])))
		} else if h.IntN(4) == 0 && at > 0 {
			fmt.Fprintf(&h.out, "%s&#%d;<![CDATA[%s]]>", escaped(string(runes[:at-1])), runes[at-1], string(runes[at:]))
		} else {
			h.out.WriteString(escaped(text))
		}
		h.out.WriteString(h.one("", "", " ", "\n"))
	})
}

func escaped(text string) string { return strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text) }

func (h *hand) currency() string {
	return h.one(` Ccy="EUR"`, `  Ccy = 'EUR'`, "\n"+`x='1' Ccy="&#69;UR"`)
}

func (h *hand) day(entries int) string {
	attribute := `xmlns=`
	if h.prefix = h.one("", "", "n:", "iso."); h.prefix == "iso." {
		h.prefix, attribute = "iso.20022:", "xmlns:iso.20022="
	} else if h.prefix == "n:" {
		attribute = "xmlns:n="
	}
	h.out.WriteString(h.one("", `<?xml version="1.0" encoding="UTF-8"?>`, "\ufeff<?xml version='1.0'?>\r\n"))
	h.in("Document", " "+attribute+`"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"`, func() {
		h.in("BkToCstmrStmt", "", func() {
			h.in("Stmt", "", func() {
				h.leaf("Id", "S<1>&")
				for range entries {
					h.in("Ntry", "", h.entry)
				}
			})
		})
	})
	return h.out.String()
}

func (h *hand) entry() {
	txs := h.IntN(4)
	amounts, sum := make([]int, txs), 1+h.IntN(99999)
	if txs > 0 {
		sum = 0
	}
	for i := range amounts {
		amounts[i] = 1 + h.IntN(99999)
		sum += amounts[i]
	}
	h.leaf("Amt", fmt.Sprintf("%d.%02d", sum/100, sum%100), h.currency())
	h.leaf("CdtDbtInd", h.one("CRDT", "DBIT"))
	h.in("Sts", "", func() { h.leaf("Cd", h.one("BOOK", "BOOK", "PDNG")) })
	h.in("BookgDt", "", func() { h.leaf("Dt", h.one("2026-11-16", "2026-11-17")) })
	h.leaf("AcctSvcrRef", h.one("R1", "R&2", "Zürich/7", "<3>", "a b"))
	if h.IntN(3) == 0 { // another's data, which has our names
		h.in("SplmtryData", "", func() {
			h.out.WriteString(`<o:Amt xmlns:o="urn:other" Ccy="JPY">666</o:Amt><Envlp xmlns="urn:other"><Amt Ccy="JPY">1</Amt></Envlp>`)
		})
	}
	if txs == 0 {
		return
	}
	h.in("NtryDtls", "", func() {
		for _, minor := range amounts {
			h.in("TxDtls", "", func() { h.transaction(minor) })
		}
	})
}

func (h *hand) transaction(minor int) {
	h.in("Refs", "", func() { h.leaf("EndToEndId", h.one("NOTPROVIDED", "E-1", "RF18539007547034", "")) })
	h.leaf("Amt", fmt.Sprintf("%d.%02d", minor/100, minor%100), h.currency())
	h.in("RmtInf", "", func() {
		if h.IntN(2) == 0 {
			h.leaf("Ustrd", h.one("rent & more", "RF18 5390 0754 7034", "x"))
		} else {
			h.in("Strd", "", func() {
				h.in("CdtrRefInf", "", func() { h.leaf("Ref", h.one("RF18539007547034", "RF19", "471100000001")) })
			})
		}
	})
}

// Random days in random hands give the lines that a reader made of nothing but encoding/xml's structs gives.
func TestLinesAreThoseOfAnotherReader(t *testing.T) {
	t.Parallel()
	const seed = 20261122
	random := rand.New(rand.NewPCG(seed, 2))
	ch := bank.New(nil)
	n, found := 0, 0
	for day := range 1000 {
		h := &hand{Rand: random}
		content := h.day(random.IntN(9))
		var doc statementDoc
		require.NoError(t, xml.Unmarshal([]byte(content), &doc), "seed %d, day %d: %s", seed, day, content)
		want := doc.told(t)
		var got []string
		_, err := ch.ReadStatement(reconcile.File{Name: "day.xml", Kind: bank.KindStatement}, strings.NewReader(content), func(l *reconcile.Line) error {
			got = append(got, told(l.Net, string(l.Currency), l.SettledOn.String(), l.Batch, l.OriginalID))
			if l.OriginalID != "" {
				found++
			}
			return nil
		})
		require.NoError(t, err, "seed %d, day %d: %s", seed, day, content)
		require.Equal(t, want, got, "seed %d, day %d: %s", seed, day, content)
		n += len(got)
	}
	require.Greater(t, n, 3000)
	require.Greater(t, found, 500)
}
