package main

import (
	"fmt"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// periodCommand groups what is done about closed dates.
type periodCommand struct {
	Close periodClose `cmd:"" help:"Close a book's dates for good: nothing is booked under them any more. What becomes known later goes to the first open date."`
	List  periodList  `cmd:"" help:"List a book's closings, the newest first."`
}

type periodClose struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Through        string `required:"" placeholder:"2026-01-31" help:"The last date to close, in UTC. It has to be over."`
	Operator       string `required:"" placeholder:"opr_…" help:"The operator who closes it."`
	Reason         string `required:"" placeholder:"TEXT" help:"Why. It is recorded."`
}

// Run closes.
func (c *periodClose) Run(a *app) error {
	through, err := time.Parse(time.DateOnly, c.Through)
	if err != nil {
		return wrong("--through", "is a date like 2026-01-31")
	}
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	o, err := s.Operator(a.ctx, c.Operator)
	if err == nil && o.Revoked {
		err = fault.Denied("operator_revoked", "this operator's key was revoked")
	}
	if err != nil {
		return err
	}
	closing, err := s.ClosePeriod(a.ctx, id.Book(c.Book), through, ledger.Principal{Kind: ledger.ByOperator, ID: o.ID, Reason: c.Reason})
	if err == nil {
		fmt.Fprintf(a.out, "the %s book is closed through %s\n", closing.Book, closing.Through.Format(time.DateOnly))
	}
	return err
}

type periodList struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
}

// Run prints a line for each closing.
func (c *periodList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.Closings(a.ctx, id.Book(c.Book))
	if err != nil {
		return err
	}
	for _, k := range list {
		fmt.Fprintf(a.out, "through %s  at %s  by %s  %s\n", k.Through.Format(time.DateOnly), k.At.UTC().Format(time.RFC3339), k.By.ID, k.By.Reason)
	}
	return nil
}
