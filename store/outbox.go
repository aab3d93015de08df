package store

import (
	"context"
	"encoding/json"

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
	SELECT @book, e.object_id, e.sequence, e.id, e.type, @api_version, @at, nullif(e.merchant_id, ''), @business, e.object_type,
		e.data::jsonb, e.secret
	FROM unnest(@object_ids::text[], @sequences::bigint[], @ids::text[], @types::text[], @merchants::text[], @objects::text[],
		@data::text[], @secrets::bytea[]) AS e(object_id, sequence, id, type, merchant_id, object_type, data, secret)`

func (o *writes) queueEvents(b *pgx.Batch, w *work) {
	if len(o.events) == 0 {
		return
	}
	n := len(o.events)
	text := [6][]string{}
	for i := range text {
		text[i] = make([]string, n)
	}
	sequences, secrets := make([]int64, n), make([][]byte, n)
	for i, e := range o.events {
		data, _ := json.Marshal(e.data) // plain structs of texts and numbers
		text[0][i], text[1][i], text[2][i], text[3][i], text[4][i], text[5][i] =
			e.id, mint(id.Event, w.at), e.kind, e.merchant, e.object, string(data)
		sequences[i], secrets[i] = e.sequence, e.secret
	}
	business := w.step.Business
	if business == "" {
		business = o.events[0].id
	}
	b.Queue(sqlInsertEvents, pgx.NamedArgs{"book": w.step.Book, "api_version": trade.APIVersion, "at": w.at, "business": business,
		"object_ids": text[0], "ids": text[1], "types": text[2], "merchants": text[3], "objects": text[4], "data": text[5],
		"sequences": sequences, "secrets": secrets})
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
