package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/user"
)

// A settlement pays a user in several Steps.
var insertWithdrawal = newWriter("settlement_withdrawals", `settlement_id text, user_id text, at timestamptz`, `
	INSERT INTO settlement_withdrawals (book, settlement_id, user_id, due_at)
	SELECT $1, n.settlement_id, n.user_id, n.at FROM n
	ORDER BY n.settlement_id, n.user_id
	ON CONFLICT (book, settlement_id, user_id) DO NOTHING`).ranked(6)

const sqlClaimWithdrawals = `
	WITH due AS (
		SELECT book, settlement_id, user_id FROM settlement_withdrawals
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE settlement_withdrawals w SET tries = least(tries + 1, 1000),
		due_at = $1 + least(interval '10 minutes', interval '5 seconds' * (2 ^ least(tries, 7)))
	FROM due WHERE w.book = due.book AND w.settlement_id = due.settlement_id AND w.user_id = due.user_id
	RETURNING w.book::text, w.settlement_id, w.user_id, w.due_at`

// WithdrawalsDue claims users whom a settlement has paid and whose wallets may be paid out. What nothing comes of comes again after 5 s,
// 10 s, … 10 min.
func (s *Store) WithdrawalsDue(ctx context.Context, limit int) ([]accrual.Withdrawal, error) {
	return claimDue(ctx, s, sqlClaimWithdrawals, s.clock(), limit, func(row pgx.CollectableRow) (w accrual.Withdrawal, err error) {
		return w, row.Scan(&w.Book, &w.RunID, &w.User, &w.Lease)
	})
}

// The destination is the one that the user names, or, where only the merchant wants it, the newest that the user keeps.
const sqlWithdrawal = `
	SELECT r.merchant_id, r.currency, r.ended_at, coalesce(u.auto_withdraw, '{}'), coalesce((m.policies->'auto_withdraw'->>r.currency)::bigint, 0),
		(SELECT d.destination_sealed FROM user_destinations d WHERE d.book = u.book AND d.user_id = u.id AND d.removed_at IS NULL
			AND (u.auto_withdraw IS NULL OR d.id = u.auto_withdraw->>'destination_id') ORDER BY d.id DESC LIMIT 1)
	FROM settlements r JOIN users u ON u.book = r.book AND u.id = $3 JOIN merchants m ON m.book = r.book AND m.id = r.merchant_id
	WHERE r.book = $1 AND r.id = $2`

// Withdrawal reads what a claimed one is judged by.
func (s *Store) Withdrawal(ctx context.Context, w accrual.Withdrawal) (accrual.Withdrawal, error) {
	db, err := s.db(w.Book)
	if err != nil {
		return w, err
	}
	var ended *time.Time
	var own user.Withdrawal
	var standing int64
	var sealed []byte
	err = db.pool.QueryRow(ctx, sqlWithdrawal, w.Book, w.RunID, w.User).Scan(&w.MerchantID, &w.Currency, &ended, &own, &standing, &sealed)
	if err == pgx.ErrNoRows {
		return w, fault.NotFound("settlement")
	} else if err != nil {
		return w, failure(err)
	}
	w.EndedAt = value(ended)
	switch {
	case own.Off:
	case own.DestinationID != "":
		w.Wanted, w.AtLeast = own.Currency == w.Currency, own.AtLeast
	default:
		w.Wanted, w.AtLeast = standing > 0, standing
	}
	if sealed == nil || !w.Wanted {
		return w, nil
	}
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal(text, &w.Destination); err != nil {
		return w, fault.Internal("a destination that can't be read", err)
	}
	return w, nil
}

const sqlWithdrawalDone = `
	UPDATE settlement_withdrawals SET due_at = NULL, outcome = $4, payout_id = nullif($5, '')
	WHERE book = $1 AND settlement_id = $2 AND user_id = $3 AND due_at IS NOT NULL`

// WithdrawalDone keeps what came of one: the payout that was ordered, or why none was.
func (s *Store) WithdrawalDone(ctx context.Context, w accrual.Withdrawal, outcome, payoutID string) error {
	db, err := s.db(w.Book)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, sqlWithdrawalDone, w.Book, w.RunID, w.User, outcome, payoutID)
	return failure(err)
}

const (
	sqlSetAutoWithdraw = `
	UPDATE merchants SET policies = jsonb_set(policies, '{auto_withdraw}', coalesce(policies->'auto_withdraw', '{}') || jsonb_build_object($3::text, $4::bigint))
	WHERE book = $1 AND id = $2`
	sqlDropAutoWithdraw = `UPDATE merchants SET policies = policies - 'auto_withdraw' WHERE book = $1 AND id = $2`
)

// SetAutoWithdraw has wallets of a merchant's users paid out after settlements, from an amount on; zero: not any more, in no currency. What a
// user has said themselves goes before it.
func (s *Store) SetAutoWithdraw(ctx context.Context, book id.Book, merchantID string, from money.Amount) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	query, args := sqlDropAutoWithdraw, []any{book, merchantID}
	if from.Minor > 0 {
		query, args = sqlSetAutoWithdraw, append(args, string(from.Currency), from.Minor)
	}
	tag, err := db.pool.Exec(ctx, query, args...)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.NotFound("merchant")
	}
	return failure(err)
}
