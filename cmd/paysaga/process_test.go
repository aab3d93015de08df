package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asBinary makes the test binary behave as paysaga, so that the processes of
// these tests are real ones, with the race detector in them.
const asBinary = "TEST_BINARY_IS_PAYSAGA"

func TestMain(m *testing.M) {
	if os.Getenv(asBinary) != "" {
		main()
	}
	os.Exit(m.Run())
}

// proc is a running paysaga process.
type proc struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  bytes.Buffer
	addr chan string // where it says that it listens
	done chan struct{}
}

// launch starts one. It ends with the test at the latest.
func launch(t *testing.T, env map[string]string, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(os.Args[0], args...), addr: make(chan string, 4), done: make(chan struct{})}
	p.cmd.Env = []string{asBinary + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	require.NoError(t, p.cmd.Start())
	go p.read(out)
	go func() { _ = p.cmd.Wait(); _ = in.Close(); close(p.done) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%v:\n%s", args, p.said())
		}
	})
	return p
}

func (p *proc) read(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.log.WriteString(s.Text() + "\n")
		p.mu.Unlock()
		var line struct{ Msg, Address, Addr string }
		if json.Unmarshal(s.Bytes(), &line) == nil && (line.Msg == "listening" || line.Msg == "sandbox listens") {
			p.addr <- line.Address + line.Addr
		}
	}
}

func (p *proc) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// url waits until the process listens.
func (p *proc) url(t *testing.T) string {
	t.Helper()
	select {
	case a := <-p.addr:
		return "http://" + a
	case <-p.done:
		t.Fatalf("it ended: %s", p.said())
	case <-time.After(time.Minute):
		t.Fatalf("it doesn't listen: %s", p.said())
	}
	return ""
}

// stop asks the process to end, and returns its exit code.
func (p *proc) stop(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatalf("it doesn't stop: %s", p.said())
	}
	return p.cmd.ProcessState.ExitCode()
}

// call makes a request and reads a JSON answer.
func call(t *testing.T, method, url, key string, body string) (code int, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", fmt.Sprintf("%x", sha256.Sum256([]byte(body))))
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &answer), string(raw))
	return res.StatusCode, answer
}

// eventually polls for what no process announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, time.Minute, 50*time.Millisecond, what)
}

// A process that comes up before its database and Temporal do answers, says
// what is missing, and stops when it is told to. It never loops through crashes.
func TestServeComesUpBeforeWhatItNeeds(t *testing.T) {
	t.Parallel()
	env := map[string]string{"PAYSAGA_DATABASE_URL": "postgres://paysaga_app@127.0.0.1:1/paysaga", "PAYSAGA_SEAL_KEYS": goodKey,
		"PAYSAGA_TEMPORAL_ADDRESS": "127.0.0.1:1", "PAYSAGA_HTTP_ADDRESS": "127.0.0.1:0", "PAYSAGA_STOP_TIMEOUT": "1s"}
	p := launch(t, env, "serve")
	at := p.url(t)
	code, _ := call(t, http.MethodGet, at+"/healthz", "", "")
	require.Equal(t, http.StatusOK, code)
	code, ready := call(t, http.MethodGet, at+"/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "down", ready["store"])
	require.Equal(t, "down", ready["temporal"])
	code, _ = call(t, http.MethodPost, at+"/v1/payments", "sk_test_0123456789012345678901234567890123456789012", demoBody)
	require.Equal(t, http.StatusServiceUnavailable, code)
	eventually(t, "it says that Temporal is missing", func() bool { return strings.Contains(p.said(), "Temporal can't be reached yet") })
	require.Zero(t, p.stop(t))
}

func TestATakenPortIsSaidClearly(t *testing.T) {
	t.Parallel()
	env := map[string]string{"PAYSAGA_SANDBOX_ADDRESS": "127.0.0.1:0", "PAYSAGA_SANDBOX_BOOK": t.TempDir()}
	at := launch(t, env, "sandbox").url(t)
	second := launch(t, map[string]string{"PAYSAGA_DATABASE_URL": "postgres://paysaga_app@127.0.0.1:1/paysaga", "PAYSAGA_SEAL_KEYS": goodKey,
		"PAYSAGA_HTTP_ADDRESS": strings.TrimPrefix(at, "http://")}, "api")
	<-second.done
	require.Equal(t, 1, second.cmd.ProcessState.ExitCode())
	eventually(t, "it names the setting", func() bool { return strings.Contains(second.said(), "PAYSAGA_HTTP_ADDRESS") })
}

// A process that was started as a child ends with its parent.
func TestAChildStopsWithItsStandardInput(t *testing.T) {
	t.Parallel()
	p := &proc{cmd: exec.Command(os.Args[0], "sandbox", "--stop-with-stdin"), addr: make(chan string, 1), done: make(chan struct{})}
	p.cmd.Env = []string{asBinary + "=1", "PAYSAGA_SANDBOX_ADDRESS=127.0.0.1:0", "PAYSAGA_SANDBOX_BOOK=" + t.TempDir()}
	stdin, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	go p.read(out)
	p.url(t)
	require.NoError(t, stdin.Close())
	require.NoError(t, p.cmd.Wait())
}
