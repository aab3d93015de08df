package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// Reading the ledger. Every query here goes by key ranges whose width doesn't grow with the book; an empty owner is an operator's
// view, and another owner's account is NotFound (I-25).

const accountColumns = ` a.id, a.book::text, a.code, a.currency, coalesce(a.owner, ''), a.kind, a.normal, a.floor, a.hot, a.opened_at, a.closed_at`

const sqlAccountByID = `SELECT a.no,` + accountColumns + ` FROM accounts a
	WHERE a.id = $2 AND a.book = $1 AND ($3 = '' OR a.owner = $3)`

// LedgerAccount reads an account of the ledger.
func (s *Store) LedgerAccount(ctx context.Context, book id.Book, owner, accountID string) (ledger.Opened, error) {
	db, err := s.db(book)
	if err != nil {
		return ledger.Opened{}, err
	}
	_, a, err := db.account(ctx, book, owner, accountID)
	return a, err
}

// account reads an account with its number.
func (db *database) account(ctx context.Context, book id.Book, owner, accountID string) (no int64, a ledger.Opened, err error) {
	rows, err := db.pool.Query(ctx, sqlAccountByID, book, accountID, owner)
	if err != nil {
		return 0, a, failure(err)
	}
	a, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (ledger.Opened, error) { return scanAccount(row, &no) })
	if err == pgx.ErrNoRows {
		return 0, a, fault.NotFound("account")
	}
	return no, a, failure(err)
}

// scanAccount reads accountColumns, with what stands before them.
func scanAccount(row pgx.CollectableRow, before ...any) (a ledger.Opened, err error) {
	var floor *int64
	var closed *time.Time
	err = row.Scan(append(before, &a.ID, &a.Book, &a.Code, &a.Currency, &a.Owner, &a.Kind, &a.Normal, &floor, &a.Hot, &a.OpenedAt, &closed)...)
	if floor != nil {
		a.Floored, a.Floor = true, *floor
	}
	if closed != nil {
		a.ClosedAt = *closed
	}
	return a, err
}

// A page of accounts is a range of an index: accounts_in_book for an operator, accounts_of_owner for a merchant.
const (
	sqlAccounts = `SELECT` + accountColumns + ` FROM accounts a
		WHERE a.book = @book AND a.code >= @low AND a.code < @high AND (a.code, a.currency) > (@code, @last)
			AND (@currency = '' OR a.currency = @currency)
		ORDER BY a.code, a.currency LIMIT @limit`
	sqlAccountsOfOwner = `SELECT` + accountColumns + ` FROM accounts a
		WHERE a.owner = @owner AND a.book = @book AND a.code >= @low AND a.code < @high AND (a.code, a.currency) > (@code, @last)
			AND (@currency = '' OR a.currency = @currency)
		ORDER BY a.code, a.currency LIMIT @limit`
)

// LedgerAccounts lists accounts by code and currency, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) LedgerAccounts(ctx context.Context, f ledger.AccountFilter) ([]ledger.Opened, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	low, high := codeRange(f.Code)
	args := pgx.NamedArgs{"book": f.Book, "owner": f.Owner, "low": low, "high": high, "currency": f.Currency, "code": "", "last": "", "limit": limit + 1}
	if f.After != "" {
		_, last, err := db.account(ctx, f.Book, f.Owner, f.After)
		if fault.Of(err) == fault.KindNotFound {
			return nil, false, fault.Invalid("cursor_unknown", "starting_after", "no account of the list has this id")
		} else if err != nil {
			return nil, false, err
		}
		args["code"], args["last"] = last.Code, last.Currency
	}
	sql := sqlAccounts
	if f.Owner != "" {
		sql = sqlAccountsOfOwner
	}
	rows, err := db.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Opened, error) { return scanAccount(row) })
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// codeRange is the range of codes that a filter means, its end left out. '0' follows '/', '{' follows every letter.
func codeRange(code string) (low, high string) {
	switch {
	case code == "":
		return "", "{"
	case code[len(code)-1] == '/':
		return code, code[:len(code)-1] + "0"
	}
	return code, code + "\x01"
}

const sqlJournalHead = `
	SELECT j.no, j.cause, j.kind, coalesce(r.cause, ''), j.effective_at, j.legs
	FROM causes c
	CROSS JOIN LATERAL (SELECT no, cause, kind, reverses, effective_at, legs FROM journals WHERE no = c.journal OFFSET 0) j
	LEFT JOIN LATERAL (SELECT cause FROM journals WHERE no = j.reverses OFFSET 0) r ON true
	WHERE c.book = $1 AND c.cause = $2`

const sqlJournalLegs = `
	SELECT e.leg, a.id, a.book::text, a.code, a.currency, coalesce(a.owner, ''), a.kind, a.normal, e.amount, e.balance_after
	FROM causes c
	CROSS JOIN LATERAL (SELECT leg, account, amount, balance_after FROM entries WHERE journal = c.journal OFFSET 0) e
	CROSS JOIN LATERAL (SELECT id, book, code, currency, owner, kind, normal FROM accounts WHERE no = e.account OFFSET 0) a
	WHERE c.book = $1 AND c.cause = $2 AND ($3 = '' OR a.owner = $3)
	ORDER BY e.leg`

// Journal reads the journal of a cause. An owner sees the legs on its own accounts, and no journal that has none (I-25). One
// whose month is kept elsewhere is NotFound.
func (s *Store) Journal(ctx context.Context, book id.Book, owner, cause string) (ledger.Posted, error) {
	db, err := s.db(book)
	if err != nil {
		return ledger.Posted{}, err
	}
	p := ledger.Posted{Book: book}
	b := &pgx.Batch{}
	b.Queue(sqlJournalHead, book, cause).QueryRow(func(row pgx.Row) error {
		return noRows(row.Scan(&p.Number, &p.Cause, &p.Kind, &p.Reverses, &p.EffectiveAt, &p.Count))
	})
	b.Queue(sqlJournalLegs, book, cause, owner).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var l ledger.PostedLeg
			a := &l.Account
			if err := rows.Scan(&l.Leg, &l.ID, &a.Book, &a.Code, &a.Currency, &a.Owner, &a.Kind, &a.Normal, &l.Amount, &l.Balance); err != nil {
				return err
			}
			p.Legs = append(p.Legs, l)
		}
		return rows.Err()
	})
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil {
		return ledger.Posted{}, failure(err)
	}
	if p.Number == 0 || len(p.Legs) == 0 {
		return ledger.Posted{}, fault.NotFound("journal")
	}
	return p, nil
}
