package posting

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"paysaga/bench/gauge"
	"paysaga/store"
	"paysaga/store/throwaway"
)

// server is the PostgreSQL of a run.
type server struct {
	own     *throwaway.Server // nil: it isn't ours
	base    *url.URL
	admin   *pgxpool.Pool
	tag     string // makes names unique on a server that isn't ours
	pid     int    // of the postmaster, if it is on this machine
	version string
	made    []string
	// template is the database that others are copies of; empty: not made yet.
	template string
	keys     store.SealKeys
}

func startServer(ctx context.Context, c Config) (*server, error) {
	s := &server{tag: rand.Text()[:8], keys: store.SealKeys{Current: "bench", Keys: map[string][]byte{"bench": make([]byte, 32)}}}
	_, _ = rand.Read(s.keys.Keys["bench"])
	address := c.Postgres
	if address == "" {
		own, err := throwaway.Start(throwaway.Config{Durable: true, Settings: c.Settings})
		if err != nil {
			return nil, err
		}
		s.own, address = own, own.URL
	}
	var err error
	if s.base, err = url.Parse(address); err == nil {
		s.admin, err = pgxpool.New(ctx, address)
	}
	var backend int
	if err == nil {
		err = s.admin.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_version')").Scan(&backend, &s.version)
	}
	if err != nil {
		s.stop(ctx)
		return nil, err
	}
	s.pid = gauge.Processes()[backend].Parent // on another machine: some process, or none
	return s, nil
}

// stop leaves nothing behind.
func (s *server) stop(ctx context.Context) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer done()
	if s.own == nil && s.admin != nil {
		for _, name := range s.made {
			_, _ = s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		}
		_, _ = s.admin.Exec(ctx, "DROP ROLE IF EXISTS "+s.role())
	}
	if s.admin != nil {
		s.admin.Close()
	}
	if s.own != nil {
		s.own.Stop()
	}
}

func (s *server) role() string { return "paysaga_bench_" + pgName(s.tag) }

// pgName is a text as part of a name that needs no quotes.
func pgName(text string) string { return hex.EncodeToString([]byte(text)) }

func (s *server) url(database string, user *url.Userinfo) string {
	u := *s.base
	u.Path = "/" + database
	if user != nil {
		u.User = user
	}
	return u.String()
}

// create makes a database with paysaga's schema. Only the first one is migrated;
// the others are its copies.
func (s *server) create(ctx context.Context, what string) (*place, error) {
	if s.template == "" {
		name := s.name("template")
		if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
		s.made = append(s.made, name)
		if err := store.Migrate(ctx, s.url(name, nil), store.AppRole{Name: s.role(), Password: s.tag}); err != nil {
			return nil, err
		}
		s.template = name
	}
	name := s.name(what)
	if _, err := s.admin.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+s.template); err != nil {
		return nil, err
	}
	s.made = append(s.made, name)
	p := &place{name: name, ownerURL: s.url(name, nil), appURL: s.url(name, url.UserPassword(s.role(), s.tag)), keys: s.keys}
	var err error
	p.owner, err = pgxpool.New(ctx, p.ownerURL)
	return p, err
}

func (s *server) name(what string) string { return "paysaga_bench_" + what + "_" + pgName(s.tag) }

// drop removes a database that is done with.
func (s *server) drop(ctx context.Context, p *place) error {
	p.close()
	_, err := s.admin.Exec(ctx, "DROP DATABASE "+p.name+" WITH (FORCE)")
	return err
}

// wal is the position up to which PostgreSQL has written its log, in bytes.
func (s *server) wal(ctx context.Context) (bytes int64, err error) {
	err = s.admin.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&bytes)
	return bytes, err
}

// cpu is the CPU time that PostgreSQL has used. Where there is no /proc, or no
// PostgreSQL, it is zero.
func (s *server) cpu() time.Duration {
	all := gauge.Processes()
	used := all[s.pid].Own + all[s.pid].Ended
	for _, child := range gauge.Descendants(all, s.pid) {
		used += all[child].Own + all[child].Ended
	}
	return used
}
