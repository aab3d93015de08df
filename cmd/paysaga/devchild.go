package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// child is one part, in a process group of its own: ctrl-C reaches only us, and
// we stop the parts in order.
type child struct {
	name string
	cmd  *exec.Cmd
	held io.Closer // its standard input: it ends with us, whatever becomes of us
	log  string
	done chan struct{}
	said error // how it ended, once done is closed
}

// start runs a part, its output in the log folder. Its end is everybody's.
func (d *dev) start(name, binary string, args ...string) (*child, error) {
	path := filepath.Join(d.c.State, "log", name+".log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	c := &child{name: name, cmd: exec.Command(binary, args...), log: path, done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.Env = d.childEnv()
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.held, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s can't be started: %w", name, err)
	}
	d.children = append(d.children, c)
	go func() {
		c.said = c.cmd.Wait()
		close(c.done)
		d.fail(fmt.Errorf("%s ended (%w); the end of %s:\n%s", name, orClean(c.said), path, tail(path)))
	}()
	return c, nil
}

var errClean = errors.New("without an error")

func orClean(err error) error {
	if err == nil {
		return errClean
	}
	return err
}

// childEnv is our environment without the settings that the file now holds:
// they would be taken for another wish.
func (d *dev) childEnv() []string {
	env := maps.Clone(d.settings.env)
	for _, name := range []string{"PAYSAGA_DATABASE_URL", "PAYSAGA_OWNER_URL", "PAYSAGA_SEAL_KEYS", "PAYSAGA_TEMPORAL_ADDRESS",
		"PAYSAGA_TEMPORAL_NAMESPACE", "PAYSAGA_HTTP_ADDRESS", "PAYSAGA_SANDBOX_ADDRESS", "PAYSAGA_SANDBOX_BOOK", "PAYSAGA_SANDBOX_BASE_URL", "PAYSAGA_STATE"} {
		delete(env, name)
	}
	env["PAYSAGA_SETTINGS"] = filepath.Join(d.c.State, "settings.json")
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// tail is the end of a log, for the terminal.
func tail(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}

// stopAll ends the parts, last started first: each gets the time it takes to
// end what is under way.
func (d *dev) stopAll() {
	for i := len(d.children) - 1; i >= 0; i-- {
		c := d.children[i]
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-c.done:
		case <-time.After(45 * time.Second):
			fmt.Fprintf(d.err, "paysaga: %s doesn't stop; it is killed\n", c.name)
			_ = c.cmd.Process.Kill()
			<-c.done
		}
		_ = c.held.Close()
	}
	if len(d.children) > 0 {
		fmt.Fprintln(d.out, "everything has stopped")
	}
}

// startDevstack starts PostgreSQL, Temporal and the Web UI and waits for their
// ready file.
func (d *dev) startDevstack(ctx context.Context) error {
	fmt.Fprintln(d.out, "starting PostgreSQL and Temporal …")
	c, err := d.start("devstack", d.c.Devstack, "--state", d.c.State, "--stop-with-stdin")
	if err != nil {
		return err
	}
	return until(ctx, 2*time.Minute, "devstack", func() bool {
		raw, err := os.ReadFile(filepath.Join(d.c.State, "devstack.json"))
		return err == nil && json.Unmarshal(raw, &d.stack) == nil && d.stack.PID == c.cmd.Process.Pid
	})
}

// awaitHTTP waits until a part says that it is well.
func (d *dev) awaitHTTP(ctx context.Context, what, url string) error {
	return until(ctx, time.Minute, what, func() bool {
		body, code, err := get(ctx, url)
		return err == nil && code == http.StatusOK && !bytes.Contains(body, []byte("degraded"))
	})
}

func get(ctx context.Context, url string) (body []byte, code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return body, res.StatusCode, err
}

// until polls, because files and ports don't call.
func until(ctx context.Context, most time.Duration, what string, ready func() bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, most, fmt.Errorf("%s isn't ready after %s", what, most))
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// firstPayment makes the payment of `make dev-time`, and says how long a
// newcomer would have waited for it.
func (d *dev) firstPayment(ctx context.Context) error {
	up := time.Since(d.began)
	body := strings.ReplaceAll(demoBody, "A-1001", fmt.Sprintf("first-%d", time.Now().UnixNano()))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.api+"/v1/payments", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+d.demo.APIKey)
	req.Header.Set("Idempotency-Key", fmt.Sprintf("first-%d", time.Now().UnixNano()))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var paid struct{ ID, Status string }
	if err := json.NewDecoder(res.Body).Decode(&paid); err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated || paid.Status != "succeeded" {
		return fmt.Errorf("the first payment %s is %s (HTTP %d)", paid.ID, paid.Status, res.StatusCode)
	}
	fmt.Fprintf(d.out, "first payment %s succeeded %.1f s after the start (up after %.1f s)\n", paid.ID, time.Since(d.began).Seconds(), up.Seconds())
	return nil
}
