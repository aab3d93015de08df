package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Closing says that a book's dates are closed, all up to Through: nothing is booked under them any more.
type Closing struct {
	Book    id.Book
	Through time.Time // midnight UTC of the last closed date
	At      time.Time
	By      ledger.Principal
}

const sqlNewestClosing = `SELECT through, (now() AT TIME ZONE 'UTC')::date FROM (SELECT 1) one
	LEFT JOIN (SELECT through FROM closings WHERE book = $1 ORDER BY through DESC LIMIT 1) c ON true`

// It is closed at the clock's time under the lock, and not before what the lanes have booked: numbers may run a little ahead.
const sqlClosePeriod = `
	INSERT INTO closings (book, through, at, by_kind, by_id, reason)
	SELECT $1, $2, greatest(clock_timestamp(), (SELECT booked_at(max(last)) FROM lanes WHERE book = $1)), $3, $4, $5
	RETURNING at`

// ClosePeriod closes a book's dates up to through, a date in UTC, for good. It refuses a date that isn't over
// ("period_not_over"), one that is closed already ("period_closed"), and to do it without a reason. by is an operator or a
// service.
func (s *Store) ClosePeriod(ctx context.Context, book id.Book, through time.Time, by ledger.Principal) (Closing, error) {
	c := Closing{Book: book, Through: dateOf(through), By: by}
	switch {
	case by.Reason == "":
		return c, fault.Invalid("reason_required", "reason", "people say why")
	case by.ID == "" || by.Kind != ledger.ByOperator && by.Kind != ledger.ByService:
		return c, fault.Denied("operator_required", "an operator closes a period")
	}
	db, err := s.db(book)
	if err != nil {
		return c, err
	}
	return c, failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlExcludeBatches, calendarLock, bookOrdinal(book)); err != nil {
			return err
		}
		var newest *time.Time
		var today time.Time
		if err := tx.QueryRow(ctx, sqlNewestClosing, book).Scan(&newest, &today); err != nil {
			return err
		}
		switch {
		case !c.Through.Before(today):
			return fault.Invalid("period_not_over", "through", "only dates that are over in UTC are closed")
		case newest != nil && !c.Through.After(*newest):
			return fault.Conflict("period_closed", "the books are closed through "+newest.Format(time.DateOnly)+" already")
		}
		return tx.QueryRow(ctx, sqlClosePeriod, book, c.Through, by.Kind, by.ID, by.Reason).Scan(&c.At)
	}))
}

func dateOf(t time.Time) time.Time {
	y, m, d := t.UTC().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

const sqlClosings = `SELECT through, at, by_kind, by_id, reason FROM closings WHERE book = $1 ORDER BY through DESC`

// Closings lists a book's closings, the newest first.
func (s *Store) Closings(ctx context.Context, book id.Book) ([]Closing, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlClosings, book)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Closing, error) {
		c := Closing{Book: book}
		return c, row.Scan(&c.Through, &c.At, &c.By.Kind, &c.By.ID, &c.By.Reason)
	})
	return list, failure(err)
}
