package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/trade"
)

const sqlCase = `SELECT` + caseColumns + ` FROM cases c WHERE c.book = $1 AND c.id = $2`

// Case reads one. Another merchant's is NotFound (I-25), and so is an orphan's to a merchant; an empty merchantID is an operator's
// view.
func (s *Store) Case(ctx context.Context, book id.Book, merchantID, caseID string) (exception.Case, error) {
	db, err := s.db(book)
	if err != nil {
		return exception.Case{}, err
	}
	rows, err := db.pool.Query(ctx, sqlCase, book, caseID)
	if err != nil {
		return exception.Case{}, failure(err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanCase)
	if err == pgx.ErrNoRows || (err == nil && merchantID != "" && c.MerchantID != merchantID) {
		return exception.Case{}, fault.NotFound("case")
	}
	return c, failure(err)
}

// Cases lists cases, the oldest first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Cases(ctx context.Context, f exception.Filter) ([]exception.Case, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"c.book = @book"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "c.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.State != "", "c.state = @state", "state", f.State)
	add(f.Kind != "", "c.kind = @kind", "kind", f.Kind)
	add(f.PaymentID != "", "c.payment_id = @payment", "payment", f.PaymentID)
	add(f.After != "", `(c.opened_at, c.id) > (SELECT a.opened_at, a.id FROM cases a WHERE a.book = @book AND a.id = @after)`, "after", f.After)
	rows, err := db.pool.Query(ctx, `SELECT`+caseColumns+` FROM cases c WHERE `+strings.Join(where, " AND ")+` ORDER BY c.opened_at, c.id LIMIT @limit`, args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanCase)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

const sqlClaimCases = `
	WITH due AS (
		SELECT book, id FROM cases
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE cases c SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE c.book = due.book AND c.id = due.id
	RETURNING` + caseColumns

// CasesWaiting claims cases that no saga has taken over: at once, and if whoever claims can't start it, after 2 s, 4 s, … 60 s.
func (s *Store) CasesWaiting(ctx context.Context, limit int) ([]exception.Case, error) {
	var all []exception.Case
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimCases, s.clock(), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, scanCase)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}

// OrderSums reads how far an order is paid, for whoever decides a case.
func (s *Store) OrderSums(ctx context.Context, book id.Book, orderID string) (trade.Order, error) {
	o, _, err := s.Order(ctx, book, "", orderID)
	return o, err
}
