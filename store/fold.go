package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// foldEvery is how many entries of a hot account lie between two folds: as many as one reading of its balance adds up.
const foldEvery = 500

// Hot accounts with the end of the month that their newest fold lies in.
const sqlHotAccounts = `
	SELECT a.no, f.upto, first_number(((date_trunc('month', booked_at(f.upto) AT TIME ZONE 'UTC')) + interval '1 month') AT TIME ZONE 'UTC')
	FROM accounts a
	CROSS JOIN LATERAL (SELECT upto FROM folds WHERE account = a.no ORDER BY upto DESC LIMIT 1) f
	WHERE a.book = $1 AND a.hot ORDER BY a.no`

// One statement, so it may be killed at any point; and what it writes depends on the newest fold and on final entries alone, so two at
// once write the same rows. A month that is over ends with a fold: what comes after needs nothing of it, also when it is detached.
const sqlFold = `
	WITH base AS (SELECT upto, balance, entries FROM folds WHERE account = @account ORDER BY upto DESC LIMIT 1),
	entry AS MATERIALIZED (
		SELECT journal, sum(amount) OVER w AS running, row_number() OVER w AS nth
		FROM (SELECT e.journal, e.amount FROM entries e
			WHERE e.account = @account AND e.journal >= (SELECT upto FROM base) AND e.journal < @upto
			ORDER BY e.journal LIMIT @limit) e
		WINDOW w AS (ORDER BY journal)),
	written AS (
		INSERT INTO folds (account, upto, balance, entries)
		SELECT @account, e.journal + 1, b.balance + e.running, b.entries + e.nth FROM entry e CROSS JOIN base b WHERE e.nth % @every = 0
		UNION ALL
		SELECT @account, @upto, b.balance + coalesce(e.running, 0), b.entries + coalesce(e.nth, 0)
		FROM base b LEFT JOIN (SELECT running, nth FROM entry ORDER BY nth DESC LIMIT 1) e ON true
		WHERE @over AND coalesce(e.nth, 0) < @limit
		ON CONFLICT DO NOTHING RETURNING upto)
	SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM entry)`

// Fold folds the entries of a book's hot accounts, as far as they are final, up to some limit per account, and says whether more are
// waiting. It is safe to kill and to run in many places at once. A limit below foldEvery folds as often as that.
func (s *Store) Fold(ctx context.Context, book id.Book, limit int) (more bool, err error) {
	db, err := s.db(book)
	if err != nil {
		return false, err
	}
	h, err := db.horizon(ctx)
	if err != nil {
		return false, err
	}
	type hotAccount struct {
		No, Upto, MonthEnds int64
	}
	rows, err := db.pool.Query(ctx, sqlHotAccounts, book)
	if err != nil {
		return false, failure(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hotAccount])
	if err != nil {
		return false, failure(err)
	}
	every := min(foldEvery, max(limit, 1))
	limit = max(limit/every, 1) * every
	final := int64(ledger.After(h.final))
	for _, a := range list {
		if a.Upto >= final {
			continue
		}
		over := a.MonthEnds <= final
		var written, read int64
		err := db.pool.QueryRow(ctx, sqlFold, pgx.NamedArgs{"account": a.No, "upto": min(a.MonthEnds, final), "limit": int64(limit),
			"every": int64(every), "over": over}).Scan(&written, &read)
		if err != nil {
			return false, failure(err)
		}
		more = more || written > 0 && (over || read == int64(limit))
	}
	return more, nil
}
