package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/rebate"
)

// The buyer is whom the payment that paid names, the first of those that name anybody; an order that isn't paid may have one, too.
const sqlRebateOrder = `
	SELECT` + orderColumns + `, m.time_zone, coalesce(p.customer_id, ''), coalesce(p.metadata, '{}'),
		(SELECT max(coalesce(x.effective_at, x.updated_at)) FROM payments x
			WHERE x.order_id = o.id AND x.book = o.book AND x.status = 'succeeded'),
		d.details_sealed
	FROM orders o JOIN merchants m ON m.book = o.book AND m.id = o.merchant_id
	LEFT JOIN LATERAL (
		SELECT customer_id, metadata FROM payments p WHERE p.order_id = o.id AND p.book = o.book AND p.customer_id IS NOT NULL
		ORDER BY p.status = 'succeeded' DESC, p.id LIMIT 1) p ON true
	LEFT JOIN user_details d ON d.book = o.book AND d.user_id = p.customer_id
	WHERE o.book = $1 AND o.id = $2`

// RebateOrder reads what rules ask of an order: as it was paid, with its buyer's history before then. paidAt: when it was fully paid;
// zero: the last of its payments, or now. An order of another merchant is NotFound (I-25).
func (s *Store) RebateOrder(ctx context.Context, book id.Book, merchantID, orderID string, paidAt time.Time) (rebate.Order, error) {
	db, err := s.db(book)
	if err != nil {
		return rebate.Order{}, err
	}
	var last, received *time.Time
	var zone, buyer string
	var metadata, details []byte
	o := &orderRow{}
	var lines, adjustments []byte
	err = db.pool.QueryRow(ctx, sqlRebateOrder, book, orderID).Scan(&o.Book, &o.ID, &o.MerchantID, &o.Reference, &o.Type, &o.Currency,
		&o.Total.Minor, &o.Authorized.Minor, &o.Paid.Minor, &o.Refunded.Minor, &o.Disputed.Minor, &o.Status, &o.Sequence, &o.CreatedAt, &received, &lines, &adjustments,
		&zone, &buyer, &metadata, &last, &details)
	if err == pgx.ErrNoRows || err == nil && merchantID != "" && o.MerchantID != merchantID {
		return rebate.Order{}, fault.NotFound("order")
	}
	if err != nil {
		return rebate.Order{}, failure(err)
	}
	if err := o.readContent(lines, adjustments); err != nil {
		return rebate.Order{}, failure(err)
	}
	out := rebate.Order{Book: book, ID: o.ID, MerchantID: o.MerchantID, Reference: o.Reference, Type: o.Type, Currency: o.Currency, PaidAt: paidAt}
	switch {
	case !paidAt.IsZero():
	case last != nil:
		out.PaidAt = last.UTC()
	default:
		out.PaidAt = s.clock()
	}
	if out.Zone, err = time.LoadLocation(zone); err != nil {
		return out, fault.Internal("a merchant's time zone can't be read", err)
	}
	if out.Lines, err = rebate.Lines(o.Order); err != nil {
		return out, err
	}
	if err := json.Unmarshal(metadata, &out.Metadata); err != nil {
		return out, fault.Internal("metadata that can't be read", err)
	}
	if out.Country, err = s.countryOf(details); err != nil || buyer == "" {
		return out, err
	}
	out.Buyer, err = s.RebateBuyer(ctx, book, o.MerchantID, rebate.Bought{UserID: buyer, OrderID: orderID, Currency: o.Currency, At: out.PaidAt})
	return out, err
}

// The history is what sqlEarning counts.
const sqlRebateBuyer = `
	SELECT u.created_at, coalesce(u.referrer_id, ''), coalesce(r.referrer_id, ''), h.orders, h.spent
	FROM users u LEFT JOIN users r ON r.book = u.book AND r.id = u.referrer_id
	CROSS JOIN LATERAL (
		SELECT count(*) AS orders, coalesce(sum(b.paid - b.refunded - b.disputed) FILTER (WHERE b.currency = $5), 0)::bigint AS spent
		FROM (SELECT DISTINCT order_id FROM payments
			WHERE book = u.book AND customer_id = u.id AND captured > 0 AND order_id <> $4 AND effective_at <= $6) e
		JOIN orders b ON b.book = u.book AND b.id = e.order_id WHERE b.paid >= b.total) h
	WHERE u.book = $1 AND u.id = $2 AND u.merchant_id = $3`

// RebateBuyer reads a user's history with the merchant before a purchase. Another merchant's user is NotFound (I-25).
func (s *Store) RebateBuyer(ctx context.Context, book id.Book, merchantID string, of rebate.Bought) (rebate.Buyer, error) {
	db, err := s.db(book)
	if err != nil {
		return rebate.Buyer{}, err
	}
	b := rebate.Buyer{UserID: of.UserID}
	err = db.pool.QueryRow(ctx, sqlRebateBuyer, book, of.UserID, merchantID, of.OrderID, of.Currency, of.At).
		Scan(&b.Since, &b.Referrer, &b.ReferrerTwo, &b.OrdersPaid, &b.SpentMinor)
	if err == pgx.ErrNoRows {
		return b, fault.NotFound("user")
	}
	b.Since = b.Since.UTC()
	return b, failure(err)
}

// MerchantZone is the clock by which a merchant's days go.
func (s *Store) MerchantZone(ctx context.Context, book id.Book, merchantID string) (*time.Location, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	var zone string
	if err := db.pool.QueryRow(ctx, `SELECT time_zone FROM merchants WHERE book = $1 AND id = $2`, book, merchantID).Scan(&zone); err != nil {
		if err == pgx.ErrNoRows {
			return nil, fault.NotFound("merchant")
		}
		return nil, failure(err)
	}
	at, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fault.Internal("a merchant's time zone can't be read", err)
	}
	return at, nil
}
