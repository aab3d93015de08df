package store

import (
	"context"
	"crypto/sha256"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

const sqlLockAccount = `
	SELECT a.floor IS NOT NULL, a.hot, a.closed_at IS NOT NULL, a.balance, a.last,
		first_number(date_trunc('month', (now() - interval '1 hour') AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'), first_number(clock_timestamp())
	FROM accounts a WHERE a.no = $1 FOR UPDATE`

const (
	sqlExcludeBatches = `SELECT pg_advisory_xact_lock($1, $2)`
	sqlFirstFold      = `INSERT INTO folds (account, upto, balance, entries) VALUES ($1, $2, $3, 0)`
	sqlMarkHot        = `UPDATE accounts SET hot = true WHERE no = $1`
)

// It is closed at the clock's time under the lock, and not before what the lanes have booked: numbers may run a little ahead.
const sqlCloseAccount = `
	UPDATE accounts a SET closed_at = greatest(clock_timestamp(), (SELECT booked_at(max(last)) FROM lanes l WHERE l.book = a.book))
	WHERE no = $1`

// standing is an account's row under lock.
type standing struct {
	floored, hot, closed bool
	balance, last        int64
	month, now           int64 // numbers: when the month began, and now
}

// MarkHot makes an account hot: from now on its row isn't updated by every posting. There is no way back; marking it again
// changes nothing. Conflict "account_floored" for one with a floor, since nobody would watch it.
func (s *Store) MarkHot(ctx context.Context, accountID string, by ledger.Principal) error {
	return s.manage(ctx, accountID, management{step: id.Step{Code: id.Act, Ordinal: 1}, act: "account made hot", by: by,
		do: func(ctx context.Context, tx pgx.Tx, no int64, a standing) (bool, error) {
			switch {
			case a.hot:
				return false, nil
			case a.floored:
				return false, fault.Conflict("account_floored", "an account with a floor can't be hot")
			case a.closed:
				return false, fault.Conflict("account_closed", "the account is closed")
			case a.last >= a.now: // batches in quick succession are booked a little ahead of the clock
				return false, fault.Unavailable("account_busy", "too much is posted to the account; try again", nil)
			}
			// The first fold says what the account had. It may not lie above what the next batch books; it may lie below the month, if
			// the last entry is older.
			if _, err := tx.Exec(ctx, sqlFirstFold, no, max(a.last+1, a.month), a.balance); err != nil {
				return false, err
			}
			_, err := tx.Exec(ctx, sqlMarkHot, no)
			return true, err
		}})
}

// CloseAccount closes an account for good; what is posted to it afterwards is refused. Conflict "account_not_empty" while it holds
// something. Closing it again changes nothing.
func (s *Store) CloseAccount(ctx context.Context, accountID string, by ledger.Principal) error {
	return s.manage(ctx, accountID, management{step: id.Step{Code: id.Act, Ordinal: 2}, act: "account closed", by: by,
		do: func(ctx context.Context, tx pgx.Tx, no int64, a standing) (bool, error) {
			if a.closed {
				return false, nil
			}
			if err := tx.QueryRow(ctx, sqlBalance, pgx.NamedArgs{"account": no, "upto": now}).Scan(&a.balance); err != nil {
				return false, err
			}
			if a.balance != 0 {
				return false, fault.Conflict("account_not_empty", "the account holds something")
			}
			_, err := tx.Exec(ctx, sqlCloseAccount, no)
			return true, err
		}})
}

// management is what an administrator does to an account, once.
type management struct {
	step id.Step
	act  string
	by   ledger.Principal
	do   func(context.Context, pgx.Tx, int64, standing) (changed bool, err error)
}

const sqlFindAccount = `SELECT no, book::text FROM accounts WHERE id = $1 AND book = ANY($2::text[]::book[])`

const sqlNoteManagement = `
	INSERT INTO causes (book, cause, hash, at, by_kind, by_id, request_id, reason)
	VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''))`

// manage keeps batches out of the book while it happens, in their lock order: the book's lock, the account.
func (s *Store) manage(ctx context.Context, accountID string, m management) error {
	if m.by.Kind == ledger.ByOperator && m.by.Reason == "" {
		return fault.Invalid("reason_required", "reason", "people say why")
	}
	for _, db := range s.dbs {
		var no int64
		var book id.Book
		err := db.pool.QueryRow(ctx, sqlFindAccount, accountID, bookNames(db.books)).Scan(&no, &book)
		if err == pgx.ErrNoRows {
			continue
		} else if err != nil {
			return failure(err)
		}
		return failure(pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, sqlExcludeBatches, calendarLock, bookOrdinal(book)); err != nil {
				return err
			}
			var a standing
			if err := tx.QueryRow(ctx, sqlLockAccount, no).Scan(&a.floored, &a.hot, &a.closed, &a.balance, &a.last, &a.month, &a.now); err != nil {
				return err
			}
			changed, err := m.do(ctx, tx, no, a)
			if err != nil || !changed {
				return err
			}
			hash := sha256.Sum256([]byte(m.act))
			_, err = tx.Exec(ctx, sqlNoteManagement, book, id.Key(accountID, m.step), hash[:], s.clock(), m.by.Kind, m.by.ID, m.by.RequestID, m.by.Reason)
			return err
		}))
	}
	return fault.NotFound("account")
}
