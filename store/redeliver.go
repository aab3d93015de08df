package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
)

const sqlClaimStarts = `
	WITH due AS (
		SELECT book, event_id, endpoint_id FROM deliveries
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE deliveries d SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due JOIN webhook_endpoints w ON w.book = due.book AND w.id = due.endpoint_id
	WHERE d.book = due.book AND d.event_id = due.event_id AND d.endpoint_id = due.endpoint_id
	RETURNING d.book::text, d.event_id, d.endpoint_id, d.merchant_id, d.type, d.object_id, w.schedule, coalesce(d.next_at, $1), d.start_now, d.start_due_at`

// DeliveriesDue claims deliveries that want a saga, or one that doesn't wait: whoever claims starts it and says so by
// DeliveryStarted; else they come again after 2 s, 4 s, … 60 s.
func (s *Store) DeliveriesDue(ctx context.Context, limit int) ([]delivery.Start, error) {
	var all []delivery.Start
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimStarts, s.clock(), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d delivery.Start, err error) {
			err = row.Scan(&d.Book, &d.EventID, &d.EndpointID, &d.MerchantID, &d.Type, &d.ObjectID, &d.Schedule, &d.NextAt, &d.Now, &d.DueAt)
			return d, err
		})
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// Whoever asked again since the claim has moved start_due_at.
const sqlStarted = `
	UPDATE deliveries SET start_due_at = NULL, start_tries = 0, start_now = false
	WHERE book = $1 AND event_id = $2 AND endpoint_id = $3 AND start_due_at = $4`

// DeliveryStarted says that a claimed delivery's saga goes on with it.
func (s *Store) DeliveryStarted(ctx context.Context, d delivery.Start) error {
	db, err := s.db(d.Book)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, sqlStarted, d.Book, d.EventID, d.EndpointID, d.DueAt)
	return failure(err)
}

// Telling again begins the schedule anew, with a try at once.
const setAgain = ` status = 'pending', failed = 0, next_at = $1, start_due_at = $1, start_tries = 0, start_now = true`

const sqlRedeliver = `UPDATE deliveries d SET` + setAgain + ` WHERE book = $2 AND event_id = $3 AND endpoint_id = $4 AND merchant_id = $5
	RETURNING` + deliveryColumns

// Redeliver tells one event to one endpoint again, whatever became of it before.
func (s *Store) Redeliver(ctx context.Context, merchantID string, ref delivery.Ref) (delivery.Row, error) {
	var d delivery.Row
	db, err := s.db(ref.Book)
	if err != nil {
		return d, err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := reachable(ctx, tx, delivery.EndpointRef{Book: ref.Book, MerchantID: merchantID, ID: ref.EndpointID}); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sqlRedeliver, s.clock(), ref.Book, ref.EventID, ref.EndpointID, merchantID)
		if err != nil {
			return err
		}
		if d, err = pgx.CollectExactlyOneRow(rows, scanDelivery); err == pgx.ErrNoRows {
			return fault.NotFound("webhook delivery")
		}
		return err
	})
	return d, failure(err)
}

// reachable refuses what could only be held or refused.
func reachable(ctx context.Context, tx pgx.Tx, ref delivery.EndpointRef) error {
	e, err := endpoint(ctx, tx, ref, "")
	if err == nil && e.Status != delivery.Enabled {
		err = fault.Conflict("endpoint_not_enabled", "the endpoint is "+string(e.Status)+"; enable it first")
	}
	return err
}

const sqlRedeliverMany = `
	WITH chosen AS (
		SELECT d.book, d.event_id, d.endpoint_id FROM deliveries d
		WHERE d.endpoint_id = $3 AND d.book = $2 AND d.event_id >= $4 AND d.event_id < $5 AND d.status = ANY($6::text[])
			AND ($7::text[] = '{}' OR d.type = ANY($7::text[]) OR split_part(d.type, '.', 1) || '.*' = ANY($7::text[]))
			AND EXISTS (SELECT FROM events e WHERE e.book = d.book AND e.object_id = d.object_id AND e.sequence = d.sequence
				AND e.created_at >= $8 AND e.created_at <= $9)
		ORDER BY d.event_id LIMIT $10 FOR UPDATE OF d)
	UPDATE deliveries d SET` + setAgain + ` FROM chosen c WHERE d.book = c.book AND d.event_id = c.event_id AND d.endpoint_id = c.endpoint_id`

// RedeliverMany tells again what the filter chooses, oldest events first, MaxRedeliver at most, and says how many it chose. As many as
// that may mean that there are more: what was chosen isn't chosen again while it is pending.
func (s *Store) RedeliverMany(ctx context.Context, f delivery.RedeliverFilter) (int, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return 0, err
	}
	if f.To.IsZero() {
		f.To = s.clock()
	}
	states := []string{string(delivery.StateFailed)}
	if f.States != nil {
		states = states[:0]
		for _, one := range f.States {
			states = append(states, string(one))
		}
	}
	from := f.From
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	n := 0
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := reachable(ctx, tx, delivery.EndpointRef{Book: f.Book, MerchantID: f.MerchantID, ID: f.EndpointID}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlRedeliverMany, s.clock(), f.Book, f.EndpointID, lowestEvent(from.Add(-time.Minute)), lowestEvent(f.To.Add(time.Minute)),
			states, notNil(f.Types), from, f.To, delivery.MaxRedeliver)
		n = int(tag.RowsAffected())
		return err
	})
	return n, failure(err)
}
