package store

import (
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"paysaga/domain/fault"
)

// known is what a process believes of a book's accounts: what its batches have left, committed or still on their way. A batch
// that is judged on it need not lock accounts before its very end, so two batches of a process overlap. Belief is never
// the last word: a batch moves an account only from the journal it believed to be the last, or rolls back; and nobody is refused
// for a balance that was only believed.
type known struct {
	sync.Mutex
	accounts map[int64]accountState
	moving   spell // accounts are locked first: other processes move them
	coming   spell // causes are looked up first: some come again
}

// spell is a while in which nothing is believed. Each that follows soon after another one lasts twice as long.
type spell struct {
	until time.Time
	last  time.Duration
}

func (s *spell) begin() {
	now := time.Now()
	if now.Sub(s.until) > longestSpell {
		s.last = shortestSpell
	} else {
		s.last = min(2*s.last, longestSpell)
	}
	s.until = now.Add(s.last)
}

func (s *spell) holds() bool { return time.Now().Before(s.until) }

const (
	// maxKnown bounds the accounts that are remembered.
	maxKnown = 1 << 18
	// shortestSpell and longestSpell are for how long accounts are locked first, after another process has moved one, and causes
	// are looked up first, after one came again.
	shortestSpell = 100 * time.Millisecond
	longestSpell  = 5 * time.Second
)

// errForgotten asks for the batch to be tried anew: what it wanted to believe was given up meanwhile.
var errForgotten = fault.Unavailable("store_raced", "another request was just ahead; try again", nil)

// missing drops what is known from a list of accounts.
func (k *known) missing(list []int64) []int64 {
	k.Lock()
	defer k.Unlock()
	if k.accounts == nil || len(k.accounts) > maxKnown {
		k.accounts = map[int64]accountState{}
	}
	var unknown []int64
	for _, no := range list {
		if _, ok := k.accounts[no]; !ok {
			unknown = append(unknown, no)
		}
	}
	return unknown
}

// remember keeps what a batch leaves.
func (k *known) remember(of map[int64]*accountState, by *flight) {
	for no, a := range of {
		if a.last != a.was {
			a.by = by
		}
		k.accounts[no] = *a
	}
}

// flight is a batch that was judged, for those who believe what it leaves.
type flight struct {
	ended  chan struct{}
	failed bool // it has rolled back, or nobody knows
}

func (f *flight) over() bool {
	select {
	case <-f.ended:
		return !f.failed
	default:
		return false
	}
}

func (f *flight) end(failed bool) {
	f.failed = failed
	close(f.ended)
}

// follow waits for the batches whose balances b believes: it must not move their accounts before they have.
func (b *batch) follow() error {
	for f := range b.after {
		<-f.ended
		if f.failed {
			return errForgotten
		}
	}
	return nil
}

// forget gives everything up, after a batch that others may have believed has failed. moved: because another process is
// writing the same accounts.
func (k *known) forget(moved bool) {
	k.Lock()
	defer k.Unlock()
	k.accounts = map[int64]accountState{}
	if moved {
		k.moving.begin()
	}
}

// contended reports whether other processes were seen to move the same accounts lately.
func (k *known) contended() bool {
	k.Lock()
	defer k.Unlock()
	return k.moving.holds()
}

// asking reports whether causes have come again lately.
func (k *known) asking() bool {
	k.Lock()
	defer k.Unlock()
	return k.coming.holds()
}

// ask has causes looked up for a while: one came again, or a Step was refused that may only have come again.
func (k *known) ask() {
	k.Lock()
	defer k.Unlock()
	k.coming.begin()
}

// believe gives b the accounts that its Steps move: as they are locked, as they are believed, or as they were read.
func (b *batch) believe(k *known) error {
	if k.accounts == nil {
		k.accounts = map[int64]accountState{}
	}
	for _, w := range b.works {
		for _, r := range w.refs {
			if _, ok := b.found.accounts.base[r.no]; ok {
				continue
			}
			a, ok := k.accounts[r.no]
			if b.locked || !ok {
				a, ok = b.read[r.no]
			}
			if !ok {
				return errForgotten
			}
			a.was = a.last
			if a.by != nil && !a.by.over() {
				b.after[a.by] = true
			}
			b.found.accounts.find(r.no, a)
		}
	}
	return nil
}

// moved reports that an account wasn't as believed.
func moved(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == "all_moved"
}

// repeated reports that a cause stood already.
func repeated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == "causes_pkey"
}

// misjudged reports that the database has refused what Go had accepted.
func misjudged(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514"
}
