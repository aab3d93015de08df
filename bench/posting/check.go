package posting

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
	"paysaga/domain/ledger"
)

// Checked is what was found after the last Step.
type Checked struct {
	Steps    int64 `json:"steps"`    // acknowledged; each one's cause stands once, and nothing besides
	Journals int64 `json:"journals"` // of them
	Checks   int   `json:"checks"`   // of the audit, over everything
	Blocks   int64 `json:"blocks"`   // of the chain, walked
	Drained  int64 `json:"drained"`  // Steps that two processes made from an account that had enough for no more
}

// check holds the book against what was acknowledged (I-05), against its
// invariants, and against its chain.
func (r *run) check(ctx context.Context) error {
	c := &r.res.Checked
	if err := r.drained(ctx, c); err != nil {
		return err
	}
	r.main.closeStores()
	found, err := r.main.stands(ctx)
	if err != nil {
		return err
	}
	c.Steps, c.Journals = found.Steps, found.Journals
	if r.twin != nil {
		if _, err := r.twin.p.stands(ctx); err != nil {
			return err
		}
	}
	connect := func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, r.main.ownerURL) }
	conn, err := connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	report, err := audit.Check(ctx, conn, audit.Options{Full: true, UndeliveredAfter: -1})
	for _, v := range report.Violations {
		err = errors.Join(err, errors.New(v.String()))
	}
	if err != nil {
		return err
	}
	c.Checks = report.Checks
	chain, err := audit.Chain(ctx, audit.ChainOptions{Connect: connect, Parallel: 2})
	for _, b := range chain.Breaks[:min(len(chain.Breaks), 5)] {
		err = errors.Join(err, errors.New(b.String()))
	}
	c.Blocks = chain.Blocks
	if err == nil && chain.Journals != c.Journals {
		err = fmt.Errorf("the chain holds %d journals, the book %d", chain.Journals, c.Journals)
	}
	return err
}

const (
	drainCode  = "bench/drained"
	drainSteps = 1000
	drainMinor = 7
)

const sqlDrained = `SELECT balance FROM accounts WHERE book = $1 AND code = $2 AND currency = $3`

// drained lets two processes debit an account until nothing is left: it gives
// exactly what it had (I-06).
func (r *run) drained(ctx context.Context, c *Checked) error {
	if r.c.Child == nil {
		return nil
	}
	s, err := transfer(source, flooredAccount(drainCode), drainSteps*drainMinor)
	if err != nil {
		return err
	}
	if err := r.main.commitAll(ctx, []ledger.Step{s}, 1); err != nil {
		return err
	}
	list, err := r.c.startChildren(task{URL: r.main.appURL, Keys: r.main.keys, Account: drainCode, Minor: drainMinor, Clients: 16,
		Steps: 2 * drainSteps, Drain: true})
	if err != nil {
		return err
	}
	answers, err := r.main.tell(ctx, list)
	if err != nil {
		return err
	}
	for _, a := range answers {
		c.Drained += a.All
	}
	var left int64
	if err := r.main.owner.QueryRow(ctx, sqlDrained, book, drainCode, currency).Scan(&left); err != nil {
		return err
	}
	if c.Drained != drainSteps || left != 0 {
		return fmt.Errorf("an account that had enough for %d Steps gave %d, and has %d left", drainSteps, c.Drained, left)
	}
	return nil
}
