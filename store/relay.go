package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/payment"
)

// Relays find what was received and hasn't gone on. Each claim moves the row's due time forward, so that several relays, and
// a relay that dies with what it claimed, need nothing else from each other.

const sqlClaimUnstarted = `
	WITH due AS (
		SELECT book, id FROM payments
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE payments p SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE p.book = due.book AND p.id = due.id
	RETURNING p.id`

// Unstarted claims payments that were received olderThan ago and that no saga has opened: whoever claims starts them, and
// if it can't, they come again after 2 s, 4 s, … 60 s (I-19).
func (s *Store) Unstarted(ctx context.Context, olderThan time.Duration, limit int) ([]payment.Payment, error) {
	return s.claimPayments(ctx, sqlClaimUnstarted, s.clock().Add(-olderThan), limit)
}

const sqlClaimCancels = `
	WITH due AS (
		SELECT book, id FROM payments
		WHERE cancel_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY cancel_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE payments p SET cancel_tries = least(cancel_tries + 1, 1000),
		cancel_due_at = $1 + least(interval '60 seconds', interval '5 seconds' * (2 ^ least(cancel_tries, 4)))
	FROM due WHERE p.book = due.book AND p.id = due.id
	RETURNING p.id`

// CancelsWaiting claims payments whose cancel was asked for, 5 s ago or more, and that haven't ended.
func (s *Store) CancelsWaiting(ctx context.Context, limit int) ([]payment.Payment, error) {
	return s.claimPayments(ctx, sqlClaimCancels, s.clock(), limit)
}

func (s *Store) claimPayments(ctx context.Context, claim string, due time.Time, limit int) ([]payment.Payment, error) {
	var all []payment.Payment
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, claim, due, limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return all, failure(err)
		}
		if len(ids) == 0 {
			continue
		}
		rows, err = db.pool.Query(ctx, sqlPayments+` WHERE p.book = ANY($1::text[]::book[]) AND p.id = ANY($2) ORDER BY p.id`, bookNames(db.books), ids)
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, s.scanPayment)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}

const sqlClaimCallbacks = `
	WITH due AS (
		SELECT book, id FROM callbacks
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE callbacks c SET tries = tries + 1,
		due_at = $1 + least(interval '60 seconds', interval '1 second' * (2 ^ least(tries, 6)))
	FROM due WHERE c.book = due.book AND c.id = due.id
	RETURNING` + callbackColumns

// CallbacksWaiting claims callbacks that nobody has dealt with: at once, then after 1 s, 2 s, 4 s … 60 s. Tries counts
// the claims, this one included.
func (s *Store) CallbacksWaiting(ctx context.Context, limit int) ([]channels.Received, error) {
	var all []channels.Received
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimCallbacks, s.clock(), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, s.scanCallback)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}
