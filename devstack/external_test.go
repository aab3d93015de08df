package main

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// otherServer is a PostgreSQL that is none of the stack's own.
func otherServer(t *testing.T) *postgresServer {
	t.Helper()
	out := &output{}
	cfg := testConfig(t, out)
	b := book(t, t.TempDir())
	port, err := b.choose(wantedPort{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	own, err := postgresOwner("")
	if err != nil {
		t.Fatal(err)
	}
	bin, err := newBinaryFinder().find("", 0)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := makeCluster(cfg, cfg.StateDir, bin, own, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startPostgres(t.Context(), postgresStart{bin: bin, own: own, dataDir: dir, port: port, logPath: filepath.Join(cfg.StateDir, "postgres.log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(10 * time.Second) })
	return s
}

func (s *postgresServer) run(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.url(superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func externalURL(server *postgresServer, user string) string {
	u := mustParse(server.url(user, "postgres"))
	u.User = url.UserPassword(user, "it's s3cret")
	return u.String()
}

func TestExternalServer(t *testing.T) {
	t.Parallel()
	server := otherServer(t)
	server.run(t,
		`CREATE ROLE platform LOGIN CREATEDB CREATEROLE PASSWORD 'it''s s3cret'`,
		`CREATE ROLE guest LOGIN PASSWORD 'it''s s3cret'`)

	t.Run("a user without rights", func(t *testing.T) {
		cfg := testConfig(t, &output{})
		cfg.DatabaseURL = externalURL(server, "guest")
		_, err := Start(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "needs CREATEDB and CREATEROLE") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a server that isn't there", func(t *testing.T) {
		cfg := testConfig(t, &output{})
		cfg.DatabaseURL = "postgres://platform:s3cret@127.0.0.1:1/postgres?sslmode=disable"
		_, err := Start(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), "cannot connect") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a user with rights", func(t *testing.T) {
		out := &output{}
		cfg := testConfig(t, out)
		cfg.DatabaseURL, cfg.NoUI = externalURL(server, "platform"), true
		s := startStack(t, cfg)
		startOpen(t, s.Ready, "on-external")
		checkRoles(t, s.Ready)
		if s.Ready.UIURL != "" || s.postgres != nil || !strings.Contains(out.String(), "external server") {
			t.Errorf("ready %+v; it said:\n%s", s.Ready, out)
		}
		s.Stop()
		s = startStack(t, cfg)
		isOpen(t, s.Ready, "on-external")
	})
}

func TestRoleWithAnotherPassword(t *testing.T) {
	t.Parallel()
	d, err := externalDatabase("postgres://me:s3cret@127.0.0.1:1/postgres")
	if err != nil {
		t.Fatal(err)
	}
	err = d.explainRole(appRole, &pgconn.PgError{Message: "password authentication failed"})
	for _, want := range []string{appRole, "password authentication failed", "ALTER ROLE " + appRole} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
