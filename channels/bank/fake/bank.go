package fake

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"paysaga/channels/bank"
	"paysaga/domain/giro"
	"paysaga/domain/money"
)

// Bank keeps one customer's account: it takes files from the outbox, answers in
// the inbox, and books. Its clock is the test's.
type Bank struct {
	Disk    *Disk
	IBAN    string
	Version string // of pain.002: 03 or 11; of camt: 02, 04 or 08
	Camt    string
	Now     func() time.Time

	mu      sync.Mutex
	seen    map[string]bool // MsgIds
	book    []Booking
	told    int // bookings that a camt.054 has told of
	closed  int // and a camt.053
	opening map[string]int64
	files   int
	// Decide says what becomes of a transfer: a status and a reason. By default ACSC.
	Decide func(Transfer) (status, reason string)
	// Mute keeps it from answering by pain.002.
	Mute bool
}

// Transfer is an instruction as the bank has read it.
type Transfer struct {
	MsgID, Group, EndToEnd, Currency, IBAN, Name, Note string
	Minor                                              int64
}

// Booking is one line of the account.
type Booking struct {
	Minor    int64 // with the sign of the account
	Currency string
	At       time.Time
	Ref      string // the bank's
	EndToEnd string
	RF, Text string
	Returned string // reason
	Reversal bool
	IBAN     string // of the other side
	Name     string
	Code     string // family and sub-family: ICDT.ESCT
}

// New is a bank with an empty account.
func New(d *Disk, iban string, now func() time.Time) *Bank {
	return &Bank{Disk: d, IBAN: iban, Version: "11", Camt: "08", Now: now, seen: map[string]bool{}, opening: map[string]int64{}}
}

// Book is a copy of the account's lines.
func (b *Bank) Book() []Booking {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.book)
}

// Seen is how many files the bank has taken.
func (b *Bank) Seen() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.seen)
}

// Take takes what is in the outbox, and answers it.
func (b *Bank) Take() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range b.Disk.Files(bank.Outbox) {
		content := b.Disk.Get(name)
		b.Disk.Delete(name)
		if err := b.take(content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// instructed is a pain.001 of either version, read without the adapter's help.
type instructed struct {
	Header struct {
		MsgID string `xml:"MsgId"`
		Count int    `xml:"NbOfTxs"`
	} `xml:"CstmrCdtTrfInitn>GrpHdr"`
	Groups []struct {
		ID      string `xml:"PmtInfId"`
		Count   int    `xml:"NbOfTxs"`
		Account string `xml:"DbtrAcct>Id>IBAN"`
		Day     struct {
			Text string `xml:",chardata"`
			Date string `xml:"Dt"`
		} `xml:"ReqdExctnDt"`
		Lines []struct {
			EndToEnd string `xml:"PmtId>EndToEndId"`
			Amount   struct {
				Currency string `xml:"Ccy,attr"`
				Text     string `xml:",chardata"`
			} `xml:"Amt>InstdAmt"`
			Name string `xml:"Cdtr>Nm"`
			IBAN string `xml:"CdtrAcct>Id>IBAN"`
			Note string `xml:"RmtInf>Ustrd"`
		} `xml:"CdtTrfTxInf"`
	} `xml:"CstmrCdtTrfInitn>PmtInf"`
}

func (b *Bank) take(content []byte) error {
	var doc instructed
	if err := xml.Unmarshal(content, &doc); err != nil {
		return err
	}
	id := doc.Header.MsgID
	if b.seen[id] { // banks refuse what they have already
		b.answer(id, "RJCT", "AM05", nil)
		return nil
	}
	b.seen[id] = true
	var list []Transfer
	for _, g := range doc.Groups {
		day := strings.TrimSpace(g.Day.Text + g.Day.Date)
		if _, err := time.Parse(time.DateOnly, day); err != nil || g.Account != b.IBAN || g.Count != len(g.Lines) {
			b.answer(id, "RJCT", "FF01", nil)
			return fmt.Errorf("the file is refused: another account, day or number of transfers")
		}
		for _, l := range g.Lines {
			a, err := money.ParsePositive(l.Amount.Text, money.Currency(l.Amount.Currency))
			if err != nil || !giro.IsIBAN(l.IBAN) || l.Name == "" {
				b.answer(id, "RJCT", "FF01", nil)
				return fmt.Errorf("the file is refused: a transfer without amount, account or name")
			}
			list = append(list, Transfer{MsgID: id, Group: g.ID, EndToEnd: l.EndToEnd, Minor: a.Minor, Currency: l.Amount.Currency,
				IBAN: l.IBAN, Name: l.Name, Note: l.Note})
		}
	}
	if doc.Header.Count != len(list) {
		b.answer(id, "RJCT", "FF01", nil)
		return fmt.Errorf("the file is refused: another number of transfers")
	}
	b.execute(id, list)
	return nil
}

// Verdict is what a pain.002 says of one transfer.
type Verdict struct {
	Transfer
	Status, Reason string
}

func (b *Bank) execute(id string, list []Transfer) {
	var said []Verdict
	for _, t := range list {
		v := Verdict{Transfer: t, Status: "ACSC"}
		if b.Decide != nil {
			v.Status, v.Reason = b.Decide(t)
		}
		if v.Status == "ACSC" || v.Status == "ACCC" {
			b.enter(Booking{Minor: -t.Minor, Currency: t.Currency, EndToEnd: t.EndToEnd, IBAN: t.IBAN, Name: t.Name, Text: t.Note, Code: "ICDT.ESCT"})
		}
		said = append(said, v)
	}
	if !b.Mute {
		b.answer(id, "PART", "", said)
	}
}

func (b *Bank) enter(e Booking) Booking {
	e.At, e.Ref = b.Now(), "REF"+strconv.Itoa(len(b.book)+1)
	b.book = append(b.book, e)
	return e
}

// Settle pays a transfer that was under way, or refuses it, and says so.
func (b *Bank) Settle(v Verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.Status == "ACSC" || v.Status == "ACCC" {
		b.enter(Booking{Minor: -v.Minor, Currency: v.Currency, EndToEnd: v.EndToEnd, IBAN: v.IBAN, Name: v.Name, Code: "ICDT.ESCT"})
	}
	b.answer(v.MsgID, "PART", "", []Verdict{v})
}

// Return brings a transfer back that was paid before.
func (b *Bank) Return(endToEnd, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.book {
		if e.EndToEnd == endToEnd && e.Minor < 0 {
			b.enter(Booking{Minor: -e.Minor, Currency: e.Currency, EndToEnd: endToEnd, Returned: reason, Reversal: true, IBAN: e.IBAN, Name: e.Name, Code: "ICDT.RRTN"})
			return
		}
	}
}

// Receive books what a customer sends.
func (b *Bank) Receive(e Booking) Booking {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Code == "" {
		e.Code = "RCDT.ESCT"
	}
	return b.enter(e)
}

// Enter books anything else: a fee, a reversal.
func (b *Bank) Enter(e Booking) Booking { return b.Receive(e) }
