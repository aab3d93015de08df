package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/store"
)

// accountCommand groups what is done about accounts of the ledger.
type accountCommand struct {
	List  accountList  `cmd:"" help:"List a book's accounts, by code, with what each holds now."`
	Hot   accountHot   `cmd:"" help:"Make an account hot: postings no longer wait for each other at its row, and its balance is added up. For accounts without a floor; there is no way back."`
	Close accountClose `cmd:"" help:"Close an empty account for good: nothing is posted to it any more."`
}

type accountList struct {
	databaseConfig `embed:""`
	Book           string `enum:"test,live,shadow" default:"test" help:"The book: test, live or shadow."`
	Code           string `placeholder:"merchant/" help:"One code, or with a slash at its end the beginning of some."`
	Currency       string `placeholder:"CNY" help:"Only this currency."`
}

// Run prints a line for each account.
func (c *accountList) Run(a *app) error {
	s, err := openStore(a.ctx, c.databaseConfig)
	if err != nil {
		return err
	}
	defer s.Close()
	t := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ACCOUNT\tCODE\tKIND\tBALANCE\tMARKS")
	f := ledger.AccountFilter{Book: id.Book(c.Book), Code: c.Code, Currency: money.Currency(c.Currency), Limit: 100}
	for more := true; more; {
		var page []ledger.Opened
		page, more, err = s.LedgerAccounts(a.ctx, f)
		if err != nil {
			return err
		}
		for _, one := range page {
			f.After = one.ID
			b, err := s.Balance(a.ctx, one.Book, "", one.ID, time.Time{}, ledger.ByBooking)
			if err != nil {
				return err
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", one.ID, one.Code, one.Kind, money.New(one.OnNormalSide(b.Minor), one.Currency).Text(), marks(one))
		}
	}
	return t.Flush()
}

// marks are what is special about an account.
func marks(a ledger.Opened) string {
	text := ""
	if a.Floored {
		text += "floor " + money.New(a.Floor, a.Currency).Decimal() + " "
	}
	if a.Hot {
		text += "hot "
	}
	if !a.ClosedAt.IsZero() {
		text += "closed " + a.ClosedAt.Format(time.DateOnly)
	}
	return text
}

// decision is what an operator says to a change of the books.
type decision struct {
	Operator string `required:"" placeholder:"opr_…" help:"The operator who decides it."`
	Reason   string `required:"" placeholder:"TEXT" help:"Why. It is recorded."`
}

// by is the operator as a principal, unless its key was revoked.
func (d decision) by(ctx context.Context, s *store.Store) (ledger.Principal, error) {
	o, err := s.Operator(ctx, d.Operator)
	if err == nil && o.Revoked {
		err = fault.Denied("operator_revoked", "this operator's key was revoked")
	}
	return ledger.Principal{Kind: ledger.ByOperator, ID: o.ID, Reason: d.Reason}, err
}

type accountHot struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Account        string `arg:"" placeholder:"acc_…" help:"The account."`
}

// Run makes it hot.
func (c *accountHot) Run(a *app) error {
	return c.change(a, c.databaseConfig, c.Account, "is hot", (*store.Store).MarkHot)
}

type accountClose struct {
	databaseConfig `embed:""`
	decision       `embed:""`
	Account        string `arg:"" placeholder:"acc_…" help:"The account."`
}

// Run closes it.
func (c *accountClose) Run(a *app) error {
	return c.change(a, c.databaseConfig, c.Account, "is closed", (*store.Store).CloseAccount)
}

// change does something to an account and says so.
func (d decision) change(a *app, db databaseConfig, account, done string, do func(*store.Store, context.Context, string, ledger.Principal) error) error {
	s, err := openStore(a.ctx, db)
	if err != nil {
		return err
	}
	defer s.Close()
	by, err := d.by(a.ctx, s)
	if err != nil {
		return err
	}
	if err := do(s, a.ctx, account, by); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, account, done)
	return err
}
