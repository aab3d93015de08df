package store

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// now is the number below which everything stands.
const now ledger.Number = math.MaxInt64

// balanceBelow is what an account a holds by the journals below @upto, as the column "balance" of m. The past is never read: an ordinary
// account's next entry tells the balance before it, and the account's row the one after its last, if that isn't later. A hot account has its newest fold
// and some entries since; before it was made hot it was an ordinary one, up to its first fold.
const balanceBelow = `
	LEFT JOIN LATERAL (SELECT f.upto, f.balance FROM folds f
		WHERE a.hot AND f.account = a.no AND f.upto <= @upto ORDER BY f.upto DESC LIMIT 1) f ON true
	LEFT JOIN LATERAL (SELECT sum(e.amount) AS amount FROM entries e
		WHERE f.upto IS NOT NULL AND e.account = a.no AND e.journal >= f.upto AND e.journal < @upto) s ON true
	LEFT JOIN LATERAL (SELECT e.balance_after - e.amount AS balance FROM entries e
		WHERE f.upto IS NULL AND a.last >= @upto AND e.account = a.no AND e.journal >= @upto ORDER BY e.journal LIMIT 1) n ON true
	LEFT JOIN LATERAL (SELECT z.balance FROM folds z
		WHERE a.hot AND f.upto IS NULL AND z.account = a.no ORDER BY z.upto LIMIT 1) z ON true
	CROSS JOIN LATERAL (SELECT coalesce((f.balance + coalesce(s.amount, 0))::bigint, n.balance, z.balance, a.balance) AS balance) m`

const sqlBalance = `SELECT m.balance FROM accounts a` + balanceBelow + ` WHERE a.no = @account`

// What the world dates otherwise than we booked it. Entries lie within the minute before their booking, but for the displaced: so
// those of the minute after the instant are looked at, and of all others only the displaced.
const sqlEffective = `
	SELECT (coalesce((SELECT sum(e.amount) FROM entries e
			CROSS JOIN LATERAL (SELECT effective_at FROM journals WHERE no = e.journal OFFSET 0) j
			WHERE e.account = @account AND e.journal >= @upto AND e.journal < @minute AND j.effective_at <= @at), 0)
		+ coalesce((SELECT sum(d.amount) FROM displaced d
			WHERE d.account = @account AND d.effective_at <= @at AND d.effective_at > @oldest AND d.journal >= @minute AND d.journal < @final), 0)
		- coalesce((SELECT sum(d.amount) FROM displaced d
			WHERE d.account = @account AND d.effective_at > @at AND d.effective_at <= @newest AND d.journal < @upto), 0))::bigint`

// Balance reads what an account holds at an instant, which has to be final ("at_not_final"), or with a zero At now. By effective time it
// is the sum of what the world dates at the instant or before, as far as it is booked and final.
func (s *Store) Balance(ctx context.Context, book id.Book, owner, accountID string, at time.Time, by ledger.Dating) (ledger.Balance, error) {
	db, err := s.db(book)
	if err != nil {
		return ledger.Balance{}, err
	}
	var no int64
	out := ledger.Balance{At: at, By: by}
	h, err := db.horizon(ctx, func(b *pgx.Batch) {
		b.Queue(sqlAccountByID, book, accountID, owner).Query(func(rows pgx.Rows) (err error) {
			out.Opened, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (ledger.Opened, error) { return scanAccount(row, &no) })
			return noRows(err)
		})
	})
	if err != nil {
		return ledger.Balance{}, err
	}
	if no == 0 {
		return ledger.Balance{}, fault.NotFound("account")
	}
	out.FinalUpTo = h.final
	switch {
	case !at.IsZero():
		out.At = since1970(at)
	case by == ledger.ByEffective:
		out.At = h.final
	}
	return out, db.balance(ctx, no, h, &out)
}

func (db *database) balance(ctx context.Context, no int64, h horizon, out *ledger.Balance) error {
	upto := now
	b := &pgx.Batch{}
	if !out.At.IsZero() {
		upto = ledger.After(out.At)
		if err := h.admit("at", out.At, out.OpenedAt); err != nil {
			return err
		}
	}
	if out.At.IsZero() || !h.elsewhere(out.At) { // else it wasn't open yet
		b.Queue(sqlBalance, pgx.NamedArgs{"account": no, "upto": upto}).QueryRow(func(row pgx.Row) error { return row.Scan(&out.Minor) })
	}
	if out.By == ledger.ByEffective {
		final := ledger.After(h.final)
		b.Queue(sqlEffective, pgx.NamedArgs{"account": no, "upto": upto, "at": out.At, "final": final,
			"minute": min(ledger.After(out.At.Add(ledger.Displaced)), final), "oldest": out.At.Add(-ledger.MaxBehind - time.Hour),
			"newest": out.At.Add(ledger.MaxAhead + time.Minute)}).QueryRow(func(row pgx.Row) error {
			var more int64
			if err := row.Scan(&more); err != nil {
				return err
			}
			sum, ok := add(out.Minor, more)
			if !ok {
				return overflow()
			}
			out.Minor = sum
			return nil
		})
	}
	return failure(db.pool.SendBatch(ctx, b).Close())
}

const sqlBalances = `SELECT m.balance,` + accountColumns + ` FROM accounts a` + balanceBelow + `
	WHERE a.book = @book AND (a.code, a.currency) > (@code, @last) AND (a.opened_at <= @at OR m.balance <> 0)
	ORDER BY a.code, a.currency LIMIT @limit`

// Balances reads a page of a book's accounts by code and currency, with what each holds at an instant that is final. after is the
// last account that the caller has, or nil; the list has ended when it is shorter than limit.
func (s *Store) Balances(ctx context.Context, book id.Book, at time.Time, after *ledger.Opened, limit int) ([]ledger.Balance, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	args := pgx.NamedArgs{"book": book, "upto": ledger.After(at), "at": at, "code": "", "last": "", "limit": limit}
	if after != nil {
		args["code"], args["last"] = after.Code, after.Currency
	}
	rows, err := db.pool.Query(ctx, sqlBalances, args)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b ledger.Balance, err error) {
		b.By, b.At = ledger.ByBooking, at
		b.Opened, err = scanAccount(row, &b.Minor)
		return b, err
	})
	return list, failure(err)
}
