package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

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
	FROM unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[])
		AS n(object_id, sequence, id, type, at, merchant_id, business_id, object_type, data, secret)`

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

// Only an object's oldest undelivered event is taken: another relay may hold it, and a later one must not overtake it (I-23).
const sqlEventsWaiting = `
	SELECT book::text, object_id, sequence, id, type, api_version, created_at, coalesce(merchant_id, ''), business_id, object_type,
		data, secret_sealed
	FROM events e
	WHERE delivered_at IS NULL AND book = ANY($1::text[]::book[]) AND NOT EXISTS (
		SELECT FROM events before
		WHERE before.book = e.book AND before.object_id = e.object_id AND before.sequence < e.sequence AND before.delivered_at IS NULL)
	ORDER BY no LIMIT $2
	FOR UPDATE SKIP LOCKED`

const sqlEventsDelivered = `
	UPDATE events e SET delivered_at = $1
	FROM unnest($2::text[], $3::text[], $4::bigint[]) AS d(book, object_id, sequence)
	WHERE e.book = d.book::book AND e.object_id = d.object_id AND e.sequence = d.sequence`

// EventsWaiting hands up to limit undelivered events to deliver, and marks them delivered once it returns nil: each event
// leaves at least once, those of one object in sequence, whoever else relays beside us (I-23). It returns how many
// there were; call again at once while it isn't zero.
func (s *Store) EventsWaiting(ctx context.Context, limit int, deliver func([]Event) error) (int, error) {
	total := 0
	for _, db := range s.dbs {
		n, err := s.relay(ctx, db, limit, deliver)
		if err != nil {
			return total, failure(err)
		}
		total += n
	}
	return total, nil
}

func (s *Store) relay(ctx context.Context, db *database, limit int, deliver func([]Event) error) (n int, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlEventsWaiting, bookNames(db.books), limit)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, s.scanEvent)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := deliver(list); err != nil {
			return err
		}
		n = len(list)
		books, objects, sequences := make([]string, n), make([]string, n), make([]int64, n)
		for i, e := range list {
			books[i], objects[i], sequences[i] = string(e.Book), e.Object.ID, e.Object.Sequence
		}
		_, err = tx.Exec(ctx, sqlEventsDelivered, s.clock(), books, objects, sequences)
		return err
	})
	return n, err
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
