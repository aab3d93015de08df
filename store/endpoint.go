package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	executor
}

const endpointColumns = ` w.book::text, w.id, w.merchant_id, w.url, w.description, w.events, w.include_children, w.api_version, w.schedule,
	w.status, w.reason, w.failing_since, w.last_success_at, w.sequence, w.created_at, w.updated_at`

func scanEndpoint(row pgx.CollectableRow) (delivery.Endpoint, error) {
	return scanEndpointAnd(row)
}

// scanEndpointAnd scans endpointColumns and then what follows them.
func scanEndpointAnd(row pgx.CollectableRow, more ...any) (delivery.Endpoint, error) {
	var e delivery.Endpoint
	var failing, success *time.Time
	err := row.Scan(append([]any{&e.Book, &e.ID, &e.MerchantID, &e.URL, &e.Description, &e.Events, &e.IncludeChildren, &e.APIVersion, &e.Schedule,
		&e.Status, &e.Reason, &failing, &success, &e.Sequence, &e.CreatedAt, &e.UpdatedAt}, more...)...)
	e.FailingSince, e.LastSuccessAt = timeOf(failing), timeOf(success)
	return e, err
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// merchantOf names a merchant in its book.
type merchantOf struct{ book, merchant string }

// An endpoint hears its own merchant's events, and if it asked for them those of the merchants below. Paused ones hear, too:
// what they would be told is held.
const sqlTargets = `
	SELECT` + endpointColumns + `, n.merchant_id,
		ARRAY(SELECT k.secret_sealed FROM webhook_secrets k WHERE k.book = w.book AND k.endpoint_id = w.id
			AND (k.until IS NULL OR k.until > $3) ORDER BY k.no DESC)
	FROM unnest($1::text[], $2::text[]) AS n(book, merchant_id)
	CROSS JOIN LATERAL (
		SELECT * FROM webhook_endpoints WHERE book = n.book::book AND merchant_id = n.merchant_id AND deleted_at IS NULL
		UNION ALL
		SELECT p.* FROM merchants m CROSS JOIN LATERAL (
			SELECT * FROM webhook_endpoints WHERE book = m.book AND merchant_id = m.parent_id AND include_children AND deleted_at IS NULL OFFSET 0) p
		WHERE m.book = n.book::book AND m.id = n.merchant_id
		OFFSET 0) w
	WHERE w.status IN ('enabled', 'paused')
	ORDER BY w.id`

// targets finds the endpoints that events may concern, by the event's merchant.
func (s *Store) targets(ctx context.Context, tx pgx.Tx, events []Event) (map[merchantOf][]delivery.Target, error) {
	seen := map[merchantOf]bool{}
	var books, merchants []string
	for _, e := range events {
		if m := (merchantOf{string(e.Book), e.MerchantID}); e.MerchantID != "" && !seen[m] {
			seen[m] = true
			books, merchants = append(books, m.book), append(merchants, m.merchant)
		}
	}
	if books == nil {
		return nil, nil
	}
	rows, err := tx.Query(ctx, sqlTargets, books, merchants, s.clock())
	if err != nil {
		return nil, err
	}
	found := map[merchantOf][]delivery.Target{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t delivery.Target, err error) {
		var merchant string
		var sealed [][]byte
		if t.Endpoint, err = scanEndpointAnd(row, &merchant, &sealed); err != nil {
			return t, err
		}
		if t.Secrets, err = s.secrets(sealed); err != nil {
			return t, err
		}
		m := merchantOf{string(t.Book), merchant}
		found[m] = append(found[m], t)
		return t, nil
	})
	return found, err
}

// secrets opens what signs, newest first, MaxSecrets at most.
func (s *Store) secrets(sealed [][]byte) ([]delivery.Secret, error) {
	var list []delivery.Secret
	for _, one := range sealed[:min(len(sealed), delivery.MaxSecrets)] {
		text, err := s.OpenSealed(one)
		if err != nil {
			return nil, err
		}
		secret, err := delivery.ParseSecret(string(text))
		if err != nil {
			return nil, fault.Internal("a signing secret that can't be read", err)
		}
		list = append(list, secret)
	}
	return list, nil
}

const sqlInsertEndpoint = `
	INSERT INTO webhook_endpoints (book, id, merchant_id, url, description, events, include_children, api_version, schedule, status,
		hears_since, created_at, updated_at, changed_by, request_id)
	VALUES (@book, @id, @merchant, @url, @description, @events, @children, @version, @schedule, 'enabled', @at, @at, @at, @by, @request)`

const sqlInsertSecret = `INSERT INTO webhook_secrets (book, endpoint_id, secret_sealed, created_at) VALUES ($1, $2, $3, $4)`

// The merchant's row is locked, so that two at once can't both be the last that fits.
const sqlCountEndpoints = `
	SELECT (SELECT count(*) FROM webhook_endpoints w WHERE w.merchant_id = m.id AND w.book = m.book AND w.deleted_at IS NULL)
	FROM merchants m WHERE m.book = $1 AND m.id = $2 FOR NO KEY UPDATE`

// CreateEndpoint keeps a new endpoint with its secret, enabled. One merchant's second endpoint with the same URL is Conflict
// "endpoint_exists".
func (s *Store) CreateEndpoint(ctx context.Context, e delivery.Endpoint, secret delivery.Secret, by ledger.Principal) (delivery.Endpoint, error) {
	db, err := s.db(e.Book)
	if err != nil {
		return e, err
	}
	if e.ID == "" {
		e.ID = s.Mint(id.Endpoint)
	}
	sealed, err := s.sealSecret(secret)
	if err != nil {
		return e, err
	}
	e.Status, e.CreatedAt = delivery.Enabled, s.clock()
	e.UpdatedAt = e.CreatedAt
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, sqlCountEndpoints, e.Book, e.MerchantID).Scan(&n); err == pgx.ErrNoRows {
			return fault.NotFound("merchant")
		} else if err != nil {
			return err
		}
		if n >= delivery.MaxEndpoints {
			return fault.Conflict("too_many_endpoints", "a merchant has at most 20 endpoints")
		}
		if _, err := tx.Exec(ctx, sqlInsertEndpoint, pgx.NamedArgs{"book": e.Book, "id": e.ID, "merchant": e.MerchantID, "url": e.URL,
			"description": e.Description, "events": notNil(e.Events), "children": e.IncludeChildren, "version": e.APIVersion, "schedule": e.Schedule,
			"at": e.CreatedAt, "by": by.ID, "request": by.RequestID}); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlInsertSecret, e.Book, e.ID, sealed, e.CreatedAt)
		return err
	})
	return e, failure(err)
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// sealSecret seals what the merchant is shown.
func (s *Store) sealSecret(secret delivery.Secret) ([]byte, error) {
	if secret.IsZero() {
		return nil, fault.Internal("an endpoint without a secret", nil)
	}
	return s.Seal([]byte(secret.Reveal()))
}

const sqlEndpoints = `
	SELECT` + endpointColumns + ` FROM webhook_endpoints w
	WHERE w.merchant_id = $2 AND w.book = $1 AND w.deleted_at IS NULL AND ($3 = '' OR w.id = $3) ORDER BY w.id DESC`

// Endpoints lists a merchant's endpoints, newest first; there are never many.
func (s *Store) Endpoints(ctx context.Context, book id.Book, merchantID string) ([]delivery.Endpoint, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	return endpoints(ctx, db.pool, delivery.EndpointRef{Book: book, MerchantID: merchantID}, "")
}

// endpoints reads those that ref names, all of the merchant's without an id.
func endpoints(ctx context.Context, q querier, ref delivery.EndpointRef, lock string) ([]delivery.Endpoint, error) {
	rows, err := q.Query(ctx, sqlEndpoints+lock, ref.Book, ref.MerchantID, ref.ID)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	return list, failure(err)
}

// Endpoint reads one; another merchant's is NotFound (I-25).
func (s *Store) Endpoint(ctx context.Context, book id.Book, merchantID, endpointID string) (delivery.Endpoint, error) {
	db, err := s.db(book)
	if err != nil {
		return delivery.Endpoint{}, err
	}
	return endpoint(ctx, db.pool, delivery.EndpointRef{Book: book, MerchantID: merchantID, ID: endpointID}, "")
}

func endpoint(ctx context.Context, q querier, ref delivery.EndpointRef, lock string) (delivery.Endpoint, error) {
	if ref.ID == "" {
		return delivery.Endpoint{}, fault.NotFound("webhook endpoint")
	}
	list, err := endpoints(ctx, q, ref, lock)
	if err == nil && len(list) == 0 {
		err = fault.NotFound("webhook endpoint")
	}
	if err != nil {
		return delivery.Endpoint{}, err
	}
	return list[0], nil
}

const sqlEndpointEvent = `
	INSERT INTO events (book, object_id, sequence, id, type, api_version, created_at, merchant_id, business_id, object_type, data)
	VALUES (@book, @id, @sequence, @event, @type, @version, @at, @merchant, @id, 'webhook_endpoint', @data::jsonb)`

// emitEndpoint leaves an event about an endpoint, under the lock of its row; e.Sequence is the event's.
func emitEndpoint(ctx context.Context, tx pgx.Tx, e delivery.Endpoint, kind string, at time.Time) (string, error) {
	text, err := json.Marshal(e.Public())
	if err != nil {
		return "", fault.Internal("an endpoint that is no JSON", err)
	}
	event := mint(id.Event, at)
	_, err = tx.Exec(ctx, sqlEndpointEvent, pgx.NamedArgs{"book": e.Book, "id": e.ID, "sequence": e.Sequence, "event": event, "type": kind,
		"version": trade.APIVersion, "at": at, "merchant": e.MerchantID, "data": string(text)})
	return event, err
}
