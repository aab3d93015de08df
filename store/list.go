package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Payment reads one payment as it is now, its next action opened. Another merchant's is NotFound (I-25); an empty
// merchantID is an operator's view.
func (s *Store) Payment(ctx context.Context, book id.Book, merchantID, paymentID string) (payment.Payment, error) {
	db, err := s.db(book)
	if err != nil {
		return payment.Payment{}, err
	}
	rows, err := db.pool.Query(ctx, sqlPayments+` WHERE p.book = $1 AND p.id = $2`, book, paymentID)
	if err != nil {
		return payment.Payment{}, failure(err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, s.scanPayment)
	if err == pgx.ErrNoRows || (err == nil && merchantID != "" && p.MerchantID != merchantID) {
		return payment.Payment{}, fault.NotFound("payment")
	}
	return p, failure(err)
}

// Payments lists payments, newest first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Payments(ctx context.Context, f payment.Filter) ([]payment.Payment, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"p.book = @book", "(p.order_id = '') = @topups"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1, "topups": f.TopUps}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "p.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.Status != "", "p.status = @status", "status", f.Status)
	add(f.UserID != "", "p.customer_id = @user", "user", f.UserID)
	add(f.OrderID != "", "p.order_id = @order", "order", f.OrderID)
	add(f.Channel != "", "p.channel = @channel", "channel", f.Channel)
	add(!f.CreatedFrom.IsZero(), "p.created_at >= @from", "from", f.CreatedFrom)
	add(!f.CreatedBefore.IsZero(), "p.created_at < @before", "before", f.CreatedBefore)
	add(f.After != "", "p.id < @after", "after", f.After)
	sql := fmt.Sprintf(`%s WHERE %s ORDER BY p.id DESC LIMIT @limit`, sqlPayments, strings.Join(where, " AND "))
	rows, err := db.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, s.scanPayment)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

const sqlRequest = `SELECT request_hash, object FROM idempotency WHERE book = $1 AND merchant_id = $2 AND operation = $3 AND key = $4`

// Replayed looks a request up by its idempotency key: the object it stands for, if it came before. Another body under the
// same key is Invalid "idempotency_key_reused" (I-20). Only Commit decides; this saves work for a repeat.
func (s *Store) Replayed(ctx context.Context, book id.Book, k access.Idempotency) (objectID string, found bool, err error) {
	db, err := s.db(book)
	if err != nil {
		return "", false, err
	}
	var hash []byte
	err = db.pool.QueryRow(ctx, sqlRequest, book, k.MerchantID, k.Operation, k.Key).Scan(&hash, &objectID)
	switch {
	case err == pgx.ErrNoRows:
		return "", false, nil
	case err != nil:
		return "", false, failure(err)
	case hex.EncodeToString(hash) != k.RequestHash:
		return "", true, keyReused()
	}
	return objectID, true, nil
}
