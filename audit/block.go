package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

const sqlBlocks = `
	SELECT number, first, journals, previous, root, leaves FROM blocks WHERE lane = $1 AND number BETWEEN $2 AND $3 ORDER BY number`

// readBlocks reads a lane's blocks from one number to another.
func readBlocks(ctx context.Context, tx pgx.Tx, lane int, from, to int64) ([]ledger.Block, error) {
	rows, _ := tx.Query(ctx, sqlBlocks, lane, from, to)
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Block, error) {
		b := ledger.Block{Lane: lane}
		var previous, root []byte
		err := row.Scan(&b.Number, &b.First, &b.Journals, &previous, &root, &b.Leaves)
		copy(b.Previous[:], previous)
		copy(b.Root[:], root)
		return b, err
	})
}

// stretch holds blocks against the one before each and against their journals.
func (w *chainWalk) stretch(ctx context.Context, tx pgx.Tx, s stretch) error {
	blocks, err := readBlocks(ctx, tx, s.lane.Lane, max(s.from, 1), s.to)
	if err != nil {
		return err
	}
	before := ledger.Block{Lane: s.lane.Lane}
	var previous ledger.Hash
	if s.from > 0 && len(blocks) > 0 && blocks[0].Number == s.from {
		before, blocks = blocks[0], blocks[1:]
		previous = before.Hash()
	} else if s.from > 0 {
		before.Number = s.from - 1 // it is missing: the stretch that it belongs to says so, too
	}
	var here []ledger.Block
	for _, b := range blocks {
		for n := before.Number + 1; n < b.Number; n++ {
			w.broken(Break{Lane: b.Lane, Block: n, Number: b.First, What: "the block is missing"})
		}
		switch {
		case b.Number == before.Number+1 && b.Previous != previous:
			w.broken(Break{Lane: b.Lane, Block: b.Number, Number: b.First, What: "the link to the block before is broken"})
		case b.First < before.First+ledger.Number(before.Journals):
			w.broken(Break{Lane: b.Lane, Block: b.Number, Number: b.First, What: "the block begins before the last one ends"})
		}
		if w.isAway(b.First) {
			w.mu.Lock()
			w.r.Away++
			w.mu.Unlock()
		} else {
			here = append(here, b)
		}
		before, previous = b, b.Hash()
	}
	if l := s.lane; s.to == l.Ends && l.Book != "" && l.Number == l.Ends &&
		(!bytes.Equal(l.Hash, previous[:]) || l.Last != before.First+ledger.Number(before.Journals-1)) {
		w.broken(Break{Lane: l.Lane, Block: l.Ends, Number: before.First, What: "the lane's head isn't that of its last block"})
	}
	w.mu.Lock()
	w.r.Blocks += int64(len(blocks))
	w.mu.Unlock()
	return w.contents(ctx, tx, s.lane, here)
}

func (w *chainWalk) isAway(n ledger.Number) bool {
	for _, s := range w.away {
		if n >= s.low && n < s.high {
			return true
		}
	}
	return false
}

// sqlBooked reads journals as they stand, a row per leg. What a leaf needs and isn't there comes as nothing.
const sqlBooked = `
	SELECT j.no, j.book::text, j.cause, j.kind, coalesce(j.reverses, 0), j.effective_at, coalesce(c.hash, ''), coalesce(a.code, ''),
		coalesce(a.currency, ''), coalesce(e.amount, 0)
	FROM journals j
	LEFT JOIN LATERAL (SELECT hash FROM causes WHERE book = j.book AND cause = j.cause OFFSET 0) c ON true
	LEFT JOIN LATERAL (SELECT account, amount, leg FROM entries WHERE journal = j.no OFFSET 0) e ON true
	LEFT JOIN LATERAL (SELECT code, currency FROM accounts WHERE no = e.account OFFSET 0) a ON true`

// bookedReader gathers the rows of sqlBooked, ordered by number and leg, into journals.
type bookedReader struct {
	each func(ledger.Booked)
	now  ledger.Booked
	row  struct {
		ledger.Booked
		book string
		at   time.Time
		leg  ledger.BookedLeg
	}
}

func (r *bookedReader) read(rows pgx.Rows) error {
	x := &r.row
	targets := []any{&x.Number, &x.book, &x.Cause, &x.Kind, &x.Reverses, &x.at, &x.Step, &x.leg.Code, &x.leg.Currency, &x.leg.Amount}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		if r.now.Number != x.Number {
			r.flush()
			legs := r.now.Legs[:0]
			r.now = x.Booked
			r.now.Book, r.now.EffectiveAt, r.now.Legs = id.Book(x.book), x.at, legs
		}
		r.now.Legs = append(r.now.Legs, x.leg)
	}
	r.flush()
	return rows.Err()
}

func (r *bookedReader) flush() {
	if r.now.Number != 0 {
		r.each(r.now)
	}
	r.now.Number = 0
}

// contents holds blocks against the journals that stand under their numbers, those of all places in their millisecond.
func (w *chainWalk) contents(ctx context.Context, tx pgx.Tx, l *laneHead, blocks []ledger.Block) error {
	b := &pgx.Batch{}
	for _, block := range blocks {
		b.Queue(sqlBooked+` WHERE j.no >= $1 AND j.no < $2 ORDER BY j.no, e.leg`, block.First, block.First+ledger.Number(block.Journals)).
			Query(func(rows pgx.Rows) error {
				v := blockJudge{block: block, book: l.Book, broken: w.broken, next: block.First}
				r := bookedReader{each: v.journal}
				err := r.read(rows)
				v.end()
				w.mu.Lock()
				w.r.Journals += int64(len(v.leaves))
				w.mu.Unlock()
				return err
			})
	}
	return tx.SendBatch(ctx, b).Close()
}

// blockJudge takes a block's journals in order.
type blockJudge struct {
	block   ledger.Block
	book    string
	broken  func(Break)
	next    ledger.Number
	leaves  []ledger.Hash
	differs bool
}

func (v *blockJudge) found(n ledger.Number, cause, what string) {
	v.differs = true
	v.broken(Break{Lane: v.block.Lane, Block: v.block.Number, Number: n, Cause: cause, What: what})
}

func (v *blockJudge) missing(to ledger.Number) {
	for ; v.next < to; v.next++ {
		v.found(v.next, "", "the journal is missing")
	}
}

func (v *blockJudge) journal(j ledger.Booked) {
	v.missing(j.Number)
	v.next = j.Number + 1
	leaf := j.Leaf()
	v.leaves = append(v.leaves, leaf)
	at := int(j.Number-v.block.First) * ledger.LeafBytes
	if end := at + ledger.LeafBytes; end > len(v.block.Leaves) || !bytes.Equal(v.block.Leaves[at:end], leaf[:ledger.LeafBytes]) {
		v.found(j.Number, j.Cause, "the journal isn't what was booked")
	} else if string(j.Book) != v.book && v.book != "" {
		v.found(j.Number, j.Cause, "the journal is of another book than its lane")
	}
}

func (v *blockJudge) end() {
	v.missing(v.block.First + ledger.Number(v.block.Journals))
	if !v.differs && (ledger.Root(v.leaves) != v.block.Root || len(v.block.Leaves) != v.block.Journals*ledger.LeafBytes) {
		v.found(v.block.First, "", fmt.Sprintf("the root isn't that of the block's %d journals", v.block.Journals))
	}
}
