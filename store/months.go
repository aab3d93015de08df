package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
)

// Month is a month of the ledger's journals and entries, of all books of a database.
type Month struct {
	Month    time.Time // its first day, UTC
	Attached bool      // its journals and entries can be read
	// Detached and Journals say when it was detached last, and what it held; zero if it never was.
	Detached          time.Time
	Journals, Entries int64
	Bytes             int64 // on disk, indexes included
}

const sqlMakeMonths = `SELECT make_months($1)`

// MakeMonths makes the partitions of this month and of as many as ahead after it, at most 24, in every database, where they
// don't stand yet, and says how many it made.
func (s *Store) MakeMonths(ctx context.Context, ahead int) (int, error) {
	made := 0
	for _, db := range s.dbs {
		var n int
		if err := db.pool.QueryRow(ctx, sqlMakeMonths, ahead).Scan(&n); err != nil {
			return made, failure(err)
		}
		made += n
	}
	return made, nil
}

const sqlListMonths = `
	SELECT to_date(substr(c.relname, 10), 'YYYY_MM'), i.inhrelid IS NOT NULL, m.detached_at, coalesce(m.journals, 0), coalesce(m.entries, 0),
		pg_total_relation_size(c.oid) + coalesce(pg_total_relation_size(to_regclass('entries_' || substr(c.relname, 10))), 0)
	FROM pg_class c
	LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
	LEFT JOIN LATERAL (SELECT detached_at, journals, entries FROM months WHERE month = to_date(substr(c.relname, 10), 'YYYY_MM')
		ORDER BY detached_at DESC LIMIT 1) m ON true
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^journals_[0-9]{4}_[0-9]{2}$'
	UNION ALL
	SELECT month, false, detached_at, journals, entries, 0 FROM months
	WHERE attached_at IS NULL AND to_regclass('journals_' || to_char(month, 'YYYY_MM')) IS NULL
	ORDER BY 1`

// ListMonths lists the months of the first database, or of a book's own, the oldest first: those that are attached, those
// that are detached and still beside, and those that are gone.
func (s *Store) ListMonths(ctx context.Context) ([]Month, error) {
	rows, err := s.dbs[0].pool.Query(ctx, sqlListMonths)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Month, err error) {
		var detached *time.Time
		err = row.Scan(&m.Month, &m.Attached, &detached, &m.Journals, &m.Entries, &m.Bytes)
		m.Detached = value(detached)
		return m, err
	})
	return list, failure(err)
}

func monthGone(m time.Time, what string) error {
	return fault.Conflict("month_detached", "the month "+m.Format("2006-01")+" "+what)
}
