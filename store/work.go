package store

import (
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// work is one Step on its way through a transaction. Group commit will carry many of them through one.
type work struct {
	s     *Store
	db    *database
	step  ledger.Step
	hash  []byte
	at    time.Time
	moves []move
	refs  []accountRef // of the journals' accounts, by posting order

	lock  locks
	found found
	out   writes
}

// move is one change of a Step: it says what it needs under lock, and judges under the lock. Judging queues the writes.
type move interface {
	claim(*locks)
	judge(*work) error
}

// errAgain asks for the whole Step to be tried anew.
var errAgain = fault.Unavailable("store_raced", "another request was just ahead; try again", nil)

func (s *Store) prepare(step ledger.Step) (*work, error) {
	db, err := s.db(step.Book)
	if err != nil {
		return nil, err
	}
	if step.Cause == "" || step.By.Kind == "" {
		return nil, fault.Internal("a Step names its cause and its principal", nil)
	}
	w := &work{s: s, db: db, step: step, at: s.clock()}
	w.hash, _ = hex.DecodeString(step.ContentHash())
	for _, j := range step.Journals {
		if len(j.Entries()) == 0 {
			return nil, fault.Invalid("journal_empty", "", "only Post and Reverse make journals")
		}
		if j.Book() != step.Book { // I-25
			return nil, fault.Invalid("journal_spans_books", "", "a Step's journals are in its book")
		}
	}
	for _, c := range step.Changes {
		m, err := w.moveOf(c)
		if err != nil {
			return nil, err
		}
		w.moves = append(w.moves, m)
	}
	w.reset()
	return w, nil
}

// reset makes w ready for another try.
func (w *work) reset() {
	w.lock, w.found, w.out = locks{}, newFound(), writes{}
	for _, m := range w.moves {
		m.claim(&w.lock)
	}
}

// moveOf finds the writer of a change.
func (w *work) moveOf(c ledger.Change) (move, error) {
	s, book := w.s, w.step.Book
	switch c := c.(type) {
	case payment.Receive:
		return w.newReceive(c)
	case trade.Receive:
		return w.newReceiveOrder(c)
	case trade.Move:
		return moveOrder{c}, nil
	case payment.Intend:
		return s.newIntend(book, c)
	case payment.Update:
		return s.newUpdate(book, c)
	case payment.AttemptUpdate:
		return updateAttempt{c}, nil
	case payment.MatureAt:
		return matureAt{c}, nil
	case payment.RequestCancel:
		return requestCancel{c}, nil
	case payment.OpenCase:
		return openCase{c}, nil
	case payment.CloseCase:
		return closeCase{c}, nil
	case payment.Act:
		return act{c}, nil
	case payment.SeeCallback:
		return seeCallback{c}, nil
	}
	return nil, fault.Internal("a change that the store has no writer for", nil)
}

// judge asks every move and every journal, in the Step's order.
func (w *work) judge() error {
	for _, m := range w.moves {
		if err := m.judge(w); err != nil {
			return err
		}
	}
	return w.post()
}

// object is what the Step's idempotency key stands for.
func (w *work) object() string {
	if w.lock.idempotency == nil {
		return ""
	}
	return w.lock.object
}

// claimKey notes the idempotency row of a Step that has one; a Step of paysaga's own has none.
func (l *locks) claimKey(k access.Idempotency, object string) {
	if k.Key != "" {
		l.idempotency, l.object = &k, object
	}
}

// writes are the second batch: what the moves queued, then what the outbox and the ledger gathered, then COMMIT.
type writes struct {
	queued   []queued
	journals []journalRow
	entries  []entryRow
	moved    map[int64]*moved
	events   []event
}

type queued struct {
	sql  string
	args []any
}

func (o *writes) queue(sql string, args ...any) { o.queued = append(o.queued, queued{sql, args}) }

func (o *writes) batch(w *work) *pgx.Batch {
	b := &pgx.Batch{}
	for _, q := range o.queued {
		b.Queue(q.sql, q.args...)
	}
	o.queueEvents(b, w)
	o.queueJournals(b, w) // last, for the accounts
	b.Queue("commit")
	return b
}
