package store

import (
	"encoding/hex"
	"slices"
	"time"

	"paysaga/domain/access"
	"paysaga/domain/accrual"
	"paysaga/domain/dispute"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/rebate"
	"paysaga/domain/refund"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
	"paysaga/domain/trade"
	"paysaga/domain/transfer"
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
	refs   []accountRef              // of the journals' accounts, by posting order, and then of those that posters may need
	named  map[accountKey]accountRef // the latter, by name; nil: no move is a poster
	ticket

	// What follows belongs to one try.
	b       *batch
	lock    *locks
	out     stepWrites
	late    []ledger.Journal // that posters have made
	verdict error
	short   bool // the verdict is about a balance
	unsure  bool // the verdict stands on what is only believed: a balance, or that the cause is new
	reply   ledger.Receipt
}

// move is one change of a Step: it says what it needs under lock, and judges under the lock. Judging queues the writes.
type move interface {
	claim(*locks)
	judge(*work) error
}

// poster is a move whose journals depend on what it finds under the locks: it makes them when it judges (work.post).
type poster interface {
	move
	posts() posts
}

// posts is what a poster's journals may need; nothing else may appear in them.
type posts struct {
	accounts []ledger.Account
	causes   []string // besides the Step's own
	reverses []string // the causes of journals that it may reverse
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
	seen := map[string]bool{}
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
		if p, ok := m.(poster); ok {
			for _, cause := range p.posts().causes {
				if seen[cause] || cause == step.Cause {
					return nil, fault.Conflict("cause_conflict", "two journals of a Step have one cause")
				}
				seen[cause] = true
				w.causes = append(w.causes, cause)
			}
		}
	}
	return w, nil
}

// begin makes w ready for a try in b.
func (w *work) begin(b *batch) {
	w.b, w.lock, w.out, w.late = b, &noLocks, stepWrites{}, nil
	if len(w.moves) > 0 {
		w.lock = &locks{}
	}
	for _, m := range w.moves {
		m.claim(w.lock)
	}
}

// moveOf finds the writer of a change.
func (w *work) moveOf(c ledger.Change) (move, error) {
	s, book := w.s, w.step.Book
	switch c := c.(type) {
	case payment.Receive:
		return w.newReceive(c)
	case payment.ReceiveTopUp:
		return w.newReceiveTopUp(c)
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
	case payment.MatureRest:
		return matureRest{c, book}, nil
	case payment.ReceiveCapture:
		return receiveCapture{c}, nil
	case payment.CaptureUpdate:
		return updateCapture{c}, nil
	case payment.RecheckAt:
		return recheckAt{c}, nil
	case risk.Count:
		return count{c}, nil
	case rebate.Create:
		return createCampaign{c}, nil
	case rebate.SaveVersion:
		return saveVersion{c}, nil
	case rebate.Revise:
		return reviseCampaign{c}, nil
	case rebate.Fund:
		return fundCampaign{c, book}, nil
	case rule.Failed:
		return ruleFailed{c}, nil
	case payment.RequestCancel:
		return requestCancel{c}, nil
	case payment.OpenCase:
		return openCase{c}, nil
	case refund.Receive:
		return w.newReceiveRefund(c)
	case refund.Intend:
		return s.newIntendRefund(book, c)
	case refund.Move:
		return newMoveRefund(book, c)
	case payout.Receive:
		return w.newReceivePayout(c)
	case payout.Intend:
		return s.newIntendPayout(book, c)
	case payout.Move:
		return newMovePayout(book, c)
	case refund.Recover:
		return recovery{c, book}, nil
	case transfer.Receive:
		return w.newReceiveTransfer(c)
	case transfer.Move:
		return newMoveTransfer(book, c)
	case dispute.Hear:
		return w.newHearDispute(c)
	case payment.PayOrder:
		return payOrder{c}, nil
	case exception.Move:
		return moveCase{c}, nil
	case exception.Take:
		return takeCase{c}, nil
	case payment.Act:
		return act{c}, nil
	case accrual.Earn:
		return earn{c, book}, nil
	case trade.Arrival:
		return arrive{c}, nil
	case accrual.Receipt:
		return receiveGoods{c}, nil
	case accrual.Promise:
		return promise{c}, nil
	case accrual.Pay:
		return payRebates{c}, nil
	case accrual.Correct:
		return correct{c, book}, nil
	case accrual.BeginRerating:
		return beginRerating{c, book}, nil
	case accrual.EndRerating:
		return endRerating{c}, nil
	case accrual.Adjust:
		return adjustRebate{c}, nil
	case accrual.Begin:
		return w.newBeginRun(c)
	case accrual.Steer:
		return steerRun{c}, nil
	case payment.SeeCallback:
		return seeCallback{c}, nil
	}
	return nil, fault.Internal("a change that the store has no writer for", nil)
}

// judge asks every move, in the Step's order, and then every journal: the Step's, and those that its posters have made.
func (w *work) judge() error {
	w.late = nil
	for _, m := range w.moves {
		if err := m.judge(w); err != nil {
			return err
		}
	}
	return w.post()
}

// journals are the Step's, and those that its posters have made.
func (w *work) journals() []ledger.Journal {
	if w.late == nil {
		return w.step.Journals
	}
	return append(slices.Clone(w.step.Journals), w.late...)
}

// maxJournals is how many journals it may come to.
func (w *work) maxJournals() int { return len(w.causes) }

// reverses are the causes of the journals that the Step reverses, or may.
func (w *work) reverses() []string {
	var list []string
	for _, j := range w.step.Journals {
		if j.Reverses() != "" {
			list = append(list, j.Reverses())
		}
	}
	for _, m := range w.moves {
		if p, ok := m.(poster); ok {
			list = append(list, p.posts().reverses...)
		}
	}
	return list
}

// balance is what a floored account of a poster's holds, on its normal side, before the Step's journals. A poster that refuses, or
// posts to other accounts, because of it sets w.short: while balances are only believed the Step is then judged again.
func (w *work) balance(a ledger.Account) (int64, error) {
	state := w.b.found.accounts.get(w.named[keyOf(a)].no)
	if state == nil || state.hot {
		return 0, fault.Internal("a poster asks for a balance that it hasn't named", nil)
	}
	if state.normal == ledger.Credit {
		return -state.balance, nil
	}
	return state.balance, nil
}

// coming is what the Step's journals, as far as they are made, add to an account on its normal side.
func (w *work) coming(a ledger.Account) (sum int64) {
	for _, j := range w.journals() {
		for _, e := range j.Entries() {
			if keyOf(e.Account) == keyOf(a) {
				sum += e.Amount
			}
		}
	}
	if a.Normal == ledger.Credit {
		return -sum
	}
	return sum
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
