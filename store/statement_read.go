package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/reconcile"
)

const statementColumns = `book::text, no, channel, channel_account, kind, day, name, sha256, bytes, status, reason, declared, lines, done, kept,
	first_day, last_day, created_at, updated_at`

func scanStatement(row pgx.CollectableRow) (f reconcile.Stored, err error) {
	var hash []byte
	var day, first, last *time.Time
	err = row.Scan(&f.Book, &f.No, &f.Channel, &f.Account, &f.Kind, &day, &f.Name, &hash, &f.Bytes, &f.Status, &f.Reason, &f.Declared, &f.Lines, &f.Done,
		&f.Kept, &first, &last, &f.CreatedAt, &f.UpdatedAt)
	f.Hash, f.Day, f.First, f.Last = hex.EncodeToString(hash), dayOf(day), dayOf(first), dayOf(last)
	return f, err
}

// civil is a date as PostgreSQL takes it; NULL where there is none.
func civil(d reconcile.Date) *time.Time {
	if d.IsZero() {
		return nil
	}
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
	return &t
}

func dayOf(t *time.Time) reconcile.Date {
	if t == nil {
		return reconcile.Date{}
	}
	return reconcile.On(*t)
}

const sqlStatementFiles = `SELECT ` + statementColumns + ` FROM statement_files
	WHERE book = @book AND (@account = '' OR channel_account = @account) AND (@kind = '' OR kind = @kind) AND (@status = '' OR status = @status)
	ORDER BY no DESC LIMIT @limit`

// StatementFiles lists a book's files, the latest first.
func (s *Store) StatementFiles(ctx context.Context, book id.Book, f reconcile.Filter) ([]reconcile.Stored, error) {
	db, err := s.db(book)
	if err != nil {
		return nil, err
	}
	rows, err := db.pool.Query(ctx, sqlStatementFiles, pgx.NamedArgs{"book": book, "account": f.Account, "kind": f.Kind, "status": f.Status,
		"limit": min(max(f.Limit, 1), 1000)})
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanStatement)
	return list, failure(err)
}

const (
	sqlStatementFile = `SELECT ` + statementColumns + ` FROM statement_files WHERE book = $1 AND no = $2`
	sqlSumsOf        = `
		SELECT currency, kind, lines, gross, fee, net, again_lines, again_gross, again_fee, again_net FROM statement_sums
		WHERE book = $1 AND file = $2 ORDER BY currency, kind`
	sqlFindingsOf = `
		SELECT what, row, first_file, first_row, identity, currency, gross, fee, net FROM statement_findings
		WHERE book = $1 AND file = $2 ORDER BY n LIMIT $3`
)

// StatementFile reads a file, its sums, and what was found out about its rows, the first so many. Another book's file is
// NotFound (I-25).
func (s *Store) StatementFile(ctx context.Context, book id.Book, no int64, findings int) (reconcile.Stored, []reconcile.Sum, []reconcile.Finding, error) {
	db, err := s.db(book)
	if err != nil {
		return reconcile.Stored{}, nil, nil, err
	}
	rows, _ := db.pool.Query(ctx, sqlStatementFile, book, no)
	f, err := pgx.CollectExactlyOneRow(rows, scanStatement)
	if err == pgx.ErrNoRows {
		return f, nil, nil, fault.NotFound("statement")
	} else if err != nil {
		return f, nil, nil, failure(err)
	}
	rows, _ = db.pool.Query(ctx, sqlSumsOf, book, no)
	sums, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x reconcile.Sum, err error) {
		return x, row.Scan(&x.Currency, &x.Kind, &x.Total.Lines, &x.Total.Gross, &x.Total.Fee, &x.Total.Net, &x.Again.Lines, &x.Again.Gross, &x.Again.Fee, &x.Again.Net)
	})
	if err != nil {
		return f, nil, nil, failure(err)
	}
	rows, _ = db.pool.Query(ctx, sqlFindingsOf, book, no, findings)
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x reconcile.Finding, err error) {
		return x, row.Scan(&x.What, &x.Row, &x.FirstFile, &x.FirstRow, &x.Identity, &x.Currency, &x.Gross, &x.Fee, &x.Net)
	})
	return f, sums, found, failure(err)
}

const sqlLinesOf = `
	SELECT l.book::text, l.channel_account, l.row, l.kind, l.detail, l.currency, l.gross, l.fee, l.net, l.reference, l.channel_id, l.original_id,
		coalesce(l.settled_currency, ''), coalesce(l.settled, 0), coalesce(l.rate, ''), l.occurred_at, l.settled_on, l.batch, l.identity
	FROM statement_lines l
	WHERE l.book = $1 AND l.channel_account = $2 AND l.file_kind = $3 AND l.day BETWEEN $4 AND $5 AND l.file = $6
	ORDER BY l.n`

// StatementLines hands out the lines that came in with an imported file, in its order, one at a time; rows that had been
// there before are their first file's. A file that isn't imported has none: Conflict "statement_not_imported".
func (s *Store) StatementLines(ctx context.Context, f reconcile.Stored, each func(*reconcile.Line) error) error {
	if f.Status != reconcile.Imported {
		return fault.Conflict("statement_not_imported", "the lines of a file count once it is imported")
	}
	db, err := s.db(f.Book)
	if err != nil {
		return err
	}
	conn, err := db.connect(ctx)
	if err != nil {
		return failure(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `SET application_name = '`+ReaderName+`'; SET statement_timeout = 0; SET plan_cache_mode = force_custom_plan; SET enable_seqscan = on`); err != nil {
		return failure(err)
	}
	rows, err := conn.Query(ctx, sqlLinesOf, f.Book, f.Account, f.Kind, civil(f.First), civil(f.Last), f.No)
	if err != nil {
		return failure(err)
	}
	var l reconcile.Line
	var currency, settledCurrency string
	var occurred, settledOn *time.Time
	_, err = pgx.ForEachRow(rows, []any{&l.Book, &l.Account, &l.Row, &l.Kind, &l.Detail, &currency, &l.Gross, &l.Fee, &l.Net, &l.Reference, &l.ChannelID,
		&l.OriginalID, &settledCurrency, &l.Settled.Minor, &l.Settled.Rate, &occurred, &settledOn, &l.Batch, &l.Identity}, func() error {
		l.Currency, l.Settled.Currency, l.FileHash = money.Currency(currency), money.Currency(settledCurrency), f.Hash
		l.SettledOn, l.OccurredAt = dayOf(settledOn), value(occurred)
		return each(&l)
	})
	return failure(err)
}
