package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// KeyGrant says what a new API key may do, and for whom: exactly one of MerchantID and OperatorID is set.
type KeyGrant struct {
	Book       id.Book
	MerchantID string
	OperatorID string
	Scopes     []access.Scope // nil: access.Usual
	// By says who makes it and why; without a reason nothing is noted.
	By ledger.Principal
}

// tokenLength is the random part of a token: 43 characters of 62 hold 256 bits.
const tokenLength = 43

// newToken makes "sk_test_…".
func newToken(book id.Book) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, tokenLength)
	buf := make([]byte, 64)
	for len(out) < tokenLength {
		_, _ = rand.Read(buf) // never fails: it ends the process instead
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: above it some characters would be likelier.
			if b < 248 && len(out) < tokenLength {
				out = append(out, alphabet[b%62])
			}
		}
	}
	return book.KeyPrefix() + string(out)
}

const sqlInsertKey = `
	INSERT INTO api_keys (book, id, hash, merchant_id, operator_id, scopes, created_at)
	VALUES ($1, $2, $3, nullif($4, ''), nullif($5, ''), $6, $7)`

// CreateKey makes an API key and returns its id and the secret, which can't be had again: only its hash is stored.
func (s *Store) CreateKey(ctx context.Context, g KeyGrant) (keyID, token string, err error) {
	db, err := s.db(g.Book)
	if err != nil {
		return "", "", err
	}
	if (g.MerchantID == "") == (g.OperatorID == "") {
		return "", "", fault.Invalid("key_without_principal", "", "a key is a merchant's or an operator's")
	}
	k := APIKey{Book: g.Book, ID: s.Mint(id.APIKey), MerchantID: g.MerchantID, OperatorID: g.OperatorID, Scopes: g.Scopes, CreatedAt: s.clock()}
	if k.Scopes == nil {
		k.Scopes = access.Usual(k.Kind())
	}
	token = newToken(g.Book)
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if err := insertKey(ctx, tx, k, token); err != nil || g.By.Reason == "" {
			return err
		}
		return noteKeyAct(ctx, tx, k, KeyAct{Act: "create"}, g.By)
	})
	return k.ID, token, failure(err)
}

func insertKey(ctx context.Context, tx pgx.Tx, k APIKey, token string) error {
	hash := sha256.Sum256([]byte(token))
	_, err := tx.Exec(ctx, sqlInsertKey, k.Book, k.ID, hash[:], k.MerchantID, k.OperatorID, k.Scopes, k.CreatedAt)
	return err
}

const sqlRevokeKey = `UPDATE api_keys SET revoked_at = least(revoked_at, $3) WHERE book = $1 AND id = $2`

// RevokeKey ends a key, in this process at once and in others within CacheFor. Revoking twice is fine.
func (s *Store) RevokeKey(ctx context.Context, book id.Book, keyID string) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	tag, err := db.pool.Exec(ctx, sqlRevokeKey, book, keyID, s.clock())
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("key")
	}
	s.cache.keys.forget()
	return failure(err)
}

const sqlAuthenticate = `
	SELECT k.id, coalesce(k.merchant_id, ''), coalesce(k.operator_id, ''), k.scopes,
		ARRAY(SELECT c.id FROM merchants c WHERE c.book = k.book AND c.parent_id = k.merchant_id ORDER BY c.id)
	FROM api_keys k WHERE k.hash = $1 AND k.book = $2 AND (k.revoked_at IS NULL OR k.revoked_at > $3)`

// Authenticate finds out whose key a token is. An unknown, malformed or revoked one is Denied "key_unknown". What it says
// may be CacheFor old.
func (s *Store) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	book, ok := bookOf(token)
	if !ok {
		return access.Principal{}, keyUnknown()
	}
	hash := sha256.Sum256([]byte(token))
	return s.cache.keys.get(hash, func() (access.Principal, error) {
		p := access.Principal{Kind: ledger.ByMerchant, Book: book}
		var operator string
		err := s.books[book].pool.QueryRow(ctx, sqlAuthenticate, hash[:], book, s.clock()).Scan(&p.ID, &p.MerchantID, &operator, &p.Scopes, &p.Children)
		if err == pgx.ErrNoRows {
			return access.Principal{}, keyUnknown()
		} else if err != nil {
			return access.Principal{}, failure(err)
		}
		if operator != "" {
			p.Kind, p.ID = ledger.ByOperator, operator
			return p, s.stillOperator(ctx, operator)
		}
		return p, nil
	})
}

func (s *Store) stillOperator(ctx context.Context, operatorID string) error {
	o, err := s.Operator(ctx, operatorID)
	if fault.Is(err, fault.KindNotFound, "") || (err == nil && o.Revoked) {
		return keyUnknown()
	}
	return err
}

func bookOf(token string) (id.Book, bool) {
	for _, b := range id.Books() {
		if rest, ok := strings.CutPrefix(token, b.KeyPrefix()); ok && len(rest) >= 32 && len(rest) <= 128 {
			return b, true
		}
	}
	return "", false
}

func keyUnknown() error { return fault.Denied("key_unknown", "this API key is unknown or revoked") }
