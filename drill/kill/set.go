package kill

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Kinds of processes that are killed.
const (
	Worker   = "worker"
	API      = "api"
	Devstack = "devstack" // with its PostgreSQL
)

// set is a whole paysaga on one machine, each part a process of its own:
// devstack with fsync on, the sandbox with its book on disk, two APIs, two
// workers.
type set struct {
	dir, paysaga, devstackBinary string
	settings                     []string // the environment of every paysaga process
	dev                          devstackReady
	sandboxURL                   string
	apis                         []string // their URLs
	devstack, sandbox            *process
	killable                     map[string][]*process
	ended                        func(name, said string)
}

// devstackReady is the part of devstack's ready file that is needed here.
type devstackReady struct {
	PID             int    `json:"pid"`
	PostgresURL     string `json:"postgres_url"` // the owner's
	AppURL          string `json:"app_url"`
	TemporalAddress string `json:"temporal_address"`
	Namespace       string `json:"namespace"`
}

// newSet starts everything and waits until it is well.
func newSet(ctx context.Context, dir, paysaga, devstackBinary string, ended func(name, said string)) (*set, error) {
	s := &set{dir: dir, paysaga: paysaga, devstackBinary: devstackBinary, ended: ended, killable: map[string][]*process{}}
	s.devstack = s.process("devstack", devstackBinary, s.devstackIsReady, "--state", filepath.Join(dir, "state"),
		"--postgres-port", "0", "--temporal-port", "0", "--ui-port", "0", "--no-ui", "--stop-with-stdin")
	s.killable[Devstack] = []*process{s.devstack}
	if err := s.devstack.start(ctx); err != nil {
		return s, err
	}
	ports, err := freePorts(5)
	if err != nil {
		return s, err
	}
	s.settle(ports)
	if _, err := s.run(ctx, nil, "migrate", "--owner-url", s.dev.PostgresURL); err != nil {
		return s, err
	}
	s.sandbox = s.process("sandbox", paysaga, answers(s.sandboxURL+"/healthz"), "sandbox", "--stop-with-stdin",
		"--sandbox-address", local(ports[0]), "--sandbox-book", filepath.Join(dir, "book"), "--log-level", "warn")
	for i := range 2 {
		s.add(API, i, answers(s.apis[i]+"/readyz"), "--http-address", local(ports[1+i]))
		s.add(Worker, i, s.works, "--metrics-address", local(ports[3+i]), "--call-timeout", "2s", "--stop-timeout", "2s", "--audit-every", "0")
	}
	for _, p := range s.all() {
		if err := p.start(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

// settle makes the settings that all processes share.
func (s *set) settle(ports []int) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	s.sandboxURL = "http://" + local(ports[0])
	s.apis = []string{"http://" + local(ports[1]), "http://" + local(ports[2])}
	s.settings = append(bare(), "PAYSAGA_DATABASE_URL="+s.dev.AppURL, "PAYSAGA_TEMPORAL_ADDRESS="+s.dev.TemporalAddress,
		"PAYSAGA_TEMPORAL_NAMESPACE="+s.dev.Namespace, "PAYSAGA_SEAL_KEYS=drill:"+base64.StdEncoding.EncodeToString(key),
		"PAYSAGA_PACE=drill", "PAYSAGA_PUBLIC_URL="+s.apis[0])
}

// bare is our environment without settings: a set has its own.
func bare() (env []string) {
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PAYSAGA_") && !strings.HasPrefix(entry, "DATABASE_URL=") {
			env = append(env, entry)
		}
	}
	return env
}

func (s *set) process(name, binary string, ready func(context.Context, int, string) bool, args ...string) *process {
	env := s.settings
	if env == nil {
		env = bare()
	}
	return &process{name: name, binary: binary, args: args, env: env, dir: s.dir, ready: ready, ended: s.ended}
}

func (s *set) add(kind string, i int, ready func(context.Context, int, string) bool, args ...string) {
	p := s.process(fmt.Sprintf("%s-%d", kind, i+1), s.paysaga, ready, append([]string{kind, "--stop-with-stdin"}, args...)...)
	s.killable[kind] = append(s.killable[kind], p)
}

// all is in the order in which they need each other; devstack runs already.
func (s *set) all() []*process {
	list := []*process{s.sandbox}
	return append(append(list, s.killable[API]...), s.killable[Worker]...)
}

// stop ends everything, last started first.
func (s *set) stop() {
	list := append([]*process{s.devstack}, s.all()...)
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] != nil {
			list[i].stop()
		}
	}
}

// devstackIsReady reads the ready file of that very process.
func (s *set) devstackIsReady(_ context.Context, pid int, _ string) bool {
	raw, err := os.ReadFile(filepath.Join(s.dir, "state", "devstack.json"))
	var ready devstackReady
	if err != nil || json.Unmarshal(raw, &ready) != nil || ready.PID != pid {
		return false
	}
	if s.dev.PID == 0 { // its ports stay, whatever happens
		s.dev = ready
	}
	return true
}

// works: a worker says so once it polls.
func (s *set) works(_ context.Context, _ int, said string) bool {
	return strings.Contains(said, `"msg":"working"`)
}

// answers asks an address for a 200 that doesn't say degraded.
func answers(url string) func(context.Context, int, string) bool {
	return func(ctx context.Context, _ int, _ string) bool {
		ctx, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		body, err := fetch(ctx, url)
		return err == nil && !bytes.Contains(body, []byte("degraded"))
	}
}

// fetch reads what an address answers with 200.
func fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d", url, res.StatusCode)
	}
	return body, err
}

// run runs one command of paysaga to its end and returns what it printed.
func (s *set) run(ctx context.Context, in io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, s.paysaga, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.settings, in
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("paysaga %s: %w: %s", args[0], err, exit.Stderr)
	}
	return out, err
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePorts are ports that nobody listens on. They lie below those that the
// kernel gives to outgoing connections, so that a killed process gets its own
// back.
func freePorts(n int) (ports []int, err error) {
	for tries := 0; len(ports) < n; tries++ {
		port := 18_000 + mathrand.IntN(14_000)
		l, err := net.Listen("tcp", local(port))
		switch {
		case err == nil:
			defer func() { _ = l.Close() }() // held until all are found, so that each is another one
			ports = append(ports, port)
		case tries > 1000:
			return nil, err
		}
	}
	return ports, nil
}
