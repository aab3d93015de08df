package ledger

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/store"
	"paysaga/store/throwaway"
)

const (
	database = "drill"
	appRole  = "paysaga_drill"
)

// keeper holds the server for as long as our end of its standard input is open: whatever happens to this process, the server
// goes, too.
const keeper = `
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses='' -c fsync=$3 -c full_page_writes=$3 -c synchronous_commit=$3 \
	-c max_connections=200 -c shared_buffers=128MB -c max_wal_size=1GB -c checkpoint_timeout=30s -c jit=off \
	-c max_parallel_workers_per_gather=0 -c autovacuum_naptime=5s >>"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server
`

// server is a PostgreSQL of a round's own, which is killed and started again.
type server struct {
	bin, dir, durable string
	attr              *syscall.SysProcAttr
	keeper            *exec.Cmd
	lifeline          io.Closer
}

// newServer makes a server in dir, starts it, and brings its database to this build's schema. durable: it writes as it would
// in production.
func newServer(ctx context.Context, dir string, durable bool) (*server, error) {
	bin, err := throwaway.Binaries()
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, durable: "off"}
	if durable {
		s.durable = "on"
	}
	if s.attr, err = throwaway.Unprivileged(dir); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := s.start(ctx); err != nil {
		return s, err
	}
	conn, err := pgx.Connect(ctx, s.url("postgres", "postgres"))
	if err != nil {
		return s, err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return s, err
	}
	return s, store.Migrate(ctx, s.owner(), store.AppRole{Name: appRole})
}

func (s *server) data() string  { return filepath.Join(s.dir, "data") }
func (s *server) owner() string { return s.url("postgres", database) }
func (s *server) app() string   { return s.url(appRole, database) }

func (s *server) url(role, database string) string {
	return "postgres://" + role + "@/" + database + "?host=" + url.QueryEscape(s.dir)
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.attr
	return cmd
}

// start returns once the server takes connections.
func (s *server) start(ctx context.Context) (err error) {
	s.keeper = exec.Command("sh", "-c", keeper, "keeper", s.bin, s.dir, s.durable)
	s.keeper.Dir, s.keeper.SysProcAttr = s.dir, s.attr
	if s.lifeline, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres", "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if rest(ctx, 5*time.Millisecond) != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL doesn't start: %w: %s", err, log[max(0, len(log)-2000):])
		}
	}
}

// kill ends the server without a word to anybody: what wasn't on disk is gone.
func (s *server) kill() error {
	out, err := s.command("pg_ctl", "-D", s.data(), "-m", "immediate", "-w", "stop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl: %w: %s", err, out)
	}
	return s.release()
}

// release ends the keeper, and with it a server that still runs.
func (s *server) release() error {
	if s.keeper == nil {
		return nil
	}
	err := s.lifeline.Close()
	_ = s.keeper.Wait() // a killed server leaves a status of its own
	s.keeper = nil
	return err
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
