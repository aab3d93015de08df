package bank

import (
	"context"
	"io"
	"strings"
	"time"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

// The kinds of statements.
const (
	KindStatement    = "camt.053" // a day's booked movements, between two balances
	KindNotification = "camt.054" // movements as the bank told of them
)

// maxStatement bounds what ReadStatement reads: some ten million entries.
const maxStatement = 16 << 30

// Statement is the file that the bank left for a day. Where it left several for
// one, it is the first of them: the others are in the archive too.
func (ch *Channel) Statement(ctx context.Context, a channels.Account, r channels.StatementRequest) (io.ReadCloser, error) {
	d, err := ch.desk(a)
	if err != nil {
		return nil, err
	}
	if r.Kind != KindStatement && r.Kind != KindNotification {
		return nil, fault.Invalid("statement_unknown", "kind", "a bank has camt.053 and camt.054")
	}
	dir := days + "/" + r.Kind + "/" + r.Day.Format(time.DateOnly)
	files, err := d.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fault.NotFound("statement of that day")
	}
	name, err := load(ctx, d, dir+"/"+files[0].Name, maxRecord)
	if err != nil {
		return nil, err
	}
	return d.Open(ctx, Archive+"/"+strings.TrimSpace(string(name)))
}

// ReadStatement reads a camt.053 or camt.054 of version 02, 04 or 08: each booked
// movement is a line. Of each statement the opening balance and its lines have to
// come to the closing balance.
func (ch *Channel) ReadStatement(f reconcile.File, r io.Reader, each func(*reconcile.Line) error) (reconcile.Control, error) {
	var sums reconcile.Control
	var line reconcile.Line
	stated := 0
	reports := 0
	message, err := readCamt(r, maxStatement, f.Zone, func(m *movement) error {
		line = m.of(f)
		if why := sums.Add(&line); why != "" {
			return &flaw{line: m.line, reason: why}
		}
		return each(&line)
	}, func(r *report) error {
		reports++
		if r.opening != nil && r.closing != nil || r.said.hasCount || r.said.hasCreditSum && r.said.hasDebitSum {
			stated++
		}
		return nil
	})
	if err != nil {
		return sums, brokenFile(f, err)
	}
	if kinds[message] != f.Kind {
		return sums, f.Broken(1, "it is a "+kinds[message]+", and not a "+f.Kind)
	}
	sums.Declared = stated == reports
	return sums, nil
}

// of is the movement as a line of a statement. A customer's transfer carries its
// creditor reference as OriginalID; its ChannelID is the one that its callback had.
func (m *movement) of(f reconcile.File) reconcile.Line {
	l := f.Line(m.line)
	l.Kind, l.Detail, l.Currency, l.Gross, l.Net = reconcile.Other, m.code, money.Currency(m.currency), m.minor, m.minor
	l.ChannelID, l.Batch = m.id(), m.entryRef
	l.Identity = l.ChannelID
	l.SettledOn = reconcile.On(m.at)
	if !m.dayOnly {
		l.OccurredAt = m.at
	}
	back := m.reversal || m.returned != ""
	for _, ref := range []string{m.endToEnd, m.instruction} {
		if ref == "" {
			continue
		}
		if business, _, err := id.ParseReference(ref); err == nil && (id.Is(id.Payout, business) || id.Is(id.Refund, business)) {
			l.Reference, l.ChannelID = ref, ref
			l.Kind = kindOf(id.Is(id.Payout, business), back && m.minor > 0)
			return l
		}
	}
	rf := m.rf()
	l.OriginalID = rf
	switch {
	case rf != "" && m.minor > 0 && !back:
		l.Kind = reconcile.Charge
	case rf != "" && m.minor < 0 && back:
		l.Kind = reconcile.Chargeback // the payer's bank took it back
	case m.fee():
		l.Kind, l.Gross, l.Fee = reconcile.Fee, 0, -m.minor
	}
	return l
}

func kindOf(payout, back bool) reconcile.Kind {
	switch {
	case payout && back:
		return reconcile.PayoutReturned
	case payout:
		return reconcile.Payout
	case back:
		return reconcile.RefundReturned
	}
	return reconcile.Refund
}

// fee: the bank's own code says that the movement is its price.
func (m *movement) fee() bool {
	switch dot := strings.LastIndexByte(m.code, '.'); m.code[dot+1:] {
	case "CHRG", "COMM", "COME", "FEES":
		return strings.Count(m.code, ".") == 2
	}
	return false
}
