package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// AccountAct is what somebody did to a channel account.
type AccountAct struct {
	Act    string    `json:"act"`
	Reason string    `json:"reason"`
	By     string    `json:"by"` // who, as "operator opr_…"
	At     time.Time `json:"at"`
}

const sqlLockChannelAccount = `
	SELECT book::text,` + accountStanding + `, acts FROM channel_accounts WHERE id = $1 AND book = ANY($2::text[]::book[]) FOR UPDATE`

const sqlStand = `
	UPDATE channel_accounts SET acts = $3, halt_reason = CASE WHEN $4 = 'active' THEN NULL ELSE $5 END,
		status = CASE $4 WHEN 'active' THEN 'active' WHEN 'disabled' THEN 'closed' ELSE 'suspended' END,
		halt = CASE WHEN $4 IN ('paused', 'draining') THEN $4 END
	WHERE book = $1 AND id = $2`

const sqlInsertAccountAct = `
	INSERT INTO channel_account_acts (book, channel_account, sequence, act, reason, by_kind, by_id, at)
	VALUES (@book, @account, @sequence, @act, @reason, @kind, @by, clock_timestamp())`

// ActOnAccount changes where an account stands, and keeps who did it and why (by.Reason). What stands so already changes nothing and
// leaves no act. An act that doesn't fit is fault.Conflict "standing_refused". Other processes hear of it within CacheFor.
func (s *Store) ActOnAccount(ctx context.Context, accountID string, act channels.Act, by ledger.Principal) (after channels.Standing, err error) {
	if by.Reason == "" {
		return "", fault.Invalid("reason_missing", "reason", "an act has a reason")
	}
	err = s.onAccount(ctx, accountID, func(tx pgx.Tx, book id.Book, was channels.Standing, acts int) error {
		var moved bool
		if after, moved, err = was.After(act); err != nil || !moved {
			return err
		}
		if _, err := tx.Exec(ctx, sqlStand, book, accountID, acts+1, after, by.Reason); err != nil {
			return err
		}
		return s.noteAct(ctx, tx, actRow{book, accountID, acts + 1, string(act)}, by)
	})
	return after, err
}

const sqlLimitAccount = `UPDATE channel_accounts SET acts = $3, limits = $4 WHERE book = $1 AND id = $2`

// LimitAccount replaces the limits on an account's calls, and keeps who did it and why.
func (s *Store) LimitAccount(ctx context.Context, accountID string, limits channels.Limits, by ledger.Principal) error {
	if by.Reason == "" {
		return fault.Invalid("reason_missing", "reason", "an act has a reason")
	}
	if err := limits.Check(); err != nil {
		return err
	}
	return s.onAccount(ctx, accountID, func(tx pgx.Tx, book id.Book, _ channels.Standing, acts int) error {
		if _, err := tx.Exec(ctx, sqlLimitAccount, book, accountID, acts+1, limits); err != nil {
			return err
		}
		return s.noteAct(ctx, tx, actRow{book, accountID, acts + 1, "limits"}, by)
	})
}

type actRow struct {
	book     id.Book
	account  string
	sequence int
	act      string
}

func (s *Store) noteAct(ctx context.Context, tx pgx.Tx, a actRow, by ledger.Principal) error {
	_, err := tx.Exec(ctx, sqlInsertAccountAct, pgx.NamedArgs{"book": a.book, "account": a.account, "sequence": a.sequence, "act": a.act,
		"reason": by.Reason, "kind": by.Kind, "by": by.ID})
	return err
}

// onAccount does something under the lock of an account's row, wherever it is.
func (s *Store) onAccount(ctx context.Context, accountID string, do func(tx pgx.Tx, book id.Book, was channels.Standing, acts int) error) error {
	for _, db := range s.dbs {
		found := true
		err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
			var book id.Book
			var was channels.Standing
			var acts int
			err := tx.QueryRow(ctx, sqlLockChannelAccount, accountID, bookNames(db.books)).Scan(&book, &was, &acts)
			if err == pgx.ErrNoRows {
				found = false
				return nil
			} else if err != nil {
				return err
			}
			return do(tx, book, was, acts)
		})
		if found || err != nil {
			s.cache.open.forget()
			s.cache.accounts.drop(accountID)
			return failure(err)
		}
	}
	return fault.NotFound("channel account")
}

const sqlAccountActs = `
	SELECT act, reason, by_kind || ' ' || by_id, at FROM channel_account_acts WHERE channel_account = $1 AND book = ANY($2::text[]::book[])
	ORDER BY sequence`

// AccountActs lists what was done to an account, in order.
func (s *Store) AccountActs(ctx context.Context, accountID string) ([]AccountAct, error) {
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlAccountActs, accountID, bookNames(db.books))
		if err != nil {
			return nil, failure(err)
		}
		list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AccountAct])
		if err != nil || len(list) > 0 {
			return list, failure(err)
		}
	}
	return nil, nil
}
