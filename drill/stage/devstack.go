package stage

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Devstack is where a running devstack can be reached: its ready file.
type Devstack struct {
	PID             int    `json:"pid"`
	PostgresURL     string `json:"postgres_url"` // the owner's
	AppURL          string `json:"app_url"`
	TemporalAddress string `json:"temporal_address"`
	Namespace       string `json:"namespace"`
	UIURL           string `json:"ui_url"`

	state string
	cmd   *exec.Cmd
}

// database is a running devstack with a database of its own, which goes with
// the test.
func (d *Devstack) database(t testing.TB) *Devstack {
	t.Helper()
	ctx := context.Background()
	name := "stage_" + strings.ToLower(rand.Text())
	admin := func(sql string) error {
		conn, err := pgx.Connect(ctx, d.PostgresURL)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, sql)
		return errors.Join(err, conn.Close(ctx))
	}
	must(t, admin("CREATE DATABASE "+name))
	t.Cleanup(func() { _ = admin("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") }) // what stays goes with the devstack
	own := *d
	for _, at := range []*string{&own.PostgresURL, &own.AppURL} {
		u, err := url.Parse(*at)
		must(t, err)
		u.Path = "/" + name
		*at = u.String()
	}
	return &own
}

// devstackReady is how long a devstack may take to come up on a busy machine.
const devstackReady = 2 * time.Minute

// StartDevstack starts a devstack of the test's own: the binary that
// PAYSAGA_DEVSTACK names, built by `make devstack`. It ends with the test.
func StartDevstack(t testing.TB, flags ...string) *Devstack {
	t.Helper()
	dir, err := os.MkdirTemp("", "paysaga-stage-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755)) // PostgreSQL's user has to get through
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	d := &Devstack{state: filepath.Join(dir, "state")}
	d.Start(t, flags...)
	t.Cleanup(func() { d.Stop(t) })
	return d
}

// Start starts it, or starts it again on the same state and ports.
func (d *Devstack) Start(t testing.TB, flags ...string) {
	t.Helper()
	binary := os.Getenv("PAYSAGA_DEVSTACK")
	if binary == "" {
		t.Fatal("PAYSAGA_DEVSTACK names no devstack binary: `make devstack` builds it, `make test` sets the variable")
	}
	args := append([]string{"--state", d.state, "--postgres-port", "0", "--temporal-port", "0", "--ui-port", "0",
		"--no-ui", "--fsync=false", "--stop-with-stdin"}, flags...)
	d.cmd = exec.Command(binary, args...)
	stdin, err := d.cmd.StdinPipe() // held open: the stack ends with this process
	must(t, err)
	t.Cleanup(func() { _ = stdin.Close() })
	out, err := d.cmd.StdoutPipe()
	must(t, err)
	d.cmd.Stderr = d.cmd.Stdout
	must(t, d.cmd.Start())
	lines := make(chan string, 256)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			select {
			case lines <- s.Text():
			default:
			}
		}
		close(lines)
	}()
	d.awaitReady(t, lines)
}

// awaitReady waits for the ready file of this very process.
func (d *Devstack) awaitReady(t testing.TB, lines <-chan string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), devstackReady)
	defer stop()
	var said []string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case line, ok := <-lines:
			if said = append(said, line); !ok {
				t.Fatalf("devstack ended: %q", said)
			}
		case <-tick.C:
			raw, err := os.ReadFile(filepath.Join(d.state, "devstack.json"))
			if err == nil && json.Unmarshal(raw, d) == nil && d.PID == d.cmd.Process.Pid {
				return
			}
		case <-ctx.Done():
			t.Fatalf("devstack isn't ready after %s: %q", devstackReady, said)
		}
	}
}

// Kill ends it, and its PostgreSQL, by SIGKILL. Start brings it back.
func (d *Devstack) Kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// Stop ends it cleanly, or by force after 20 s.
func (d *Devstack) Stop(t testing.TB) {
	t.Helper()
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { _ = d.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Kill()
		<-done
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
