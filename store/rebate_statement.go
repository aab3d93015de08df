package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/user"
)

const sqlRebateTotals = `
	SELECT r.currency, sum(r.accrued)::bigint, coalesce(sum(r.accrued - r.from_pending) FILTER (WHERE r.status = 'pending'), 0)::bigint,
		sum(r.settled)::bigint, sum(r.from_pending + r.from_wallet + r.debt)::bigint, sum(r.debt)::bigint, sum(r.released)::bigint
	FROM rebates r WHERE r.book = $1 AND r.beneficiary = $2 GROUP BY r.currency ORDER BY r.currency`

// RebateTotals sums a user's rebates, by currency. Another merchant's user is NotFound (I-25).
func (s *Store) RebateTotals(ctx context.Context, ref user.Ref) ([]accrual.Totals, error) {
	db, err := s.db(ref.Book)
	if err != nil {
		return nil, err
	}
	if _, err := s.readUser(ctx, db.pool, ref, ""); err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlRebateTotals, ref.Book, ref.ID)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t accrual.Totals, err error) {
		return t, row.Scan(&t.Currency, &t.Accrued, &t.Open, &t.Settled, &t.ClawedBack, &t.Debt, &t.Released)
	})
	return list, failure(err)
}
