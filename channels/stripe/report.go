package stripe

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// maxRow bounds a row, so that an open quote can't fill the memory.
const maxRow = 1 << 20

// ReadStatement reads a report of balance transactions: one row each, columns by name, amounts in major units with a sign.
// A report states no sums of its own. Where the customer paid in another currency than the balance, the row becomes two
// lines: what the customer paid, with what it became, and Stripe's fee in the balance's currency.
func (*Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	in := &capped{r: r, left: maxRow}
	c := csv.NewReader(in)
	c.ReuseRecord = true
	p := &report{file: f, each: each}
	for row := 1; ; row++ {
		in.left = maxRow
		record, err := c.Read()
		if err == io.EOF && row > 1 {
			return p.control, nil
		}
		if err != nil {
			return reconcile.Control{}, p.unreadable(row, err)
		}
		p.line, _ = c.FieldPos(0)
		if row == 1 {
			err = p.header(record)
		} else {
			err = p.body(record)
		}
		if err != nil {
			return reconcile.Control{}, err
		}
	}
}

// capped ends a row that is too long.
type capped struct {
	r    io.Reader
	left int
}

var errTooLong = errors.New("too long")

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLong
	}
	n, err := c.r.Read(p)
	c.left -= n
	return n, err
}

type report struct {
	file    reconcile.File
	each    func(*reconcile.Line) error
	line    int
	at      map[string]int
	control reconcile.Control
	record  []string
	l       reconcile.Line
}

func (p *report) broken(reason string) error { return p.file.Broken(p.line, reason) }

func (p *report) unreadable(row int, err error) error {
	var bad *csv.ParseError
	switch {
	case err == io.EOF:
		return p.file.Broken(0, "the file is empty")
	case errors.Is(err, errTooLong):
		return p.file.Broken(max(row, p.line+1), "the row is too long")
	case errors.As(err, &bad):
		return p.file.Broken(bad.Line, "the row isn't CSV, or has another number of fields")
	case fault.Of(err) != fault.KindInternal:
		return err // of the source, in its own words
	}
	return fault.Unavailable("statement_unreadable", "the statement can't be read to its end", err)
}

// needed are the columns without which a row means nothing; the others may be missing in a report that somebody made.
var needed = columns[:9]

func (p *report) header(record []string) error {
	p.at = make(map[string]int, len(record))
	for i, name := range record {
		name = strings.TrimPrefix(name, "\ufeff")
		if _, twice := p.at[name]; twice {
			return p.broken("a column stands there twice")
		}
		p.at[strings.Clone(name)] = i
	}
	for _, name := range needed {
		if _, ok := p.at[name]; !ok {
			return p.broken("a column is missing")
		}
	}
	return nil
}

func (p *report) cell(name string) string {
	if i, ok := p.at[name]; ok {
		return p.record[i]
	}
	return ""
}

// body reads a row and hands out its lines.
func (p *report) body(record []string) error {
	p.record = record
	id, category := p.cell("balance_transaction_id"), codeText(p.cell("reporting_category"))
	if !isID(id) || category == "" {
		return p.broken("the row has no balance transaction or no category")
	}
	cur, err := money.ParseCurrency(strings.ToUpper(p.cell("currency")))
	if err != nil {
		return p.broken("the currency is none that we know")
	}
	l := p.file.Line(p.line)
	var sums [3]int64
	for i, name := range []string{"gross", "fee", "net"} {
		var ok bool
		if sums[i], ok = major(p.cell(name), cur); !ok {
			return p.broken("an amount can't be read")
		}
	}
	l.Kind, l.Detail, l.Currency, l.ChannelID = kindOf(category), category, cur, p.cell("source_id")
	l.Gross, l.Fee, l.Net = sums[0], sums[1], sums[2]
	if l.Gross-l.Fee != l.Net {
		return p.broken("net is not gross less fee")
	}
	if l.Kind == reconcile.Fee { // it stands alone
		l.Gross, l.Fee = 0, -l.Net
	}
	l.OriginalID, l.Batch, l.Identity = p.cell("payment_intent_id"), p.cell("automatic_payout_id"), id
	if l.OriginalID == "" {
		l.OriginalID = p.cell("charge_id")
	}
	l.Reference = p.cell("payment_metadata[" + metaReference + "]")
	if category == "refund" || category == "refund_failure" {
		l.Reference = p.cell("refund_metadata[" + metaReference + "]")
	}
	if !isReference(l.Reference) {
		l.Reference = ""
	}
	if l.OccurredAt, err = time.Parse(time.DateTime, p.cell("created_utc")); err != nil {
		return p.broken("the time can't be read")
	}
	if text := p.cell("available_on_utc"); text != "" {
		at, err := time.Parse(time.DateTime, text)
		if err != nil {
			return p.broken("the time can't be read")
		}
		l.SettledOn = reconcile.On(at)
	}
	paid := strings.ToUpper(p.cell("customer_facing_currency"))
	if paid == "" || paid == string(cur) || l.Gross == 0 {
		return p.hand(l)
	}
	return p.exchanged(l, paid)
}

// exchanged hands out what the customer paid, with what it became, and the fee by itself.
func (p *report) exchanged(l reconcile.Line, paid string) error {
	cur, err := money.ParseCurrency(paid)
	if err != nil {
		return p.broken("the currency is none that we know")
	}
	amount, ok := major(p.cell("customer_facing_amount"), cur)
	if !ok || amount == 0 {
		return p.broken("an amount can't be read")
	}
	if (amount < 0) != (l.Gross < 0) { // Stripe shows the customer's side of it
		amount = -amount
	}
	fee := l
	l.Settled = reconcile.Exchanged{Currency: l.Currency, Minor: l.Gross}
	l.Currency, l.Gross, l.Fee, l.Net = cur, amount, 0, amount
	if err := p.hand(l); err != nil || fee.Fee == 0 {
		return err
	}
	fee.Kind, fee.Gross, fee.Net, fee.Identity = reconcile.Fee, 0, -fee.Fee, fee.Identity+":fee"
	return p.hand(fee)
}

func (p *report) hand(l reconcile.Line) error {
	p.l = l
	if reason := p.control.Add(&p.l); reason != "" {
		return p.broken(reason)
	}
	return p.each(&p.l)
}

// major reads a signed amount in major units, exactly; zeros beyond the currency's decimals are let pass.
func major(text string, cur money.Currency) (int64, bool) {
	text, negative := strings.CutPrefix(text, "-")
	if digits, _ := cur.Exponent(); strings.Contains(text, ".") {
		whole, fraction, _ := strings.Cut(text, ".")
		for len(fraction) > digits && fraction[len(fraction)-1] == '0' {
			fraction = fraction[:len(fraction)-1]
		}
		if text = whole; fraction != "" {
			text += "." + fraction
		}
	}
	a, err := money.Parse(text, cur)
	if err != nil {
		return 0, false
	}
	if negative {
		a.Minor = -a.Minor
	}
	return a.Minor, true
}

// isID lets an id of Stripe's through only if it looks like one.
func isID(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// isReference: it has the shape of ours.
func isReference(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// kinds are Stripe's reporting categories; what isn't here is Other, with Stripe's word beside it.
var kinds = map[string]reconcile.Kind{
	"charge": reconcile.Charge, "charge_failure": reconcile.Adjustment, "refund": reconcile.Refund, "refund_failure": reconcile.RefundReturned,
	"partial_capture_reversal": reconcile.Refund,
	"dispute":                  reconcile.Chargeback, "dispute_reversal": reconcile.ChargebackWon,
	"fee": reconcile.Fee, "network_cost": reconcile.Fee, "tax": reconcile.Fee,
	"payout": reconcile.Settlement, "payout_reversal": reconcile.Settlement, "payout_minimum_balance_hold": reconcile.Adjustment,
	"payout_minimum_balance_release": reconcile.Adjustment, "topup": reconcile.TopUp, "topup_reversal": reconcile.TopUp,
	"transfer": reconcile.Transfer, "transfer_reversal": reconcile.Transfer, "connect_collection_transfer": reconcile.Transfer,
	"other_adjustment": reconcile.Adjustment, "risk_reserved_funds": reconcile.Adjustment, "connect_reserved_funds": reconcile.Adjustment,
}

func kindOf(category string) reconcile.Kind {
	if k, ok := kinds[category]; ok {
		return k
	}
	return reconcile.Other
}
