package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const superuser = "postgres" // of a cluster that devstack made; trusted on loopback only

// immediateShutdown ends PostgreSQL without a checkpoint: what was committed is
// recovered from its log at the next start, and no process lingers.
const immediateShutdown = syscall.SIGQUIT

// postgresServer is the PostgreSQL that we run as a child.
type postgresServer struct {
	*child
	port    int
	sockets string // folder of the Unix socket
	logPath string
	logFrom int64 // where this run's lines begin
}

type postgresStart struct {
	bin     binaries
	own     owner
	dataDir string
	port    int
	fsync   bool
	logPath string
}

// startPostgres starts the server and waits until it answers, crash recovery included.
func startPostgres(ctx context.Context, p postgresStart) (*postgresServer, error) {
	sockets, err := socketDir(p.dataDir, p.own)
	if err != nil {
		return nil, err
	}
	log, err := openLog(p.logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own handle
	info, err := log.Stat()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.bin.postgres(), append([]string{"-D", p.dataDir}, settings(p, sockets)...)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = p.dataDir, postgresEnv(p.dataDir), p.own.attributes(immediateShutdown)
	cmd.Stdout, cmd.Stderr = log, log
	c, err := startChild(cmd)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not start: %w", err)
	}
	s := &postgresServer{child: c, port: p.port, sockets: sockets, logPath: p.logPath, logFrom: info.Size()}
	if err := s.awaitReady(ctx); err != nil {
		s.stop(5 * time.Second)
		return nil, err
	}
	return s, nil
}

// settings suit one small machine that also runs everything else. They stand on
// the command line, so a newer devstack changes them for an old data folder too.
func settings(p postgresStart, sockets string) []string {
	onOff := map[bool]string{true: "on", false: "off"}
	values := [][2]string{
		{"listen_addresses", "127.0.0.1"},
		{"port", strconv.Itoa(p.port)},
		{"unix_socket_directories", sockets},
		{"max_connections", "300"}, // Temporal's 2 stores × 4 services, and paysaga's pools
		{"shared_buffers", "256MB"},
		{"max_wal_size", "2GB"},
		{"min_wal_size", "256MB"},
		{"checkpoint_timeout", "15min"},
		{"wal_compression", "on"},
		{"fsync", onOff[p.fsync]},
		{"full_page_writes", onOff[p.fsync]},
		{"recovery_init_sync_method", "syncfs"}, // after a kill: one call, not an fsync for each of 3000 files (5 s)
		// Never off: without it a kill -9 loses what was acknowledged, and a
		// commit without fsync costs next to nothing.
		{"synchronous_commit", "on"},
		{"autovacuum_naptime", "10s"},
		{"autovacuum_vacuum_scale_factor", "0.05"},
		{"autovacuum_analyze_scale_factor", "0.05"},
		{"autovacuum_vacuum_cost_limit", "1000"},
		{"max_parallel_workers_per_gather", "0"}, // needs /dev/shm, which containers keep small
		{"jit", "off"},
		{"log_timezone", "UTC"},
		{"timezone", "UTC"},
		{"log_min_messages", "warning"},
		{"log_line_prefix", "%m [%p] %u@%d "},
		{"logging_collector", "off"},
	}
	var args []string
	for _, v := range values {
		args = append(args, "-c", v[0]+"="+v[1])
	}
	return args
}

// postgresEnv keeps our own environment out: PGPORT or a locale there would change the server.
func postgresEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C", "TZ=UTC"}
}

// socketDir is the data folder, unless its path is too long for a socket's
// address (107 bytes): then a short folder that belongs to this cluster alone.
func socketDir(dataDir string, own owner) (string, error) {
	const longest = 107
	if len(dataDir)+len("/.s.PGSQL.65535") <= longest {
		return dataDir, nil
	}
	dir, err := os.MkdirTemp("", "paysaga-")
	if err != nil {
		return "", err
	}
	return dir, own.give(dir)
}

func (s *postgresServer) url(user, database string) string {
	return localURL(user, database, s.port)
}

func localURL(user, database string, port int) string {
	u := url.URL{Scheme: "postgres", User: url.User(user), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// awaitReady returns when the server answers, has ended, or took two minutes.
func (s *postgresServer) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if s.saysReady() {
			conn, err := pgx.Connect(ctx, s.url(superuser, "postgres"))
			if err != nil {
				return fmt.Errorf("PostgreSQL does not let us in: %w", err)
			}
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			return fmt.Errorf("PostgreSQL does not start: %s (all of it in %s)", s.lastWords(), s.logPath)
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %s (all of it in %s)", s.lastWords(), s.logPath)
		case <-time.After(15 * time.Millisecond):
		}
	}
}

// saysReady reads the pid file, as pg_ctl does: knocking while the server
// recovers would fill its log with refusals.
func (s *postgresServer) saysReady() bool {
	text, err := os.ReadFile(filepath.Join(s.cmd.Dir, "postmaster.pid"))
	if err != nil {
		return false
	}
	const pidLine, statusLine = 0, 7
	lines := strings.Split(string(text), "\n")
	return len(lines) > statusLine && lines[pidLine] == strconv.Itoa(s.cmd.Process.Pid) && strings.TrimSpace(lines[statusLine]) == "ready"
}

// lastWords is the last line that this run of the server logged.
func (s *postgresServer) lastWords() string {
	text, err := os.ReadFile(s.logPath)
	if err != nil || int64(len(text)) <= s.logFrom {
		return "it said nothing"
	}
	return lastLine(string(text[s.logFrom:]), "it said nothing")
}

// stop asks for a fast shutdown (sessions end, a checkpoint is written), and
// turns to the immediate one, which loses nothing either, when that takes too long.
func (s *postgresServer) stop(patience time.Duration) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := s.cmd.Process.Signal(signal); errors.Is(err, os.ErrProcessDone) {
			break
		}
		select {
		case <-s.done:
		case <-time.After(patience):
			continue
		}
		break
	}
	if s.sockets != s.cmd.Dir {
		_ = os.RemoveAll(s.sockets) // in the temp folder; nothing but a socket
	}
}

// openLog appends to a log; one that has grown large is moved aside first.
func openLog(path string) (*os.File, error) {
	const large = 16 << 20
	if info, err := os.Stat(path); err == nil && info.Size() > large {
		_ = os.Rename(path, path+".1")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}
