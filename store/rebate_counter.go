package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// lockedCap is a counter of rebates under lock (rebate.Counters). A Step that claims one in locks.caps reads it with counted and moves
// it with count; it falls only where a promise that took of it is corrected.
type lockedCap struct {
	minor int64
	fresh bool // the batch makes it
}

const sqlLockCaps = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(key) CROSS JOIN LATERAL (
		SELECT key, minor FROM rebate_counters WHERE book = $1 AND key = n.key FOR UPDATE) c`

// A counter that two batches make at once is decided by its key: the later one is judged again.
var (
	insertCap = newWriter("rebate_counters", `key text, minor bigint`, `
		INSERT INTO rebate_counters (book, key, minor) SELECT $1, key, minor FROM n ORDER BY key`).ranked(5).lasting()
	updateCap = updating("rebate_counters", `key text, minor bigint`, `key = n.key`, `minor = n.minor`).lasting()
)

func (b *batch) queueCaps(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.caps })
	if list == nil {
		return
	}
	m.Queue(sqlLockCaps, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var c lockedCap
			if err := rows.Scan(&key, &c.minor); err != nil {
				return err
			}
			b.found.caps.find(key, c)
		}
		return rows.Err()
	})
}

// counted is what counters stand at, of those that are there: what rebate.Rate asks for.
func (w *work) counted(keys []string) map[string]int64 {
	now := make(map[string]int64, len(keys))
	for _, k := range keys {
		if row := w.b.found.caps.get(k); row != nil {
			now[k] = row.minor
		}
	}
	return now
}

// count moves counters by what rebate.Rate has taken of them.
func (w *work) count(takes map[string]int64) error {
	for key, minor := range takes {
		row := w.b.found.caps.get(key)
		next := lockedCap{minor: minor, fresh: row == nil || row.fresh}
		if row != nil {
			next.minor += row.minor
		}
		if next.minor < 0 {
			return fault.Internal("a counter gives back more than was taken of it", nil)
		}
		if next.minor < minor {
			return fault.Invalid("amount_overflow", "", "a counter is larger than we can hold")
		}
		w.b.found.caps.put(key, next)
		to := updateCap
		if next.fresh {
			to = insertCap
		}
		w.write(to, key, key, next.minor)
	}
	return nil
}

const sqlReadCaps = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(key) CROSS JOIN LATERAL (
		SELECT key, minor FROM rebate_counters WHERE book = $1 AND key = n.key OFFSET 0) c`

// RebateCounters reads counters without a lock, for simulations; what isn't there is 0.
func (s *Store) RebateCounters(ctx context.Context, book id.Book, keys []string) (map[string]int64, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	now := make(map[string]int64, len(keys))
	rows, err := db.pool.Query(ctx, sqlReadCaps, book, keys)
	if err != nil {
		return nil, failure(err)
	}
	var key string
	var minor int64
	_, err = pgx.ForEachRow(rows, []any{&key, &minor}, func() error { now[key] = minor; return nil })
	return now, failure(err)
}
