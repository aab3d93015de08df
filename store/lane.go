package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

const (
	// maxTries bounds how often a batch is tried after a deadlock, a race for a unique key or a lost connection.
	maxTries = 4
	// maxRaces bounds how often a batch gives way to another one that was just ahead.
	maxRaces = 1000
	// lockTime is how long the first message may take, waiting for locks included.
	lockTime = 40 * time.Second
	// settleTime is how long the second message may take: a COMMIT that is on its way is never torn.
	settleTime = 15 * time.Second
)

// lane is one of the book's writers: a connection that holds the lane's lock and is the only one to move its head. It commits
// one batch after the other.
type lane struct {
	c    *committer
	conn *pgx.Conn // nil: not open
	head head
}

// head is the end of the lane's chain, as it is known to be committed.
type head struct {
	lane   int
	epoch  int64
	number int64
	hash   ledger.Hash
	last   ledger.Number
}

// run commits until the committer closes.
func (l *lane) run() {
	defer l.c.ended.Done()
	defer l.drop()
	expected := 1
	for {
		first := l.c.next()
		if first == nil {
			return
		}
		locked := l.c.known.contended()
		if locked {
			l.c.turn.Lock() // lanes that lock would only wait for each other: while one does, Steps gather for the next
		}
		batch := l.c.gather([]*work{first}, expected)
		expected = len(batch) - len(batch)/4
		l.c.flying.Add(int32(len(batch)))
		l.settle(batch, mode{locked: locked, asked: l.c.known.asking()})
		l.c.flying.Add(-int32(len(batch)))
		if locked {
			l.c.turn.Unlock()
		}
	}
}

// settle answers every Step of list.
func (l *lane) settle(list []*work, m mode) {
	races := 0
	for try := 1; ; try++ {
		b := newBatch(l, list, m)
		stage, err := b.try()
		l.learn(b, err)
		asked := m.asked
		m.asked = m.asked || err != nil || b.rest != nil // whatever is tried again is tried on what stands
		switch {
		case err == nil:
			b.deliver()
			if list = b.rest; list == nil {
				return
			}
			m.locked, try = m.locked || list[0].short, 0
			continue
		case stage == stageCommit && lost(err):
			// Not guessed: the next try locks what the Step moves and then reads its cause, or waits at the cause's key, until
			// the old transaction has ended.
			b.doubt()
			l.drop()
		case lost(err), fenced(err):
			l.drop()
		case (raced(err) || err == errForgotten) && races < maxRaces:
			// Somebody else has committed just now, so this comes to an end: each time fewer of the causes are new.
			m.locked = m.locked || moved(err)
			races++
			try--
		case raced(err), err == errForgotten:
			err, try = fault.Unavailable("store_busy", "others bring the same changes all the time", err), maxTries
		case !m.locked && misjudged(err): // by what was only believed: an account was made hot or closed since, or is lower
			m.locked, try = true, try-1
		case !asked && b.flight != nil && fault.Of(failure(err)) != fault.KindUnavailable: // perhaps what its cause stands for has happened
			try--
		case len(list) > 1: // one of them is poison, or wants what somebody holds: the others mustn't suffer
			l.rollback()
			m.hurried = m.hurried || fault.Of(failure(err)) == fault.KindUnavailable // its parts don't wait so long again
			l.settle(list[:len(list)/2], m)
			l.settle(list[len(list)/2:], m)
			return
		default:
			l.rollback()
			list[0].refuse(err)
			return
		}
		l.rollback()
		if try == maxTries {
			for _, w := range list {
				w.refuse(err)
			}
			return
		}
		if l.conn == nil {
			l.pause(time.Duration(try*try) * 20 * time.Millisecond)
		}
	}
}

// learn tells those who believe what b leaves how it ended, and how careful to be for a while.
func (l *lane) learn(b *batch, err error) {
	if b.flight != nil {
		b.flight.end(err != nil)
	}
	if err != nil {
		l.c.known.forget(moved(err))
	}
	if repeated(err) || b.rest != nil && !b.rest[0].short {
		l.c.known.ask()
	}
}

func (l *lane) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.c.stop:
	case <-t.C:
	}
}

// rollback makes the connection ready for the next batch, or lets it go.
func (l *lane) rollback() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := l.conn.Exec(ctx, "rollback"); err != nil {
		l.drop()
	}
}

// drop lets the connection go, and with it the lane.
func (l *lane) drop() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx)
	l.conn = nil
}

// laneLock is the class of the advisory locks that hold lanes; the key is the lane.
const laneLock = 7262420

const sqlLanes = `SELECT lane FROM lanes WHERE book = $1 ORDER BY lane`

const sqlHoldLane = `SELECT pg_try_advisory_lock($1, $2)`

const sqlMakeLane = `
	INSERT INTO lanes (lane, book) SELECT coalesce(max(lane), -1) + 1, $1 FROM lanes
	ON CONFLICT DO NOTHING`

// A new holder is a new epoch: whoever believes to hold the lane still can't move its head.
const sqlTakeLane = `UPDATE lanes SET epoch = epoch + 1 WHERE lane = $1 RETURNING lane, epoch, number, hash, last`

// open connects, and takes a lane that nobody holds. If all are held, it makes one more.
func (l *lane) open(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	conn, err := l.c.db.connect(ctx)
	if err != nil {
		return err
	}
	for {
		rows, _ := conn.Query(ctx, sqlLanes, l.c.book)
		lanes, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
		for _, lane := range lanes {
			var held bool
			if err := conn.QueryRow(ctx, sqlHoldLane, laneLock, lane).Scan(&held); err != nil {
				return errors.Join(err, conn.Close(ctx))
			}
			if !held {
				continue
			}
			var hash []byte
			h := head{}
			if err := conn.QueryRow(ctx, sqlTakeLane, lane).Scan(&h.lane, &h.epoch, &h.number, &hash, &h.last); err != nil {
				return errors.Join(err, conn.Close(ctx))
			}
			h.hash = ledger.Hash(hash)
			l.conn, l.head = conn, h
			return nil
		}
		if len(lanes) > ledger.MaxLane-1 {
			return errors.Join(fault.Unavailable("store_lanes_taken", "too many processes write this book", nil), conn.Close(ctx))
		}
		if _, err := conn.Exec(ctx, sqlMakeLane, l.c.book); err != nil {
			return errors.Join(err, conn.Close(ctx))
		}
	}
}

// fenced says that the lane has another holder.
func fenced(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.ConstraintName == "lane_fenced" || pg.Code == "23505" &&
		(pg.ConstraintName == "blocks_pkey" || strings.HasPrefix(pg.TableName, "journals_"))
}
