package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const deliveryColumns = ` d.book::text, d.event_id, d.endpoint_id, d.merchant_id, d.type, d.object_type, d.object_id, d.sequence, d.status,
	d.tries, d.failed, d.last, d.next_at, d.created_at, d.tried_at, d.delivered_at`

func scanDelivery(row pgx.CollectableRow) (delivery.Row, error) { return scanDeliveryAnd(row) }

// scanDeliveryAnd scans deliveryColumns and then what follows them.
func scanDeliveryAnd(row pgx.CollectableRow, more ...any) (delivery.Row, error) {
	var d delivery.Row
	var next, tried, delivered *time.Time
	var last []byte
	err := row.Scan(append([]any{&d.Book, &d.EventID, &d.EndpointID, &d.MerchantID, &d.Type, &d.Object.Type, &d.Object.ID, &d.Object.Sequence,
		&d.State, &d.Tries, &d.Failed, &last, &next, &d.CreatedAt, &tried, &delivered}, more...)...)
	if err == nil && last != nil {
		err = json.Unmarshal(last, &d.Last)
	}
	d.NextAt, d.At, d.Delivered = timeOf(next), timeOf(tried), timeOf(delivered)
	return d, err
}

const sqlDue = `
	SELECT` + deliveryColumns + `, d.api_version, b.body_sealed
	FROM deliveries d LEFT JOIN LATERAL (SELECT body_sealed FROM event_bodies
		WHERE book = d.book AND event_id = d.event_id AND api_version = d.api_version OFFSET 0) b ON true
	WHERE d.book = $1 AND d.event_id = $2 AND d.endpoint_id = $3`

const sqlTarget = `
	SELECT` + endpointColumns + `, w.deleted_at IS NOT NULL,
		ARRAY(SELECT k.secret_sealed FROM webhook_secrets k WHERE k.book = w.book AND k.endpoint_id = w.id
			AND (k.until IS NULL OR k.until > $3) ORDER BY k.no DESC)
	FROM webhook_endpoints w WHERE w.book = $1 AND w.id = $2`

// DueDelivery reads a delivery as its next try needs it: with the endpoint as it is now, the secrets in force, and the bytes.
func (s *Store) DueDelivery(ctx context.Context, ref delivery.Ref) (delivery.Due, error) {
	var due delivery.Due
	db, err := s.db(ref.Book)
	if err != nil {
		return due, err
	}
	rows, err := db.pool.Query(ctx, sqlDue, ref.Book, ref.EventID, ref.EndpointID)
	if err != nil {
		return due, failure(err)
	}
	var sealed []byte
	var version string
	due.Row, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (delivery.Row, error) { return scanDeliveryAnd(row, &version, &sealed) })
	if err == pgx.ErrNoRows {
		return due, fault.NotFound("webhook delivery")
	} else if err != nil {
		return due, failure(err)
	}
	if due.Target, err = s.target(ctx, db, ref); err != nil {
		return due, err
	}
	if sealed != nil {
		due.Body, err = s.OpenSealed(sealed)
		return due, err
	}
	// It was thinned out, or never made: the delivery was held from the first.
	e, err := s.Event(ctx, ref.Book, "", due.Row.Object.ID, due.Row.Object.Sequence)
	if err == nil {
		due.Body, err = delivery.Body(e, version)
	}
	return due, err
}

func (s *Store) target(ctx context.Context, db *database, ref delivery.Ref) (t delivery.Target, err error) {
	rows, err := db.pool.Query(ctx, sqlTarget, ref.Book, ref.EndpointID, s.clock())
	if err != nil {
		return t, failure(err)
	}
	var secrets [][]byte
	var deleted bool
	t.Endpoint, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (delivery.Endpoint, error) {
		return scanEndpointAnd(row, &deleted, &secrets)
	})
	if err != nil {
		return t, failure(err)
	}
	t.Secrets, err = s.secrets(secrets)
	return t, err
}

const sqlEvent = `
	SELECT book::text, object_id, sequence, id, type, api_version, created_at, coalesce(merchant_id, ''), business_id, object_type, data, secret_sealed
	FROM events e`

// Event reads one by its place: the nth event of its object. An empty merchantID is anybody's.
func (s *Store) Event(ctx context.Context, book id.Book, merchantID, objectID string, sequence int64) (Event, error) {
	return s.event(ctx, book, sqlEvent+` WHERE book = $1 AND object_id = $3 AND sequence = $4 AND ($2 = '' OR merchant_id = $2)`, merchantID, objectID, sequence)
}

// MerchantEvent reads one of a merchant's by its id; another's is NotFound (I-25).
func (s *Store) MerchantEvent(ctx context.Context, book id.Book, merchantID, eventID string) (Event, error) {
	return s.event(ctx, book, sqlEvent+` WHERE book = $1 AND merchant_id = $2 AND id = $3`, merchantID, eventID)
}

func (s *Store) event(ctx context.Context, book id.Book, sql string, args ...any) (Event, error) {
	db, err := s.db(book)
	if err != nil {
		return Event{}, err
	}
	rows, err := db.pool.Query(ctx, sql, append([]any{book}, args...)...)
	if err != nil {
		return Event{}, failure(err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, s.scanEvent)
	if err == pgx.ErrNoRows {
		return Event{}, fault.NotFound("event")
	}
	return e, failure(err)
}

// Events lists a merchant's events, newest first, and says whether more follow.
func (s *Store) Events(ctx context.Context, f delivery.EventFilter) ([]Event, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"book = @book", "merchant_id = @merchant"}
	args := pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	object, all := strings.CutSuffix(f.Type, ".*")
	add(f.Type != "" && !all, "type = @type", "type", f.Type)
	add(all, "starts_with(type, @prefix)", "prefix", object+".")
	add(f.ObjectID != "", "object_id = @object", "object", f.ObjectID)
	add(!f.CreatedFrom.IsZero(), "created_at >= @from", "from", f.CreatedFrom)
	add(!f.CreatedBefore.IsZero(), "created_at < @before", "before", f.CreatedBefore)
	add(f.After != "", "id < @after", "after", f.After)
	// An id's time is when its Step was asked for, no later than the event's.
	add(!f.CreatedFrom.IsZero(), "id >= @lowest", "lowest", lowestEvent(f.CreatedFrom.Add(-time.Minute)))
	add(!f.CreatedBefore.IsZero(), "id < @highest", "highest", lowestEvent(f.CreatedBefore.Add(time.Minute)))
	rows, err := db.pool.Query(ctx, fmt.Sprintf(`%s WHERE %s ORDER BY id DESC LIMIT @limit`, sqlEvent, strings.Join(where, " AND ")), args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, s.scanEvent)
	if err != nil {
		return nil, false, failure(err)
	}
	return list[:min(limit, len(list))], len(list) > limit, nil
}

// lowestEvent is below every id that was minted at a time or later.
func lowestEvent(at time.Time) string {
	return id.New(id.Event, uint64(max(at.UnixMilli(), 0)), [10]byte{})
}

// Each endpoint's deliveries are read by themselves, newest first; a merchant has few endpoints.
const sqlDeliveries = `
	SELECT d.* FROM webhook_endpoints w CROSS JOIN LATERAL (
		SELECT` + deliveryColumns + ` FROM deliveries d
		WHERE d.endpoint_id = w.id AND d.book = w.book AND %s ORDER BY d.event_id DESC LIMIT @limit OFFSET 0) d
	WHERE w.merchant_id = @merchant AND w.book = @book AND (@endpoint = '' OR w.id = @endpoint)
	ORDER BY d.event_id DESC, d.endpoint_id DESC LIMIT @limit`

// Deliveries lists what was told, or is to be, to a merchant's endpoints, those of deleted ones too; newest events first.
func (s *Store) Deliveries(ctx context.Context, f delivery.RowFilter) ([]delivery.Row, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where, args := []string{"true"}, pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "endpoint": f.EndpointID, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.EventID != "", "d.event_id = @event", "event", f.EventID)
	add(f.State != "", "d.status = @status", "status", string(f.State))
	add(f.State != "" && f.State != delivery.StateDelivered, "d.status <> @delivered", "delivered", string(delivery.StateDelivered))
	add(f.After.EventID != "", "(d.event_id, d.endpoint_id) < (@after, @after_endpoint)", "after", f.After.EventID)
	if f.After.EventID != "" {
		args["after_endpoint"] = f.After.EndpointID
	}
	rows, err := db.pool.Query(ctx, fmt.Sprintf(sqlDeliveries, strings.Join(where, " AND ")), args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanDelivery)
	if err != nil {
		return nil, false, failure(err)
	}
	return list[:min(limit, len(list))], len(list) > limit, nil
}

const sqlDelivery = `SELECT` + deliveryColumns + ` FROM deliveries d WHERE d.book = $1 AND d.event_id = $2 AND d.endpoint_id = $3 AND d.merchant_id = $4`

const sqlTries = `SELECT no, at, result FROM delivery_tries WHERE book = $1 AND event_id = $2 AND endpoint_id = $3 ORDER BY no`

// Delivery reads one with its log; of another merchant's endpoint it is NotFound (I-25).
func (s *Store) Delivery(ctx context.Context, merchantID string, ref delivery.Ref) (delivery.Row, []delivery.Try, error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return delivery.Row{}, nil, err
	}
	rows, err := db.pool.Query(ctx, sqlDelivery, ref.Book, ref.EventID, ref.EndpointID, merchantID)
	if err != nil {
		return delivery.Row{}, nil, failure(err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scanDelivery)
	if err == pgx.ErrNoRows {
		return d, nil, fault.NotFound("webhook delivery")
	} else if err != nil {
		return d, nil, failure(err)
	}
	rows, err = db.pool.Query(ctx, sqlTries, ref.Book, ref.EventID, ref.EndpointID)
	if err != nil {
		return d, nil, failure(err)
	}
	tries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t delivery.Try, err error) {
		var result []byte
		if err = row.Scan(&t.No, &t.At, &result); err == nil {
			err = json.Unmarshal(result, &t.Result)
		}
		return t, err
	})
	return d, tries, failure(err)
}
