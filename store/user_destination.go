package store

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payout"
	"paysaga/domain/user"
)

const sqlCountDestinations = `SELECT count(*) FROM user_destinations WHERE user_id = $2 AND book = $1 AND removed_at IS NULL`

const sqlAddDestination = `
	INSERT INTO user_destinations (book, id, user_id, kind, hint, destination_sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`

// AddDestination keeps a place to pay a user out to, sealed. That there is a new one is told, so that a theft is seen.
func (s *Store) AddDestination(ctx context.Context, ref user.Ref, to payout.Destination, by ledger.Principal) (user.Destination, error) {
	d := user.Destination{ID: s.Mint(id.Destination), To: to.Masked(), CreatedAt: kept(s.clock())}
	text, err := json.Marshal(to)
	if err != nil {
		return d, fault.Internal("a destination that is no JSON", err)
	}
	sealed, err := s.Seal(text)
	if err != nil {
		return d, err
	}
	return d, s.withUser(ctx, ref, userMove{by: by, event: "user.destination_added"}, func(tx pgx.Tx, u user.User) error {
		var n int
		if err := tx.QueryRow(ctx, sqlCountDestinations, u.Book, u.ID).Scan(&n); err != nil {
			return err
		}
		if n >= user.MaxDestinations {
			return fault.Conflict("too_many_destinations", "a user keeps at most 20 destinations")
		}
		_, err := tx.Exec(ctx, sqlAddDestination, u.Book, d.ID, u.ID, string(d.To.Type), d.To.Last, sealed, d.CreatedAt)
		return err
	})
}

const sqlRemoveDestination = `
	UPDATE user_destinations SET destination_sealed = NULL, removed_at = $4, hint = ''
	WHERE book = $1 AND id = $2 AND user_id = $3 AND removed_at IS NULL`

// RemoveDestination forgets one. Payouts that go there already have their own copy.
func (s *Store) RemoveDestination(ctx context.Context, ref user.Ref, destinationID string, by ledger.Principal) error {
	return s.withUser(ctx, ref, userMove{by: by, event: "user.destination_removed"}, func(tx pgx.Tx, u user.User) error {
		tag, err := tx.Exec(ctx, sqlRemoveDestination, u.Book, destinationID, u.ID, s.clock())
		if err == nil && tag.RowsAffected() == 0 {
			err = fault.NotFound("destination")
		}
		return err
	})
}

const sqlKeeps = `SELECT true FROM user_destinations WHERE book = $1 AND id = $2 AND user_id = $3 AND removed_at IS NULL`

// keeps refuses a destination that isn't the user's (I-25).
func (s *Store) keeps(ctx context.Context, tx pgx.Tx, u user.User, destinationID string) error {
	var kept bool
	err := tx.QueryRow(ctx, sqlKeeps, u.Book, destinationID, u.ID).Scan(&kept)
	if err == pgx.ErrNoRows {
		return fault.Invalid("destination_invalid", "auto_withdraw.destination_id", "the user keeps no such destination")
	}
	return err
}

// withUser does something under the lock of a user who is open, and tells it.
func (s *Store) withUser(ctx context.Context, ref user.Ref, m userMove, do func(pgx.Tx, user.User) error) error {
	db, err := s.db(ref.Book)
	if err != nil {
		return err
	}
	return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		u, err := s.readUser(ctx, tx, ref, " FOR UPDATE")
		if err == nil {
			err = u.Open()
		}
		if err == nil {
			err = do(tx, u.User)
		}
		if err == nil {
			_, err = s.setUser(ctx, tx, u, u, m)
		}
		return err
	}))
}

const sqlDestinations = `
	SELECT id, kind, hint, created_at FROM user_destinations WHERE user_id = $2 AND book = $1 AND removed_at IS NULL ORDER BY id DESC`

// Destinations lists where a user can be paid out to, newest first; there are never many.
func (s *Store) Destinations(ctx context.Context, ref user.Ref) ([]user.Destination, error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return nil, err
	}
	if _, err := s.readUser(ctx, db.pool, ref, ""); err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlDestinations, ref.Book, ref.ID)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d user.Destination, err error) {
		return d, row.Scan(&d.ID, &d.To.Type, &d.To.Last, &d.CreatedAt)
	})
	return list, failure(err)
}

const sqlDestination = `
	SELECT d.destination_sealed FROM user_destinations d JOIN users u ON u.book = d.book AND u.id = d.user_id
	WHERE d.book = $1 AND d.id = $2 AND d.user_id = $3 AND ($4 = '' OR u.merchant_id = $4) AND d.removed_at IS NULL`

// Destination opens one, to pay out to. Another user's is NotFound (I-25).
func (s *Store) Destination(ctx context.Context, ref user.Ref, destinationID string) (payout.Destination, error) {
	var to payout.Destination
	db, err := s.db(ref.Book)
	if err != nil {
		return to, err
	}
	var sealed []byte
	if err := db.pool.QueryRow(ctx, sqlDestination, ref.Book, destinationID, ref.ID, ref.MerchantID).Scan(&sealed); err == pgx.ErrNoRows {
		return to, fault.NotFound("destination")
	} else if err != nil {
		return to, failure(err)
	}
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return to, err
	}
	if err := json.Unmarshal(text, &to); err != nil {
		return to, fault.Internal("a destination that can't be read", err)
	}
	return to, nil
}
