package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// A Step is committed in two round trips:
//
//	1  BEGIN; insert its causes and its idempotency row; lock what it moves, in the one lock order:
//	   causes, idempotency, customers, orders, payments, attempts, cases, accounts; by primary key within each
//	-  judge in Go: states, sums, floors
//	2  write the moves, the journals, the balances and the events; COMMIT
//
// The accounts that every payment shares are locked last and let go with the second message. A refusal rolls back, so it
// leaves no cause. Nothing here leans on more than READ COMMITTED: unique keys and row locks decide.

const (
	// maxTries bounds how often a Step is tried after a deadlock, a race over a new order or a lost connection.
	maxTries = 4
	// settleTime is how long the second round trip may take, whatever happened to the caller: a COMMIT that is on its
	// way is never torn.
	settleTime = 15 * time.Second
)

// Commit makes step happen, once. The same cause with the same content, or the same idempotency key with the same request,
// returns the first receipt, Replayed; with other content it is Conflict "cause_conflict" or Invalid
// "idempotency_key_reused". Unavailable promises that nothing was committed; Unknown says that the connection went at
// COMMIT and couldn't be had again to look: the same Step may be committed again. (I-05, I-20)
func (s *Store) Commit(ctx context.Context, step ledger.Step) (ledger.Receipt, error) {
	w, err := s.prepare(step)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if err := w.resolveAccounts(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	inDoubt := false // a COMMIT of ours was sent, and its answer is missing
	for try := 1; ; try++ {
		receipt, stage, err := w.try(ctx)
		switch {
		case err == nil:
			// Whoever lost the answer to its own COMMIT finds its own cause: to the caller it happened now.
			receipt.Replayed = receipt.Replayed && !inDoubt
			return receipt, nil
		case stage == stageCommit && lost(err):
			// Not guessed: the next try's first statement waits for the old transaction to end, and finds its cause or
			// takes its place.
			inDoubt = true
		case stage == stageAgain || again(err) || (try == 1 && lost(err)): // a pooled connection may just have been stale
		case inDoubt && lost(err):
		case inDoubt && fault.Of(failure(err)) == fault.KindUnavailable:
			return ledger.Receipt{}, unresolved(err)
		default:
			return ledger.Receipt{}, failure(err)
		}
		if try == maxTries {
			if inDoubt {
				return ledger.Receipt{}, unresolved(err)
			}
			return ledger.Receipt{}, failure(err)
		}
		if inDoubt {
			// The caller may be gone; what it asked for must still become known.
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleTime)
			defer cancel()
			pause(ctx, time.Duration(try)*50*time.Millisecond)
		}
		w.reset()
	}
}

func unresolved(cause error) error {
	return fault.Unknown("commit_unknown", "the connection was lost at commit, and the database can't be asked", cause)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// stage says how far a try came.
type stage int

const (
	stageLock   stage = iota // nothing can have been committed
	stageAgain               // refused by a race that is over now: try again
	stageCommit              // COMMIT was sent
)

// try is one transaction.
func (w *work) try(ctx context.Context) (ledger.Receipt, stage, error) {
	conn, err := w.db.pool.Acquire(ctx)
	if err != nil {
		return ledger.Receipt{}, stageLock, err
	}
	defer conn.Release() // a connection that is still in a transaction is closed, not reused
	if err := conn.SendBatch(ctx, w.lockBatch()).Close(); err != nil {
		rollback(ctx, conn)
		return ledger.Receipt{}, stageLock, err
	}
	if !w.found.fresh(w) {
		rollback(ctx, conn)
		return w.first(ctx, conn)
	}
	if err := w.judge(); err != nil {
		rollback(ctx, conn)
		if err == errAgain {
			return ledger.Receipt{}, stageAgain, err
		}
		return ledger.Receipt{}, stageLock, err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := conn.SendBatch(late, w.out.batch(w)).Close(); err != nil {
		rollback(late, conn)
		return ledger.Receipt{}, stageCommit, err
	}
	return ledger.Receipt{Cause: w.step.Cause, Object: w.object(), BookedAt: w.at}, stageCommit, nil
}

// rollback gives the connection back clean; if it can't, Release closes it, which rolls back, too.
func rollback(ctx context.Context, conn *pgxpool.Conn) {
	if conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, "rollback")
}

const sqlFirstCauses = `SELECT hash, cause = $3 AND step IS NULL, at FROM causes WHERE book = $1 AND cause = ANY($2)`

const sqlFirstRequest = `SELECT request_hash, object, created_at FROM idempotency
	WHERE book = $1 AND merchant_id = $2 AND operation = $3 AND key = $4`

// first answers a Step whose cause or idempotency key stands already, with the first receipt.
func (w *work) first(ctx context.Context, conn *pgxpool.Conn) (ledger.Receipt, stage, error) {
	receipt := ledger.Receipt{Cause: w.step.Cause, Replayed: true, Object: w.object()}
	key := w.lock.idempotency
	var stands, same bool // any of its causes; its own cause with its own content
	var object string
	b := &pgx.Batch{}
	b.Queue(sqlFirstCauses, w.step.Book, w.causes(), w.step.Cause).Query(func(rows pgx.Rows) error {
		var hash []byte
		var own bool
		var at time.Time
		_, err := pgx.ForEachRow(rows, []any{&hash, &own, &at}, func() error {
			stands = true
			if own {
				same, receipt.BookedAt = string(hash) == string(w.hash), at
			}
			return nil
		})
		return err
	})
	var request []byte
	var at time.Time
	if key != nil {
		b.Queue(sqlFirstRequest, w.step.Book, key.MerchantID, key.Operation, key.Key).QueryRow(func(row pgx.Row) error {
			return noRows(row.Scan(&request, &object, &at))
		})
	}
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return ledger.Receipt{}, stageLock, err
	}
	if object != "" {
		if hex.EncodeToString(request) != key.RequestHash {
			return ledger.Receipt{}, stageLock, keyReused()
		}
		receipt.Object = object
	}
	switch {
	case same:
		return receipt, stageLock, nil
	case stands:
		return ledger.Receipt{}, stageLock, fault.Conflict("cause_conflict", "this cause stands already with other content")
	case object != "":
		receipt.BookedAt = at
		return receipt, stageLock, nil
	}
	return ledger.Receipt{}, stageAgain, errAgain // whoever was first has rolled back meanwhile
}

func keyReused() error {
	return fault.Invalid("idempotency_key_reused", "Idempotency-Key", "this idempotency key came before, with another request")
}

func noRows(err error) error {
	if err == pgx.ErrNoRows {
		return nil
	}
	return err
}
