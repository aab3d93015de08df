package store

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const (
	sqlMakeTokenKey = `INSERT INTO user_token_keys (book, period, seed_sealed, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlReadTokenKey = `SELECT seed_sealed FROM user_token_keys WHERE book = $1 AND period = $2`
)

type tokenPeriod struct {
	book   id.Book
	period int
}

// TokenKey is what signs the tokens of a book's users in a period: made once, by whoever needs it first, and kept in memory.
func (s *Store) TokenKey(ctx context.Context, book id.Book, period int) (access.TokenKey, error) {
	key := access.TokenKey{Book: book, Period: period}
	if known, ok := s.tokenKeys.Load(tokenPeriod{book, period}); ok {
		key.Private = known.(ed25519.PrivateKey)
		return key, nil
	}
	db, err := s.db(book)
	if err != nil {
		return key, err
	}
	var sealed []byte
	err = db.pool.QueryRow(ctx, sqlReadTokenKey, book, period).Scan(&sealed)
	if err == pgx.ErrNoRows {
		fresh := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(fresh) // never fails: it ends the process instead
		made, sealErr := s.Seal(fresh)
		if sealErr != nil {
			return key, sealErr
		}
		if _, err = db.pool.Exec(ctx, sqlMakeTokenKey, book, period, made, s.clock()); err == nil {
			err = db.pool.QueryRow(ctx, sqlReadTokenKey, book, period).Scan(&sealed)
		}
	}
	if err != nil {
		return key, failure(err)
	}
	seed, err := s.OpenSealed(sealed)
	if err == nil && len(seed) != ed25519.SeedSize {
		err = fault.Internal("a signing key of another size", nil)
	}
	if err != nil {
		return key, err
	}
	key.Private = ed25519.NewKeyFromSeed(seed)
	s.tokenKeys.Store(tokenPeriod{book, period}, key.Private)
	return key, nil
}

const sqlSession = `
	SELECT x.id, x.merchant_id, x.user_id
	FROM user_sessions x JOIN users u ON u.book = x.book AND u.id = x.user_id
	WHERE x.book = $1 AND x.id = $2 AND x.ended_at IS NULL AND x.expires_at > $3 AND u.status IN ('active', 'frozen')`

// Session reads a session that is open. One that has ended, and that of a user who is closed or erased, is NotFound at once: nothing is
// remembered of it.
func (s *Store) Session(ctx context.Context, book id.Book, sessionID string) (access.Session, error) {
	session := access.Session{Book: book}
	db, err := s.db(book)
	if err != nil {
		return session, err
	}
	err = db.pool.QueryRow(ctx, sqlSession, book, sessionID, s.clock()).Scan(&session.ID, &session.MerchantID, &session.UserID)
	if err == pgx.ErrNoRows {
		return session, fault.NotFound("session")
	}
	return session, failure(err)
}
