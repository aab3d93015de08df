package store

import (
	"encoding/hex"
	"slices"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// work is one Step on its way through a batch.
type work struct {
	s      *Store
	db     *database
	step   ledger.Step
	hash   []byte
	causes []string // the Step's own and its journals', each once
	size   int      // bytes, about
	at     time.Time
	moves  []move
	refs   []accountRef // of the journals' accounts, by posting order
	ticket

	// What follows belongs to one try.
	b       *batch
	lock    locks
	out     stepWrites
	verdict error
	short   bool // the verdict is about a balance
	reply   ledger.Receipt
}

// move is one change of a Step: it says what it needs under lock, and judges under the lock. Judging queues the writes.
type move interface {
	claim(*locks)
	judge(*work) error
}

func (s *Store) prepare(step ledger.Step) (*work, error) {
	db, err := s.db(step.Book)
	if err != nil {
		return nil, err
	}
	if step.Cause == "" || step.By.Kind == "" {
		return nil, fault.Internal("a Step names its cause and its principal", nil)
	}
	if len(step.Journals) > ledger.MaxBlock/2 {
		return nil, fault.Invalid("step_too_large", "", "a Step has at most 2048 journals")
	}
	w := &work{s: s, db: db, step: step, at: s.clock(), size: 512}
	w.hash, _ = hex.DecodeString(step.ContentHash())
	seen := make(map[string]bool, len(step.Journals))
	for _, j := range step.Journals {
		if len(j.Entries()) == 0 {
			return nil, fault.Invalid("journal_empty", "", "only Post and Reverse make journals")
		}
		if j.Book() != step.Book { // I-25
			return nil, fault.Invalid("journal_spans_books", "", "a Step's journals are in its book")
		}
		if seen[j.Cause()] { // I-05
			return nil, fault.Conflict("cause_conflict", "two journals of a Step have one cause")
		}
		seen[j.Cause()] = true
		w.causes = append(w.causes, j.Cause())
		w.size += 256 + 64*len(j.Entries())
	}
	if !seen[step.Cause] {
		w.causes = append(w.causes, step.Cause)
	}
	for _, c := range step.Changes {
		m, err := w.moveOf(c)
		if err != nil {
			return nil, err
		}
		w.moves = append(w.moves, m)
		w.size += 4096
	}
	return w, nil
}

// begin makes w ready for a try in b.
func (w *work) begin(b *batch) {
	w.b, w.lock, w.out = b, locks{}, stepWrites{}
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

// first answers a Step whose cause or idempotency key stands already, with the first receipt.
func (w *work) first() (receipt ledger.Receipt, stands bool, err error) {
	receipt = ledger.Receipt{Cause: w.step.Cause, Replayed: true, Object: w.lock.object}
	var request *keyRow
	if k := w.lock.idempotency; k != nil {
		request = w.b.found.keys[keyOfRequest(*k)]
	}
	if request != nil {
		if request.hash != w.lock.idempotency.RequestHash {
			return receipt, true, keyReused()
		}
		receipt.Object = request.object
	}
	if own := w.b.found.causes[w.step.Cause]; own != nil && own.own && slices.Equal(own.hash, w.hash) {
		receipt.BookedAt = own.at
		return receipt, true, nil
	}
	for _, c := range w.causes {
		if w.b.found.causes[c] != nil {
			return receipt, true, fault.Conflict("cause_conflict", "this cause stands already with other content")
		}
	}
	if request != nil {
		receipt.BookedAt = request.at
		return receipt, true, nil
	}
	return ledger.Receipt{}, false, nil
}

// claimKey notes the idempotency row of a Step that has one; a Step of paysaga's own has none.
func (l *locks) claimKey(k access.Idempotency, object string) {
	if k.Key != "" {
		l.idempotency, l.object = &k, object
	}
}
