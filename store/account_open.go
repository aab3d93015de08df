package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
)

// OpenAt is what is open at a channel account: payments with an attempt that may still succeed, refunds and payouts that haven't ended.
type OpenAt struct {
	Payments, Refunds, Payouts []string
}

// Len counts them.
func (o OpenAt) Len() int { return len(o.Payments) + len(o.Refunds) + len(o.Payouts) }

// scanPage is how many rows a page of a scan looks at.
const scanPage = 20_000

// There is no index by channel account, since every payment would pay for it: whoever drains an account reads all keys, page by page.
const (
	sqlOpenPayments = `
		SELECT max(p.id), count(*), array_agg(p.id) FILTER (WHERE p.status IN ('processing', 'requires_action', 'authorized') AND EXISTS (
			SELECT FROM attempts a WHERE a.book = $1 AND a.payment_id = p.id AND a.channel_account = $2 AND NOT a.dead))
		FROM (SELECT id, status FROM payments WHERE book = $1 AND id > $3 ORDER BY book, id LIMIT $4) p`
	sqlOpenRefunds = `
		SELECT max(id), count(*), array_agg(id) FILTER (WHERE channel_account = $2 AND status = 'processing')
		FROM (SELECT * FROM refunds WHERE book = $1 AND id > $3 ORDER BY book, id LIMIT $4) r`
	sqlOpenPayouts = `
		SELECT max(id), count(*), array_agg(id) FILTER (WHERE channel_account = $2 AND status = 'processing')
		FROM (SELECT * FROM payouts WHERE book = $1 AND id > $3 ORDER BY book, id LIMIT $4) r`
)

// OpenAtAccount finds what is open at an account. seen, if not nil, is told how many rows were looked at so far.
func (s *Store) OpenAtAccount(ctx context.Context, book id.Book, accountID string, seen func(int)) (OpenAt, error) {
	var open OpenAt
	db, err := s.db(book)
	if err != nil {
		return open, err
	}
	rows := 0
	for _, scan := range []struct {
		sql string
		to  *[]string
	}{{sqlOpenPayments, &open.Payments}, {sqlOpenRefunds, &open.Refunds}, {sqlOpenPayouts, &open.Payouts}} {
		for after, more := "", true; more; {
			var last *string
			var n int
			var ids []string
			if err := db.pool.QueryRow(ctx, scan.sql, book, accountID, after, scanPage).Scan(&last, &n, &ids); err != nil {
				return open, failure(err)
			}
			*scan.to = append(*scan.to, ids...)
			if more = last != nil && *last > after; more {
				after = *last
			}
			if rows += n; seen != nil {
				seen(rows)
			}
		}
	}
	return open, nil
}

const sqlStillOpen = `
	SELECT a.payment_id FROM unnest($2::text[]) AS n(id)
	CROSS JOIN LATERAL (SELECT payment_id, channel_account, dead FROM attempts WHERE book = $1 AND payment_id = n.id OFFSET 0) a
	CROSS JOIN LATERAL (SELECT status FROM payments WHERE book = $1 AND id = n.id OFFSET 0) p
	WHERE a.channel_account = $5 AND NOT a.dead AND p.status IN ('processing', 'requires_action', 'authorized')
	UNION
	SELECT n.id FROM unnest($3::text[]) AS n(id)
	CROSS JOIN LATERAL (SELECT status FROM refunds WHERE book = $1 AND id = n.id OFFSET 0) r WHERE r.status = 'processing'
	UNION
	SELECT n.id FROM unnest($4::text[]) AS n(id)
	CROSS JOIN LATERAL (SELECT status FROM payouts WHERE book = $1 AND id = n.id OFFSET 0) r WHERE r.status = 'processing'`

// StillOpen says which of those found open at an account are so still.
func (s *Store) StillOpen(ctx context.Context, book id.Book, accountID string, open OpenAt) (int, error) {
	db, err := s.db(book)
	if err != nil {
		return 0, err
	}
	rows, err := db.pool.Query(ctx, sqlStillOpen, book, open.Payments, open.Refunds, open.Payouts, accountID)
	if err != nil {
		return 0, failure(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return len(list), failure(err)
}
