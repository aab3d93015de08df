package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// APIKey is a key as people see it: its secret can't be had again.
type APIKey struct {
	Book       id.Book        `json:"book"`
	ID         string         `json:"id"`
	MerchantID string         `json:"merchant_id,omitempty"` // else OperatorID
	OperatorID string         `json:"operator_id,omitempty"`
	Scopes     []access.Scope `json:"scopes"`
	CreatedAt  time.Time      `json:"created_at"`
	RevokedAt  time.Time      `json:"revoked_at,omitzero"` // ahead: until then it goes on
}

// Kind is whose key it is.
func (k APIKey) Kind() ledger.PrincipalKind {
	if k.OperatorID != "" {
		return ledger.ByOperator
	}
	return ledger.ByMerchant
}

// KeyAct is what somebody did to a key.
type KeyAct struct {
	Act       string         `json:"act"`
	Scopes    []access.Scope `json:"scopes"` // what the key has since
	Successor string         `json:"successor,omitempty"`
	Reason    string         `json:"reason"`
	By        string         `json:"by"` // who, as "operator opr_…"
	At        time.Time      `json:"at"`
}

const keyColumns = ` book::text, id, coalesce(merchant_id, ''), coalesce(operator_id, ''), scopes, created_at, revoked_at`

func scanKey(row pgx.CollectableRow) (k APIKey, err error) {
	var revoked *time.Time
	err = row.Scan(&k.Book, &k.ID, &k.MerchantID, &k.OperatorID, &k.Scopes, &k.CreatedAt, &revoked)
	k.RevokedAt = value(revoked)
	return k, err
}

const sqlKeys = `
	SELECT` + keyColumns + ` FROM api_keys
	WHERE book = $1 AND ($2 = '' OR merchant_id = $2 OR operator_id = $2)
	ORDER BY coalesce(merchant_id, operator_id), id`

// Keys lists a book's API keys, revoked ones too; owner is a merchant's or an operator's id, or empty for all.
func (s *Store) Keys(ctx context.Context, book id.Book, owner string) ([]APIKey, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, _ := db.pool.Query(ctx, sqlKeys, book, owner)
	list, err := pgx.CollectRows(rows, scanKey)
	return list, failure(err)
}

// Key reads one.
func (s *Store) Key(ctx context.Context, keyID string) (APIKey, error) {
	for _, db := range s.dbs {
		rows, _ := db.pool.Query(ctx, sqlKey, keyID, bookNames(db.books))
		if k, err := pgx.CollectExactlyOneRow(rows, scanKey); err != pgx.ErrNoRows {
			return k, failure(err)
		}
	}
	return APIKey{}, fault.NotFound("key")
}

// ScopeKey changes what a key may do: scopes is given the key as it is, and returns what it is to have. What changes nothing leaves no
// act. Other processes hear of it within CacheFor.
func (s *Store) ScopeKey(ctx context.Context, keyID string, scopes func(APIKey) []access.Scope, by ledger.Principal) (k APIKey, err error) {
	err = s.onKey(ctx, keyID, by, func(tx pgx.Tx, was APIKey) (act string, successor string, err error) {
		k = was
		k.Scopes = scopes(was)
		if err := access.CheckScopes(k.Kind(), k.Scopes); err != nil || sameScopes(was.Scopes, k.Scopes) {
			return "", "", err
		}
		_, err = tx.Exec(ctx, `UPDATE api_keys SET scopes = $3 WHERE book = $1 AND id = $2`, k.Book, k.ID, k.Scopes)
		return "scopes", "", err
	})
	return k, err
}

func sameScopes(a, b []access.Scope) bool {
	has := func(list []access.Scope) func(access.Scope) bool {
		return func(s access.Scope) bool { return !slices.Contains(list, s) }
	}
	return !slices.ContainsFunc(a, has(b)) && !slices.ContainsFunc(b, has(a))
}

// RotateKey makes a key with the same scopes, and ends the old one after a while. The new secret can't be had again.
func (s *Store) RotateKey(ctx context.Context, keyID string, overlap time.Duration, by ledger.Principal) (k APIKey, token string, err error) {
	err = s.onKey(ctx, keyID, by, func(tx pgx.Tx, was APIKey) (string, string, error) {
		if !was.RevokedAt.IsZero() {
			return "", "", fault.Conflict("key_revoked", "this key is revoked, or was rotated before")
		}
		k, token = was, newToken(was.Book)
		k.ID, k.CreatedAt = s.Mint(id.APIKey), s.clock()
		if err := insertKey(ctx, tx, k, token); err != nil {
			return "", "", err
		}
		if err := noteKeyAct(ctx, tx, k, KeyAct{Act: "create"}, by); err != nil {
			return "", "", err
		}
		_, err := tx.Exec(ctx, `UPDATE api_keys SET revoked_at = $3 WHERE book = $1 AND id = $2`, was.Book, was.ID, s.clock().Add(overlap))
		return "rotate", k.ID, err
	})
	return k, token, err
}

// EndKey revokes a key at once, in other processes within CacheFor, and keeps who did it and why. Revoking twice is fine.
func (s *Store) EndKey(ctx context.Context, keyID string, by ledger.Principal) error {
	return s.onKey(ctx, keyID, by, func(tx pgx.Tx, was APIKey) (string, string, error) {
		now := s.clock()
		if !was.RevokedAt.IsZero() && !was.RevokedAt.After(now) {
			return "", "", nil
		}
		_, err := tx.Exec(ctx, sqlRevokeKey, was.Book, was.ID, now)
		return "revoke", "", err
	})
}

const (
	sqlKey     = `SELECT` + keyColumns + ` FROM api_keys WHERE id = $1 AND book = ANY($2::text[]::book[])`
	sqlLockKey = sqlKey + ` FOR UPDATE`
)

// onKey does something under the lock of a key's row, wherever it is, and notes the act; an empty act is none.
func (s *Store) onKey(ctx context.Context, keyID string, by ledger.Principal, do func(pgx.Tx, APIKey) (act, successor string, err error)) error {
	if by.Reason == "" {
		return fault.Invalid("reason_missing", "reason", "an act has a reason")
	}
	for _, db := range s.dbs {
		found := true
		err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			rows, _ := tx.Query(ctx, sqlLockKey, keyID, bookNames(db.books))
			k, err := pgx.CollectExactlyOneRow(rows, scanKey)
			if err == pgx.ErrNoRows {
				found = false
				return nil
			} else if err != nil {
				return err
			}
			act, successor, err := do(tx, k)
			if err != nil || act == "" {
				return err
			}
			return noteKeyAct(ctx, tx, k, KeyAct{Act: act, Successor: successor}, by)
		})
		if found || err != nil {
			s.cache.keys.forget()
			return failure(err)
		}
	}
	return fault.NotFound("key")
}

const sqlInsertKeyAct = `
	INSERT INTO api_key_acts (book, key_id, sequence, act, scopes, successor, reason, by_kind, by_id, at)
	SELECT k.book, k.id, 1 + (SELECT count(*) FROM api_key_acts WHERE book = k.book AND key_id = k.id), @act, k.scopes, nullif(@successor, ''),
		@reason, @kind, @by, clock_timestamp()
	FROM api_keys k WHERE k.book = @book AND k.id = @key`

// noteKeyAct goes under the lock of the key's row, which makes the sequence.
func noteKeyAct(ctx context.Context, tx pgx.Tx, k APIKey, a KeyAct, by ledger.Principal) error {
	_, err := tx.Exec(ctx, sqlInsertKeyAct, pgx.NamedArgs{"book": k.Book, "key": k.ID, "act": a.Act, "successor": a.Successor,
		"reason": by.Reason, "kind": by.Kind, "by": by.ID})
	return err
}

const sqlKeyActs = `
	SELECT act, scopes, coalesce(successor, ''), reason, by_kind || ' ' || by_id, at FROM api_key_acts
	WHERE key_id = $1 AND book = ANY($2::text[]::book[]) ORDER BY sequence`

// KeyActs lists what was done to a key, in order.
func (s *Store) KeyActs(ctx context.Context, keyID string) (all []KeyAct, err error) {
	for _, db := range s.dbs {
		rows, _ := db.pool.Query(ctx, sqlKeyActs, keyID, bookNames(db.books))
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[KeyAct])
		if err != nil {
			return nil, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}
