// Package audit judges the book: every invariant that SQL can judge, each as one query for what breaks it. The ids are
// those of ARCHITECTURE.md.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/domain/fault"
)

// Options say how far to look.
type Options struct {
	// Full looks at everything; else checks that can look only at what came since the last clean checkpoint.
	Full bool
	// UndeliveredAfter is the age at which an event that hasn't left breaks I-23. Default 15 min; negative: any age is fine,
	// where nothing relays.
	UndeliveredAfter time.Duration
}

// Violation is an invariant that doesn't hold.
type Violation struct {
	ID       string   `json:"id"`       // I-01
	Sentence string   `json:"sentence"` // what should hold
	Count    int64    `json:"count"`    // rows that break it
	Rows     []string `json:"rows"`     // the first five; ids and sums, no personal data
}

// String is one line for people.
func (v Violation) String() string {
	return fmt.Sprintf("%s %s: broken %d times: %q", v.ID, v.Sentence, v.Count, v.Rows)
}

// Report is what Check found.
type Report struct {
	Checks     int         `json:"checks"` // how many queries ran
	Full       bool        `json:"full"`
	Since      int64       `json:"since"`    // the journal from which on entries were read; 0: all
	Journals   int64       `json:"journals"` // how many the book has
	Violations []Violation `json:"violations"`
	// Results are all checks that ran, in order; those that hold have a Count of 0.
	Results []Violation `json:"results"`
}

// Clean reports whether nothing was found.
func (r Report) Clean() bool { return len(r.Violations) == 0 }

// DB is a pool, a connection, or a transaction, of the application's role or the owner's.
type DB interface {
	Begin(context.Context) (pgx.Tx, error)
}

// Check runs every check on one snapshot, and leaves a checkpoint when the book is clean. Only a database that can't be
// read is an error; what it finds is in the Report.
func Check(ctx context.Context, db DB, o Options) (Report, error) {
	if o.UndeliveredAfter == 0 {
		o.UndeliveredAfter = 15 * time.Minute
	}
	// First what is final, then the snapshot: what ends between the two is in the snapshot.
	final, err := finalNumber(ctx, db)
	if err != nil {
		return Report{}, unreadable(err)
	}
	tx, err := begin(ctx, db)
	if err != nil {
		return Report{}, unreadable(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	r, err := check(ctx, tx, o, final)
	if err == nil {
		err = tx.Commit(ctx)
	}
	return r, unreadable(err)
}

func finalNumber(ctx context.Context, db DB) (int64, error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	var final int64
	err = tx.QueryRow(ctx, sqlFinal).Scan(&final)
	return final, err
}

// begin takes one snapshot for all checks; inside a transaction it is the caller's.
func begin(ctx context.Context, db DB) (pgx.Tx, error) {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead}
	switch db := db.(type) {
	case *pgxpool.Pool:
		return db.BeginTx(ctx, snapshot)
	case *pgx.Conn:
		return db.BeginTx(ctx, snapshot)
	}
	return db.Begin(ctx)
}

// An audit may take longer than a Step may, and each of its questions deserves a plan of its own.
const sqlPrepare = `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;
	SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on;
	SET LOCAL enable_mergejoin = on; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off`

// sqlPrepareAll is for questions about everything: each table is read once. Nothing is known of tables that were filled a
// moment ago, and a plan that takes them for small ones would read one again and again, for each row of another. Where a
// question does want look-ups by key, it says so with LATERAL and OFFSET 0.
const sqlPrepareAll = `; SET LOCAL enable_nestloop = off`

const sqlSince = `SELECT coalesce(max(upto), 0), coalesce(max(at), '-infinity') FROM audit_checkpoints WHERE violations = 0`

const sqlJournals = `SELECT count(*) FROM journals`

// sqlFinal is the number below which nothing can be booked any more, at the moment it is asked: a journal is booked no earlier
// than its transaction began. Transactions of other roles may be hidden from us, but none lives for ten minutes.
const sqlFinal = `
	SELECT first_number(least(now() - interval '10 minutes', min(xact_start) - interval '1 second'))
	FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

const sqlCheckpoint = `INSERT INTO audit_checkpoints (upto, violations, complete) VALUES ($1, $2, $3)`

func check(ctx context.Context, tx pgx.Tx, o Options, final int64) (Report, error) {
	r := Report{Full: o.Full}
	args := pgx.NamedArgs{"since": int64(0), "since_at": nil, "undelivered": o.UndeliveredAfter.Seconds()}
	if !o.Full {
		var at any
		if err := tx.QueryRow(ctx, sqlSince).Scan(&r.Since, &at); err != nil {
			return r, err
		}
		args["since"] = r.Since
		if t, ok := at.(time.Time); ok {
			args["since_at"] = t.Add(-10 * time.Minute)
		}
	}
	if err := prepare(ctx, tx, r.Since == 0); err != nil {
		return r, err
	}
	if err := tx.QueryRow(ctx, sqlJournals).Scan(&r.Journals); err != nil {
		return r, err
	}
	for _, c := range checks {
		if c.full && !o.Full {
			continue
		}
		r.Checks++
		v, err := c.run(ctx, tx, args)
		if err != nil {
			var pg *pgconn.PgError
			if errors.As(err, &pg) {
				return r, fault.Internal("the check of "+c.id+", "+c.sentence+", doesn't run: "+pg.Message, err)
			}
			return r, err
		}
		r.Results = append(r.Results, v)
		if v.Count > 0 {
			r.Violations = append(r.Violations, v)
		}
	}
	_, err := tx.Exec(ctx, sqlCheckpoint, final, len(r.Violations), o.Full)
	return r, err
}

func prepare(ctx context.Context, tx pgx.Tx, all bool) error {
	sql := sqlPrepare
	if all {
		sql += sqlPrepareAll
	}
	_, err := tx.Exec(ctx, sql)
	return err
}

// invariant is one question to the database.
type invariant struct {
	id, sentence string
	// sql returns one text per row that breaks it. @since is the journal from which on to look, @since_at the time after
	// which rows have moved; both reach back to the beginning in a full audit.
	sql  string
	full bool // too dear for each time
}

func (c invariant) run(ctx context.Context, tx pgx.Tx, args pgx.NamedArgs) (Violation, error) {
	v := Violation{ID: c.id, Sentence: c.sentence}
	rows, err := tx.Query(ctx, `WITH broken (what) AS (`+c.sql+`) SELECT what, count(*) OVER () FROM broken LIMIT 5`, args)
	if err != nil {
		return v, err
	}
	var what string
	_, err = pgx.ForEachRow(rows, []any{&what, &v.Count}, func() error {
		v.Rows = append(v.Rows, what)
		return nil
	})
	return v, err
}

func unreadable(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fault.Unavailable("audit_unreadable", "the book can't be read", err)
}
