package stage

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"paysaga/audit"
)

// Audit checks every invariant that SQL can judge, from the first journal on.
func (s *Stage) Audit(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.Dev.PostgresURL)
	must(t, err)
	defer func() { _ = conn.Close(ctx) }()
	report, err := audit.Check(ctx, conn, audit.Options{Full: true})
	must(t, err)
	for _, v := range report.Violations {
		t.Error(v)
	}
}
