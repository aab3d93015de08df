package store

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// ReaderName is the application_name of sessions that read long and promise to book nothing: the horizon doesn't wait for them.
const ReaderName = "paysaga reader"

// A batch is booked at its transaction's start or later, so nothing can be booked any more before the start of the oldest
// transaction that runs. The second covers the moments between starting and being seen. It has to be read before the snapshot
// of what is answered. READ COMMITTED gives each statement of a message one of its own.
const sqlHorizon = `
	SELECT least(now(), min(xact_start)) - interval '1 second'
	FROM pg_stat_activity
	WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
		AND application_name <> '` + ReaderName + `'`

// The numbers from which on nothing is kept elsewhere.
const sqlSince = `SELECT coalesce(max(high), 0) FROM months WHERE attached_at IS NULL`

// horizon is what can be asked about a database: instants up to final, and journals from since on. Of what is older, months are kept
// elsewhere.
type horizon struct {
	final time.Time
	since ledger.Number
}

// horizon reads it; more is asked in the same message, behind it.
func (db *database) horizon(ctx context.Context, more ...func(*pgx.Batch)) (h horizon, err error) {
	b := &pgx.Batch{}
	b.Queue(sqlHorizon).QueryRow(func(row pgx.Row) error { return row.Scan(&h.final) })
	b.Queue(sqlSince).QueryRow(func(row pgx.Row) error { return row.Scan(&h.since) })
	for _, ask := range more {
		ask(b)
	}
	// Within the horizon's own millisecond something may still be booked.
	err = db.pool.SendBatch(ctx, b).Close()
	if err == nil {
		h.final = db.told.raise(h.final.UTC().Truncate(time.Millisecond).Add(-time.Millisecond))
	}
	return h, failure(err)
}

// told is the latest instant that was called final. What was final stays so: a transaction that was seen a moment late doesn't take
// it back.
type told struct {
	mu sync.Mutex
	at time.Time
}

func (t *told) raise(at time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.After(t.at) {
		t.at = at
	}
	return t.at
}

// Horizon is the last instant up to which a book can't change any more: what is asked "at" may not lie beyond it. It stays
// about a second behind, and behind the oldest transaction under way.
func (s *Store) Horizon(ctx context.Context, book id.Book) (time.Time, error) {
	db, err := s.db(book)
	if err != nil {
		return time.Time{}, err
	}
	h, err := db.horizon(ctx)
	return h.final, err
}

// admit refuses an instant that isn't final ("at_not_final"), and one of a month that is kept elsewhere ("at_detached") unless the account
// was opened after it.
func (h horizon) admit(param string, at, opened time.Time) error {
	switch {
	case at.Truncate(time.Millisecond).After(h.final):
		text := h.final.Format(ledger.InstantFormat)
		return fault.Invalid("at_not_final", param, "the books are final up to "+text+"; later instants can still change").WithDetail("final_up_to", text)
	case h.elsewhere(at) && !beforeMonth(at, opened):
		return h.detached(param)
	}
	return nil
}

// elsewhere says whether journals that follow at are missing.
func (h horizon) elsewhere(at time.Time) bool { return ledger.After(at) < h.since }

func (h horizon) detached(param string) error {
	return fault.Invalid("at_detached", param, "the journals of that time are kept elsewhere; here they begin with "+h.since.BookedAt().Format(time.DateOnly))
}

// beforeMonth says whether at lies in a month before that of t. Our clock, which opens accounts, may be a little off the
// database's, which books: months are far enough apart.
func beforeMonth(at, t time.Time) bool {
	at, t = at.UTC(), t.UTC()
	return at.Year() < t.Year() || at.Year() == t.Year() && at.Month() < t.Month()
}

// since1970 raises an instant to the first that a number can tell. Nothing was booked before.
func since1970(at time.Time) time.Time {
	if at.Unix() < 0 {
		return time.Unix(0, 0).UTC()
	}
	return at.UTC()
}

// Span is what of a book can be read as a whole: every journal from number first on, up to the instant final. What is older than first is
// kept elsewhere; 0: nothing is.
func (s *Store) Span(ctx context.Context, book id.Book) (first ledger.Number, final time.Time, err error) {
	db, err := s.db(book)
	if err != nil {
		return 0, time.Time{}, err
	}
	h, err := db.horizon(ctx)
	return h.since, h.final, err
}
