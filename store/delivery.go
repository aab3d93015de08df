package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/ledger"
)

const sqlInsertBodies = `
	INSERT INTO event_bodies (book, event_id, api_version, body_sealed, created_at)
	SELECT n.book::book, n.event_id, n.api_version, n.sealed, n.at
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[]) AS n(book, event_id, api_version, sealed, at)
	ON CONFLICT DO NOTHING`

// A delivery that came to be twice, since a relay died before it could say so, goes on from what stands: delivered stays so. What
// somebody asked for while a try was under way isn't lost by the try's outcome.
const sqlPutDeliveries = `
	INSERT INTO deliveries AS d (book, event_id, endpoint_id, merchant_id, type, object_type, object_id, sequence, api_version, status, tries,
		failed, last, next_at, created_at, tried_at, delivered_at, start_due_at)
	SELECT n.book::book, n.event_id, n.endpoint_id, n.merchant_id, n.type, n.object_type, n.object_id, n.sequence, n.api_version, n.status,
		n.tried::int, n.failed, n.last::jsonb, n.next_at, n.at, CASE WHEN n.tried THEN n.at END, CASE WHEN n.status = 'delivered' THEN n.at END,
		CASE WHEN n.hand_over THEN n.at END
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[],
		$11::boolean[], $12::int[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::boolean[])
		AS n(book, event_id, endpoint_id, merchant_id, type, object_type, object_id, sequence, api_version, status, tried, failed, last,
			next_at, at, hand_over)
	ON CONFLICT (book, event_id, endpoint_id) DO UPDATE SET
		tries = d.tries + excluded.tries, last = coalesce(excluded.last, d.last), tried_at = coalesce(excluded.tried_at, d.tried_at),
		status = CASE WHEN d.status = 'delivered' THEN d.status WHEN d.start_now AND excluded.status = 'failed' THEN 'pending' ELSE excluded.status END,
		failed = CASE WHEN d.start_now THEN 0 ELSE excluded.failed END,
		next_at = CASE WHEN d.status = 'delivered' THEN NULL ELSE excluded.next_at END,
		delivered_at = coalesce(excluded.delivered_at, d.delivered_at),
		start_due_at = CASE WHEN d.status = 'delivered' OR excluded.status = 'delivered' THEN NULL ELSE coalesce(excluded.start_due_at, d.start_due_at) END,
		start_now = d.start_now AND excluded.status <> 'delivered'`

const sqlLogTries = `
	INSERT INTO delivery_tries (book, event_id, endpoint_id, no, at, result)
	SELECT d.book, d.event_id, d.endpoint_id, d.tries, n.at, n.last::jsonb
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[]) AS n(book, event_id, endpoint_id, last, at, tried)
	CROSS JOIN LATERAL (SELECT book, event_id, endpoint_id, tries FROM deliveries
		WHERE book = n.book::book AND event_id = n.event_id AND endpoint_id = n.endpoint_id OFFSET 0) d
	WHERE n.tried
	ON CONFLICT DO NOTHING`

// How an endpoint fares is written when it changes, and a success once in ten seconds: its row is everybody's.
const sqlFare = `
	UPDATE webhook_endpoints w SET failing_since = CASE WHEN n.ok THEN NULL ELSE coalesce(w.failing_since, n.at) END,
		last_success_at = CASE WHEN n.ok THEN n.at ELSE w.last_success_at END
	FROM unnest($1::text[], $2::text[], $3::boolean[], $4::timestamptz[]) AS n(book, id, ok, at)
	WHERE w.book = n.book::book AND w.id = n.id AND CASE WHEN n.ok
		THEN w.failing_since IS NOT NULL OR w.last_success_at IS NULL OR w.last_success_at < n.at - interval '10 seconds'
		ELSE w.failing_since IS NULL END`

// TellEvents writes what the first tries of events came to: their bodies, deliveries, the log, and that they have left; all of
// it or nothing.
func (s *Store) TellEvents(ctx context.Context, list []delivery.Left) error {
	for _, db := range s.dbs {
		var events []Event
		var told []delivery.Told
		for _, l := range list {
			if s.books[l.Event.Book] == db {
				events, told = append(events, l.Event), append(told, l.Told...)
			}
		}
		if err := s.tell(ctx, db, events, told); err != nil {
			return err
		}
	}
	return nil
}

// RecordTry writes what a later try came to, or that there was none, and returns where the delivery stands then: what was to be held
// for an endpoint that has been enabled meanwhile is pending.
func (s *Store) RecordTry(ctx context.Context, t delivery.Told) (delivery.State, error) {
	db, err := s.db(t.Book)
	if err != nil {
		return "", err
	}
	one := []delivery.Told{t}
	err = s.tell(ctx, db, nil, one)
	return one[0].Verdict.State, err
}

func (s *Store) tell(ctx context.Context, db *database, events []Event, told []delivery.Told) error {
	if len(events)+len(told) == 0 {
		return nil
	}
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := s.hold(ctx, tx, told); err != nil {
			return err
		}
		rows, err := s.rowsOf(told)
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		rows.queue(b)
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		if err := s.markDelivered(ctx, tx, events); err != nil {
			return err
		}
		return endLeases(ctx, tx, events)
	})
	if err != nil {
		return failure(err)
	}
	return s.judgeEndpoints(ctx, db, told)
}

const sqlStatusNow = `SELECT status FROM webhook_endpoints WHERE book = $1 AND id = $2 FOR SHARE`

// hold looks again, under a lock, at endpoints that were paused when a delivery was to be held for them. One that is enabled by now has
// released already what it found: this delivery goes on by itself.
func (s *Store) hold(ctx context.Context, tx pgx.Tx, told []delivery.Told) error {
	now := map[string]delivery.EndpointStatus{}
	for i, t := range told {
		if t.Verdict.State != delivery.StateHeld {
			continue
		}
		status, known := now[t.EndpointID]
		if !known {
			if err := tx.QueryRow(ctx, sqlStatusNow, t.Book, t.EndpointID).Scan(&status); err != nil {
				return err
			}
			now[t.EndpointID] = status
		}
		switch status {
		case delivery.Enabled:
			told[i].Verdict, told[i].HandOver = delivery.Verdict{State: delivery.StatePending, NextAt: t.At}, true
		case delivery.Disabled:
			told[i].Verdict = delivery.Verdict{State: delivery.StateGone}
		}
	}
	return nil
}

// toldRows are the columns of what was told.
type toldRows struct {
	bodyBook, bodyEvent, bodyVersion                                           []string
	bodySealed                                                                 [][]byte
	bodyAt                                                                     []time.Time
	book, event, endpoint, merchant, kind, objectType, object, version, status []string
	last                                                                       []*string
	sequence                                                                   []int64
	failed                                                                     []int32
	tried, handOver                                                            []bool
	nextAt                                                                     []*time.Time
	at                                                                         []time.Time
	fareBook, fareID                                                           []string
	fareOK                                                                     []bool
	fareAt                                                                     []time.Time
}

func (s *Store) rowsOf(told []delivery.Told) (*toldRows, error) {
	r := &toldRows{}
	type written struct{ event, version string }
	bodies := map[written]bool{}
	for _, t := range told {
		if w := (written{t.EventID, t.APIVersion}); t.Body != nil && !bodies[w] {
			bodies[w] = true
			sealed, err := s.Seal(t.Body)
			if err != nil {
				return nil, err
			}
			r.bodyBook, r.bodyEvent, r.bodyVersion = append(r.bodyBook, string(t.Book)), append(r.bodyEvent, t.EventID), append(r.bodyVersion, t.APIVersion)
			r.bodySealed, r.bodyAt = append(r.bodySealed, sealed), append(r.bodyAt, t.At)
		}
		var last *string
		if t.Tried {
			text, err := json.Marshal(t.Result)
			if err != nil {
				return nil, fault.Internal("a result that is no JSON", err)
			}
			last = new(string)
			*last = string(text)
		}
		r.add(t, last)
	}
	r.fare(told)
	return r, nil
}

func (r *toldRows) add(t delivery.Told, last *string) {
	r.book, r.event, r.endpoint = append(r.book, string(t.Book)), append(r.event, t.EventID), append(r.endpoint, t.EndpointID)
	r.merchant, r.kind = append(r.merchant, t.MerchantID), append(r.kind, t.Type)
	r.objectType, r.object, r.sequence = append(r.objectType, t.Object.Type), append(r.object, t.Object.ID), append(r.sequence, t.Object.Sequence)
	r.version, r.status, r.last = append(r.version, t.APIVersion), append(r.status, string(t.Verdict.State)), append(r.last, last)
	r.failed, r.tried, r.handOver = append(r.failed, int32(t.Verdict.Failed)), append(r.tried, t.Tried), append(r.handOver, t.HandOver)
	var next *time.Time
	if !t.Verdict.NextAt.IsZero() {
		next = &t.Verdict.NextAt
	}
	r.nextAt, r.at = append(r.nextAt, next), append(r.at, t.At)
}

// fare sums up each endpoint: one success among failures counts. Endpoints come in the order of their ids, so that two who
// write don't wait for each other in a circle.
func (r *toldRows) fare(told []delivery.Told) {
	type sum struct {
		book, id string
		ok       bool
		at       time.Time
	}
	by := map[merchantOf]*sum{}
	for _, t := range told {
		if !t.Tried {
			continue
		}
		key := merchantOf{string(t.Book), t.EndpointID}
		if by[key] == nil {
			by[key] = &sum{book: string(t.Book), id: t.EndpointID, at: t.At}
		}
		by[key].ok = by[key].ok || t.Result.Outcome == delivery.Delivered
	}
	list := make([]*sum, 0, len(by))
	for _, one := range by {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *sum) int { return cmp.Or(cmp.Compare(a.book, b.book), cmp.Compare(a.id, b.id)) })
	for _, one := range list {
		r.fareBook, r.fareID = append(r.fareBook, one.book), append(r.fareID, one.id)
		r.fareOK, r.fareAt = append(r.fareOK, one.ok), append(r.fareAt, one.at)
	}
}

func (r *toldRows) queue(b *pgx.Batch) {
	if r.bodyBook != nil {
		b.Queue(sqlInsertBodies, r.bodyBook, r.bodyEvent, r.bodyVersion, r.bodySealed, r.bodyAt)
	}
	if r.book != nil {
		b.Queue(sqlPutDeliveries, r.book, r.event, r.endpoint, r.merchant, r.kind, r.objectType, r.object, r.sequence, r.version, r.status,
			r.tried, r.failed, r.last, r.nextAt, r.at, r.handOver)
		b.Queue(sqlLogTries, r.book, r.event, r.endpoint, r.last, r.at, r.tried)
	}
	if r.fareBook != nil {
		b.Queue(sqlFare, r.fareBook, r.fareID, r.fareOK, r.fareAt)
	}
}

// judgeEndpoints pauses endpoints that have failed for too long, and disables those that said 410. It comes after the tries are
// written; should it be lost, the next failing try does it.
func (s *Store) judgeEndpoints(ctx context.Context, db *database, told []delivery.Told) error {
	seen := map[string]bool{}
	for _, t := range told {
		if !t.Tried || t.Result.Outcome == delivery.Delivered || seen[t.EndpointID] {
			continue
		}
		seen[t.EndpointID] = t.Result.Outcome != delivery.Gone
		if err := s.judgeEndpoint(ctx, t); err != nil && fault.Of(err) != fault.KindNotFound {
			return err
		}
	}
	return nil
}

func (s *Store) judgeEndpoint(ctx context.Context, t delivery.Told) error {
	gone := t.Result.Outcome == delivery.Gone
	if !gone {
		e, err := s.Endpoint(ctx, t.Book, t.MerchantID, t.EndpointID)
		if err != nil || !tooLong(e, t) {
			return err
		}
	}
	_, err := s.ChangeEndpoint(ctx, delivery.EndpointRef{Book: t.Book, MerchantID: t.MerchantID, ID: t.EndpointID}, ledger.Service("webhooks"), func(e *delivery.Endpoint) error {
		switch {
		case e.Status == delivery.Disabled:
		case gone:
			e.Status, e.Reason = delivery.Disabled, "gone"
		case tooLong(*e, t):
			e.Status, e.Reason = delivery.Paused, "failing"
		}
		return nil
	})
	return err
}

func tooLong(e delivery.Endpoint, t delivery.Told) bool {
	return e.Status == delivery.Enabled && !e.FailingSince.IsZero() && t.At.Sub(e.FailingSince) >= e.Schedule.PauseAfter()
}
