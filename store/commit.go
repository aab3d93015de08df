package store

import (
	"context"
	"sync/atomic"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// Steps of a book that are there at once are committed together: one transaction, two messages to PostgreSQL.
//
//	callers ──► queue ──► lane: gather
//	                ──► message 1  begin; lock what the Steps move, in the one order: orders, payments, attempts, cases, callbacks;
//	                               by primary key within each. Then read what the second message may insert: keys, and causes
//	                               unless they are believed to be new
//	                ──► judge in Go, in arrival order: causes, states, sums, floors, dates
//	                ──► message 2  write journals, entries, events; move the balances; insert causes and keys; block; lane's head; COMMIT
//	callers ◄── a receipt or a refusal each ◄──
//
// Balances are believed, not locked, until message 2 holds them against the rows (known.go); after another process has moved one,
// message 1 locks them, too. That causes are new is believed, until one comes again; then message 1 looks for them. What message 1 didn't find and message 2 inserts is decided by unique keys: if somebody else was
// first, the whole batch rolls back and is judged again. Whoever waits for a unique key holds all its rows already and takes
// keys in one order, so nobody waits in a circle. A refused Step writes nothing. Nothing here leans on more than READ COMMITTED.

// Commit makes step happen, once. The same cause with the same content, or the same idempotency key with the same request,
// returns the first receipt, Replayed; with other content it is Conflict "cause_conflict" or Invalid
// "idempotency_key_reused". Unavailable promises that nothing was committed; Unknown says that the connection went at
// COMMIT and couldn't be had again to look: the same Step may be committed again. A ctx that ends takes back a Step that
// still waits; one that is on its way gets its answer first. (I-05, I-20)
func (s *Store) Commit(ctx context.Context, step ledger.Step) (ledger.Receipt, error) {
	w, err := s.prepare(step)
	if err != nil {
		return ledger.Receipt{}, err
	}
	if err := w.resolveAccounts(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	w.ctx, w.done = ctx, make(chan struct{})
	if err := w.db.committer(s, step.Book).enqueue(w); err != nil {
		return ledger.Receipt{}, err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		if w.stage.CompareAndSwap(waiting, withdrawn) {
			return ledger.Receipt{}, failure(ctx.Err())
		}
		<-w.done
	}
	return w.receipt, w.err
}

// A Step's way through the queue.
const (
	waiting int32 = iota
	taken
	withdrawn
)

// ticket is how a Step's caller waits for it.
type ticket struct {
	ctx     context.Context
	stage   atomic.Int32
	done    chan struct{}
	receipt ledger.Receipt
	err     error
	inDoubt bool // a COMMIT that held it was sent, and its answer is missing
}

func (w *work) answer(r ledger.Receipt, err error) {
	w.receipt, w.err = r, err
	close(w.done)
}

func (w *work) refuse(err error) {
	if w.inDoubt && fault.Of(failure(err)) == fault.KindUnavailable {
		err = fault.Unknown("commit_unknown", "the connection was lost at commit, and the database can't be asked", err)
	}
	w.answer(ledger.Receipt{}, failure(err))
}
