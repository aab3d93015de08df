package store

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/reconcile"
)

// sqlStage makes where a batch waits until it is known which rows of it are new. It is the connection's own and is never on disk for long.
const sqlStage = `
	SET temp_buffers = '32MB';
	CREATE TEMP TABLE IF NOT EXISTS staged_lines (LIKE statement_lines) ON COMMIT DELETE ROWS;
	CREATE UNIQUE INDEX IF NOT EXISTS staged_lines_n ON staged_lines (n)`

var stagedColumns = []string{"book", "channel_account", "file_kind", "day", "identity", "file", "n", "row", "kind", "detail", "currency", "gross", "fee", "net",
	"reference", "channel_id", "original_id", "settled_currency", "settled", "rate", "occurred_at", "settled_on", "batch"}

// Everybody who keeps lines takes them in the order of their key: two imports of one account never wait for each other in a circle.
const sqlKeepStaged = `
	INSERT INTO statement_lines SELECT * FROM staged_lines ORDER BY day, identity, n ON CONFLICT DO NOTHING`

// sqlAgain are the rows of a batch that are there already, beside what is there. Rows that this batch has just put in are themselves.
const sqlAgain = `
	SELECT s.n, s.row, s.identity, s.currency, s.kind, s.gross, s.fee, s.net, l.file, l.row,
		(l.gross, l.fee, l.net, l.currency, l.kind) IS DISTINCT FROM (s.gross, s.fee, s.net, s.currency, s.kind)
	FROM staged_lines s
	CROSS JOIN LATERAL (SELECT file, n, row, gross, fee, net, currency, kind FROM statement_lines l WHERE l.book = s.book
		AND l.channel_account = s.channel_account AND l.file_kind = s.file_kind AND l.day = s.day AND l.identity = s.identity OFFSET 0) l
	WHERE (l.file, l.n) <> (s.file, s.n)`

const sqlStatementFindings = `
	INSERT INTO statement_findings (book, file, n, row, what, identity, first_file, first_row, currency, gross, fee, net)
	SELECT @book, @no, * FROM unnest(@n::bigint[], @rows::bigint[], @what::text[], @identities::text[], @files::bigint[], @first::bigint[],
		@currencies::text[], @gross::bigint[], @fees::bigint[], @net::bigint[])`

const sqlStatementAgain = `
	UPDATE statement_sums SET again_lines = again_lines + $5, again_gross = again_gross + $6, again_fee = again_fee + $7, again_net = again_net + $8
	WHERE book = $1 AND file = $2 AND currency = $3 AND kind = $4`

const sqlStatementDone = `
	UPDATE statement_files SET done = $3, kept = $4, updated_at = $5 WHERE book = $1 AND no = $2`

// add takes a line into the batch; its texts may be of a buffer that the parser uses again.
func (in *statementImport) add(l *reconcile.Line) {
	c := *l
	for _, text := range []*string{&c.Detail, &c.Reference, &c.ChannelID, &c.OriginalID, &c.Batch, &c.Settled.Rate, &c.Identity} {
		*text = strings.Clone(*text)
	}
	in.batch = append(in.batch, c)
}

// flush keeps the batch, and that it is kept, by one transaction.
func (in *statementImport) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	if err := in.match(ctx); err != nil { // set once: done again after a kill, it changes nothing
		return err
	}
	f := &in.file
	var kept int64
	err := pgx.BeginFunc(ctx, in.conn, func(tx pgx.Tx) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"staged_lines"}, stagedColumns, pgx.CopyFromSlice(len(in.batch), in.staged))
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlKeepStaged)
		if err != nil {
			return err
		}
		if kept = tag.RowsAffected(); kept < int64(len(in.batch)) {
			if err := in.again(ctx, tx); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, sqlStatementDone, f.Book, f.No, f.Done+int64(len(in.batch)), f.Kept+kept, in.now())
		return err
	})
	if err != nil {
		return failure(err)
	}
	f.Done, f.Kept = f.Done+int64(len(in.batch)), f.Kept+kept
	in.batch = in.batch[:0]
	if in.progress != nil {
		in.progress(f.Done, f.Lines)
	}
	return nil
}

// staged is a line of the batch as a row of staged_lines.
func (in *statementImport) staged(i int) ([]any, error) {
	l := &in.batch[i]
	var currency, rate *string
	var settled *int64
	if l.Settled != (reconcile.Exchanged{}) {
		text := string(l.Settled.Currency)
		currency, settled = &text, &l.Settled.Minor
		if l.Settled.Rate != "" {
			rate = &l.Settled.Rate
		}
	}
	var occurred *time.Time
	if !l.OccurredAt.IsZero() {
		occurred = &l.OccurredAt
	}
	return []any{string(l.Book), l.Account, in.file.Kind, civil(l.On()), l.Identity, in.file.No, in.file.Done + int64(i) + 1, int64(l.Row),
		string(l.Kind), l.Detail, string(l.Currency), l.Gross, l.Fee, l.Net, l.Reference, l.ChannelID, l.OriginalID, currency, settled, rate,
		occurred, civil(l.SettledOn), l.Batch}, nil
}

// again notes which rows of the batch had been there before.
func (in *statementImport) again(ctx context.Context, tx pgx.Tx) error {
	type row struct {
		n, row             int64
		identity, currency string
		kind               reconcile.Kind
		gross, fee, net    int64
		file, first        int64
		changed            bool
	}
	rows, _ := tx.Query(ctx, sqlAgain)
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (x row, err error) {
		return x, r.Scan(&x.n, &x.row, &x.identity, &x.currency, &x.kind, &x.gross, &x.fee, &x.net, &x.file, &x.first, &x.changed)
	})
	if err != nil {
		return err
	}
	sums := map[reconcile.Group]reconcile.Total{}
	var n, at, files, first, gross, fees, net []int64
	var what, identities, currencies []string
	for _, x := range list {
		g := reconcile.Group{Currency: x.currency, Kind: x.kind}
		t := sums[g]
		t.Lines, t.Gross, t.Fee, t.Net = t.Lines+1, t.Gross+x.gross, t.Fee+x.fee, t.Net+x.net
		sums[g] = t
		word := reconcile.Changed
		if x.file == in.file.No {
			word = reconcile.Twice
		} else if !x.changed {
			continue
		}
		n, at, files, first = append(n, x.n), append(at, x.row), append(files, x.file), append(first, x.first)
		what, identities, currencies = append(what, word), append(identities, x.identity), append(currencies, x.currency)
		gross, fees, net = append(gross, x.gross), append(fees, x.fee), append(net, x.net)
	}
	for g, t := range sums {
		if _, err := tx.Exec(ctx, sqlStatementAgain, in.file.Book, in.file.No, g.Currency, g.Kind, t.Lines, t.Gross, t.Fee, t.Net); err != nil {
			return err
		}
	}
	if len(n) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, sqlStatementFindings, pgx.NamedArgs{"book": in.file.Book, "no": in.file.No, "n": n, "rows": at, "what": what,
		"identities": identities, "files": files, "first": first, "currencies": currencies, "gross": gross, "fees": fees, "net": net})
	return err
}
