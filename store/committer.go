package store

import (
	"sync"
	"sync/atomic"
	"time"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

const (
	// maxBytes bounds what a batch sends, about.
	maxBytes = 4 << 20
	// gatherFor is how long a busy lane waits for the Steps that it expects.
	gatherFor = 2 * time.Millisecond
)

// committer gathers the Steps of one book and hands them to its lanes.
type committer struct {
	s     *Store
	db    *database
	book  id.Book
	queue chan *work
	stop  chan struct{}

	mu     sync.Mutex
	lanes  int // how many are running
	closed bool
	idle   atomic.Int32 // lanes that wait for a Step
	flying atomic.Int32 // Steps that lanes have taken and not yet answered
	ended  sync.WaitGroup

	known known
	turn  sync.Mutex // held by the lane that locks accounts, while that is how the book is written
}

// committer finds or starts the one of a book.
func (d *database) committer(s *Store, book id.Book) *committer {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.committers[book]
	if c == nil {
		c = &committer{s: s, db: d, book: book, queue: make(chan *work, s.limits.queue), stop: make(chan struct{})}
		if d.committers == nil {
			d.committers = map[id.Book]*committer{}
		}
		d.committers[book] = c
	}
	return c
}

// enqueue never waits: a queue that is full says so, before anything has happened.
func (c *committer) enqueue(w *work) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fault.Unavailable("store_closed", "the store is closed", nil)
	}
	select {
	case c.queue <- w:
	default:
		return fault.Unavailable("store_queue_full", "too many changes are waiting already; try again", nil)
	}
	if c.lanes < c.s.limits.lanes && int(c.idle.Load()) < len(c.queue) {
		l := &lane{c: c}
		c.lanes++
		c.ended.Add(1)
		go l.run()
	}
	return nil
}

// close lets running batches end; Steps that wait are refused.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.stop)
	c.ended.Wait()
	for {
		select {
		case w := <-c.queue:
			if w.stage.CompareAndSwap(waiting, taken) {
				w.refuse(fault.Unavailable("store_closed", "the store is closed", nil))
			}
		default:
			return
		}
	}
}

// next is the next Step that is still wanted; nil when the committer closes.
func (c *committer) next() *work {
	c.idle.Add(1)
	defer c.idle.Add(-1)
	for {
		select {
		case <-c.stop:
			return nil
		case w := <-c.queue:
			if w.stage.CompareAndSwap(waiting, taken) {
				return w
			}
		}
	}
}

// gather takes what is there, in arrival order. A lane that was busy waits a little until about as many Steps have come as
// last time: their callers have just had their answers, and are on their way back. And it waits for its share of all that are under
// way: what a batch costs by itself is a journal's twentyfold, so lanes that are busy at once do better with two large ones than with
// many small ones. An idle one doesn't wait.
func (c *committer) gather(batch []*work, expected int) []*work {
	bytes, journals := 0, 0
	for _, w := range batch {
		bytes, journals = bytes+w.size, journals+w.maxJournals()
	}
	var late <-chan time.Time
	for len(batch) < c.s.limits.batch && bytes < maxBytes && journals < ledger.MaxBlock/2 {
		var w *work
		select {
		case w = <-c.queue:
		default:
			if len(batch) >= max(expected, (int(c.flying.Load())+len(batch))/2) {
				return batch
			}
			if late == nil {
				late = time.After(gatherFor)
			}
			select {
			case w = <-c.queue:
			case <-late:
				return batch
			case <-c.stop:
				return batch
			}
		}
		if w.stage.CompareAndSwap(waiting, taken) {
			batch = append(batch, w)
			bytes, journals = bytes+w.size, journals+w.maxJournals()
		}
	}
	return batch
}

// bookOrdinal is a book as a number, for locks.
func bookOrdinal(b id.Book) int32 {
	for i, other := range id.Books() {
		if other == b {
			return int32(i)
		}
	}
	return -1
}
