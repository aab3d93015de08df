package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// Event is one line of the outbox in the envelope that merchants see.
type Event = trade.Event

// event is an outbox row to be written.
type event struct {
	kind, merchant, object, id string
	sequence                   int64
	data                       any
	secret                     []byte
}

// emitPayment leaves the event of a payment's move. The next action is a secret: it is sealed beside the data.
func (w *work) emitPayment(kind string, p payment.Payment) error {
	if p.TopUp() {
		return w.emitTopUp(kind, p)
	}
	v := p.Public()
	e := event{kind: kind, merchant: p.MerchantID, object: "payment", id: p.ID, sequence: p.Sequence}
	if v.NextAction != nil {
		text, err := json.Marshal(v.NextAction)
		if err != nil {
			return fault.Internal("an action that is no JSON", err)
		}
		if e.secret, err = w.s.Seal(text); err != nil {
			return err
		}
		v.NextAction = nil
	}
	e.data = v
	w.out.events = append(w.out.events, e)
	return nil
}

func (w *work) emitOrder(kind string, o trade.Order) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: o.MerchantID, object: "order", id: o.ID,
		sequence: o.Sequence, data: o.Public()})
}

const sqlInsertEvents = `
	INSERT INTO events (book, object_id, sequence, id, type, api_version, created_at, merchant_id, business_id, object_type, data, secret_sealed)
	SELECT $1, n.object_id, n.sequence, n.id, n.type, $2, n.at, nullif(n.merchant_id, ''), n.business_id, n.object_type, n.data::jsonb, n.secret
	FROM (SELECT unnest($3::text[]) AS object_id, unnest($4::bigint[]) AS sequence, unnest($5::text[]) AS id, unnest($6::text[]) AS type,
		unnest($7::timestamptz[]) AS at, unnest($8::text[]) AS merchant_id, unnest($9::text[]) AS business_id,
		unnest($10::text[]) AS object_type, unnest($11::text[]) AS data, unnest($12::bytea[]) AS secret) n`

// writeEvents keeps the order in which the Steps were judged: an object's events get their numbers in sequence.
func (b *batch) writeEvents(m *pgx.Batch) {
	var object, ids, kind, merchant, business, objectType, data []string
	var sequence []int64
	var at []time.Time
	var secret [][]byte
	for _, w := range b.accepted {
		subject := w.step.Business
		for _, e := range w.out.events {
			if subject == "" {
				subject = e.id
			}
			text, _ := json.Marshal(e.data) // plain structs of texts and numbers
			object, ids, kind = append(object, e.id), append(ids, mint(id.Event, w.at)), append(kind, e.kind)
			merchant, business, objectType = append(merchant, e.merchant), append(business, subject), append(objectType, e.object)
			sequence, at = append(sequence, e.sequence), append(at, b.at)
			data, secret = append(data, string(text)), append(secret, e.secret)
		}
	}
	if ids != nil {
		m.Queue(sqlInsertEvents, b.book(), trade.APIVersion, object, sequence, ids, kind, at, merchant, business, objectType, data, secret)
	}
}

// The oldest events that haven't left and whose objects nobody has on a lease. Of those of an object only the first may be told: a later
// one must not overtake it (I-23). An object's events have rising numbers, so what comes before one that is read is read, too, and
// whether it does is judged before any row is locked: what another relay is about to take still counts. Rows are then found where they stood. What
// tells who is to hear an event is read here; what it says, only where somebody is.
const sqlClaimEvents = `
	SELECT e.ctid, e.book::text, e.object_id, e.sequence, e.id, e.type, coalesce(e.merchant_id, ''), e.object_type, w.first
	FROM (SELECT place, row_number() OVER (PARTITION BY book, object_id ORDER BY sequence) = 1 AS first
		FROM (SELECT ctid AS place, book, object_id, sequence FROM events o
			WHERE delivered_at IS NULL AND book = ANY($1::text[]::book[]) AND NOT EXISTS (
				SELECT FROM event_leases l WHERE l.book = o.book AND l.object_id = o.object_id AND l.until > now() OFFSET 0)
			ORDER BY no LIMIT $2) o) w
	JOIN events e ON e.ctid = w.place
	WHERE e.delivered_at IS NULL
	ORDER BY e.no
	FOR UPDATE OF e SKIP LOCKED`

// Rows that a claim has locked stay where they are.
const sqlReadClaimed = sqlEvent + ` WHERE ctid = ANY($1::tid[])`

const sqlPassClaimed = `UPDATE events SET delivered_at = $1 WHERE ctid = ANY($2::tid[])`

// Whoever had the event locked before us may have committed its lease after we looked: then it is theirs.
const sqlLease = `
	INSERT INTO event_leases AS l (book, object_id, until)
	SELECT n.book::book, n.object_id, now() + $1 FROM unnest($2::text[], $3::text[]) AS n(book, object_id)
	ON CONFLICT (book, object_id) DO UPDATE SET until = excluded.until WHERE l.until <= now()
	RETURNING book::text, object_id`

const sqlEndLeases = `
	DELETE FROM event_leases l USING unnest($1::text[], $2::text[]) AS n(book, object_id)
	WHERE l.book = n.book::book AND l.object_id = n.object_id`

// Each is looked up by its key: where nearly everything has left, the few rows that haven't seem to be the shorter way, and each event
// would read all that wait. So nothing in there is what the index of those asks for.
const sqlEventsDelivered = `
	UPDATE events e SET delivered_at = $1
	FROM (SELECT w.place FROM unnest($2::text[], $3::text[], $4::bigint[]) AS d(book, object_id, sequence) CROSS JOIN LATERAL (
		SELECT ctid AS place FROM events
		WHERE book = d.book::book AND object_id = d.object_id AND sequence = d.sequence AND coalesce(delivered_at, 'infinity') = 'infinity' OFFSET 0) w) d
	WHERE e.ctid = d.place`

// ClaimEvents takes up to limit events that haven't left, of each object its oldest, on a lease: nobody else takes them until it
// ends (I-23). Those that no endpoint is to hear are marked as delivered at once; found counts them too, so call again at
// once while it isn't zero. Endpoints are read after the events, so one that stood before an event hears it.
func (s *Store) ClaimEvents(ctx context.Context, limit int, lasting time.Duration) (list []delivery.Leaving, found int, err error) {
	for _, db := range s.dbs {
		claimed, n, err := s.claimEvents(ctx, db, limit-found, lasting)
		if err != nil {
			return list, found, failure(err)
		}
		list, found = append(list, claimed...), found+n
		if found >= limit {
			break
		}
	}
	return list, found, nil
}

func (s *Store) claimEvents(ctx context.Context, db *database, limit int, lasting time.Duration) (list []delivery.Leaving, n int, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		list, n = nil, 0
		rows, err := tx.Query(ctx, sqlClaimEvents, bookNames(db.books), limit)
		if err != nil {
			return err
		}
		events, places, firsts, err := claimed(rows)
		if err != nil || events == nil {
			return err
		}
		targets, err := s.targets(ctx, tx, events)
		if err != nil {
			return err
		}
		var heard, unheard []pgtype.TID
		var leaving []Event
		for i, e := range events {
			l := delivery.Leaving{Event: e}
			for _, t := range targets[merchantOf{string(e.Book), e.MerchantID}] {
				if t.Hears(e) {
					l.To = append(l.To, t)
				}
			}
			switch {
			case l.To == nil:
				unheard = append(unheard, places[i])
			case firsts[i]:
				heard, list = append(heard, places[i]), append(list, l)
			default:
				continue
			}
			leaving = append(leaving, e)
		}
		n = len(leaving)
		if err := s.pickNotices(ctx, tx, leaving); err != nil {
			return err
		}
		if unheard != nil {
			if _, err := tx.Exec(ctx, sqlPassClaimed, s.clock(), unheard); err != nil {
				return err
			}
		}
		if err := s.readClaimed(ctx, tx, heard, list); err != nil {
			return err
		}
		list, err = lease(ctx, tx, list, lasting)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return list, n, nil
}

// claimed are the events of a claim, where each stands, and whether it is the first of its object.
func claimed(rows pgx.Rows) (events []Event, places []pgtype.TID, firsts []bool, err error) {
	var e Event
	var at pgtype.TID
	var first bool
	into := []any{&at, &e.Book, &e.Object.ID, &e.Object.Sequence, &e.ID, &e.Type, &e.MerchantID, &e.Object.Type, &first}
	_, err = pgx.ForEachRow(rows, into, func() error {
		events, places, firsts = append(events, e), append(places, at), append(firsts, first)
		return nil
	})
	return events, places, firsts, err
}

// readClaimed reads what the events of list say, which stand at places.
func (s *Store) readClaimed(ctx context.Context, tx pgx.Tx, places []pgtype.TID, list []delivery.Leaving) error {
	if len(list) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, sqlReadClaimed, places)
	if err != nil {
		return err
	}
	events, err := pgx.CollectRows(rows, s.scanEvent)
	if err != nil {
		return err
	}
	whole := make(map[string]Event, len(events))
	for _, e := range events {
		whole[e.ID] = e
	}
	for i := range list {
		list[i].Event = whole[list[i].Event.ID]
	}
	return nil
}

// lease takes the objects of events, and returns the events whose objects it got.
func lease(ctx context.Context, tx pgx.Tx, list []delivery.Leaving, lasting time.Duration) ([]delivery.Leaving, error) {
	if len(list) == 0 {
		return nil, nil
	}
	events := make([]Event, len(list))
	for i, l := range list {
		events[i] = l.Event
	}
	books, objects, _ := placesOf(events)
	rows, err := tx.Query(ctx, sqlLease, lasting, books, objects)
	if err != nil {
		return nil, err
	}
	type object struct{ book, id string }
	got := map[object]bool{}
	var o object
	if _, err := pgx.ForEachRow(rows, []any{&o.book, &o.id}, func() error { got[o] = true; return nil }); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(l delivery.Leaving) bool { return !got[object{string(l.Event.Book), l.Event.Object.ID}] }), nil
}

// ReleaseEvents gives leases back, of events that didn't leave.
func (s *Store) ReleaseEvents(ctx context.Context, list []delivery.Leaving) error {
	for _, db := range s.dbs {
		var events []Event
		for _, l := range list {
			if s.books[l.Event.Book] == db {
				events = append(events, l.Event)
			}
		}
		if err := endLeases(ctx, db.pool, events); err != nil {
			return failure(err)
		}
	}
	return nil
}

type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func (s *Store) markDelivered(ctx context.Context, tx executor, list []Event) error {
	if len(list) == 0 {
		return nil
	}
	books, objects, sequences := placesOf(list)
	_, err := tx.Exec(ctx, sqlEventsDelivered, s.clock(), books, objects, sequences)
	return err
}

func endLeases(ctx context.Context, tx executor, list []Event) error {
	if len(list) == 0 {
		return nil
	}
	books, objects, _ := placesOf(list)
	_, err := tx.Exec(ctx, sqlEndLeases, books, objects)
	return err
}

// placesOf are the keys of events.
func placesOf(list []Event) (books, objects []string, sequences []int64) {
	for _, e := range list {
		books, objects, sequences = append(books, string(e.Book)), append(objects, e.Object.ID), append(sequences, e.Object.Sequence)
	}
	return books, objects, sequences
}

func (s *Store) scanEvent(row pgx.CollectableRow) (Event, error) {
	var e Event
	var secret []byte
	err := row.Scan(&e.Book, &e.Object.ID, &e.Object.Sequence, &e.ID, &e.Type, &e.APIVersion, &e.CreatedAt, &e.MerchantID,
		&e.BusinessID, &e.Object.Type, &e.Data, &secret)
	if err != nil {
		return e, err
	}
	e.Livemode = e.Book.Livemode()
	if secret == nil {
		return e, nil
	}
	action, err := s.OpenSealed(secret)
	if err != nil {
		return e, err
	}
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return e, err
	}
	data["next_action"] = action
	e.Data, err = json.Marshal(data)
	return e, err
}

func bookNames(list []id.Book) []string {
	names := make([]string, len(list))
	for i, b := range list {
		names[i] = string(b)
	}
	return names
}
