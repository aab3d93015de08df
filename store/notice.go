package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

const sqlPickNotices = `
	INSERT INTO notice_events (book, event_id, merchant_id, type, object_type, object_id, sequence, due_at)
	SELECT n.book::book, n.event_id, n.merchant_id, n.type, n.object_type, n.object_id, n.sequence, $8
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
		AS n(book, event_id, merchant_id, type, object_type, object_id, sequence)
	WHERE EXISTS (SELECT FROM notice_settings s WHERE s.book = n.book::book AND s.merchant_id = n.merchant_id AND s.media <> '{}')
	ON CONFLICT DO NOTHING`

// pickNotices keeps what people may want to hear, in the transaction in which events are taken to leave. Load tests are told to nobody.
func (s *Store) pickNotices(ctx context.Context, tx executor, events []Event) error {
	var books, ids, merchants, kinds, types, objects []string
	var sequences []int64
	for _, e := range events {
		if e.Book == id.Shadow || e.MerchantID == "" || !notice.Concerns(e.Type) {
			continue
		}
		books, ids, merchants, kinds = append(books, string(e.Book)), append(ids, e.ID), append(merchants, e.MerchantID), append(kinds, e.Type)
		types, objects, sequences = append(types, e.Object.Type), append(objects, e.Object.ID), append(sequences, e.Object.Sequence)
	}
	if books == nil {
		return nil
	}
	_, err := tx.Exec(ctx, sqlPickNotices, books, ids, merchants, kinds, types, objects, sequences, s.clock())
	return err
}

// A pick that can't be planned comes again later, and holds up none behind it.
const sqlTakePicks = `
	WITH due AS (
		SELECT book, event_id FROM notice_events
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE notice_events n SET tries = least(n.tries + 1, 1000), due_at = $1 + least(interval '1 hour', interval '10 seconds' * (2 ^ least(n.tries, 9)))
	FROM due WHERE n.book = due.book AND n.event_id = due.event_id
	RETURNING n.book::text, n.event_id, n.merchant_id, n.type, n.object_type, n.object_id, n.sequence,
		(SELECT e.data FROM events e WHERE e.book = n.book AND e.object_id = n.object_id AND e.sequence = n.sequence),
		(SELECT e.created_at FROM events e WHERE e.book = n.book AND e.object_id = n.object_id AND e.sequence = n.sequence)`

const sqlDropPicks = `
	DELETE FROM notice_events n USING unnest($1::text[], $2::text[]) AS d(book, event_id) WHERE n.book = d.book::book AND n.event_id = d.event_id`

const sqlInsertNotifications = `
	INSERT INTO notifications (book, event_id, user_id, medium, id, merchant_id, type, object_type, object_id, sequence, language, digest, status, due_at, created_at)
	SELECT n.book::book, n.event_id, n.user_id, n.medium, n.id, n.merchant_id, n.type, n.object_type, n.object_id, n.sequence, n.language, n.digest, 'pending',
		n.due_at, $14
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[],
		$12::text[], $13::timestamptz[])
		AS n(book, event_id, user_id, medium, id, merchant_id, type, object_type, object_id, sequence, language, digest, due_at)
	ON CONFLICT DO NOTHING`

// PlanNotices makes messages of up to limit events that were picked out: one per person concerned and medium that they want, once, however
// often an event leaves. found counts the events, so call again at once while it is limit.
func (s *Store) PlanNotices(ctx context.Context, limit int) (found int, err error) {
	for _, db := range s.dbs {
		n, err := s.planNotices(ctx, db, limit)
		found = max(found, n)
		if err != nil {
			return found, failure(err)
		}
	}
	return found, nil
}

func (s *Store) planNotices(ctx context.Context, db *database, limit int) (n int, err error) {
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sqlTakePicks, s.clock(), limit, bookNames(db.books))
		if err != nil {
			return err
		}
		picks, err := pgx.CollectRows(rows, scanPick)
		if n = len(picks); err != nil || n == 0 {
			return err
		}
		about, err := s.aboutPeople(ctx, tx, picks)
		if err != nil {
			return err
		}
		plan := about.plan(picks, s.clock())
		if err := plan.insert(ctx, tx, s.clock()); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sqlDropPicks, plan.doneBooks, plan.doneEvents)
		return err
	})
	return n, err
}

func scanPick(row pgx.CollectableRow) (notice.Row, error) {
	var r notice.Row
	var data []byte
	var at *time.Time
	err := row.Scan(&r.Book, &r.EventID, &r.MerchantID, &r.Type, &r.ObjectType, &r.ObjectID, &r.Sequence, &data, &at)
	r.Event, r.EventAt = json.RawMessage(data), timeOf(at)
	return r, err
}

// noticePlan is the messages to be made, and the events that need no second look.
type noticePlan struct {
	rows                  []notice.Row
	doneBooks, doneEvents []string
}

// plan decides whom each event is told to, and when.
func (a *about) plan(picks []notice.Row, at time.Time) noticePlan {
	var p noticePlan
	for _, pick := range picks {
		people, err := a.peopleOf(pick)
		if err == nil {
			pick.Digest, err = notice.Digest(pick.Type, pick.Event, pick.EventAt)
		}
		if err != nil {
			continue // it comes again: the event can't be read, which is a bug of ours
		}
		p.doneBooks, p.doneEvents = append(p.doneBooks, string(pick.Book)), append(p.doneEvents, pick.EventID)
		settings, known := a.settings[merchantOf{string(pick.Book), pick.MerchantID}]
		if !known || at.Sub(pick.EventAt) > notice.Stale {
			continue
		}
		for _, person := range people {
			for _, medium := range notice.Media() {
				r := notice.Rule(person, settings, pick.Type, medium, at, zoneOf(person, settings))
				if r.Reason != "" {
					continue
				}
				row := pick
				row.UserID, row.Medium, row.Language, row.NextAt = person.ID, medium, notice.LanguageOf(person, settings), at
				switch {
				case !r.Send:
					row.NextAt = r.Until
				case row.Digest != "":
					row.NextAt = at.Add(notice.DigestWait)
				}
				p.rows = append(p.rows, row)
			}
		}
	}
	return p
}

// zoneOf is the clock that quiet hours go by; one that nobody knows any more is UTC.
func zoneOf(p notice.Person, s notice.Settings) *time.Location {
	in, err := time.LoadLocation(notice.Zone(p, s))
	if err != nil {
		return time.UTC
	}
	return in
}

func (p noticePlan) insert(ctx context.Context, tx executor, at time.Time) error {
	if p.rows == nil {
		return nil
	}
	n := len(p.rows)
	books, events, users, media, ids := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	merchants, kinds, types, objects, languages, digests := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	sequences, due := make([]int64, n), make([]time.Time, n)
	for i, r := range p.rows {
		books[i], events[i], users[i], media[i], ids[i] = string(r.Book), r.EventID, r.UserID, string(r.Medium), mint(id.Notice, at)
		merchants[i], kinds[i], types[i], objects[i], languages[i] = r.MerchantID, r.Type, r.ObjectType, r.ObjectID, string(r.Language)
		sequences[i], digests[i], due[i] = r.Sequence, r.Digest, r.NextAt
	}
	_, err := tx.Exec(ctx, sqlInsertNotifications, books, events, users, media, ids, merchants, kinds, types, objects, sequences, languages, digests, due, at)
	return err
}

// CheckZone finds an IANA time zone, or says that there is none of that name.
func CheckZone(name string) (*time.Location, error) {
	in, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fault.Invalid("time_zone_unknown", "time_zone", "this is not an IANA time zone")
	}
	return in, nil
}
