// Package export writes a whole book for others to read: as an hledger journal, and as CSV. It takes the book at one instant that can no
// longer change, page by page, so it needs little memory and no long transaction.
package export

import (
	"context"
	"io"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Source is where books are read. Below what is final its answers never change.
type Source interface {
	// Span says from which number on all journals can be read, and up to which instant.
	Span(ctx context.Context, book id.Book) (first ledger.Number, final time.Time, err error)
	// Journals reads a page in the order of numbers; one shorter than limit is the last.
	Journals(ctx context.Context, book id.Book, begin, upto ledger.Number, limit int) ([]ledger.Posted, error)
	// Balances reads a page of accounts in the order of code and currency; one shorter than limit is the last.
	Balances(ctx context.Context, book id.Book, at time.Time, after *ledger.Opened, limit int) ([]ledger.Balance, error)
}

// Options say what is exported.
type Options struct {
	Book id.Book
	// From and To bound the journals by our time of the booking, both included. Zero: from the first, up to the newest that is final.
	From, To time.Time
	// By says which of a journal's times becomes its date in hledger. Default by effective time.
	By ledger.Dating
	// Progress hears how much is done, in thousandths. nil: nobody does.
	Progress func(done int)
}

const (
	journalsPerPage = 1000
	accountsPerPage = 500
)

// run is one export.
type run struct {
	Options
	ctx         context.Context
	source      Source
	begin, upto ledger.Number
}

// start fixes the range of numbers.
func start(ctx context.Context, source Source, o Options) (*run, error) {
	if o.By == "" {
		o.By = ledger.ByEffective
	}
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	first, final, err := source.Span(ctx, o.Book)
	if err != nil {
		return nil, err
	}
	if o.To.IsZero() {
		o.To = final
	}
	r := &run{Options: o, ctx: ctx, source: source, begin: first}
	switch {
	case o.To.After(final):
		return nil, fault.Invalid("at_not_final", "to", "the books are final up to "+final.Format(ledger.InstantFormat))
	case !o.From.IsZero() && o.From.After(o.To):
		return nil, fault.Invalid("range_invalid", "from", "from is later than to")
	case !o.From.IsZero() && o.From.Unix() >= 0:
		if r.begin = ledger.From(o.From); r.begin < first {
			return nil, detached("from", first)
		}
	}
	if r.upto = ledger.After(o.To); r.upto < first {
		return nil, detached("to", first)
	}
	return r, nil
}

func detached(param string, first ledger.Number) error {
	return fault.Invalid("at_detached", param, "older journals are kept elsewhere; here they begin with "+first.BookedAt().Format(time.DateOnly))
}

// journals calls do with each journal, in order.
func (r *run) journals(do func(ledger.Posted) error) error {
	var first ledger.Number
	for begin := r.begin; ; {
		page, err := r.source.Journals(r.ctx, r.Book, begin, r.upto, journalsPerPage)
		if err != nil {
			return err
		}
		for _, j := range page {
			if first == 0 {
				first = j.Number
			}
			if err := do(j); err != nil {
				return err
			}
			begin = j.Number + 1
		}
		if len(page) < journalsPerPage {
			return nil
		}
		r.Progress(int(1000 * float64(begin-first) / float64(r.upto-first)))
	}
}

// accounts calls do with each account and what it holds at an instant.
func (r *run) accounts(at time.Time, do func(ledger.Balance) error) error {
	var after *ledger.Opened
	for {
		page, err := r.source.Balances(r.ctx, r.Book, at, after, accountsPerPage)
		if err != nil {
			return err
		}
		for i := range page {
			if err := do(page[i]); err != nil {
				return err
			}
			after = &page[i].Opened
		}
		if len(page) < accountsPerPage {
			return nil
		}
	}
}

// before is the last instant before the range.
func (r *run) before() time.Time { return r.begin.BookedAt().Add(-time.Millisecond) }

// checked stops at the first write that fails, so that nobody has to ask after each.
type checked struct {
	out io.Writer
	err error
}

func (c *checked) write(parts ...string) {
	for _, p := range parts {
		if c.err == nil {
			_, c.err = io.WriteString(c.out, p)
		}
	}
}
