package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/transfer"
)

const transferColumns = `
	t.book::text, t.id, t.merchant_id, t.from_user, t.to_user, t.amount, t.currency, coalesce(t.description, ''), t.metadata, t.created_at,
	t.status, coalesce(t.failure_code, ''), t.sequence, t.updated_at`

func scanTransfer(row pgx.Row) (transfer.Transfer, error) {
	var t transfer.Transfer
	err := row.Scan(&t.Book, &t.ID, &t.MerchantID, &t.From, &t.To, &t.Amount.Minor, &t.Amount.Currency, &t.Description, &t.Metadata, &t.CreatedAt,
		&t.Status, &t.FailureCode, &t.Sequence, &t.UpdatedAt)
	return t, err
}

func collectTransfer(row pgx.CollectableRow) (transfer.Transfer, error) { return scanTransfer(row) }

const sqlTransfers = `SELECT` + transferColumns + ` FROM transfers t`

// Transfer reads one transfer as it is now. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view.
func (s *Store) Transfer(ctx context.Context, book id.Book, merchantID, transferID string) (transfer.Transfer, error) {
	db, err := s.db(book)
	if err != nil {
		return transfer.Transfer{}, err
	}
	t, err := scanTransfer(db.pool.QueryRow(ctx, sqlTransfers+` WHERE t.book = $1 AND t.id = $2`, book, transferID))
	if err == pgx.ErrNoRows || (err == nil && merchantID != "" && t.MerchantID != merchantID) {
		return transfer.Transfer{}, fault.NotFound("transfer")
	}
	return t, failure(err)
}

// Transfers lists transfers, newest first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Transfers(ctx context.Context, f transfer.Filter) ([]transfer.Transfer, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"t.book = @book"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "t.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.UserID != "", "(t.from_user = @user OR t.to_user = @user)", "user", f.UserID)
	add(f.Status != "", "t.status = @status", "status", f.Status)
	add(!f.CreatedFrom.IsZero(), "t.created_at >= @from", "from", f.CreatedFrom)
	add(!f.CreatedBefore.IsZero(), "t.created_at < @before", "before", f.CreatedBefore)
	add(f.After != "", "t.id < @after", "after", f.After)
	rows, err := db.pool.Query(ctx, fmt.Sprintf(`%s WHERE %s ORDER BY t.id DESC LIMIT @limit`, sqlTransfers, strings.Join(where, " AND ")), args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, collectTransfer)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

const sqlClaimUnstartedTransfers = `
	WITH due AS (
		SELECT book, id FROM transfers
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE transfers t SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE t.book = due.book AND t.id = due.id
	RETURNING` + transferColumns

// UnstartedTransfers claims transfers that were received olderThan ago and haven't been settled, as Unstarted does payments.
func (s *Store) UnstartedTransfers(ctx context.Context, olderThan time.Duration, limit int) ([]transfer.Transfer, error) {
	var all []transfer.Transfer
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimUnstartedTransfers, s.clock().Add(-olderThan), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, collectTransfer)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}

const sqlHolder = `SELECT merchant_id, status FROM users WHERE book = $1 AND id = $2`

// Holder says whether a user's wallets may move now, without a lock: nil, or as a Step would refuse it. It opens nothing, so what names
// a stranger leaves no trace (I-25).
func (s *Store) Holder(ctx context.Context, book id.Book, merchantID, userID string) error {
	db, err := s.db(book)
	if err != nil {
		return err
	}
	var h holder
	err = db.pool.QueryRow(ctx, sqlHolder, book, userID).Scan(&h.merchantID, &h.status)
	if err == pgx.ErrNoRows {
		return fault.NotFound("user")
	}
	if err != nil {
		return failure(err)
	}
	return h.moves(merchantID)
}
