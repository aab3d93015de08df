package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/exception"
	"paysaga/domain/trade"
)

// Only orders that a rebate may depend on have a row, so for all others these write nothing.
var (
	touchRebateOrder = updating("rebate_orders", `order_id text, at timestamptz`, `order_id = n.order_id`, `due_at = n.at, tries = 0`)
	touchRebatesOf   = updating("rebate_orders", `payment_id text, at timestamptz`,
		`order_id = (SELECT p.order_id FROM payments p WHERE p.book = $1 AND p.id = n.payment_id)`, `due_at = n.at, tries = 0`)
)

// The campaigns are looked for by the statement itself: most merchants have none, and their payments pay for nothing else. A moment
// passes first, since the terms of a campaign are certain a little later than a payment (termsCertain).
var insertRebateOrder = newWriter("rebate_orders", `order_id text, merchant_id text, at timestamptz`, `
	INSERT INTO rebate_orders (book, order_id, paid_at, due_at)
	SELECT $1, n.order_id, n.at, n.at + interval '2 seconds' FROM n
	WHERE EXISTS (SELECT FROM campaigns c WHERE c.book = $1 AND c.merchant_id = n.merchant_id)
	ON CONFLICT (book, order_id) DO UPDATE SET due_at = excluded.due_at, tries = 0`)

// rebateLater has an order's rebates looked at by a relay: the Step that moves the order does no more than say so.
func (w *work) rebateLater(before, after trade.Order) {
	if before.Paid.Minor < before.Total.Minor && after.Paid.Minor >= after.Total.Minor {
		w.write(insertRebateOrder, after.ID, after.ID, after.MerchantID, kept(w.at))
		return
	}
	if after.Refunded != before.Refunded || (after.Paid != before.Paid && after.Refunded.Minor > 0) {
		w.write(touchRebateOrder, after.ID, after.ID, w.at)
	}
}

// rebatesOfCase does so where a refund came back, and when it is decided what that means.
func (w *work) rebatesOfCase(c exception.Case) {
	if c.Kind == exception.RefundReturned && c.PaymentID != "" {
		w.write(touchRebatesOf, c.PaymentID, c.PaymentID, w.at)
	}
}

const sqlClaimRebateOrders = `
	WITH due AS (
		SELECT book, order_id FROM rebate_orders
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE rebate_orders r SET tries = least(tries + 1, 1000),
		due_at = $1 + least(interval '1 hour', interval '5 seconds' * (2 ^ least(tries, 10)))
	FROM due WHERE r.book = due.book AND r.order_id = due.order_id
	RETURNING r.book::text, r.order_id, r.due_at`

// RebateOrdersDue claims orders whose rebates may have to move. What nothing comes of comes again after 5 s, 10 s, … 1 h.
func (s *Store) RebateOrdersDue(ctx context.Context, limit int) ([]accrual.Due, error) {
	return claimDue(ctx, s, sqlClaimRebateOrders, s.clock(), limit, func(row pgx.CollectableRow) (d accrual.Due, err error) {
		return d, row.Scan(&d.Book, &d.OrderID, &d.Lease)
	})
}

const sqlRebateOrderDone = `UPDATE rebate_orders SET due_at = NULL, tries = 0 WHERE book = $1 AND order_id = $2 AND due_at = $3`

// RebateOrderDone notes that an order's rebates stand as its refunds say. If the order has moved since it was claimed it stays due.
func (s *Store) RebateOrderDone(ctx context.Context, d accrual.Due) error {
	db, err := s.db(d.Book)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, sqlRebateOrderDone, d.Book, d.OrderID, d.Lease)
	return failure(err)
}
