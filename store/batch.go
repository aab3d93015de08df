package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

// batch is the Steps of one transaction.
type batch struct {
	l     *lane
	db    *database
	works []*work
	found *found

	at       time.Time       // when the batch is booked, by the database's clock
	first    ledger.Number   // of the first journal
	calendar ledger.Calendar // the book's closed dates
	posts    bool            // some Step has journals
	mode

	read     map[int64]accountState // accounts that weren't known
	flight   *flight                // nil: not judged yet
	after    map[*flight]bool       // whose balances it believes
	accepted []*work
	rest     []*work // from the first Step on that was refused by what is only believed: to be judged on what stands
	out      writes
}

// mode is how a batch is tried.
type mode struct {
	locked  bool // accounts are locked before it is judged; else their balances are believed, and held against the rows at the end
	asked   bool // causes are looked up before it is judged; else they are believed to be new, which their key proves at the end
	hurried bool // it waits for locks only shortly
}

func newBatch(l *lane, works []*work, m mode) *batch {
	b := &batch{l: l, db: l.c.db, works: works, mode: m, found: newFound(), after: map[*flight]bool{}}
	for _, w := range works {
		w.begin(b)
		b.posts = b.posts || len(w.refs) > 0
	}
	return b
}

// stage says how far a try came.
type stage int

const (
	stageLock   stage = iota // nothing can have been committed
	stageCommit              // COMMIT was sent
)

// try is one transaction. The callers' contexts don't end it: each only takes back its own Step.
func (b *batch) try() (stage, error) {
	if err := b.lock(); err != nil {
		return stageLock, err
	}
	if err := b.judgeAll(); err != nil {
		return stageLock, err
	}
	if len(b.accepted) == 0 {
		b.l.rollback()
		return stageLock, nil
	}
	m := &pgx.Batch{}
	b.writeBooked(m)
	if len(b.after) > 0 {
		if err := b.send(m); err != nil {
			return stageLock, err
		}
		if err := b.follow(); err != nil {
			return stageLock, err
		}
		m = &pgx.Batch{}
	}
	next := b.writeRest(m)
	if err := b.send(m); err != nil {
		return stageCommit, err
	}
	b.l.head = next
	return stageCommit, nil
}

// lock sends the first message.
func (b *batch) lock() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockTime)
	defer cancel()
	if err := b.l.open(ctx); err != nil {
		return err
	}
	return b.l.conn.SendBatch(ctx, b.lockBatch()).Close()
}

// send sends the second message, or a part of it.
func (b *batch) send(m *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	return b.l.conn.SendBatch(ctx, m).Close()
}

// judgeAll judges the Steps in their order, one batch of the process after the other: each believes the balances that the one
// before it has left, committed or not.
func (b *batch) judgeAll() error {
	known := &b.l.c.known
	known.Lock()
	defer known.Unlock()
	if err := b.believe(known); err != nil {
		return err
	}
	b.number()
	b.out.expect(b.works)
	for i, w := range b.works {
		b.judge(w)
		if w.unsure { // nobody is refused for what is only believed, nor overtaken because of it
			b.works, b.rest = b.works[:i], b.works[i:]
			break
		}
	}
	b.flight = &flight{ended: make(chan struct{})}
	known.remember(b.found.accounts.base, b.flight)
	return nil
}

// number gives the batch its time: the database's, and later than everything on the lane and on the accounts before it.
func (b *batch) number() {
	if !b.posts {
		return
	}
	// Rounded up: what is booked is never earlier than what led to it.
	ms := max(ledger.From(b.at).BookedAt().UnixMilli(), b.l.head.last.BookedAt().UnixMilli()+1)
	for _, a := range b.found.accounts.base {
		ms = max(ms, a.last.BookedAt().UnixMilli()+1)
	}
	b.at = time.UnixMilli(ms).UTC()
	b.first = ledger.First(b.at, b.l.head.lane)
}

// judge accepts a Step, or settles what its caller will hear. A Step that is refused changes nothing for those after it.
func (b *batch) judge(w *work) {
	w.verdict, w.reply, w.short, w.unsure = nil, ledger.Receipt{}, false, false
	if err := w.ctx.Err(); err != nil && !w.inDoubt {
		w.verdict = err
		return
	}
	if receipt, stands, err := w.first(); stands || err != nil {
		w.reply, w.verdict = receipt, err
		w.unsure = !b.asked && b.found.causes[w.step.Cause] == nil // its key came before: did its cause?
		return
	}
	if w.verdict = w.judge(); w.verdict != nil || (w.short && !b.locked) {
		w.unsure = !b.asked || w.short && !b.locked
		b.found.drop()
		return
	}
	b.found.keep()
	b.accept(w)
	w.reply = ledger.Receipt{Cause: w.step.Cause, Object: w.lock.object, BookedAt: b.at}
}

// accept adds what the Step writes to what the batch writes, and lets the Steps after it see its causes and keys.
func (b *batch) accept(w *work) {
	b.accepted = append(b.accepted, w)
	for _, row := range w.out.rows {
		b.out.add(row)
	}
	b.out.journals = append(b.out.journals, w.out.journals...)
	b.out.entries = append(b.out.entries, w.out.entries...)
	b.out.leaves = append(b.out.leaves, w.out.leaves...)
	b.found.causes[w.step.Cause] = &causeRow{hash: w.hash, own: true, at: b.at}
	for _, j := range w.out.journals {
		if j.cause != w.step.Cause {
			b.found.causes[j.cause] = &causeRow{hash: w.hash, at: b.at}
		}
	}
	if k := w.lock.idempotency; k != nil {
		b.found.keys[keyOfRequest(*k)] = &keyRow{hash: k.RequestHash, object: w.lock.object, at: w.at}
	}
	b.acceptReversals(w)
}

// deliver answers everybody, after the commit: a refusal, too, stood on what the batch had done before.
func (b *batch) deliver() {
	for _, w := range b.works {
		if w.verdict != nil {
			w.refuse(w.verdict)
			continue
		}
		// Whoever lost the answer to its own COMMIT finds its own cause: to the caller it happened now.
		w.reply.Replayed = w.reply.Replayed && !w.inDoubt
		w.answer(w.reply, nil)
	}
}

// doubt notes that the accepted Steps may have been committed.
func (b *batch) doubt() {
	for _, w := range b.accepted {
		w.inDoubt = true
	}
}

// calendarLock is the class of the advisory locks under which a period or an account is closed and an account made hot; the key
// is the book. Every batch that posts shares it.
const calendarLock = 7262419

const sqlShareCalendar = `SELECT pg_advisory_xact_lock_shared($1, $2)`

const sqlClock = `SELECT now(), (SELECT through FROM closings WHERE book = $1 ORDER BY through DESC LIMIT 1)`

func (b *batch) queueClock(m *pgx.Batch) {
	if b.posts {
		m.Queue(sqlShareCalendar, calendarLock, bookOrdinal(b.book()))
	}
	m.Queue(sqlClock, b.book()).QueryRow(func(row pgx.Row) error {
		var through *time.Time
		err := row.Scan(&b.at, &through)
		if through != nil {
			b.calendar.Through = *through
		}
		return err
	})
}

const sqlInsertBlock = `
	INSERT INTO blocks (lane, number, first, journals, previous, root, leaves) VALUES ($1, $2, $3, $4, $5, $6, $7)`

const sqlMoveHead = `UPDATE lanes SET epoch = $2, number = $3, hash = $4, last = $5 WHERE lane = $1`

// queueBlock chains the batch's journals, and moves the lane's head: the last thing before COMMIT.
func (b *batch) queueBlock(m *pgx.Batch) head {
	next := b.l.head
	if len(b.out.journals) == 0 {
		return next
	}
	block := ledger.NewBlock(next.lane, next.number+1, b.first, next.hash, b.out.leaves)
	next.number, next.hash, next.last = block.Number, block.Hash(), b.first+ledger.Number(block.Journals)-1
	m.Queue(sqlInsertBlock, block.Lane, block.Number, block.First, block.Journals, block.Previous[:], block.Root[:], block.Leaves)
	m.Queue(sqlMoveHead, next.lane, next.epoch, next.number, next.hash[:], next.last)
	return next
}

func keyReused() error {
	return fault.Invalid("idempotency_key_reused", "Idempotency-Key", "this idempotency key came before, with another request")
}
