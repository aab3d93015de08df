package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// asDevstack makes this test binary run as devstack itself, so that a test can
// kill the whole process.
const asDevstack = "DEVSTACK_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asDevstack) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// output collects what devstack prints, while it prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func testConfig(t *testing.T, out *output) Config {
	t.Helper()
	cfg := Config{StateDir: openTemp(t), Namespace: "paysaga", HistoryShards: 4, VisibilityFast: true, Out: out}
	if err := cfg.complete(); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func startStack(t *testing.T, cfg Config) *Stack {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// process is a devstack in a process of its own.
type process struct {
	cmd   *exec.Cmd
	out   *output
	ended chan error
}

func startProcess(t *testing.T, cfg Config, more ...string) *process {
	t.Helper()
	return startProcessOn(t, nil, cfg, more...)
}

func startProcessOn(t *testing.T, stdin *os.File, cfg Config, more ...string) *process {
	t.Helper()
	args := append([]string{"--state", cfg.StateDir, "--postgres-port", "0", "--temporal-port", "0", "--ui-port", "0", "--fsync=false", "--history-shards", "4"}, more...)
	p := &process{cmd: exec.Command(os.Args[0], args...), out: &output{}, ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asDevstack+"=1", "DATABASE_URL=")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

func (p *process) awaitReady(t *testing.T, cfg Config) Ready {
	t.Helper()
	if !waitUntil(time.Minute, func() bool { return isReady(cfg.ReadyFile) }) {
		t.Fatalf("not ready; it said:\n%s", p.out)
	}
	r, err := readReady(cfg.ReadyFile)
	if err != nil || r.PID != p.cmd.Process.Pid {
		t.Fatalf("ready file %+v, %v", r, err)
	}
	return r
}

// end returns the exit code.
func (p *process) end(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		t.Fatalf("still running a minute after %s; it said:\n%s", signal, p.out)
		return 0
	}
}

const (
	testWorkflow = "wait-for-go"
	testQueue    = "devstack-test"
)

func waitForGo(ctx workflow.Context) (string, error) {
	var said string
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &said)
	return said, nil
}

func connect(t *testing.T, r Ready) client.Client {
	t.Helper()
	c, err := dial(t.Context(), r.TemporalAddress, r.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// startOpen starts a workflow that carries every search attribute.
func startOpen(t *testing.T, r Ready, id string) {
	t.Helper()
	keyword := func(name string) temporal.SearchAttributeUpdate {
		return temporal.NewSearchAttributeKeyKeyword(name).ValueSet(id)
	}
	_, err := connect(t, r).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: testQueue,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			keyword("Book"), keyword("BusinessID"), keyword("MerchantID"), keyword("OrderRef"),
			keyword("Channel"), keyword("State"), keyword("Currency"), keyword("BusinessDate"),
			temporal.NewSearchAttributeKeyBool("NeedsOperator").ValueSet(true),
			temporal.NewSearchAttributeKeyInt64("AmountMinor").ValueSet(1234),
		),
	}, testWorkflow)
	if err != nil {
		t.Fatal(err)
	}
}

func isOpen(t *testing.T, r Ready, id string) {
	t.Helper()
	d, err := connect(t, r).DescribeWorkflowExecution(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	if status := d.GetWorkflowExecutionInfo().GetStatus(); status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Fatalf("%s is %s", id, status)
	}
}

// finish lets a workflow go on where it was.
func finish(t *testing.T, r Ready, id string) {
	t.Helper()
	c := connect(t, r)
	w := worker.New(c, testQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(waitForGo, workflow.RegisterOptions{Name: testWorkflow})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if err := c.SignalWorkflow(t.Context(), id, "", "go", "on"); err != nil {
		t.Fatal(err)
	}
	var said string
	if err := c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &said); err != nil || said != "on" {
		t.Fatalf("%s ended with %q, %v", id, said, err)
	}
}

// TestStackKeepsOpenWorkflows takes one state through a cold start, a stop, a
// warm start, a kill -9 and one start more.
func TestStackKeepsOpenWorkflows(t *testing.T) {
	t.Parallel()
	out := &output{}
	cfg := testConfig(t, out)
	write(t, filepath.Join(cfg.StateDir, makingName, "PG_VERSION"), "15\n") // as after a kill inside initdb

	s := startStack(t, cfg)
	if !strings.Contains(out.String(), "removing a half-made data folder") {
		t.Errorf("it said:\n%s", out)
	}
	cold := s.Ready
	startOpen(t, cold, "before-stop")
	checkFairQueue(t, s)
	checkRoles(t, cold)
	checkUI(t, cold)
	if _, err := Start(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "already running") {
		t.Errorf("a second start on the same state: %v", err)
	}
	if r, err := readReady(cfg.ReadyFile); err != nil || r != cold {
		t.Errorf("the second start touched the ready file: %+v, %v", r, err)
	}
	s.Stop()
	if _, err := os.Stat(cfg.ReadyFile); !os.IsNotExist(err) {
		t.Errorf("the ready file outlived a clean stop: %v", err)
	}

	p := startProcess(t, cfg)
	warm := p.awaitReady(t, cfg)
	if warm.TemporalAddress != cold.TemporalAddress || warm.PostgresURL != cold.PostgresURL || warm.UIURL != cold.UIURL {
		t.Errorf("free ports were chosen anew: %+v, then %+v", cold, warm)
	}
	isOpen(t, warm, "before-stop")
	startOpen(t, warm, "before-kill")
	p.end(t, syscall.SIGKILL)
	if !waitUntil(10*time.Second, func() bool { return len(strays(filepath.Join(cfg.StateDir, clusterName))) == 0 }) {
		t.Error("PostgreSQL outlived a kill -9 of devstack")
	}

	p = startProcess(t, cfg)
	last := p.awaitReady(t, cfg)
	for _, id := range []string{"before-stop", "before-kill"} {
		isOpen(t, last, id)
		finish(t, last, id)
	}
	if code := p.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d after SIGTERM; it said:\n%s", code, p.out)
	}
	if strings.Contains(p.out.String(), "goroutine ") {
		t.Errorf("a stack trace on the terminal:\n%s", p.out)
	}
}

// checkRoles holds the two roles to what they may: the owner makes databases and
// tables, the app role only what it was granted.
func checkRoles(t *testing.T, r Ready) {
	t.Helper()
	owner := connectDB(t, r.PostgresURL)
	app := connectDB(t, r.AppURL)
	exec := func(c *pgx.Conn, sql string) error {
		_, err := c.Exec(t.Context(), sql)
		return err
	}
	for _, sql := range []string{
		"CREATE TABLE held (id int)", "GRANT SELECT ON held TO " + appRole, "CREATE DATABASE a_template", "DROP DATABASE a_template",
	} {
		if err := exec(owner, sql); err != nil {
			t.Errorf("the owner: %s: %v", sql, err)
		}
	}
	if err := exec(app, "SELECT * FROM held"); err != nil {
		t.Errorf("the app role, what it was granted: %v", err)
	}
	for _, sql := range []string{"INSERT INTO held VALUES (1)", "DROP TABLE held", "CREATE TABLE mine (id int)", "CREATE DATABASE mine"} {
		if err := exec(app, sql); err == nil {
			t.Errorf("the app role may %s", sql)
		}
	}
}

// checkFairQueue looks where a task waits that no worker asked for: with
// fairness on, queues have tables of their own, and one partition is one row.
func checkFairQueue(t *testing.T, s *Stack) {
	t.Helper()
	db := connectDB(t, s.db.adminURL(temporalDB))
	count := func(table string) (n int) {
		sql := "SELECT count(*) FROM " + table + " WHERE position('" + testQueue + "'::bytea IN task_queue_id) > 0"
		if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if !waitUntil(10*time.Second, func() bool { return count("tasks_v2") > 0 }) {
		t.Errorf("no task waits in the fair queue, and %d in the plain one", count("tasks"))
	}
	if got := count("task_queues_v2"); got != 1 {
		t.Errorf("%d partitions of a queue", got)
	}
}

func connectDB(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func checkUI(t *testing.T, r Ready) {
	t.Helper()
	resp, err := http.Get(r.UIURL + "/api/v1/settings")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"DefaultNamespace":"paysaga"`, `"WorkflowTerminateDisabled":true`, `"BatchActionsDisabled":true`,
		`"DisableWriteActions":false`, `"WorkflowUpdateDisabled":false`, `"DisableNewsFetch":true`,
	} {
		if !strings.Contains(body.String(), want) {
			t.Errorf("the UI's settings lack %s: %s", want, &body)
		}
	}
}

func TestStopsWithItsStandardInput(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, &output{})
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	p := startProcessOn(t, stdin, cfg, "--stop-with-stdin", "--no-ui")
	p.awaitReady(t, cfg)
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err != nil || !strings.Contains(p.out.String(), "stopped (") {
		t.Errorf("%v; it said:\n%s", err, p.out)
	}
}

func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, &output{})
	p := startProcess(t, cfg)
	if !waitUntil(time.Minute, func() bool { return strings.Contains(p.out.String(), "PostgreSQL") }) {
		t.Fatalf("it said:\n%s", p.out)
	}
	if code := p.end(t, syscall.SIGINT); code != 0 || !strings.Contains(p.out.String(), "stopped") {
		t.Errorf("exit code %d; it said:\n%s", code, p.out)
	}
	if left := strays(filepath.Join(cfg.StateDir, clusterName)); len(left) != 0 {
		t.Errorf("PostgreSQL still runs: %v", left)
	}
}

func TestPostgresDyingUnderUsIsSaid(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, &output{})
	p := startProcess(t, cfg, "--no-ui")
	p.awaitReady(t, cfg)
	text, err := os.ReadFile(filepath.Join(cfg.StateDir, clusterName, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-p.ended; err == nil || !strings.Contains(p.out.String(), "PostgreSQL stopped") {
		t.Errorf("%v; it said:\n%s", err, p.out)
	}
}

func TestTakenPortStopsTheStartWithOneLine(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t, &output{})
	port := listen(t)
	p := startProcess(t, cfg, "--temporal-port", fmt.Sprint(port))
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	said := strings.TrimSpace(p.out.String())
	if strings.Count(said, "\n") > 0 || !strings.Contains(said, fmt.Sprintf("port %d cannot be used", port)) || !strings.Contains(said, "--temporal-port") {
		t.Errorf("it said:\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(cfg.StateDir, clusterName)); !os.IsNotExist(err) {
		t.Errorf("a data folder was made all the same: %v", err)
	}
}
