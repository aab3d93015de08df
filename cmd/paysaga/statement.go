package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"text/tabwriter"
	"time"

	"paysaga/bench/gauge"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
	"paysaga/statement"
	"paysaga/store"
)

// statementCommand groups what is done about channels' statements.
type statementCommand struct {
	Import statementImport `cmd:"" help:"Keep channels' statements from files. The same file again changes nothing; an import that was interrupted goes on."`
	Fetch  statementFetch  `cmd:"" help:"Ask the channel for its statement of a day, and keep it."`
	List   statementList   `cmd:"" help:"List the files of a book, the latest first."`
	Show   statementShow   `cmd:"" help:"Show a file: its sums by currency and kind, rows that it has twice or others have otherwise, or its lines as CSV."`
}

// statementOf is which statements are meant.
type statementOf struct {
	databaseConfig `embed:""`
	Account        string `required:"" placeholder:"cha_…" help:"The channel account that the statement is of."`
	Kind           string `required:"" placeholder:"KIND" help:"Which of the channel's statements it is, in the channel's own word; docs/channels.md lists them."`
	Day            string `placeholder:"2026-01-31" help:"The day that it is of, in the account's zone."`
}

func (c *statementOf) which() (w statement.Which, err error) {
	w = statement.Which{Account: c.Account, Kind: c.Kind}
	if c.Day != "" {
		day, err := time.Parse(time.DateOnly, c.Day)
		if err != nil {
			return w, wrong("--day", "is a date like 2026-01-31")
		}
		w.Day = reconcile.On(day)
	}
	return w, nil
}

// statementGC is how much garbage a reading of statements lets lie: its lines are short-lived, and it holds nothing else. What pays for
// payments (gcPercent) only costs memory here.
const statementGC = 100

// keeping opens what is needed to keep statements, with a bar on a terminal.
func (c *statementOf) keeping(a *app) (i statement.Importer, done func(), err error) {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return i, nil, err
	}
	before := debug.SetGCPercent(statementGC)
	return statement.Importer{Book: s, Channels: registry(), Progress: lineBar(a.err)}, func() { debug.SetGCPercent(before); s.Close() }, nil
}

// lineBar shows lines on a terminal: first those looked at, then those kept of all.
func lineBar(out io.Writer) func(done, of int64) {
	screen := terminal(out)
	if screen == nil {
		return nil
	}
	var bar *gauge.Bar
	return func(done, of int64) {
		if of == 0 {
			fmt.Fprintf(screen, "\r\x1b[K%d lines looked at ", done)
			return
		}
		if bar == nil {
			bar = gauge.NewBar(screen, int(of))
		}
		if bar.Reach(int(done), "lines"); done == of {
			bar.End()
			bar = nil
		}
	}
}

type statementImport struct {
	statementOf `embed:""`
	Files       []string `arg:"" name:"file" type:"existingfile" help:"The files as the channel gave them."`
}

// Run keeps one file after the other; one that is refused doesn't keep the others back.
func (c *statementImport) Run(a *app) error {
	w, err := c.which()
	if err != nil {
		return err
	}
	keeper, done, err := c.keeping(a)
	if err != nil {
		return err
	}
	defer done()
	refused := false
	for _, path := range c.Files {
		f, err := keepFile(a, keeper, w, path)
		if f.Status != reconcile.Refused && err != nil {
			return err
		}
		refused = refused || err != nil
		said(a.out, f)
	}
	if refused {
		return errQuiet
	}
	return nil
}

func keepFile(a *app, keeper statement.Importer, w statement.Which, path string) (f reconcile.Stored, err error) {
	from, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer func() { _ = from.Close() }()
	return keeper.Import(a.ctx, w, filepath.Base(path), from)
}

// said is a line about what became of a file.
func said(out io.Writer, f reconcile.Stored) {
	if f.Status == reconcile.Refused {
		fmt.Fprintf(out, "%d  refused   %s\n", f.No, f.Reason)
		return
	}
	fmt.Fprintf(out, "%d  %s  %s: %d lines, %d of them new\n", f.No, f.Status, f.Name, f.Lines, f.Kept)
}

type statementFetch struct {
	statementOf `embed:""`
}

// Run fetches a day.
func (c *statementFetch) Run(a *app) error {
	w, err := c.which()
	if err != nil {
		return err
	}
	if w.Day.IsZero() {
		return wrong("--day", "is missing: a channel is asked for the statement of a day")
	}
	keeper, done, err := c.keeping(a)
	if err != nil {
		return err
	}
	defer done()
	f, err := keeper.Fetch(a.ctx, w)
	if err == nil || f.Status == reconcile.Refused {
		said(a.out, f)
	}
	if f.Status == reconcile.Refused {
		return errQuiet
	}
	return err
}

type statementList struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Account        string `placeholder:"cha_…" help:"Only this channel account."`
	Kind           string `placeholder:"KIND" help:"Only this kind of statement."`
	Status         string `enum:",importing,imported,refused" default:"" help:"Only files with this status: importing, imported or refused."`
	Limit          int    `default:"50" help:"How many at most, up to 1000."`
}

// Run prints a line for each file.
func (c *statementList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.StatementFiles(a.ctx, id.Book(c.Book), reconcile.Filter{Account: c.Account, Kind: c.Kind, Status: reconcile.Status(c.Status), Limit: c.Limit})
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NO\tACCOUNT\tCHANNEL\tKIND\tDAY\tSTATUS\tLINES\tNEW\tNAME\tREASON")
	for _, f := range list {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%d of %d\t%d\t%s\t%s\n", f.No, f.Account, f.Channel, f.Kind, f.Day, f.Status, f.Done, f.Lines, f.Kept, f.Name, f.Reason)
	}
	return t.Flush()
}

type statementShow struct {
	databaseConfig `embed:""`
	No             int64  `arg:"" help:"The file's number, as 'paysaga statement list' shows it."`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	CSV            bool   `name:"csv" help:"Write the lines that came in with it as CSV, instead of its sums."`
	Findings       int    `default:"20" help:"How many rows at most that it has twice, or others have otherwise."`
}

// Run shows the file.
func (c *statementShow) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	f, sums, findings, err := s.StatementFile(a.ctx, id.Book(c.Book), c.No, max(c.Findings, 0))
	if err != nil {
		return err
	}
	if c.CSV {
		return linesCSV(a, s, f)
	}
	fmt.Fprintf(a.out, "%s · %s · %s %s · %s\n%d bytes, SHA-256 %s\n%d of %d lines, %s to %s; %d of them new\n", f.Name, f.Account, f.Channel, f.Kind, f.Status,
		f.Bytes, f.Hash, f.Done, f.Lines, f.First, f.Last, f.Kept)
	if f.Reason != "" {
		fmt.Fprintln(a.out, f.Reason)
	}
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "KIND\tLINES\tGROSS\tFEE\tNET\tSEEN BEFORE")
	for _, x := range sums {
		text := func(minor int64) string { return money.New(minor, money.Currency(x.Currency)).Text() }
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d lines, %s\n", x.Kind, x.Total.Lines, text(x.Total.Gross), text(x.Total.Fee), text(x.Total.Net), x.Again.Lines, text(x.Again.Net))
	}
	for _, x := range findings {
		fmt.Fprintf(t, "row %d is there %s\tfirst in file %d, row %d\t%s\n", x.Row, x.What, x.FirstFile, x.FirstRow, x.Identity)
	}
	return t.Flush()
}

// linesCSV writes a file's lines; amounts are decimals of their currency.
func linesCSV(a *app, s *store.Store, f reconcile.Stored) error {
	out := csv.NewWriter(a.out)
	_ = out.Write([]string{"row", "kind", "detail", "currency", "gross", "fee", "net", "reference", "channel_id", "original_id", "settled_currency", "settled",
		"rate", "occurred_at", "settled_on", "batch", "identity"})
	err := s.StatementLines(a.ctx, f, func(l *reconcile.Line) error {
		text := func(minor int64) string { return money.New(minor, l.Currency).Decimal() }
		settled, at := "", ""
		if l.Settled.Currency != "" {
			settled = money.New(l.Settled.Minor, l.Settled.Currency).Decimal()
		}
		if !l.OccurredAt.IsZero() {
			at = l.OccurredAt.UTC().Format(time.RFC3339Nano)
		}
		return out.Write([]string{strconv.Itoa(l.Row), string(l.Kind), cell(l.Detail), string(l.Currency), text(l.Gross), text(l.Fee), text(l.Net), cell(l.Reference),
			cell(l.ChannelID), cell(l.OriginalID), string(l.Settled.Currency), settled, l.Settled.Rate, at, l.SettledOn.String(), cell(l.Batch), cell(l.Identity)})
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// cell is a text of a channel's that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@' || text[0] == '\t' || text[0] == '\r') {
		return "'" + text
	}
	return text
}
