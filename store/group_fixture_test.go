package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"paysaga/audit"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/store"
	"paysaga/store/storetest"
)

// desk is a book of purses. With one lane, Steps that arrive while a batch is held up are the next batch, in their order.
type desk struct {
	t  testing.TB
	db *storetest.Database
	s  *store.Store
	n  int
}

func newDesk(t testing.TB, adjust ...func(*store.Config)) *desk {
	t.Helper()
	db := storetest.Open(t, append([]func(*store.Config){func(c *store.Config) { c.Lanes = 1 }}, adjust...)...)
	return &desk{t: t, db: db, s: db.Store}
}

// purse is an account with a floor at zero, till one without.
func purse(n int) ledger.Account {
	return ledger.Account{Book: id.Test, Code: fmt.Sprintf("purse/p%d", n), Currency: "CNY", Kind: ledger.Liability, Normal: ledger.Credit, Floored: true}
}

func till(n int) ledger.Account {
	return ledger.Account{Book: id.Test, Code: fmt.Sprintf("till/t%d", n), Currency: "CNY", Kind: ledger.Asset, Normal: ledger.Debit}
}

func posting(t testing.TB, p ledger.Posting, legs ...ledger.Entry) ledger.Journal {
	t.Helper()
	j, err := ledger.Post(p, legs...)
	require.NoError(t, err)
	return j
}

// move is a Step that debits one account and credits another.
func (d *desk) move(cause string, from, to ledger.Account, minor int64) ledger.Step {
	d.t.Helper()
	return ledger.Step{Book: id.Test, Cause: cause, Business: cause, By: ledger.Service("test"), Journals: []ledger.Journal{
		posting(d.t, ledger.Posting{Cause: cause, Kind: "test", EffectiveAt: time.Now()}, ledger.Dr(from, cny(minor)), ledger.Cr(to, cny(minor)))}}
}

// fund puts money into a purse.
func (d *desk) fund(n int, minor int64) {
	d.t.Helper()
	d.n++
	d.commit(d.move(fmt.Sprintf("fund:f%d", d.n), till(0), purse(n), minor))
}

func (d *desk) commit(step ledger.Step) ledger.Receipt {
	d.t.Helper()
	r, err := d.s.Commit(context.Background(), step)
	require.NoError(d.t, err)
	return r
}

// said is what a caller was told.
type told struct {
	receipt ledger.Receipt
	err     error
}

func (d *desk) fresh(a told) {
	d.t.Helper()
	require.NoError(d.t, a.err)
	require.False(d.t, a.receipt.Replayed)
}

func (d *desk) refused(a told, kind fault.Kind, code string) {
	d.t.Helper()
	require.True(d.t, fault.Is(a.err, kind, code), "%v %+v", a.err, a.receipt)
}

const bookLock = 7262419

// hold keeps batches that post out of the book until the returned function is called, and leaves one waiting.
func (d *desk) hold() (release func()) {
	d.t.Helper()
	ctx := context.Background()
	tx, err := d.db.Owner.Begin(ctx)
	require.NoError(d.t, err)
	_, err = tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, 1)`, bookLock)
	require.NoError(d.t, err)
	d.n++
	plug := d.move(fmt.Sprintf("plug:f%d", d.n), till(8), till(9), 1)
	ended := make(chan error, 1)
	go func() { _, err := d.s.Commit(ctx, plug); ended <- err }()
	d.until(func() bool {
		return d.number(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7262419 AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == 1
	})
	return func() {
		d.t.Helper()
		require.NoError(d.t, tx.Rollback(ctx))
		require.NoError(d.t, <-ended)
	}
}

// batch commits steps in one transaction, in that order, and returns what each caller was told.
func (d *desk) batch(steps ...ledger.Step) []told {
	d.t.Helper()
	list := make([]told, len(steps))
	release := d.hold()
	wait := d.arrive(list, steps)
	release()
	wait()
	return list
}

// arrive lets steps wait for a lane, one after the other. wait is for their answers.
func (d *desk) arrive(list []told, steps []ledger.Step) (wait func()) {
	d.t.Helper()
	before := d.s.Waiting(id.Test)
	done := make(chan struct{})
	for i, step := range steps {
		go func() {
			list[i].receipt, list[i].err = d.s.Commit(context.Background(), step)
			done <- struct{}{}
		}()
		d.until(func() bool { return d.s.Waiting(id.Test) == before+i+1 })
	}
	return func() {
		for range steps {
			<-done
		}
	}
}

func (d *desk) until(what func() bool) {
	d.t.Helper()
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !what() {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatal("it never came")
		}
	}
}

func (d *desk) number(sql string, args ...any) (n int64) {
	d.t.Helper()
	require.NoError(d.t, d.db.Owner.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

// holds is what an account has, counted on its normal side; hot ones by their entries.
func (d *desk) holds(a ledger.Account) int64 {
	d.t.Helper()
	n := d.number(`SELECT coalesce(sum(e.amount), 0)::bigint FROM entries e JOIN accounts a ON a.no = e.account WHERE a.code = $1 AND a.currency = $2`,
		a.Code, string(a.Currency))
	if a.Normal == ledger.Credit {
		return -n
	}
	return n
}

// causes is how many of these causes stand.
func (d *desk) causes(list ...string) int64 {
	d.t.Helper()
	return d.number(`SELECT count(*) FROM causes WHERE cause = ANY($1)`, list)
}

// chain holds every lane's blocks against their journals: nothing is missing, nothing is twice.
func (d *desk) chain() audit.ChainReport {
	d.t.Helper()
	r, err := audit.Chain(d.t.Context(), audit.ChainOptions{Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, d.db.OwnerURL)
	}})
	require.NoError(d.t, err)
	require.Empty(d.t, r.Breaks)
	require.Equal(d.t, d.number(`SELECT count(*) FROM journals`), r.Journals)
	return r
}

// lastBlock is how many journals the newest block has.
func (d *desk) lastBlock() int64 {
	d.t.Helper()
	return d.number(`SELECT journals FROM blocks ORDER BY first DESC LIMIT 1`)
}

// account is an account's public id.
func (d *desk) account(a ledger.Account) (name string) {
	d.t.Helper()
	require.NoError(d.t, d.db.Owner.QueryRow(context.Background(), `SELECT id FROM accounts WHERE code = $1`, a.Code).Scan(&name))
	return name
}
