package audit

import (
	"context"
	"crypto/sha256"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/ledger"
)

// MonthProof is what a month of a book holds: the same before it is detached and after it is attached again.
type MonthProof struct {
	Journals, Entries int64
	Digest            [sha256.Size]byte // over the hashes of its journals, in the order of their numbers
}

const sqlMonthLanes = `SELECT lane, min(number), max(number) FROM blocks WHERE first >= $1 AND first < $2 GROUP BY lane ORDER BY lane`

// Month reads the journals from low on, below high, and holds them against all blocks of that time. Breaks are the first
// of what is wrong.
func Month(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (MonthProof, []Break, error) {
	w := &chainWalk{}
	p, err := w.month(ctx, tx, low, high)
	return p, w.r.Breaks, unreadable(err)
}

func (w *chainWalk) month(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (MonthProof, error) {
	var p MonthProof
	if _, err := tx.Exec(ctx, sqlRead); err != nil {
		return p, err
	}
	var list []stretch
	var s stretch
	var lane int
	rows, _ := tx.Query(ctx, sqlMonthLanes, low, high)
	if _, err := pgx.ForEachRow(rows, []any{&lane, &s.from, &s.to}, func() error {
		s.lane = &laneHead{Lane: lane}
		list = append(list, s)
		return nil
	}); err != nil {
		return p, err
	}
	for _, s := range list {
		for from := s.from; from <= s.to; from += unit {
			blocks, err := readBlocks(ctx, tx, s.lane.Lane, from, min(from+unit-1, s.to))
			if err == nil {
				err = w.contents(ctx, tx, s.lane, blocks)
			}
			if err != nil {
				return p, err
			}
		}
	}
	return w.digest(ctx, tx, low, high)
}

// digest reads the month again in the order of its numbers, whatever lane, and counts what stands in no block.
func (w *chainWalk) digest(ctx context.Context, tx pgx.Tx, low, high ledger.Number) (MonthProof, error) {
	var p MonthProof
	h := sha256.New()
	chained := int64(0)
	r := bookedReader{each: func(j ledger.Booked) {
		leaf := j.Leaf()
		h.Write(leaf[:])
		p.Journals++
		p.Entries += int64(len(j.Legs))
		if j.Number.Lane() != ledger.MaxLane {
			chained++
		}
	}}
	rows, err := tx.Query(ctx, sqlBooked+` WHERE j.no >= $1 AND j.no < $2 ORDER BY j.no, e.leg`, low, high)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	if err := r.read(rows); err != nil {
		return p, err
	}
	h.Sum(p.Digest[:0])
	if chained > w.r.Journals {
		w.broken(Break{Number: low, What: "journals stand in no block"})
	}
	return p, nil
}
