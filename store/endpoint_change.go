package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

const sqlSetEndpoint = `
	UPDATE webhook_endpoints SET url = @url, description = @description, events = @events, include_children = @children,
		api_version = @version, schedule = @schedule, status = @status, reason = @reason, failing_since = @failing, sequence = @sequence,
		hears_since = CASE WHEN @hears THEN @at ELSE hears_since END, updated_at = @at, deleted_at = CASE WHEN @deleted THEN @at END,
		changed_by = @by, request_id = @request
	WHERE book = @book AND id = @id`

// What was held goes on by sagas; what nobody will hear any more has ended.
const sqlRelease = `
	UPDATE deliveries SET status = 'pending', failed = 0, next_at = $3, start_due_at = $3, start_tries = 0
	WHERE endpoint_id = $2 AND book = $1 AND status = 'held'`

const sqlForget = `UPDATE deliveries SET status = 'gone', next_at = NULL WHERE endpoint_id = $2 AND book = $1 AND status = 'held'`

// ChangeEndpoint changes an endpoint under its lock. Enabling one that was paused releases what was held for it.
func (s *Store) ChangeEndpoint(ctx context.Context, ref delivery.EndpointRef, by ledger.Principal,
	change func(*delivery.Endpoint) error) (delivery.Endpoint, error) {
	return s.moveEndpoint(ctx, ref, endpointMove{by: by, change: change})
}

// DeleteEndpoint ends an endpoint: it hears nothing more, and its secrets are gone.
func (s *Store) DeleteEndpoint(ctx context.Context, ref delivery.EndpointRef, by ledger.Principal) error {
	_, err := s.moveEndpoint(ctx, ref, endpointMove{by: by, deleted: true, change: func(e *delivery.Endpoint) error {
		e.Status, e.Reason = delivery.Disabled, "deleted"
		return nil
	}})
	return err
}

// endpointMove is what is to become of an endpoint, and by whom.
type endpointMove struct {
	by      ledger.Principal
	deleted bool
	change  func(*delivery.Endpoint) error
}

func (s *Store) moveEndpoint(ctx context.Context, ref delivery.EndpointRef, m endpointMove) (after delivery.Endpoint, err error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return after, err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		before, err := endpoint(ctx, tx, ref, " FOR NO KEY UPDATE")
		if err != nil {
			return err
		}
		after = before
		if err := m.change(&after); err != nil {
			return err
		}
		after, err = s.setEndpoint(ctx, tx, before, after, m)
		return err
	})
	return after, failure(err)
}

// setEndpoint writes a change, and what follows from it: the event, and what becomes of deliveries that were held.
func (s *Store) setEndpoint(ctx context.Context, tx pgx.Tx, before, after delivery.Endpoint, m endpointMove) (delivery.Endpoint, error) {
	after.UpdatedAt = s.clock()
	kind := ""
	if before.Status != after.Status {
		after.Sequence++
		kind = map[delivery.EndpointStatus]string{delivery.Enabled: delivery.EventEndpointEnabled, delivery.Paused: delivery.EventEndpointPaused,
			delivery.Disabled: delivery.EventEndpointDisabled}[after.Status]
		if after.Status == delivery.Enabled {
			after.Reason, after.FailingSince = "", time.Time{}
		}
	}
	// From a pause it goes on with what was held; all else counts from now on.
	hears := before.Status == delivery.Disabled || before.IncludeChildren != after.IncludeChildren || !sameTexts(before.Events, after.Events)
	_, err := tx.Exec(ctx, sqlSetEndpoint, pgx.NamedArgs{"book": after.Book, "id": after.ID, "url": after.URL, "description": after.Description,
		"events": notNil(after.Events), "children": after.IncludeChildren, "version": after.APIVersion, "schedule": after.Schedule,
		"status": after.Status, "reason": after.Reason, "failing": orNoTime(after.FailingSince), "sequence": after.Sequence, "hears": hears,
		"at": after.UpdatedAt, "deleted": m.deleted, "by": m.by.ID, "request": m.by.RequestID})
	if err != nil {
		return after, err
	}
	if kind != "" {
		if _, err := emitEndpoint(ctx, tx, after, kind, after.UpdatedAt); err != nil {
			return after, err
		}
	}
	switch {
	case m.deleted:
		_, err = tx.Exec(ctx, `DELETE FROM webhook_secrets WHERE book = $1 AND endpoint_id = $2`, after.Book, after.ID)
		if err == nil {
			_, err = tx.Exec(ctx, sqlForget, after.Book, after.ID)
		}
	case kind == delivery.EventEndpointDisabled:
		_, err = tx.Exec(ctx, sqlForget, after.Book, after.ID)
	case kind == delivery.EventEndpointEnabled:
		_, err = tx.Exec(ctx, sqlRelease, after.Book, after.ID, after.UpdatedAt)
	}
	return after, err
}

func sameTexts(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func orNoTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

const sqlEndSecrets = `
	UPDATE webhook_secrets SET until = least(coalesce(until, $3), $3) WHERE book = $1 AND endpoint_id = $2`

const sqlDropSecrets = `DELETE FROM webhook_secrets WHERE book = $1 AND endpoint_id = $2 AND until <= $3`

// RotateSecret lets a new secret sign first, and those before it sign on for the overlap. More rotations than there may be
// signatures within one overlap are Conflict "too_many_secrets".
func (s *Store) RotateSecret(ctx context.Context, ref delivery.EndpointRef, secret delivery.Secret, overlap time.Duration) (delivery.Endpoint, error) {
	var e delivery.Endpoint
	db, err := s.db(ref.Book)
	if err != nil {
		return e, err
	}
	sealed, err := s.sealSecret(secret)
	if err != nil {
		return e, err
	}
	now := s.clock()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if e, err = endpoint(ctx, tx, ref, " FOR NO KEY UPDATE"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlEndSecrets, ref.Book, ref.ID, now.Add(overlap)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlDropSecrets, ref.Book, ref.ID, now); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM webhook_secrets WHERE book = $1 AND endpoint_id = $2`, ref.Book, ref.ID).Scan(&n); err != nil {
			return err
		}
		if n >= delivery.MaxSecrets {
			return fault.Conflict("too_many_secrets", "five secrets sign already; wait until one has expired, or let the old ones expire at once")
		}
		_, err := tx.Exec(ctx, sqlInsertSecret, ref.Book, ref.ID, sealed, now)
		return err
	})
	return e, failure(err)
}

// Ping leaves an event that this endpoint alone hears, and returns its id. A paused one's is held like any other.
func (s *Store) Ping(ctx context.Context, book id.Book, merchantID, endpointID string) (eventID string, err error) {
	db, err := s.db(book)
	if err != nil {
		return "", err
	}
	now := s.clock()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		e, err := endpoint(ctx, tx, delivery.EndpointRef{Book: book, MerchantID: merchantID, ID: endpointID}, " FOR NO KEY UPDATE")
		if err != nil {
			return err
		}
		if e.Status == delivery.Disabled {
			return fault.Conflict("endpoint_disabled", "a disabled endpoint is told of nothing; enable it first")
		}
		e.Sequence++
		if _, err := tx.Exec(ctx, `UPDATE webhook_endpoints SET sequence = $3 WHERE book = $1 AND id = $2`, book, e.ID, e.Sequence); err != nil {
			return err
		}
		eventID, err = emitEndpoint(ctx, tx, e, delivery.EventPing, now)
		return err
	})
	return eventID, failure(err)
}
