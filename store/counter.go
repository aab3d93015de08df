package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/risk"
)

// count moves a payment's counters, if the verdict stands under their locks.
type count struct{ risk.Count }

// lockedCounter is a counter's row; one that isn't there yet is made by the batch.
type lockedCounter struct {
	risk.Value
	fresh bool
}

const sqlLockCounters = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(key) CROSS JOIN LATERAL (
		SELECT key, count, sum_minor FROM risk_counters WHERE book = $1 AND key = n.key FOR UPDATE) c`

// A counter that two batches make at once is decided by its key: the later one is judged again. Many Steps of a batch move one
// counter, and what the last of them leaves is written.
var (
	insertCounter = newWriter("risk_counters", `key text, count bigint, sum_minor bigint, ends_at timestamptz`, `
		INSERT INTO risk_counters (book, key, count, sum_minor, ends_at)
		SELECT $1, key, count, sum_minor, ends_at FROM n ORDER BY key`).ranked(4).lasting()
	updateCounter = updating("risk_counters", `key text, count bigint, sum_minor bigint, ends_at timestamptz`, `key = n.key`,
		`count = n.count, sum_minor = n.sum_minor`).lasting()
)

func (c count) claim(l *locks) {
	for _, counter := range c.Screening.Counters {
		l.counters = append(l.counters, counter.Key)
	}
}

func (c count) judge(w *work) error {
	now := make(map[string]risk.Value, len(c.Screening.Counters))
	for _, counter := range c.Screening.Counters {
		if row := w.b.found.counters.get(counter.Key); row != nil {
			now[counter.Key] = row.Value
		}
	}
	after, err := c.Judge(now)
	if err != nil || after == nil {
		return err
	}
	for _, counter := range c.Screening.Counters {
		row := w.b.found.counters.get(counter.Key)
		next := lockedCounter{Value: after[counter.Key], fresh: row == nil || row.fresh}
		w.b.found.counters.put(counter.Key, next)
		to := updateCounter
		if next.fresh {
			to = insertCounter
		}
		w.write(to, counter.Key, counter.Key, next.Count, next.SumMinor, counter.End)
	}
	return nil
}

func (b *batch) queueCounters(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.counters })
	if list == nil {
		return
	}
	m.Queue(sqlLockCounters, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var c lockedCounter
			if err := rows.Scan(&key, &c.Count, &c.SumMinor); err != nil {
				return err
			}
			b.found.counters.find(key, c)
		}
		return rows.Err()
	})
}

const sqlReadCounters = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(key) CROSS JOIN LATERAL (
		SELECT key, count, sum_minor FROM risk_counters WHERE book = $1 AND key = n.key OFFSET 0) c`

// RiskData reads what stands on lists of a payment, and what its counters stand at, in one round trip. Nothing is locked: the
// Step that moves the counters decides once more.
func (s *Store) RiskData(ctx context.Context, book id.Book, merchantID string, values []risk.Listed, counters []risk.Counter) (hits []risk.Entry, now map[string]risk.Value, err error) {
	db, err := s.db(book)
	if err != nil {
		return nil, nil, err
	}
	now = map[string]risk.Value{}
	m := &pgx.Batch{}
	if len(values) > 0 {
		kinds, texts := make([]string, len(values)), make([]string, len(values))
		for i, v := range values {
			kinds[i], texts[i] = string(v.Kind), v.Value
		}
		m.Queue(sqlHits, book, merchantID, kinds, texts, s.clock()).Query(func(rows pgx.Rows) (err error) {
			hits, err = pgx.CollectRows(rows, scanHit)
			return err
		})
	}
	if len(counters) > 0 {
		keys := make([]string, len(counters))
		for i, c := range counters {
			keys[i] = c.Key
		}
		m.Queue(sqlReadCounters, book, keys).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var key string
				var v risk.Value
				if err := rows.Scan(&key, &v.Count, &v.SumMinor); err != nil {
					return err
				}
				now[key] = v
			}
			return rows.Err()
		})
	}
	if m.Len() == 0 {
		return nil, now, nil
	}
	return hits, now, failure(db.pool.SendBatch(ctx, m).Close())
}

// counterGrace is how long an ended counter stays: a payment that was received in its window may be opened later.
const counterGrace = 48 * time.Hour

const sqlSweepCounters = `
	DELETE FROM risk_counters WHERE (book, key) IN (
		SELECT book, key FROM risk_counters
		WHERE ends_at < $1 AND book = ANY($3::text[]::book[]) ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED)`

// SweepCounters deletes counters whose window ended long ago; more: there are others.
func (s *Store) SweepCounters(ctx context.Context, limit int) (more bool, err error) {
	for _, db := range s.dbs {
		tag, err := db.pool.Exec(ctx, sqlSweepCounters, s.clock().Add(-counterGrace), limit, bookNames(db.books))
		if err != nil {
			return false, failure(err)
		}
		more = more || tag.RowsAffected() == int64(limit)
	}
	return more, nil
}

func cutKey(key string) (kind, merchantID string) {
	kind, merchantID, _ = strings.Cut(key, "/")
	return kind, merchantID
}
