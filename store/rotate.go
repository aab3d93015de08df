package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
)

// Rotated says what Rotate did in a database.
type Rotated struct {
	Columns int   // that hold sealed values
	Seen    int64 // values
	Sealed  int64 // anew: the others were under the current key already
}

// Rotation is what Rotate needs. It connects as the owner of the tables, since the application may not touch frozen requests (I-13).
type Rotation struct {
	OwnerURL string
	SealKeys SealKeys
	Page     int                       // values sealed in one transaction; default 500
	Progress func(seen, about int64)   // may be nil; about is PostgreSQL's estimate of all
	sealed   func(table string, n int) // for tests: after a page
}

// sealedColumn is a column of ciphertext, and the key of its table.
type sealedColumn struct {
	Table, Column string
	Keys, Types   []string
	Rows          int64
}

// Every column of ciphertext is named so (see the first migration): a new one is found without a list to forget it on.
const sqlSealedColumns = `
	SELECT c.relname::text, a.attname::text, array_agg(k.attname::text ORDER BY i.n), array_agg(format_type(k.atttypid, k.atttypmod) ORDER BY i.n),
		greatest(c.reltuples, 0)::bigint
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
	JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary
	CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS i(attnum, n)
	JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = i.attnum
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND a.attname LIKE '%\_sealed' AND a.atttypid = 'bytea'::regtype
	GROUP BY c.relname, a.attname, c.reltuples ORDER BY 1, 2`

// Rotate seals everything sealed under the current key, page by page in order of the keys, beside running processes: a value that
// moved meanwhile isn't touched. Interrupted, it goes on where it is called again, since what is done is skipped. A value that can't be
// opened ends it with fault.Internal, which names table and key.
func Rotate(ctx context.Context, r Rotation) (Rotated, error) {
	var done Rotated
	seal, err := newSealer(r.SealKeys, rand.Reader)
	if err != nil {
		return done, err
	}
	if r.Page == 0 {
		r.Page = 500
	}
	db, err := pgx.Connect(ctx, r.OwnerURL)
	if err != nil {
		return done, failure(err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	rows, err := db.Query(ctx, sqlSealedColumns)
	if err != nil {
		return done, failure(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sealedColumn])
	if err != nil {
		return done, failure(err)
	}
	var about int64
	for _, c := range columns {
		about += c.Rows
	}
	done.Columns = len(columns)
	for _, c := range columns {
		if err := c.rotate(ctx, db, rotating{r, seal, &done, about}); err != nil {
			return done, err
		}
	}
	return done, nil
}

// rotating is a rotation under way.
type rotating struct {
	Rotation
	seal  *sealer
	done  *Rotated
	about int64
}

// rotate goes through a column.
func (c sealedColumn) rotate(ctx context.Context, db *pgx.Conn, r rotating) error {
	after := make([]string, len(c.Keys))
	for first := true; ; first = false {
		var page sealedPage
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
			if page, err = c.read(ctx, tx, after, first, r.Page); err != nil {
				return err
			}
			stale, err := page.stale(r.seal, c)
			if err != nil || len(stale.old) == 0 {
				return err
			}
			tag, err := tx.Exec(ctx, c.sqlUpdate(), stale.args()...)
			r.done.Sealed += tag.RowsAffected()
			return err
		})
		if err != nil {
			return failure(err)
		}
		n := len(page.old)
		r.done.Seen += int64(n)
		if r.Progress != nil {
			r.Progress(r.done.Seen, max(r.about, r.done.Seen))
		}
		if r.sealed != nil {
			r.sealed(c.Table, n)
		}
		if n < r.Page {
			return nil
		}
		for i := range after {
			after[i] = page.keys[i][n-1]
		}
	}
}

// sealedPage are values with their keys, a column each.
type sealedPage struct {
	keys       [][]string
	old, fresh [][]byte
}

func (p sealedPage) args() []any {
	var args []any
	for _, k := range p.keys {
		args = append(args, k)
	}
	return append(args, p.old, p.fresh)
}

// stale are the values of a page that aren't sealed as they would be now.
func (p sealedPage) stale(s *sealer, c sealedColumn) (sealedPage, error) {
	out := sealedPage{keys: make([][]string, len(p.keys))}
	head := string(s.fresh())
	for i, old := range p.old {
		if strings.HasPrefix(string(old), head) {
			continue
		}
		fresh, err := s.reseal(old)
		if err != nil {
			var key []string
			for k := range p.keys {
				key = append(key, p.keys[k][i])
			}
			return out, fault.Internal(c.Table+"."+c.Column+" of "+strings.Join(key, " ")+" can't be opened: its key is gone, or it was changed", err)
		}
		for k := range p.keys {
			out.keys[k] = append(out.keys[k], p.keys[k][i])
		}
		out.old, out.fresh = append(out.old, old), append(out.fresh, fresh)
	}
	return out, nil
}

// read locks a page in the order of the keys, which is everybody's: nobody waits in a circle.
func (c sealedColumn) read(ctx context.Context, tx pgx.Tx, after []string, first bool, size int) (sealedPage, error) {
	page := sealedPage{keys: make([][]string, len(c.Keys))}
	var names, texts, places, order []string
	args := []any{size}
	for i, k := range c.Keys {
		name := pgx.Identifier{k}.Sanitize()
		names, texts, order = append(names, name), append(texts, name+"::text"), append(order, name)
		if !first {
			args = append(args, after[i])
			places = append(places, fmt.Sprintf("$%d::text::%s", i+2, c.Types[i]))
		}
	}
	column, where := pgx.Identifier{c.Column}.Sanitize(), ""
	if !first {
		where = "AND (" + strings.Join(names, ", ") + ") > (" + strings.Join(places, ", ") + ")"
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s, %s FROM %s WHERE %s IS NOT NULL %s ORDER BY %s LIMIT $1 FOR NO KEY UPDATE`,
		strings.Join(texts, ", "), column, pgx.Identifier{c.Table}.Sanitize(), column, where, strings.Join(order, ", ")), args...)
	if err != nil {
		return page, err
	}
	defer rows.Close()
	for rows.Next() {
		key, value := make([]string, len(c.Keys)), []byte(nil)
		to := []any{}
		for i := range key {
			to = append(to, &key[i])
		}
		if err := rows.Scan(append(to, &value)...); err != nil {
			return page, err
		}
		for i := range key {
			page.keys[i] = append(page.keys[i], key[i])
		}
		page.old = append(page.old, value)
	}
	return page, rows.Err()
}

// sqlUpdate writes what is still as it was read.
func (c sealedColumn) sqlUpdate() string {
	var from, names, on []string
	for i, k := range c.Keys {
		from, names = append(from, fmt.Sprintf("$%d::text[]", i+1)), append(names, fmt.Sprintf("k%d", i))
		on = append(on, fmt.Sprintf("t.%s = n.k%d::%s", pgx.Identifier{k}.Sanitize(), i, c.Types[i]))
	}
	column := pgx.Identifier{c.Column}.Sanitize()
	return fmt.Sprintf(`UPDATE %s t SET %s = n.fresh FROM unnest(%s, $%d::bytea[], $%d::bytea[]) AS n(%s, old, fresh) WHERE %s AND t.%s = n.old`,
		pgx.Identifier{c.Table}.Sanitize(), column, strings.Join(from, ", "), len(c.Keys)+1, len(c.Keys)+2, strings.Join(names, ", "),
		strings.Join(on, " AND "), column)
}
