package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/user"
)

// A user's referrers form a chain. Whoever would hang one end of it on the other is found by walking up.
const sqlReferrers = `
	WITH RECURSIVE up(id, referrer_id, depth) AS (
		SELECT id, referrer_id, 1 FROM users WHERE book = $1 AND id = $2
		UNION ALL
		SELECT u.id, u.referrer_id, up.depth + 1 FROM up JOIN users u ON u.book = $1 AND u.id = up.referrer_id WHERE up.depth < 100000
	) CYCLE id SET again USING path
	SELECT coalesce(bool_or(id = $3), false) FROM up`

// Changes of referrers within a merchant come one after the other: two that hang two chains on each other would both see no circle.
const sqlLockReferrals = `SELECT pg_advisory_xact_lock(hashtextextended('referrals ' || $1 || $2, 0))`

// checkReferrer refuses a referrer who isn't the merchant's, is gone, or was brought by the user themselves.
func (s *Store) checkReferrer(ctx context.Context, tx pgx.Tx, u user.User) error {
	if _, err := tx.Exec(ctx, sqlLockReferrals, string(u.Book), u.MerchantID); err != nil {
		return err
	}
	var merchant string
	var status user.Status
	err := tx.QueryRow(ctx, `SELECT merchant_id, status FROM users WHERE book = $1 AND id = $2`, u.Book, u.ReferrerID).Scan(&merchant, &status)
	switch {
	case err == pgx.ErrNoRows || err == nil && merchant != u.MerchantID: // I-25
		return fault.Invalid("referrer_unknown", "referrer", "there is no such user")
	case err != nil:
		return err
	case status == user.Closed || status == user.Erased:
		return fault.Invalid("referrer_unknown", "referrer", "the referrer is "+string(status))
	}
	var circle bool
	if err := tx.QueryRow(ctx, sqlReferrers, u.Book, u.ReferrerID, u.ID).Scan(&circle); err != nil {
		return err
	}
	if circle {
		return user.Circle()
	}
	return nil
}

// What of a user's is under way. A refund counts if it goes to the wallet, or was taken out of it: one that fails is there again. Who is to
// be erased ($3) has to wait for what needs what is personal, too: payments over channels alone, their refunds, and words of channels that
// nobody has placed yet.
const sqlUnderWay = `
	WITH mine AS MATERIALIZED (SELECT id, status, order_id FROM payments WHERE customer_id = $2 AND book = $1)
	SELECT 'refund' AS kind, count(*) FROM refunds WHERE user_id = $2 AND book = $1 AND status = 'processing' AND (wallet > 0 OR taken_wallet > 0)
	UNION ALL SELECT 'payout', count(*) FROM payouts WHERE user_id = $2 AND book = $1 AND status = 'processing'
	UNION ALL SELECT 'transfer', count(*) FROM transfers WHERE (from_user = $2 OR to_user = $2) AND book = $1 AND status = 'processing'
	UNION ALL SELECT 'topup', count(*) FROM mine WHERE order_id = '' AND status IN ('processing', 'requires_action', 'authorized')
	UNION ALL SELECT 'dispute', count(*) FROM mine JOIN disputes d ON d.payment_id = mine.id AND d.book = $1
		WHERE d.status = 'open' AND (d.user_id = $2 OR $3)
	UNION ALL SELECT 'rebate', count(*) FROM rebates WHERE beneficiary = $2 AND book = $1 AND status = 'pending' AND from_pending < accrued
	UNION ALL SELECT 'rebate_debt', count(*) FROM rebate_debts WHERE beneficiary = $2 AND book = $1
	UNION ALL SELECT 'payment', count(*) FROM mine WHERE $3 AND order_id <> '' AND status IN ('processing', 'requires_action', 'authorized')
	UNION ALL SELECT 'payment_refund', count(*) FROM mine JOIN refunds r ON r.payment_id = mine.id AND r.book = $1
		WHERE $3 AND r.status = 'processing' AND NOT (r.user_id IS NOT DISTINCT FROM $2 AND (r.wallet > 0 OR r.taken_wallet > 0))
	UNION ALL SELECT 'callback', count(*) FROM (
		SELECT id FROM mine UNION ALL SELECT r.id FROM mine JOIN refunds r ON r.payment_id = mine.id AND r.book = $1
		UNION ALL SELECT id FROM payouts WHERE user_id = $2 AND book = $1) o JOIN callbacks c ON c.business_id = o.id AND c.book = $1
		WHERE $3 AND c.disposition IS NULL`

// underWay counts them, under the user's lock.
func underWay(ctx context.Context, tx pgx.Tx, u user.User, d user.Doing) ([]user.Running, error) {
	rows, err := tx.Query(ctx, sqlUnderWay, u.Book, u.ID, d.Act == user.Erase)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[user.Running])
}

// mayEnd refuses the end of a user who has money left, or anything under way. Under the user's lock no wallet moves, and nothing that would
// move one is received.
func mayEnd(ctx context.Context, tx pgx.Tx, u user.User, d user.Doing) error {
	list, err := underWay(ctx, tx, u, d) // asked first: what arrives meanwhile is seen in the wallet
	if err == nil {
		err = user.Busy(list, d)
	}
	if err != nil {
		return err
	}
	return emptied(ctx, tx, u)
}

// emptied refuses the end of a user who has money left.
func emptied(ctx context.Context, tx pgx.Tx, u user.User) error {
	list, err := wallets(ctx, tx, u.Book, u.ID)
	if err != nil {
		return err
	}
	for _, w := range list {
		if !w.Empty() {
			return fault.Conflict("wallet_not_empty", "there is money in the user's wallets; pay it out first").WithDetail("currency", string(w.Currency)).
				WithDetail("balance", money.New(w.Available+w.Held, w.Currency).Decimal())
		}
	}
	return nil
}

const (
	sqlEndSessions = `
	UPDATE user_sessions SET ended_at = $3, ended_why = $4 WHERE user_id = $2 AND book = $1 AND ended_at IS NULL`
	sqlForgetDestinations = `
	UPDATE user_destinations SET destination_sealed = NULL, removed_at = $3, hint = '' WHERE user_id = $2 AND book = $1 AND removed_at IS NULL`
)

// endUser takes away what lets a user act, and from an erased one all that is personal (I-26).
func endUser(ctx context.Context, tx pgx.Tx, u user.User) error {
	if _, err := tx.Exec(ctx, sqlEndSessions, u.Book, u.ID, u.UpdatedAt, string(u.Status)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM user_credentials WHERE book = $1 AND user_id = $2`, u.Book, u.ID); err != nil {
		return err
	}
	if u.Status != user.Erased {
		return nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM user_profiles WHERE book = $1 AND user_id = $2`, u.Book, u.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM user_details WHERE book = $1 AND user_id = $2`, u.Book, u.ID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, sqlForgetDestinations, u.Book, u.ID, u.UpdatedAt)
	return err
}
