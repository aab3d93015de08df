package store

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/notice"
)

const sqlTakeKey = `
	INSERT INTO idempotency (book, merchant_id, operation, key, request_hash, object, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
	ON CONFLICT DO NOTHING`

const sqlResentBefore = `SELECT count FROM notice_resends WHERE book = $1 AND id = $2`

const sqlResent = `
	INSERT INTO notice_resends (book, id, merchant_id, chosen, count, by_kind, by_id, request_id, at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), $9)`

const sqlLockNotice = `SELECT status FROM notifications WHERE merchant_id = $2 AND book = $1 AND id = $3 FOR UPDATE`

// Telling again begins the schedule anew, with a try at once.
const sqlResend = `
	WITH chosen AS (
		SELECT book, event_id, user_id, medium FROM notifications
		WHERE merchant_id = @merchant AND book = @book AND status = ANY(@states::text[])
			AND (@id = '' OR id = @id) AND (@user = '' OR user_id = @user) AND (@media::text[] = '{}' OR medium = ANY(@media::text[]))
			AND (@types::text[] = '{}' OR type = ANY(@types::text[])) AND created_at >= @from AND created_at <= @to
		ORDER BY id LIMIT @limit FOR UPDATE)
	UPDATE notifications n SET status = 'pending', reason = '', tries = 0, due_at = @at
	FROM chosen c WHERE n.book = c.book AND n.event_id = c.event_id AND n.user_id = c.user_id AND n.medium = c.medium`

// Resend has messages told again, oldest first, notice.MaxResend at most. Who asked for what is kept (notice_resends); a repeat of the
// request changes nothing and gets the first one's count (I-20).
func (s *Store) Resend(ctx context.Context, r notice.Resend) (notice.Resent, error) {
	var done notice.Resent
	db, err := s.db(r.Book)
	if err != nil {
		return done, err
	}
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var resendID string
		if resendID, done, err = s.resentBefore(ctx, tx, r); err != nil || done.Replayed {
			return err
		}
		if err := chosenNotice(ctx, tx, r); err != nil {
			return err
		}
		to := r.To
		if to.IsZero() {
			to = s.clock()
		}
		tag, err := tx.Exec(ctx, sqlResend, pgx.NamedArgs{"book": r.Book, "merchant": r.MerchantID, "id": r.NoticeID, "user": r.UserID, "states": names(r.Chosen()),
			"media": names(r.Media), "types": names(r.Types), "from": r.From, "to": to, "limit": notice.MaxResend, "at": s.clock()})
		if err != nil {
			return err
		}
		done.Count = int(tag.RowsAffected())
		chosen, err := json.Marshal(map[string]any{"notification": r.NoticeID, "user": r.UserID, "statuses": r.Chosen(), "media": r.Media, "types": r.Types,
			"from": optional(r.From), "to": optional(r.To)})
		if err != nil {
			return fault.Internal("a filter that is no JSON", err)
		}
		_, err = tx.Exec(ctx, sqlResent, r.Book, resendID, r.MerchantID, string(chosen), done.Count, string(r.By.Kind), r.By.ID, r.By.RequestID, s.clock())
		return err
	})
	return done, failure(err)
}

// names are words as an array for PostgreSQL; none are an empty one.
func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return out
}

// resentBefore takes the request's key, or finds what it came to the first time.
func (s *Store) resentBefore(ctx context.Context, tx pgx.Tx, r notice.Resend) (resendID string, done notice.Resent, err error) {
	resendID, k := s.Mint(id.Request), r.Idempotency
	hash, err := hex.DecodeString(k.RequestHash)
	if err != nil {
		return "", done, fault.Internal("a request's hash is hex", err)
	}
	tag, err := tx.Exec(ctx, sqlTakeKey, r.Book, k.MerchantID, k.Operation, k.Key, hash, resendID, s.clock())
	if err != nil || tag.RowsAffected() == 1 {
		return resendID, done, err
	}
	var before []byte
	if err := tx.QueryRow(ctx, sqlRequest, r.Book, k.MerchantID, k.Operation, k.Key).Scan(&before, &resendID); err != nil {
		return "", done, err
	}
	if hex.EncodeToString(before) != k.RequestHash {
		return "", done, keyReused()
	}
	done.Replayed = true
	return resendID, done, tx.QueryRow(ctx, sqlResentBefore, r.Book, resendID).Scan(&done.Count)
}

// chosenNotice refuses one message that isn't there, or may not be told again, and a user who isn't the merchant's (I-25).
func chosenNotice(ctx context.Context, tx pgx.Tx, r notice.Resend) error {
	if r.UserID != "" {
		var stands bool
		if err := tx.QueryRow(ctx, sqlUserStands, r.Book, r.UserID, r.MerchantID).Scan(&stands); err != nil {
			return err
		}
		if !stands {
			return fault.Invalid("user_unknown", "user_id", "there is no such user")
		}
	}
	if r.NoticeID == "" {
		return nil
	}
	var state notice.State
	err := tx.QueryRow(ctx, sqlLockNotice, r.Book, r.MerchantID, r.NoticeID).Scan(&state)
	if err == pgx.ErrNoRows {
		return fault.NotFound("notification")
	} else if err != nil {
		return err
	}
	return notice.Again(state)
}

const sqlNotice = `SELECT` + noticeColumns + ` FROM notifications n WHERE n.merchant_id = $2 AND n.book = $1 AND n.id = $3`

// Notice reads one message; another merchant's is fault.NotFound (I-25).
func (s *Store) Notice(ctx context.Context, book id.Book, merchantID, noticeID string) (notice.Row, error) {
	db, err := s.db(book)
	if err != nil {
		return notice.Row{}, err
	}
	rows, err := db.pool.Query(ctx, sqlNotice, book, merchantID, noticeID)
	if err != nil {
		return notice.Row{}, failure(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanNotice)
	if err == pgx.ErrNoRows {
		return r, fault.NotFound("notification")
	}
	return r, failure(err)
}
