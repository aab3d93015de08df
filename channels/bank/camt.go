package bank

import (
	"io"
	"math"
	"strings"
	"time"

	"paysaga/domain/giro"
	"paysaga/domain/money"
)

// The messages about an account's movements that are read, and their versions.
const (
	camt053 = "camt.053.001"
	camt054 = "camt.054.001"
)

var camts = map[string][]string{camt053: {"02", "04", "08"}, camt054: {"02", "04", "08"}}

// report is one statement or notification of a file.
type report struct {
	id, iban, currency string
	created            time.Time
	opening, previous  *balance
	closing            *balance
	day                string // of the closing balance, else of the period's end, else of the making
	// said and seen are counts and sums: what the file states, and what its entries come to.
	said, seen summary
	booked     int64 // sum of what is booked, with its sign
	entries    int
}

type balance struct {
	minor    int64
	currency string
	day      string
}

// summary counts entries: all of them, credits, debits. Zero: not stated.
type summary struct {
	count, credits, debits          int
	creditSum, debitSum             int64
	hasCount, hasCredits, hasDebits bool
	hasCreditSum, hasDebitSum       bool
}

// movement is one booked movement: an entry, or one of an entry's transactions.
type movement struct {
	line, row int // of the file; of its booked movements, from 1
	currency  string
	minor     int64  // with the sign of our account
	reversal  bool   // what it turns back went the other way
	returned  string // why it came back; empty: it didn't
	when
	entryRef    string // the bank's
	ref         string // the bank's of the transaction, else of the entry
	endToEnd    string
	instruction string
	code        string // of the bank's kinds: PMNT.RCDT.ESCT
	reference   string // structured
	text        string // unstructured
	iban, name  string // of the other side
	occurrence  int    // of an equal one in the file, from 0
}

// when something was, as a bank tells it.
type when struct {
	at      time.Time
	day     string // of at, where the bank is
	dayOnly bool   // at is where that day begins
}

// rf is the creditor reference that the payer gave, wherever they put it.
func (m *movement) rf() string {
	for _, text := range []string{m.reference, m.endToEnd} {
		if rf, ok := giro.ParseReference(text); ok {
			return rf
		}
	}
	rf, _ := giro.FindReference(m.text)
	return rf
}

// camt reads one file.
type camt struct {
	*document
	zone    *time.Location
	root    string // path of a statement
	entry   string // and of an entry
	within  int    // the depth of the entry that is open; 0: none is
	message string
	report  report
	e, t    movement
	// of the entry that is open
	raw, status, direction        string
	txRaw, txCurrency, direction2 string
	altRaw, altCurrency           string
	bal                           struct{ code, raw, currency, direction, day string }
	txs, told, bare               int
	sum                           int64
	lastDay                       struct { // that was read
		text string
		when
	}
	rows    int
	equal   map[uint64]int
	each    func(*movement) error
	done    func(*report) error
	reports int
}

// readCamt hands out each booked movement of a file, and each of its reports once
// it has been held against itself. The movement is the reader's again afterwards.
func readCamt(r io.Reader, limit int64, zone *time.Location, each func(*movement) error, done func(*report) error) (message string, err error) {
	c := &camt{document: read(r, limit), zone: zone, each: each, done: done, equal: map[uint64]int{}}
	if c.zone == nil {
		c.zone = time.UTC
	}
	if err := c.document.each(c.step); err != nil {
		return c.message, err
	}
	if c.reports == 0 {
		return c.message, c.flaw("it has no statement")
	}
	return c.message, nil
}

func (c *camt) step(e event) error {
	if c.within > 0 { // most of a file
		if c.depth > c.within {
			return c.inEntry(e, c.path[len(c.entry):])
		}
		c.within = 0
		return c.entryDone()
	}
	if c.depth == 1 {
		if e == end {
			return nil
		}
		message, _ := c.among(camts)
		switch message {
		case camt053:
			c.root = "/Document/BkToCstmrStmt/Stmt"
		case camt054:
			c.root = "/Document/BkToCstmrDbtCdtNtfctn/Ntfctn"
		default:
			return c.flaw("it is neither a camt.053 nor a camt.054 of version 02, 04 or 08")
		}
		if c.message != "" && c.message != message {
			return c.flaw("it mixes messages")
		}
		c.message, c.entry = message, c.root+"/Ntry"
		return nil
	}
	if string(c.path) == c.root {
		if e == begin {
			c.report = report{}
			return nil
		}
		c.reports++
		return c.finish()
	}
	if string(c.path) == c.entry {
		c.within = c.depth
		c.e = movement{line: c.line()}
		c.raw, c.status, c.direction, c.txs, c.told, c.bare, c.sum = "", "", "", 0, 0, 0, 0
		return nil
	}
	if in := c.below(c.root); in != nil && e == end {
		return c.inReport(string(in))
	}
	return nil
}

// inReport reads what stands before the entries.
func (c *camt) inReport(in string) (err error) {
	r := &c.report
	switch in {
	case "/Id":
		r.id = c.value()
	case "/CreDtTm":
		var made when
		made, err = c.time(c.value())
		r.created = made.at
	case "/FrToDt/ToDtTm", "/FrToDt/ToDt":
		if to, broken := c.time(c.value()); broken == nil && r.day == "" {
			r.day = to.day
		}
	case "/Acct/Id/IBAN":
		r.iban = strings.ReplaceAll(c.value(), " ", "")
	case "/Acct/Ccy":
		r.currency = c.value()
	case "/Bal/Tp/CdOrPrtry/Cd":
		c.bal.code = c.value()
	case "/Bal/Amt":
		c.bal.raw, c.bal.currency = c.value(), c.attr
	case "/Bal/CdtDbtInd":
		c.bal.direction = c.value()
	case "/Bal/Dt/Dt", "/Bal/Dt/DtTm":
		c.bal.day = c.value()
	case "/Bal":
		return c.balance()
	case "/TxsSummry/TtlNtries/NbOfNtries":
		r.said.hasCount, err = true, c.number(&r.said.count)
	case "/TxsSummry/TtlCdtNtries/NbOfNtries":
		r.said.hasCredits, err = true, c.number(&r.said.credits)
	case "/TxsSummry/TtlDbtNtries/NbOfNtries":
		r.said.hasDebits, err = true, c.number(&r.said.debits)
	case "/TxsSummry/TtlCdtNtries/Sum":
		r.said.hasCreditSum, err = true, c.total(&r.said.creditSum)
	case "/TxsSummry/TtlDbtNtries/Sum":
		r.said.hasDebitSum, err = true, c.total(&r.said.debitSum)
	}
	return err
}

func (c *camt) number(into *int) error {
	text := c.value()
	if text == "" || len(text) > 9 {
		return c.flaw("a count isn't a number")
	}
	for _, d := range text {
		if d < '0' || d > '9' {
			return c.flaw("a count isn't a number")
		}
		*into = *into*10 + int(d-'0')
	}
	return nil
}

// total reads a sum that has no currency of its own: that of the account, or of
// its balances.
func (c *camt) total(into *int64) (err error) {
	cur := c.report.currency
	if cur == "" && c.report.closing != nil {
		cur = c.report.closing.currency
	}
	if cur == "" && c.report.opening != nil {
		cur = c.report.opening.currency
	}
	if cur == "" { // nothing to read it by: it isn't compared
		c.report.said.hasCreditSum, c.report.said.hasDebitSum = false, false
		return nil
	}
	*into, err = c.minor(c.value(), cur)
	return err
}

func (c *camt) balance() error {
	b := c.bal
	c.bal.code, c.bal.raw, c.bal.currency, c.bal.direction, c.bal.day = "", "", "", "", ""
	if b.code != "OPBD" && b.code != "PRCD" && b.code != "CLBD" {
		return nil
	}
	minor, err := c.minor(b.raw, b.currency)
	if err != nil {
		return err
	}
	switch b.direction {
	case "CRDT":
	case "DBIT":
		minor = -minor
	default:
		return c.flaw("a balance has no direction")
	}
	bal := &balance{minor: minor, currency: b.currency}
	if of, err := c.time(b.day); err == nil {
		bal.day = of.day
	}
	at := map[string]**balance{"OPBD": &c.report.opening, "PRCD": &c.report.previous, "CLBD": &c.report.closing}[b.code]
	if *at != nil {
		return c.flaw("a balance stands twice")
	}
	*at = bal
	return nil
}

// finish holds a report against what it says of itself.
func (c *camt) finish() error {
	r := &c.report
	if r.opening == nil {
		r.opening = r.previous
	}
	if c.message == camt053 && (r.opening == nil) != (r.closing == nil) {
		return c.flaw("a statement has one of its balances only")
	}
	if r.opening != nil && r.closing != nil {
		sum, ok := add(r.opening.minor, r.booked)
		switch {
		case r.opening.currency != r.closing.currency:
			return c.flaw("the balances of a statement are in two currencies")
		case r.entries > 0 && r.currency != r.closing.currency:
			return c.flaw("the entries of a statement are in another currency than its balances")
		case !ok || sum != r.closing.minor:
			return c.flaw("the opening balance and the booked entries don't come to the closing balance")
		}
		if r.closing.day != "" {
			r.day = r.closing.day
		}
	}
	s, n := r.said, r.seen
	switch {
	case s.hasCount && s.count != n.count, s.hasCredits && s.credits != n.credits, s.hasDebits && s.debits != n.debits:
		return c.flaw("a statement has another number of entries than it says")
	case s.hasCreditSum && s.creditSum != n.creditSum, s.hasDebitSum && s.debitSum != n.debitSum:
		return c.flaw("the entries of a statement come to another sum than it says")
	}
	if r.day == "" && !r.created.IsZero() {
		r.day = r.created.Format(time.DateOnly)
	}
	return c.done(r)
}

// add is a sum that is refused when no int64 holds it.
func add(a, b int64) (int64, bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, true
}

// minor reads an unsigned decimal of a currency, as banks write it: leading
// zeros, and zeros beyond the currency's decimals, mean nothing.
func (c *camt) minor(text, currency string) (int64, error) {
	exponent, known := money.Currency(currency).Exponent()
	whole, fraction, _ := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	if len(fraction) > exponent && strings.Trim(fraction[exponent:], "0") == "" {
		fraction = fraction[:exponent]
	}
	switch {
	case !known:
		return 0, c.flaw("an amount is in a currency that we don't know")
	case text == "" || text == "." || len(text) > 20 || len(fraction) > exponent:
		return 0, c.flaw("an amount can't be read")
	}
	n := int64(0)
	for _, d := range whole + fraction + strings.Repeat("0", exponent-len(fraction)) {
		if d < '0' || d > '9' || n > (math.MaxInt64-9)/10 {
			return 0, c.flaw("an amount can't be read")
		}
		n = n*10 + int64(d-'0')
	}
	return n, nil
}

// time reads a day, or a moment; one without a zone is in the bank's. Most of a
// file's movements are of one day.
func (c *camt) time(text string) (when, error) {
	if text == c.lastDay.text && text != "" {
		return c.lastDay.when, nil
	}
	w, err := parseWhen(text, c.zone, func() error { return c.flaw("a date can't be read") })
	if w.dayOnly {
		c.lastDay.text, c.lastDay.when = text, w
	}
	return w, err
}

func parseWhen(text string, zone *time.Location, refuse func() error) (when, error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return when{at, at.Format(time.DateOnly), false}, nil
		}
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02Z07:00"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			y, m, d := at.Date()
			return when{time.Date(y, m, d, 0, 0, 0, 0, zone), at.Format(time.DateOnly), true}, nil
		}
	}
	return when{}, refuse()
}
