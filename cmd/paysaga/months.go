package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
	"paysaga/domain/ledger"
	"paysaga/store"
)

// monthsCommand groups what is done about the ledger's months.
type monthsCommand struct {
	List   monthsList   `cmd:"" help:"List the months of journals and entries, with their sizes."`
	Make   monthsMake   `cmd:"" help:"Make the coming months' partitions. A worker does it every day."`
	Detach monthsDetach `cmd:"" help:"Take a month that is over out of the books, to be kept elsewhere. Its tables stay, insert-only; later balances don't need them."`
	Attach monthsAttach `cmd:"" help:"Bring a detached month back, if it still is what it was."`
}

type monthsList struct {
	databaseConfig `embed:""`
}

// Run prints a line for each month.
func (c *monthsList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.ListMonths(a.ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		where := "attached"
		if !m.Attached {
			where = fmt.Sprintf("detached at %s: %d journals, %d entries", m.Detached.UTC().Format(time.RFC3339), m.Journals, m.Entries)
		}
		fmt.Fprintf(a.out, "%s  %12d bytes  %s\n", m.Month.Format("2006-01"), m.Bytes, where)
	}
	return nil
}

type monthsMake struct {
	databaseConfig `embed:""`
	Ahead          int `default:"3" help:"How many months after this one, at most 24."`
}

// Run makes what is missing.
func (c *monthsMake) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	made, err := s.MakeMonths(a.ctx, c.Ahead)
	if err == nil {
		fmt.Fprintf(a.out, "%d months made\n", made)
	}
	return err
}

// ownerConfig is for what only the owner of the tables may do.
type ownerConfig struct {
	OwnerURL string `name:"owner-url" setting:"PAYSAGA_OWNER_URL" secret:"url" placeholder:"URL" help:"The PostgreSQL database, as the role that owns the tables. Only migrations use it, and what moves whole months: postgres://paysaga_owner:…@host/paysaga."`
}

func (c ownerConfig) check() error {
	if c.OwnerURL == "" {
		return wrong("PAYSAGA_OWNER_URL", "is missing: the address of PostgreSQL for the owner of the tables")
	}
	return checkDatabaseURL("PAYSAGA_OWNER_URL", c.OwnerURL)
}

type monthsDetach struct {
	ownerConfig `embed:""`
	Month       string `arg:"" placeholder:"2026-01" help:"The month, as 2026-01."`
}

// Run detaches.
func (c *monthsDetach) Run(a *app) error {
	p, err := moveMonth(a, c.ownerConfig, c.Month, store.DetachMonth)
	if err == nil {
		fmt.Fprintf(a.out, "%s is detached: %d journals, %d entries. Dump its two tables before you drop them:\n"+
			"pg_dump -Fc -t journals_%[4]s -t entries_%[4]s -f %[1]s.dump\n", c.Month, p.Journals, p.Entries, c.Month[:4]+"_"+c.Month[5:])
	}
	return err
}

type monthsAttach struct {
	ownerConfig `embed:""`
	Month       string `arg:"" placeholder:"2026-01" help:"The month, as 2026-01. Its two tables have to stand."`
}

// Run attaches.
func (c *monthsAttach) Run(a *app) error {
	p, err := moveMonth(a, c.ownerConfig, c.Month, store.AttachMonth)
	if err == nil {
		fmt.Fprintf(a.out, "%s is back, as it was: %d journals, %d entries\n", c.Month, p.Journals, p.Entries)
	}
	return err
}

func moveMonth(a *app, c ownerConfig, text string, move func(context.Context, string, time.Time, store.MonthJudge) (store.MonthProof, error)) (store.MonthProof, error) {
	month, err := time.Parse("2006-01", text)
	if err != nil {
		return store.MonthProof{}, wrong("the month", "is written as 2026-01")
	}
	if err := c.check(); err != nil {
		return store.MonthProof{}, err
	}
	return move(a.ctx, c.OwnerURL, month, judgeMonth)
}

// judgeMonth holds a month against its blocks.
func judgeMonth(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (store.MonthProof, string, error) {
	p, breaks, err := audit.Month(ctx, tx, low, high)
	broken := ""
	if len(breaks) > 0 {
		broken = breaks[0].String()
	}
	return store.MonthProof(p), broken, err
}
