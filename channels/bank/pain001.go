package bank

import (
	"bytes"
	"encoding/xml"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/giro"
	"paysaga/domain/money"
)

// batch is a file of instructions, as it leaves.
type batch struct {
	MsgID    string
	Created  time.Time
	Executed string // YYYY-MM-DD: the day that the bank is asked to pay on
	Payments []transfer
}

// transfer is one instruction: money that leaves to somebody's account.
type transfer struct {
	Reference   string    `json:"reference"` // ours: EndToEndId
	Key         string    `json:"key"`
	BodyHash    string    `json:"body_hash"`
	AmountMinor int64     `json:"amount_minor"`
	Currency    string    `json:"currency"`
	IBAN        string    `json:"iban"`
	Name        string    `json:"name"`
	Note        string    `json:"note,omitempty"`
	AcceptedAt  time.Time `json:"accepted_at"` // which cut-off it makes
}

func (t transfer) amount() money.Amount { return money.New(t.AmountMinor, money.Currency(t.Currency)) }

// The message, element by element in the order that its schema wants. The two
// versions differ in how a BIC and a day are written.
type (
	painDocument struct {
		XMLName xml.Name    `xml:"Document"`
		Space   string      `xml:"xmlns,attr"`
		Message painMessage `xml:"CstmrCdtTrfInitn"`
	}
	painMessage struct {
		Header painHeader  `xml:"GrpHdr"`
		Groups []painGroup `xml:"PmtInf"`
	}
	painHeader struct {
		MsgID   string `xml:"MsgId"`
		Created string `xml:"CreDtTm"`
		Count   string `xml:"NbOfTxs"`
		Sum     string `xml:"CtrlSum"`
		Party   string `xml:"InitgPty>Nm"`
	}
	painGroup struct {
		ID       string         `xml:"PmtInfId"`
		Method   string         `xml:"PmtMtd"`
		Batch    string         `xml:"BtchBookg"`
		Count    string         `xml:"NbOfTxs"`
		Sum      string         `xml:"CtrlSum"`
		Type     *painType      `xml:"PmtTpInf"`
		Day      painDay        `xml:"ReqdExctnDt"`
		Debtor   string         `xml:"Dbtr>Nm"`
		Account  string         `xml:"DbtrAcct>Id>IBAN"`
		Agent    painAgent      `xml:"DbtrAgt>FinInstnId"`
		Charges  string         `xml:"ChrgBr"`
		Payments []painTransfer `xml:"CdtTrfTxInf"`
	}
	painType struct {
		Level string `xml:"SvcLvl>Cd"`
	}
	painDay struct {
		Date string `xml:"Dt,omitempty"`
		Text string `xml:",chardata"`
	}
	painAgent struct {
		BICFI string `xml:"BICFI,omitempty"`
		BIC   string `xml:"BIC,omitempty"`
	}
	painTransfer struct {
		InstrID string     `xml:"PmtId>InstrId"`
		ID      string     `xml:"PmtId>EndToEndId"`
		Amount  painAmount `xml:"Amt>InstdAmt"`
		Name    string     `xml:"Cdtr>Nm"`
		Account string     `xml:"CdtrAcct>Id>IBAN"`
		Note    *painNote  `xml:"RmtInf"`
	}
	painNote struct {
		Text string `xml:"Ustrd"`
	}
	painAmount struct {
		Currency string `xml:"Ccy,attr"`
		Text     string `xml:",chardata"`
	}
)

// isoTime is ISODateTime as every version takes it.
const isoTime = "2006-01-02T15:04:05"

// write makes the file: the same for the same batch, byte for byte.
func (s settings) write(b batch) ([]byte, error) {
	doc := painDocument{Space: "urn:iso:std:iso:20022:tech:xsd:pain." + s.pain, Message: painMessage{Header: painHeader{
		MsgID: b.MsgID, Created: b.Created.UTC().Format(isoTime) + "Z", Party: s.name}}}
	total := new(big.Rat)
	slices.SortFunc(b.Payments, func(x, y transfer) int {
		if c := strings.Compare(x.Currency, y.Currency); c != 0 {
			return c
		}
		return strings.Compare(x.Reference, y.Reference)
	})
	for _, p := range b.Payments {
		groups := doc.Message.Groups
		if len(groups) == 0 || groups[len(groups)-1].ID != groupID(b.MsgID, p.Currency) {
			doc.Message.Groups = append(groups, s.group(b, p.Currency))
		}
		g := &doc.Message.Groups[len(doc.Message.Groups)-1]
		t := painTransfer{InstrID: p.Reference, ID: p.Reference, Amount: painAmount{p.Currency, p.amount().Decimal()},
			Name: latinText(p.Name, maxName), Account: p.IBAN}
		if note := latinText(p.Note, maxNote); note != "" {
			t.Note = &painNote{note}
		}
		g.Payments = append(g.Payments, t)
	}
	for i := range doc.Message.Groups {
		g := &doc.Message.Groups[i]
		sum := new(big.Rat)
		for _, t := range g.Payments {
			sum.Add(sum, rat(t.Amount.Text))
		}
		g.Count, g.Sum = strconv.Itoa(len(g.Payments)), decimal(sum)
		total.Add(total, sum)
	}
	doc.Message.Header.Count, doc.Message.Header.Sum = strconv.Itoa(len(b.Payments)), decimal(total)
	body, err := xml.MarshalIndent(doc, "", " ")
	if err != nil {
		return nil, fault.Internal("a file for the bank can't be written", err)
	}
	return append(append([]byte(xml.Header), body...), '\n'), nil
}

// group is the head of the transfers of one currency.
func (s settings) group(b batch, currency string) painGroup {
	g := painGroup{ID: groupID(b.MsgID, currency), Method: "TRF", Batch: "false", Debtor: s.name, Account: s.iban, Charges: "SHAR"}
	if currency == "EUR" {
		g.Type, g.Charges = &painType{"SEPA"}, "SLEV"
	}
	if s.pain == V03 {
		g.Day.Text, g.Agent.BIC = b.Executed, s.bic
	} else {
		g.Day.Date, g.Agent.BICFI = b.Executed, s.bic
	}
	return g
}

func groupID(msgID, currency string) string { return msgID + "-" + currency }

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return new(big.Rat)
	}
	return r
}

// decimal is a sum of amounts: they have at most five decimals.
func decimal(r *big.Rat) string {
	text := r.FloatString(5)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// maxFile bounds a file of ours: maxBatch instructions are some 4 MB.
const maxFile = 16 << 20

// reread reads a file that we wrote and holds it against the schema's limits and
// against its own sums, before it leaves. What doesn't hold is our own failure.
func reread(content []byte) (painMessage, error) {
	var doc painDocument
	dec := xml.NewDecoder(bytes.NewReader(content))
	if err := dec.Decode(&doc); err != nil {
		return painMessage{}, broken("it can't be read")
	}
	m := doc.Message
	total, count, ids := new(big.Rat), 0, map[string]bool{}
	for _, g := range m.Groups {
		sum := new(big.Rat)
		for _, t := range g.Payments {
			a, err := money.ParsePositive(t.Amount.Text, money.Currency(t.Amount.Currency))
			switch {
			case err != nil, g.ID != groupID(m.Header.MsgID, t.Amount.Currency):
				return m, broken("it has a wrong amount")
			case ids[t.ID], len(t.ID) > 35, t.ID == "", t.InstrID != t.ID:
				return m, broken("it has a wrong reference, or the same twice")
			case !giro.IsIBAN(t.Account), t.Name == "", t.Name != latinText(t.Name, maxName):
				return m, broken("it has a transfer to nobody")
			}
			ids[t.ID] = true
			sum.Add(sum, rat(a.Decimal()))
		}
		if g.Count != strconv.Itoa(len(g.Payments)) || len(g.Payments) == 0 || g.Sum != decimal(sum) || len(g.ID) > 35 ||
			!giro.IsIBAN(g.Account) || !giro.IsBIC(g.Agent.BIC+g.Agent.BICFI) {
			return m, broken("the sums of a part of it don't agree")
		}
		count += len(g.Payments)
		total.Add(total, sum)
	}
	if m.Header.Count != strconv.Itoa(count) || m.Header.Sum != decimal(total) || count == 0 || m.Header.MsgID == "" || len(m.Header.MsgID) > 35 {
		return m, broken("its sums don't agree")
	}
	return m, nil
}

func broken(what string) error {
	return fault.Internal("a file for the bank isn't as it should be: "+what, nil)
}
