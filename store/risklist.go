package store

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/risk"
)

// The platform's lists hold for every merchant, beside its own.
const sqlHits = `
	SELECT e.*
	FROM unnest($3::text[], $4::text[]) AS n(kind, value) CROSS JOIN unnest(ARRAY['', $2]) AS o(owner) CROSS JOIN LATERAL (
		SELECT kind, value, block, hard, over_hard, reason FROM risk_lists
		WHERE book = $1 AND merchant_id = o.owner AND kind = n.kind AND value = n.value AND removed_at IS NULL
			AND (until IS NULL OR until > $5) OFFSET 0) e`

func scanHit(row pgx.CollectableRow) (e risk.Entry, err error) {
	return e, row.Scan(&e.Kind, &e.Value, &e.Block, &e.Hard, &e.OverHard, &e.Reason)
}

const sqlAddEntry = `
	INSERT INTO risk_lists (book, id, merchant_id, kind, value, block, hard, over_hard, reason, by_kind, by_id, created_at, until)
	VALUES (@book, @id, @merchant, @kind, @value, @block, @hard, @over, @reason, @by_kind, @by_id, @at, @until)`

// ListEntry puts a value on a list. One that stands there already is Conflict "list_entry_exists".
func (s *Store) ListEntry(ctx context.Context, l risk.Line) (risk.Line, error) {
	db, err := s.db(l.Book)
	if err != nil {
		return l, err
	}
	l.ID, l.CreatedAt = s.Mint(id.ListEntry), s.clock()
	_, err = db.pool.Exec(ctx, sqlAddEntry, pgx.NamedArgs{"book": l.Book, "id": l.ID, "merchant": l.MerchantID, "kind": string(l.Kind),
		"value": l.Value, "block": l.Block, "hard": l.Hard, "over": l.OverHard, "reason": l.Reason, "by_kind": l.By.Kind, "by_id": l.By.ID,
		"at": l.CreatedAt, "until": optional(l.Until)})
	return l, failure(err)
}

const sqlEntries = `
	SELECT book::text, id, merchant_id, kind, value, block, hard, over_hard, reason, by_kind, by_id, created_at, until
	FROM risk_lists
	WHERE book = $1 AND merchant_id = $2 AND removed_at IS NULL AND ($3 = '' OR kind = $3) AND ($4 = '' OR id < $4)
	ORDER BY id DESC LIMIT $5`

// ListEntries lists what stands on an owner's lists, newest first.
func (s *Store) ListEntries(ctx context.Context, q risk.Query) (page []risk.Line, more bool, err error) {
	db, err := s.db(q.Book)
	if err != nil {
		return nil, false, err
	}
	rows, _ := db.pool.Query(ctx, sqlEntries, q.Book, q.MerchantID, string(q.Kind), q.After, q.Limit+1)
	page, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l risk.Line, err error) {
		var until *time.Time
		err = row.Scan(&l.Book, &l.ID, &l.MerchantID, &l.Kind, &l.Value, &l.Block, &l.Hard, &l.OverHard, &l.Reason, &l.By.Kind, &l.By.ID,
			&l.CreatedAt, &until)
		l.Until = value(until)
		return l, err
	})
	if len(page) > q.Limit {
		return page[:q.Limit], true, failure(err)
	}
	return page, false, failure(err)
}

const sqlRemoveEntry = `
	UPDATE risk_lists SET removed_at = $4, removed_by = $5, removed_reason = $6
	WHERE book = $1 AND id = $2 AND merchant_id = $3 AND removed_at IS NULL`

// UnlistEntry takes a value off its list. One that isn't there, or is another owner's, is NotFound (I-25).
func (s *Store) UnlistEntry(ctx context.Context, book id.Book, merchantID, entryID string, by ledger.Principal) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	tag, err := db.pool.Exec(ctx, sqlRemoveEntry, book, entryID, merchantID, s.clock(), string(by.Kind)+" "+by.ID, by.Reason)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("list entry")
	}
	return failure(err)
}

const (
	sqlMakeSecret = `INSERT INTO risk_secrets (book, secret_sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	sqlReadSecret = `SELECT secret_sealed FROM risk_secrets WHERE book = $1`
)

// digestSecret is the secret under which the book's personal values are digested: made once, and kept in memory.
func (s *Store) digestSecret(ctx context.Context, book id.Book) ([]byte, error) {
	if known, ok := s.digesting.Load(book); ok {
		return known.([]byte), nil
	}
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	var sealed []byte
	err = db.pool.QueryRow(ctx, sqlReadSecret, book).Scan(&sealed)
	if err == pgx.ErrNoRows {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh) // never fails: it ends the process instead
		made, sealErr := s.Seal(fresh)
		if sealErr != nil {
			return nil, sealErr
		}
		if _, err = db.pool.Exec(ctx, sqlMakeSecret, book, made); err == nil {
			err = db.pool.QueryRow(ctx, sqlReadSecret, book).Scan(&sealed)
		}
	}
	if err != nil {
		return nil, failure(err)
	}
	secret, err := s.OpenSealed(sealed)
	if err == nil {
		s.digesting.Store(book, secret)
	}
	return secret, err
}

// Digest is the form in which a value stands on a list of the book: a personal one as a digest, the others as they are.
func (s *Store) Digest(ctx context.Context, book id.Book, kind risk.Kind, value string) (string, error) {
	if !kind.Personal() {
		return value, nil
	}
	secret, err := s.digestSecret(ctx, book)
	if err != nil {
		return "", err
	}
	return risk.Digest(secret, kind, value)
}
