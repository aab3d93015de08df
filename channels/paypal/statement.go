package paypal

import (
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// StatementSettlement is PayPal's settlement report (STL-….CSV). It comes over SFTP and not over the API, so an operator
// gives it: the channel offers no Statement.
const StatementSettlement = "settlement"

// columns are the ones that are read, by their names in the row CH. Names may change their spaces from version to version.
var columns = [...]string{"transactionid", "invoiceid", "paypalreferenceid", "paypalreferenceidtype", "transactioneventcode",
	"transactioninitiationdate", "transactioncompletiondate", "transactiondebitorcredit", "grosstransactionamount",
	"grosstransactioncurrency", "feedebitorcredit", "feeamount", "feecurrency", "customfield"}

const (
	colID = iota
	colInvoice
	colOriginal
	colOriginalType
	colCode
	colInitiated
	colCompleted
	colSide
	colGross
	colCurrency
	colFeeSide
	colFee
	colFeeCurrency
	colCustom
)

// maxRow bounds a row, so that an open quote can't fill the memory.
const maxRow = 1 << 20

// ReadStatement reads a settlement report: report, file and section headers, rows, and footers whose sums per currency and
// counts have to agree with the rows. Amounts have two implied decimals in every currency, yen too; the direction stands in
// a column of its own.
func (*Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	in := &capped{r: r}
	c := csv.NewReader(in)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	p := &report{file: f, csv: c, each: each, section: sums{}, all: sums{}}
	for {
		in.left = maxRow
		row, err := c.Read()
		if err == io.EOF {
			return p.end()
		}
		if err != nil {
			return reconcile.Control{}, p.unreadable(err)
		}
		p.line, _ = c.FieldPos(0)
		if err := p.row(row); err != nil {
			return reconcile.Control{}, err
		}
	}
}

// capped ends a row that is too long.
type capped struct {
	r     io.Reader
	left  int
	begun bool
}

var errTooLong = errors.New("too long")

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	if !c.begun {
		c.begun = true
		return c.bom(p)
	}
	n, err := c.r.Read(p)
	c.left -= n
	return n, err
}

// bom leaves a byte order mark out.
func (c *capped) bom(p []byte) (int, error) {
	var head [3]byte
	n, err := io.ReadFull(c.r, head[:])
	if err == io.ErrUnexpectedEOF {
		err = nil
	}
	if n == 3 && string(head[:]) == "\xef\xbb\xbf" {
		return 0, nil
	}
	return copy(p, head[:n]), err
}

// sums are what a footer states, per currency, in hundredths.
type sums map[string]*[5]int64 // gross credits and debits, fee credits and debits, rows

func (s sums) of(currency string) *[5]int64 {
	if s[currency] == nil {
		s[currency] = &[5]int64{}
	}
	return s[currency]
}

// report is a file in reading.
type report struct {
	file    reconcile.File
	csv     *csv.Reader
	each    func(*reconcile.Line) error
	line    int
	control reconcile.Control
	last    string // the type of the row before
	at      [len(columns)]int
	known   bool // the columns of this section are
	part    string
	section sums
	all     sums
	stated  map[string]bool // currencies whose section footer has come
	rows    int             // of the section
	total   int
	l       reconcile.Line
}

func (p *report) broken(reason string) error { return p.file.Broken(p.line, reason) }

func (p *report) unreadable(err error) error {
	var bad *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return p.file.Broken(p.line+1, "the row is too long")
	case errors.As(err, &bad):
		return p.file.Broken(bad.Line, "the row isn't CSV")
	case fault.Of(err) != fault.KindInternal:
		return err // of the source, in its own words
	}
	return fault.Unavailable("statement_unreadable", "the statement can't be read to its end", err)
}

// follows is which types of rows may follow which.
var follows = map[string]string{
	"": "RH", "RH": "FH", "FH": "SH RF FF", "SH": "CH SF SC", "CH": "SB SF SC", "SB": "SB SF SC", "SF": "SF SC", "SC": "SH RF RC FF", "RF": "RF RC FF", "RC": "FF",
}

func (p *report) row(row []string) error {
	kind := row[0]
	if len(kind) != 2 || !strings.Contains(follows[p.last], kind) {
		return p.broken("this row can't follow the one before")
	}
	p.last = kind
	switch kind {
	case "FH":
		if len(row) < 2 {
			return p.broken("the file header has no number")
		}
		p.part = strings.TrimLeft(row[1], "0")
	case "SH":
		p.known, p.rows, p.section, p.stated = false, 0, sums{}, map[string]bool{}
	case "CH":
		return p.header(row)
	case "SB":
		return p.body(row)
	case "SF":
		return p.footer(row, p.section, true)
	case "SC":
		return p.sectionEnd(row)
	case "RF":
		return p.footer(row, p.all, p.part == "1")
	case "RC":
		if n, ok := count(row); !ok || n < p.total || p.part == "1" && n != p.total {
			return p.broken("the report's count differs from its rows")
		}
	}
	return nil
}

func squeeze(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

func (p *report) header(row []string) error {
	for i := range p.at {
		p.at[i] = -1
		for j, name := range row[1:] {
			if squeeze(name) != columns[i] {
				continue
			}
			if p.at[i] >= 0 {
				return p.broken("a column stands there twice")
			}
			p.at[i] = j + 1
		}
		if p.at[i] < 0 {
			return p.broken("a column is missing")
		}
	}
	p.known = true
	return nil
}

// body reads a row and hands it out.
func (p *report) body(row []string) error {
	var v [len(columns)]string
	for i, at := range p.at {
		if !p.known || at >= len(row) {
			return p.broken("the row has fewer fields than the section has columns")
		}
		v[i] = row[at]
	}
	if !idText(v[colID]) || !isEvent(v[colCode]) {
		return p.broken("the transaction has no id or no event code")
	}
	gross, err := p.money(v[colGross], v[colSide], v[colCurrency], 0)
	if err != nil {
		return err
	}
	var fee int64
	if v[colFee] != "" || v[colFeeSide] != "" {
		if v[colFeeCurrency] != v[colCurrency] && !(v[colFeeCurrency] == "" && strings.Trim(v[colFee], "0") == "") {
			return p.broken("the fee is in another currency than the amount")
		}
		if fee, err = p.money(v[colFee], v[colFeeSide], v[colCurrency], 2); err != nil {
			return err
		}
	}
	p.l = p.file.Line(p.line)
	p.l.Kind, p.l.Detail, p.l.Currency = kindOf(v[colCode], gross >= 0), v[colCode], money.Currency(v[colCurrency])
	p.l.Gross, p.l.Fee, p.l.Net = gross, -fee, gross+fee
	if p.l.Kind == reconcile.Fee { // it stands alone
		p.l.Gross, p.l.Fee = 0, -p.l.Net
	}
	p.l.ChannelID, p.l.Identity = v[colID], v[colID]+" "+v[colCode]+" "+v[colSide]+" "+v[colCurrency]
	if t := v[colOriginalType]; (t == "TXN" || t == "ODR") && idText(v[colOriginal]) {
		p.l.OriginalID = strings.Clone(v[colOriginal])
	}
	for _, ref := range []string{v[colCustom], v[colInvoice]} {
		if p.l.Reference == "" && isReference(ref) {
			p.l.Reference = strings.Clone(ref)
		}
	}
	if p.l.OccurredAt, err = p.time(v[colCompleted], v[colInitiated]); err != nil {
		return err
	}
	p.l.SettledOn = reconcile.On(p.l.OccurredAt)
	if reason := p.control.Add(&p.l); reason != "" {
		return p.broken(reason)
	}
	p.rows++
	p.total++
	return p.each(&p.l)
}

// money reads an amount in hundredths with its direction, as minor units with a sign, and counts it: slot 0 is the gross
// amounts, 2 the fees.
func (p *report) money(text, side, currency string, slot int) (int64, error) {
	cur, err := money.ParseCurrency(currency)
	if err != nil {
		return 0, p.broken("the currency is none that we know")
	}
	n, ok := digits(text)
	if !ok && !(text == "" && slot == 2) || side != "CR" && side != "DR" && !(side == "" && n == 0) {
		return 0, p.broken("an amount or its direction can't be read")
	}
	m, err := money.FromUnits(n, cur, 2)
	if err != nil {
		return 0, p.broken("an amount isn't one of its currency")
	}
	if side == "DR" {
		slot, m.Minor = slot+1, -m.Minor
	}
	for _, s := range []sums{p.section, p.all} {
		t := s.of(currency)
		if t[slot]+n < t[slot] {
			return 0, p.broken("the sums are beyond what can be counted")
		}
		t[slot] += n
		if slot < 2 {
			t[4]++
		}
	}
	return m.Minor, nil
}

// digits reads an unsigned integer of at most 15 digits.
func digits(s string) (int64, bool) {
	if s == "" || len(s) > 15 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

const stamp = "2006/01/02 15:04:05 -0700"

// time is when it was completed, or else begun.
func (p *report) time(completed, initiated string) (time.Time, error) {
	text := completed
	if text == "" {
		text = initiated
	}
	t, err := time.Parse(stamp, text)
	if err != nil {
		return time.Time{}, p.broken("the time can't be read")
	}
	return t, nil
}

// footer holds a footer's four sums, and its count where it has one, against the rows. Balances follow as pairs of
// direction and amount; what we hold at PayPal is not the rows' to say.
func (p *report) footer(row []string, of sums, exact bool) error {
	if len(row) < 6 {
		return p.broken("the footer is cut")
	}
	currency, have := row[1], [5]int64{}
	if _, err := money.ParseCurrency(currency); err != nil {
		return p.broken("the currency is none that we know")
	}
	if t := of[currency]; t != nil {
		have = *t
	}
	for i := range 4 {
		n, ok := digits(row[2+i])
		if !ok || n < have[i] || exact && n != have[i] {
			return p.broken("the footer's sums differ from the rows")
		}
	}
	if n := len(row); n%2 == 1 { // the six sums and codes, pairs, and the count
		if n, ok := digits(row[n-1]); !ok || n < have[4] || exact && n != have[4] {
			return p.broken("the footer's count differs from the rows")
		}
	}
	if p.last == "SF" {
		if p.stated[currency] {
			return p.broken("a currency has two footers")
		}
		p.stated[currency] = true
	}
	return nil
}

func count(row []string) (int, bool) {
	if len(row) < 2 {
		return 0, false
	}
	n, ok := digits(row[1])
	return int(n), ok
}

func (p *report) sectionEnd(row []string) error {
	if n, ok := count(row); !ok || n != p.rows {
		return p.broken("the section's count differs from its rows")
	}
	for currency := range p.section {
		if !p.stated[currency] {
			return p.broken("a currency has no footer")
		}
	}
	return nil
}

func (p *report) end() (reconcile.Control, error) {
	if p.last != "FF" {
		return reconcile.Control{}, p.file.Broken(0, "the file ends before its footer")
	}
	p.control.Declared = true
	return p.control, nil
}
