package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/notice"
)

const noticeColumns = ` n.book::text, n.event_id, n.user_id, n.medium, n.id, n.merchant_id, n.type, n.object_type, n.object_id, n.sequence, n.language,
	n.status, n.reason, n.tries, n.due_at, n.created_at, n.tried_at, n.sent_at,
	(SELECT e.data FROM events e WHERE e.book = n.book AND e.object_id = n.object_id AND e.sequence = n.sequence),
	(SELECT o.reference FROM events e JOIN orders o ON o.book = e.book AND o.id = e.data->>'order_id'
		WHERE e.book = n.book AND e.object_id = n.object_id AND e.sequence = n.sequence),
	n.digest, coalesce(CASE split_part(n.digest, '/', 1)
		WHEN 'rebate.accrued' THEN (SELECT sum(r.accrued) FROM rebates r
			WHERE r.book = n.book AND r.order_id = split_part(n.digest, '/', 2) AND r.beneficiary = n.user_id)
		WHEN 'rebate.settled' THEN (SELECT sum(r.settled) FROM rebates r
			WHERE r.book = n.book AND r.beneficiary = n.user_id AND r.run_id = split_part(n.digest, '/', 2)) END, 0)::bigint`

func scanNotice(row pgx.CollectableRow) (notice.Row, error) {
	var r notice.Row
	var due, tried, sent *time.Time
	var data []byte
	var reference *string
	err := row.Scan(&r.Book, &r.EventID, &r.UserID, &r.Medium, &r.ID, &r.MerchantID, &r.Type, &r.ObjectType, &r.ObjectID, &r.Sequence, &r.Language,
		&r.State, &r.Reason, &r.Tries, &due, &r.CreatedAt, &tried, &sent, &data, &reference, &r.Digest, &r.Sum)
	r.NextAt, r.TriedAt, r.SentAt, r.Event = timeOf(due), timeOf(tried), timeOf(sent), json.RawMessage(data)
	if reference != nil {
		r.OrderReference = *reference
	}
	return r, err
}

const sqlClaimNotices = `
	WITH due AS (
		SELECT book, event_id, user_id, medium FROM notifications
		WHERE medium = $1 AND due_at <= $2 AND book = ANY($5::text[]::book[]) ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
	UPDATE notifications n SET due_at = $2 + $4::interval
	FROM due WHERE n.book = due.book AND n.event_id = due.event_id AND n.user_id = due.user_id AND n.medium = due.medium
	RETURNING` + noticeColumns

// ClaimNotices takes up to limit messages of a medium whose time has come, on a lease: nobody else makes their tries until it ends. They
// come with whom they are for, as they stand now.
func (s *Store) ClaimNotices(ctx context.Context, medium notice.Medium, limit int, lease time.Duration) ([]notice.Due, error) {
	var all []notice.Due
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimNotices, medium, s.clock(), limit, lease, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, scanNotice)
		if err != nil {
			return all, failure(err)
		}
		if len(list) == 0 {
			continue
		}
		a, err := s.aboutPeople(ctx, db.pool, list)
		if err != nil {
			return all, failure(err)
		}
		for _, r := range list {
			d := notice.Due{Row: r, Person: a.people[userOf{string(r.Book), r.UserID}], Settings: a.settings[merchantOf{string(r.Book), r.MerchantID}]}
			d.Person.ID = r.UserID
			all = append(all, d)
		}
	}
	return all, nil
}

// Only who claimed it last says what became of a message: another's word came too late, and the message was sent again.
const sqlPutNotice = `
	UPDATE notifications SET status = $6, reason = $7, tries = tries + $8::int, due_at = $9, tried_at = CASE WHEN $8 = 1 THEN $10 ELSE tried_at END,
		sent_at = CASE WHEN $6 = 'sent' THEN $10::timestamptz END
	WHERE book = $1 AND event_id = $2 AND user_id = $3 AND medium = $4 AND due_at = $5`

// PutNotice writes what a try came to, or that it was put off.
func (s *Store) PutNotice(ctx context.Context, r notice.Row, v notice.Verdict) error {
	db, err := s.db(r.Book)
	if err != nil {
		return err
	}
	tried := 0
	if v.Tried {
		tried = 1
	}
	var due *time.Time
	if v.State == notice.Pending {
		due = &v.NextAt
	}
	_, err = db.pool.Exec(ctx, sqlPutNotice, r.Book, r.EventID, r.UserID, r.Medium, r.NextAt, v.State, v.Reason, tried, due, s.clock())
	return failure(err)
}

const sqlNotices = `SELECT` + noticeColumns + ` FROM notifications n WHERE n.book = @book AND n.merchant_id = @merchant`

const sqlUserStands = `SELECT EXISTS (SELECT FROM users WHERE book = $1 AND id = $2 AND merchant_id = $3)`

// Notices lists messages, the newest first. A user of another merchant is fault.NotFound (I-25).
func (s *Store) Notices(ctx context.Context, f notice.Filter) (page []notice.Row, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	if f.UserID != "" {
		var stands bool
		if err := db.pool.QueryRow(ctx, sqlUserStands, f.Book, f.UserID, f.MerchantID).Scan(&stands); err != nil {
			return nil, false, failure(err)
		}
		if !stands {
			return nil, false, fault.NotFound("user")
		}
	}
	query, args := sqlNotices, pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "limit": f.Limit + 1}
	for _, c := range []struct{ column, name, is string }{{"user_id", "user", f.UserID}, {"status", "status", string(f.State)}, {"medium", "medium", string(f.Medium)}} {
		if c.is != "" {
			query, args[c.name] = query+" AND n."+c.column+" = @"+c.name, c.is
		}
	}
	if f.After != "" {
		query, args["after"] = query+" AND n.id < @after", f.After
	}
	rows, err := db.pool.Query(ctx, query+" ORDER BY n.id DESC LIMIT @limit", args)
	if err != nil {
		return nil, false, failure(err)
	}
	page, err = pgx.CollectRows(rows, scanNotice)
	if err != nil {
		return nil, false, failure(err)
	}
	if more = len(page) > f.Limit; more {
		page = page[:f.Limit]
	}
	return page, more, nil
}

const sqlOneNoticeSettings = `
	SELECT s.book::text, s.merchant_id, s.media, s.language, s.sender, s.quiet, m.time_zone
	FROM notice_settings s JOIN merchants m ON m.book = s.book AND m.id = s.merchant_id WHERE s.book = $1 AND s.merchant_id = $2`

// NoticeSettings reads a merchant's. One that has none tells nobody anything: the answer has no media.
func (s *Store) NoticeSettings(ctx context.Context, book id.Book, merchantID string) (notice.Settings, error) {
	none := notice.Settings{Book: book, MerchantID: merchantID, Media: []notice.Medium{}, Language: notice.Languages()[0]}
	db, err := s.db(book)
	if err != nil {
		return none, err
	}
	rows, err := db.pool.Query(ctx, sqlOneNoticeSettings, book, merchantID)
	if err != nil {
		return none, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanNoticeSettings)
	if err != nil || len(list) == 0 {
		return none, failure(err)
	}
	return list[0], nil
}

const sqlPutNoticeSettings = `
	INSERT INTO notice_settings (book, merchant_id, media, language, sender, quiet, updated_at, changed_by, request_id)
	SELECT m.book, m.id, $3::text[], $4::text, $5::text, $6::jsonb, $7::timestamptz, $8::text, $9::text FROM merchants m WHERE m.book = $1 AND m.id = $2
	ON CONFLICT (book, merchant_id) DO UPDATE SET media = excluded.media, language = excluded.language, sender = excluded.sender,
		quiet = excluded.quiet, updated_at = excluded.updated_at, changed_by = excluded.changed_by, request_id = excluded.request_id`

// PutNoticeSettings replaces a merchant's. It holds for what happens from now on, and for what waits.
func (s *Store) PutNoticeSettings(ctx context.Context, v notice.Settings, by ledger.Principal) (notice.Settings, error) {
	db, err := s.db(v.Book)
	if err != nil {
		return v, err
	}
	tag, err := db.pool.Exec(ctx, sqlPutNoticeSettings, v.Book, v.MerchantID, v.Media, v.Language, v.Sender, v.Quiet, s.clock(), string(by.Kind)+":"+by.ID, by.RequestID)
	if err != nil {
		return v, failure(err)
	}
	if tag.RowsAffected() == 0 {
		return v, fault.NotFound("merchant")
	}
	return s.NoticeSettings(ctx, v.Book, v.MerchantID)
}
