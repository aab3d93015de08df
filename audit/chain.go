package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"paysaga/domain/ledger"
)

// ChainOptions say what to walk.
type ChainOptions struct {
	// Connect opens a connection for each walker.
	Connect func(context.Context) (*pgx.Conn, error)
	// Parallel is how many walk at once. Default 4.
	Parallel int
	// Known are checkpoints that the book has to continue: each block they name must have the hash they name.
	Known []Checkpoint
	// After skips the blocks up to the newest that Known names, except for their hashes.
	After bool
	// Progress is told, now and then, how many of how many blocks are done. May be nil.
	Progress func(done, total int64)
}

// Break is one place where the book isn't what its chain says.
type Break struct {
	Lane   int           `json:"lane"`
	Block  int64         `json:"block"`
	Number ledger.Number `json:"number,string"` // of the journal, or of the block's first
	Cause  string        `json:"cause,omitempty"`
	What   string        `json:"what"`
}

// String is one line for people.
func (b Break) String() string {
	s := fmt.Sprintf("journal %d", b.Number)
	if b.Cause != "" {
		s += " (" + b.Cause + ")"
	}
	return fmt.Sprintf("%s, block %d/%d: %s", s, b.Lane, b.Block, b.What)
}

// ChainReport is what a walk found.
type ChainReport struct {
	Blocks   int64 `json:"blocks"`   // walked
	Journals int64 `json:"journals"` // recomputed
	// Away are the blocks of detached months: their links were checked, their journals are kept elsewhere.
	Away int64 `json:"away"`
	// Unchained is how many journals were booked before there was a chain.
	Unchained int64 `json:"unchained"`
	// Broken counts what is wrong; Breaks are the first of it, by number.
	Broken int64   `json:"broken"`
	Breaks []Break `json:"breaks"`
	// Books are the heads and totals of each book, for a checkpoint, in the snapshot that was walked. Those that aren't in this
	// database are empty.
	Books []Checkpoint `json:"books"`
}

// maxBreaks is how many breaks are kept.
const maxBreaks = 1000

// unit is how many blocks one walker takes at a time.
const unit = 256

// Chain walks all lanes of a database's books in one snapshot: it recomputes each journal's hash, each block's root and hash,
// and holds them against the chain and its heads. What ends a lane can be cut off together with its head: only a checkpoint
// that was kept elsewhere sees that. Only a database that can't be read is an error.
func Chain(ctx context.Context, o ChainOptions) (ChainReport, error) {
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	w := &chainWalk{o: o}
	err := w.run(ctx)
	slices.SortFunc(w.r.Breaks, func(a, b Break) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.Block, b.Block))
	})
	return w.r, unreadable(err)
}

// chainWalk is a walk under way.
type chainWalk struct {
	o        ChainOptions
	snapshot string
	lanes    []laneHead
	away     []span

	mu          sync.Mutex
	r           ChainReport
	done, total int64
}

type span struct{ low, high ledger.Number }

// laneHead is a lane's row, and where its walk begins.
type laneHead struct {
	Lane   int
	Book   string
	Number int64
	Hash   []byte
	Last   ledger.Number
	Ends   int64 // the number of the last block that stands
	after  int64
}

const sqlLaneHeads = `
	SELECT n, coalesce(l.book::text, ''), coalesce(l.number, 0), coalesce(l.hash, ''), coalesce(l.last, 0),
		coalesce((SELECT number FROM blocks WHERE lane = n ORDER BY number DESC LIMIT 1), 0)
	FROM generate_series(0, 255) n LEFT JOIN lanes l ON l.lane = n
	WHERE l.lane IS NOT NULL OR EXISTS (SELECT FROM blocks WHERE lane = n)
	ORDER BY n`

const sqlAway = `SELECT low, high FROM months WHERE attached_at IS NULL`

// sqlRead is how a walker reads: from the one snapshot, always by key, and many small questions with one plan. Workers and
// compiled plans take longer to begin than a block takes to read.
const sqlRead = `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
	SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
	SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_generic_plan`

func (w *chainWalk) run(ctx context.Context) error {
	conn, err := w.o.Connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	if err := prepare(ctx, tx, true); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot()`).Scan(&w.snapshot); err != nil {
		return err
	}
	rows, _ := tx.Query(ctx, sqlLaneHeads)
	w.lanes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l laneHead, err error) {
		return l, row.Scan(&l.Lane, &l.Book, &l.Number, &l.Hash, &l.Last, &l.Ends)
	})
	if err != nil {
		return err
	}
	rows, _ = tx.Query(ctx, sqlAway)
	w.away, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s span, err error) { return s, row.Scan(&s.low, &s.high) })
	if err != nil {
		return err
	}
	w.begin()
	if err := w.walkAll(ctx); err != nil {
		return err
	}
	for _, f := range []func(context.Context, pgx.Tx) error{w.strangers, w.continues, w.books, w.nameFirst} {
		if err := f(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// begin finds where each lane's walk begins, and judges the heads that need no reading.
func (w *chainWalk) begin() {
	for i := range w.lanes {
		l := &w.lanes[i]
		for _, c := range w.o.Known {
			for _, k := range c.Lanes {
				if w.o.After && k.Lane == l.Lane {
					l.after = max(l.after, min(k.Number, l.Ends))
				}
			}
		}
		w.total += l.Ends - l.after
		switch {
		case l.Book == "":
			w.broken(Break{Lane: l.Lane, Block: l.Ends, What: "the lane's head is missing"})
		case l.Number != l.Ends:
			w.broken(Break{Lane: l.Lane, Block: l.Number, Number: l.Last, What: fmt.Sprintf("the lane's head is at block %d, its last block is %d", l.Number, l.Ends)})
		case l.Ends == 0 && ledger.Hash(l.Hash) != ledger.Hash{}:
			w.broken(Break{Lane: l.Lane, What: "the head of an empty lane is wrong"})
		}
	}
}

func (w *chainWalk) broken(b Break) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.r.Broken++
	if w.r.Breaks = append(w.r.Breaks, b); len(w.r.Breaks) > 2*maxBreaks {
		slices.SortFunc(w.r.Breaks, func(a, b Break) int { return cmp.Compare(a.Number, b.Number) })
		w.r.Breaks = w.r.Breaks[:maxBreaks]
	}
}

func (w *chainWalk) progress(blocks int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done += blocks; w.o.Progress != nil {
		w.o.Progress(w.done, w.total)
	}
}

// stretch is a unit of work: blocks from+1 to to of one lane.
type stretch struct {
	lane     *laneHead
	from, to int64
}

// walkAll deals the lanes out in stretches.
func (w *chainWalk) walkAll(ctx context.Context) error {
	work := make(chan stretch)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		for i := range w.lanes {
			l := &w.lanes[i]
			for from := l.after; from < l.Ends; from += unit {
				select {
				case work <- stretch{l, from, min(from+unit, l.Ends)}:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range w.o.Parallel {
		g.Go(func() error { return w.walker(ctx, work) })
	}
	return g.Wait()
}

// walker walks stretches on a connection of its own, in the walk's snapshot.
func (w *chainWalk) walker(ctx context.Context, work <-chan stretch) error {
	var tx pgx.Tx
	for s := range work {
		if tx == nil {
			conn, err := w.o.Connect(ctx)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			if tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SET TRANSACTION SNAPSHOT '`+w.snapshot+`'; `+sqlRead); err != nil {
				return err
			}
		}
		if err := w.stretch(ctx, tx, s); err != nil {
			return err
		}
		w.progress(s.to - s.from)
	}
	return nil
}
