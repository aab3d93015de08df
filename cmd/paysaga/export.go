package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"paysaga/bench/gauge"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/export"
)

// exportCommand groups the forms in which a book leaves.
type exportCommand struct {
	Hledger exportHledger `cmd:"" help:"Write a book as an hledger journal, with the balances that it must have asserted at its end."`
	CSV     exportCSV     `cmd:"" name:"csv" help:"Write a book as CSV: a row per entry, or a row per account with its balance."`
}

// exportConfig is what all forms share.
type exportConfig struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	From           string `placeholder:"2026-01-01" help:"Only what was booked on this date (UTC) or at this time (RFC 3339), or later."`
	To             string `placeholder:"2026-01-31" help:"Only what was booked up to the end of this date, or to this time. By default all that can no longer change."`
	Out            string `type:"path" placeholder:"FILE" help:"Where to write. By default to standard output."`
}

type exportHledger struct {
	exportConfig `embed:""`
	By           string `enum:"effective,booking" default:"effective" help:"Which time becomes the date: the world's (effective), or that of our booking."`
}

// Run writes the journal.
func (c *exportHledger) Run(a *app) error {
	return c.run(a, export.Options{By: ledger.Dating(c.By)}, export.Hledger)
}

type exportCSV struct {
	exportConfig `embed:""`
	Balances     bool `help:"A row per account with its balance, instead of one per entry."`
}

// Run writes the table.
func (c *exportCSV) Run(a *app) error {
	if c.Balances {
		return c.run(a, export.Options{}, export.Balances)
	}
	return c.run(a, export.Options{}, export.Entries)
}

// run writes a book with one of the writers.
func (c *exportConfig) run(a *app, o export.Options, write func(context.Context, io.Writer, export.Source, export.Options) error) (err error) {
	o.Book = id.Book(c.Book)
	if o.From, err = moment("--from", c.From, 0); err != nil {
		return err
	}
	if o.To, err = moment("--to", c.To, 24*time.Hour-time.Millisecond); err != nil {
		return err
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	out := a.out
	if c.Out != "" {
		file, failed := os.Create(c.Out)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	if c.Out != "" || terminal(a.out) == nil { // a bar would stand among the lines
		bar := gauge.NewBar(terminal(a.err), 1000)
		defer bar.End()
		o.Progress = func(done int) { bar.Reach(done, "‰ of the time span") }
	}
	return write(a.ctx, out, s, o)
}

// moment reads a date, or a time. A date means so long after its beginning.
func moment(flag, text string, after time.Duration) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if date, err := time.Parse(time.DateOnly, text); err == nil {
		return date.Add(after), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, wrong(flag, "is a date like 2026-01-31, or a time like 2026-01-31T08:00:00Z")
	}
	return at, nil
}
