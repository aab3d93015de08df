package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
)

// A page is one range of the primary key of entries.
const sqlPage = `
	SELECT e.journal, j.cause, j.kind, j.effective_at, e.amount, coalesce(e.balance_after, 0), e.balance_after IS NULL
	FROM (SELECT journal, amount, balance_after FROM entries
		WHERE account = @account AND journal >= @begin AND journal < @upto ORDER BY journal LIMIT @limit) e
	CROSS JOIN LATERAL (SELECT cause, kind, effective_at FROM journals WHERE no = e.journal OFFSET 0) j
	ORDER BY e.journal`

const sqlCursor = `SELECT journal FROM causes WHERE book = $1 AND cause = $2`

// Statement reads a page of what happened to an account: entries with the balance after each, between an opening and a closing
// balance. To has to be final ("at_not_final"). Limits beyond 1–100 are taken as the nearest.
func (s *Store) Statement(ctx context.Context, f ledger.StatementFilter) (ledger.Statement, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return ledger.Statement{}, err
	}
	q := statement{StatementFilter: f}
	h, err := db.horizon(ctx, q.queueLookups)
	if err == nil {
		err = q.settle(h)
	}
	if err != nil {
		return ledger.Statement{}, err
	}
	return q.out, q.read(ctx, db)
}

// statement is one call of Statement.
type statement struct {
	ledger.StatementFilter
	out    ledger.Statement
	no     int64
	cursor *ledger.Number
	// Journals from first on belong to the statement, those from begin on to the page, those from upto on to neither.
	first, begin, upto ledger.Number
}

// queueLookups asks what the names of the request stand for.
func (q *statement) queueLookups(b *pgx.Batch) {
	b.Queue(sqlAccountByID, q.Book, q.Account, q.Owner).Query(func(rows pgx.Rows) (err error) {
		q.out.Opened, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (ledger.Opened, error) { return scanAccount(row, &q.no) })
		return noRows(err)
	})
	if q.After != "" {
		b.Queue(sqlCursor, q.Book, q.After).QueryRow(func(row pgx.Row) error { return noRows(row.Scan(&q.cursor)) })
	}
}

// settle turns instants into ranges of numbers.
func (q *statement) settle(h horizon) error {
	if q.no == 0 {
		return fault.NotFound("account")
	}
	q.out.From, q.out.To, q.out.FinalUpTo = since1970(q.From), since1970(q.To), h.final
	if q.To.IsZero() {
		q.out.To = h.final
	}
	if q.From.IsZero() { // from the first entry on, or the first that is here
		q.out.From = monthOf(q.out.OpenedAt)
		if since := h.since.BookedAt(); q.out.From.Before(since) {
			q.out.From = since
		}
		if q.out.From.After(q.out.To) {
			q.out.From = q.out.To
		}
	}
	if q.out.From.After(q.out.To) {
		return fault.Invalid("range_invalid", "from", "from is later than to")
	}
	if err := h.admit("to", q.out.To, q.out.OpenedAt); err != nil {
		return err
	}
	if ledger.From(q.out.From) < h.since && ledger.From(monthOf(q.out.OpenedAt)) < h.since {
		return h.detached("from")
	}
	q.first, q.upto = ledger.From(q.out.From), ledger.After(q.out.To)
	q.begin = q.first
	if q.After != "" {
		if q.cursor == nil {
			return fault.Invalid("cursor_unknown", "starting_after", "no entry of the account has this journal")
		}
		q.begin = max(q.begin, *q.cursor+1)
	}
	return nil
}

// monthOf is the first instant of a month. A journal may be booked a little before the account's opening, by the clocks, but hardly a
// month.
func monthOf(t time.Time) time.Time {
	t = t.UTC().AddDate(0, 0, -1)
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// read fetches the page and the balances before the statement and at its end. Entries of a hot account don't tell the balance after them: it
// is added up from the one before the page.
func (q *statement) read(ctx context.Context, db *database) error {
	limit := min(max(q.Limit, 1), 100)
	var before int64
	var hot []bool
	b := &pgx.Batch{}
	balance := func(upto ledger.Number, into *int64) {
		b.Queue(sqlBalance, pgx.NamedArgs{"account": q.no, "upto": upto}).QueryRow(func(row pgx.Row) error { return row.Scan(into) })
	}
	balance(q.first, &q.out.Opening)
	balance(q.upto, &q.out.Closing)
	if q.out.Hot && q.begin != q.first {
		balance(q.begin, &before)
	}
	b.Queue(sqlPage, pgx.NamedArgs{"account": q.no, "begin": q.begin, "upto": q.upto, "limit": limit + 1}).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var l ledger.StatementLine
			var untold bool
			if err := rows.Scan(&l.Number, &l.Cause, &l.Kind, &l.EffectiveAt, &l.Amount, &l.Balance, &untold); err != nil {
				return err
			}
			q.out.Lines, hot = append(q.out.Lines, l), append(hot, untold)
		}
		return rows.Err()
	})
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil {
		return failure(err)
	}
	if len(q.out.Lines) > limit {
		q.out.Lines, q.out.More = q.out.Lines[:limit], true
	}
	if q.begin == q.first {
		before = q.out.Opening
	}
	for i := range q.out.Lines {
		l := &q.out.Lines[i]
		if hot[i] {
			sum, ok := add(before, l.Amount)
			if !ok {
				return overflow()
			}
			l.Balance = sum
		}
		before = l.Balance
	}
	return nil
}

const sqlPosted = `
	SELECT j.no, j.cause, j.kind, coalesce(r.cause, ''), j.effective_at, j.legs,
		e.leg, a.id, a.code, a.currency, a.kind, a.normal, e.amount, e.balance_after
	FROM (SELECT no, cause, kind, reverses, effective_at, legs FROM journals
		WHERE book = @book AND no >= @begin AND no < @upto ORDER BY no LIMIT @limit) j
	LEFT JOIN LATERAL (SELECT cause FROM journals WHERE no = j.reverses OFFSET 0) r ON true
	CROSS JOIN LATERAL (SELECT leg, account, amount, balance_after FROM entries WHERE journal = j.no OFFSET 0) e
	CROSS JOIN LATERAL (SELECT id, code, currency, kind, normal FROM accounts WHERE no = e.account OFFSET 0) a
	ORDER BY j.no, e.leg`

// Journals reads a page of a book's journals with all their legs: from number begin on, below upto. The list has ended when it is
// shorter than limit. Below the horizon it never changes, so its pages need no common snapshot.
func (s *Store) Journals(ctx context.Context, book id.Book, begin, upto ledger.Number, limit int) ([]ledger.Posted, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlPosted, pgx.NamedArgs{"book": book, "begin": begin, "upto": upto, "limit": limit})
	if err != nil {
		return nil, failure(err)
	}
	defer rows.Close()
	var list []ledger.Posted
	for rows.Next() {
		p, l := ledger.Posted{Book: book}, ledger.PostedLeg{Account: ledger.Account{Book: book}}
		a := &l.Account
		if err := rows.Scan(&p.Number, &p.Cause, &p.Kind, &p.Reverses, &p.EffectiveAt, &p.Count,
			&l.Leg, &l.ID, &a.Code, &a.Currency, &a.Kind, &a.Normal, &l.Amount, &l.Balance); err != nil {
			return nil, failure(err)
		}
		if len(list) == 0 || list[len(list)-1].Number != p.Number {
			list = append(list, p)
		}
		last := &list[len(list)-1]
		last.Legs = append(last.Legs, l)
	}
	return list, failure(rows.Err())
}
