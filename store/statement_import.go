package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/reconcile"
)

// StatementRead reads a whole statement, from its beginning, each time it is called.
type StatementRead = func(each func(*reconcile.Line) error) (reconcile.Control, error)

// statementBatch is how many lines are kept by one transaction: some megabytes, and a fraction of a second.
const statementBatch = 10_000

// ImportStatement keeps a channel's statement: it reads it once to the end, so that nothing of a broken file gets in, and
// once more into the months, in batches. A file that is as it should be comes back Imported; the same file again changes
// nothing; one that an earlier call didn't finish goes on where that stopped. A file that can't be believed comes back
// Refused with its reason, and with the error that says so. Only one import per account and kind runs at a time, the
// others are Conflict "statement_busy". progress may be nil; it hears how many lines
// are looked at, of 0, and then how many are kept, of all.
func (s *Store) ImportStatement(ctx context.Context, f reconcile.Stored, read StatementRead, progress func(done, lines int64)) (reconcile.Stored, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return f, err
	}
	in := &statementImport{db: db, file: f, read: read, progress: progress, now: s.clock}
	if err := in.open(ctx); err != nil {
		return f, err
	}
	defer in.close(context.WithoutCancel(ctx))
	if in.file.Status == reconcile.Imported {
		return in.file, nil
	}
	examined, err := in.examine(ctx)
	if fault.Is(err, fault.KindInvalid, "") {
		return in.file, errors.Join(err, in.refuse(ctx, err))
	}
	if err == nil {
		err = in.begin(ctx, examined)
	}
	if err == nil {
		err = in.keep(ctx)
	}
	return in.file, err
}

// statementImport is one call of ImportStatement, on a connection of its own.
type statementImport struct {
	db       *database
	conn     *pgx.Conn
	file     reconcile.Stored
	read     StatementRead
	progress func(done, lines int64)
	now      func() time.Time
	batch    []reconcile.Line
}

const sqlStatementLock = `SELECT pg_try_advisory_lock(hashtextextended('paysaga statement ' || $1 || ' ' || $2, 0))`

const sqlOpenStatement = `
	INSERT INTO statement_files (book, channel, channel_account, kind, day, name, sha256, bytes, status, created_at, updated_at)
	SELECT @book, @channel, @account, @kind, @day, @name, @hash, @bytes, 'importing', @now, @now
	WHERE EXISTS (SELECT FROM channel_accounts WHERE book = @book AND id = @account AND channel = @channel)
	ON CONFLICT ON CONSTRAINT statement_files_once DO UPDATE SET updated_at = statement_files.updated_at
	RETURNING ` + statementColumns

// open takes the account's statements of this kind for itself, and finds or makes the file's row.
func (in *statementImport) open(ctx context.Context) error {
	hash, err := hex.DecodeString(in.file.Hash)
	if err != nil || len(hash) != 32 {
		return fault.Internal("a statement without the hash of its bytes", err)
	}
	if in.conn, err = in.db.connect(ctx); err != nil {
		return failure(err)
	}
	var free bool
	_, err = in.conn.Exec(ctx, `SET application_name = '`+ReaderName+`'`) // nothing is booked here
	if err == nil {
		err = in.conn.QueryRow(ctx, sqlStatementLock, in.file.Account, in.file.Kind).Scan(&free)
	}
	if err == nil && !free {
		err = fault.Conflict("statement_busy", "another import of this account's statements of this kind is running")
	}
	if err == nil {
		err = in.row(ctx, hash)
	}
	if err != nil {
		in.close(ctx)
	}
	return failure(err)
}

func (in *statementImport) row(ctx context.Context, hash []byte) error {
	zone := in.file.Zone
	rows, err := in.conn.Query(ctx, sqlOpenStatement, pgx.NamedArgs{"book": in.file.Book, "channel": in.file.Channel, "account": in.file.Account,
		"kind": in.file.Kind, "day": civil(in.file.Day), "name": in.file.Name, "hash": hash, "bytes": in.file.Bytes, "now": in.now()})
	if err == nil {
		in.file, err = pgx.CollectExactlyOneRow(rows, scanStatement)
	}
	if err == pgx.ErrNoRows {
		return fault.NotFound("channel account")
	}
	in.file.Zone = zone
	return err
}

// close lets the account go before the connection: a server takes its time to notice that one has ended.
func (in *statementImport) close(ctx context.Context) {
	_, _ = in.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	_ = in.conn.Close(ctx)
}

// examine reads the file to its end.
func (in *statementImport) examine(ctx context.Context) (reconcile.Examined, error) {
	e := reconcile.Examine(in.file.File, in.now())
	seen := int64(0)
	said, err := in.read(func(l *reconcile.Line) error {
		if seen++; seen%statementBatch == 0 && in.progress != nil {
			in.progress(seen, 0)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return e.Add(l)
	})
	if err != nil {
		return reconcile.Examined{}, err
	}
	return e.End(said)
}

const sqlRefuseStatement = `
	UPDATE statement_files SET status = 'refused', reason = $3, updated_at = $4 WHERE book = $1 AND no = $2 AND status <> 'imported'`

// refuse keeps why. A file of which lines are kept was whole before, so it isn't refused again: its parser has changed.
func (in *statementImport) refuse(ctx context.Context, why error) error {
	if in.file.Done > 0 {
		return nil
	}
	in.file.Status, in.file.Reason, in.file.UpdatedAt = reconcile.Refused, fault.As(why).Message, in.now()
	_, err := in.conn.Exec(ctx, sqlRefuseStatement, in.file.Book, in.file.No, in.file.Reason, in.file.UpdatedAt)
	return failure(err)
}

const sqlBeginStatement = `
	UPDATE statement_files SET status = 'importing', reason = '', declared = @declared, lines = @lines, first_day = @first, last_day = @last,
		updated_at = @now
	WHERE book = @book AND no = @no AND (done = 0 OR lines = @lines)`

const sqlStatementSums = `
	INSERT INTO statement_sums (book, file, currency, kind, lines, gross, fee, net)
	SELECT @book, @no, * FROM unnest(@currencies::text[], @kinds::text[], @lines::bigint[], @gross::bigint[], @fees::bigint[], @net::bigint[])
	ON CONFLICT (book, file, currency, kind) DO NOTHING`

// begin notes what the whole file comes to, and makes the months of its lines.
func (in *statementImport) begin(ctx context.Context, e reconcile.Examined) error {
	for _, m := range e.Months {
		if _, err := in.conn.Exec(ctx, `SELECT make_statement_month($1)`, civil(m)); err != nil {
			return failure(err)
		}
	}
	var currencies, kinds []string
	var lines, gross, fees, net []int64
	for g, t := range e.Sums {
		currencies, kinds = append(currencies, g.Currency), append(kinds, string(g.Kind))
		lines, gross, fees, net = append(lines, int64(t.Lines)), append(gross, t.Gross), append(fees, t.Fee), append(net, t.Net)
	}
	f := &in.file
	f.Status, f.Reason, f.Declared, f.Lines, f.First, f.Last = reconcile.Importing, "", e.Control.Declared, int64(e.Control.Lines), e.First, e.Last
	return failure(pgx.BeginFunc(ctx, in.conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlBeginStatement, pgx.NamedArgs{"book": f.Book, "no": f.No, "declared": f.Declared, "lines": f.Lines,
			"first": civil(f.First), "last": civil(f.Last), "now": in.now()})
		if err == nil && tag.RowsAffected() == 0 {
			err = fault.Conflict("statement_reread", "the file was begun by a build that reads it otherwise; that one has to finish it")
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, sqlStatementSums, pgx.NamedArgs{"book": f.Book, "no": f.No, "currencies": currencies, "kinds": kinds,
			"lines": lines, "gross": gross, "fees": fees, "net": net})
		return err
	}))
}

const sqlFinishStatement = `
	UPDATE statement_files SET status = 'imported', updated_at = $3 WHERE book = $1 AND no = $2 AND done = lines`

// keep reads the file again, into the months.
func (in *statementImport) keep(ctx context.Context) error {
	if _, err := in.conn.Exec(ctx, sqlStage); err != nil {
		return failure(err)
	}
	n, done := int64(0), in.file.Done
	_, err := in.read(func(l *reconcile.Line) error {
		if n++; n <= done {
			return ctx.Err()
		}
		in.add(l)
		if len(in.batch) < statementBatch {
			return nil
		}
		return in.flush(ctx)
	})
	if err == nil {
		err = in.flush(ctx)
	}
	if err != nil {
		return failure(err)
	}
	in.file.Status, in.file.UpdatedAt = reconcile.Imported, in.now()
	tag, err := in.conn.Exec(ctx, sqlFinishStatement, in.file.Book, in.file.No, in.file.UpdatedAt)
	if err == nil && tag.RowsAffected() == 0 {
		in.file.Status = reconcile.Importing
		return fault.Internal("a statement read twice has another number of lines the second time", nil)
	}
	return failure(err)
}

const sqlStatementAccount = `
	SELECT channel, statement_zone FROM channel_accounts WHERE id = $1 AND book = ANY($2::text[]::book[])`

// StatementAccount reads an account of any channel with its credentials opened, and the zone of its statements. None of
// that id is NotFound.
func (s *Store) StatementAccount(ctx context.Context, accountID string) (channels.Account, *time.Location, error) {
	if !id.Is(id.ChannelAccount, accountID) {
		return channels.Account{}, nil, fault.NotFound("channel account")
	}
	for _, db := range s.dbs {
		var channel, name string
		err := db.pool.QueryRow(ctx, sqlStatementAccount, accountID, bookNames(db.books)).Scan(&channel, &name)
		if err == pgx.ErrNoRows {
			continue
		} else if err != nil {
			return channels.Account{}, nil, failure(err)
		}
		zone, err := time.LoadLocation(name)
		if err != nil {
			return channels.Account{}, nil, fault.Internal("the time zone of a channel account's statements is unknown here", err)
		}
		a, err := s.Account(ctx, channel, accountID)
		return a, zone, err
	}
	return channels.Account{}, nil, fault.NotFound("channel account")
}
