package fuzz

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// progress is what a run of the fuzzer has come to.
type progress struct {
	executions, interesting int64
	seconds, cpu            float64
	crashers                []string
}

// The fuzzer says every three seconds, and at its end: "fuzz: elapsed: 1m3s, execs: 102 (34/sec), new interesting: 1 (total: 4)".
var said = regexp.MustCompile(`^fuzz: elapsed: (\S+), execs: (\d+) \([^)]*\)(?:, new interesting: (\d+))?`)

func (p *progress) hear(line string) bool {
	m := said.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	if d, err := time.ParseDuration(m[1]); err == nil {
		p.seconds = d.Seconds()
	}
	p.executions, _ = strconv.ParseInt(m[2], 10, 64)
	if m[3] != "" {
		p.interesting, _ = strconv.ParseInt(m[3], 10, 64)
	}
	return true
}

// fuzz runs a target's binary for so long, in its package's folder: what makes it fail is written below testdata there. It has one worker,
// and doesn't spend its time on making shorter what is merely new.
func (c Campaign) fuzz(ctx context.Context, t Target, binary string, long time.Duration, show func(progress)) (p progress, err error) {
	folder := filepath.Join(c.Root, filepath.FromSlash(t.Folder))
	before, err := corpus(folder, t.Name)
	if err != nil {
		return p, err
	}
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.fuzz=^"+t.Name+"$", "-test.fuzztime="+long.String(), "-test.parallel=1", "-test.fuzzminimizetime=1x",
		"-test.fuzzcachedir="+filepath.Join(filepath.Dir(binary), "found", t.Folder), "-test.timeout=0", "-test.paniconexit0")
	cmd.Dir = folder
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its own workers
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // ctrl-C reaches it through us, once
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return p, err
	}
	var tail []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if p.hear(lines.Text()) {
			show(p)
			continue
		}
		if tail = append(tail, lines.Text()); len(tail) > 30 {
			tail = tail[1:]
		}
	}
	failed := cmd.Wait()
	p.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() // with what its workers had, which it has waited for
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	after, err := corpus(folder, t.Name)
	for _, name := range after {
		if !slices.Contains(before, name) {
			p.crashers = append(p.crashers, filepath.ToSlash(filepath.Join(t.Folder, "testdata", "fuzz", t.Name, name)))
		}
	}
	if failed != nil && timeOver(tail, t.Name) {
		failed = nil
	}
	if failed != nil && len(p.crashers) == 0 && err == nil {
		err = fmt.Errorf("it failed without a new input: %w: %s", failed, strings.Join(tail, "\n"))
	}
	if p.seconds == 0 && failed == nil { // a slice shorter than the fuzzer's own pace
		p.seconds = long.Seconds()
	}
	return p, err
}

// timeOver tells whether all that a failed fuzzer has to say is that its own time is over. Before Go 1.27 the coordinator takes the end of
// -fuzztime for a failure if its workers' context hasn't followed yet (go.dev/issue/75804). An input that runs into a deadline of its own
// fails below the line of its own corpus file, so this can't hide it.
func timeOver(tail []string, name string) bool {
	var left []string
	for _, line := range tail {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "fuzz: elapsed: ") {
			left = append(left, line)
		}
	}
	return len(left) == 3 && strings.HasPrefix(left[0], "--- FAIL: "+name+" (") && left[1] == context.DeadlineExceeded.Error() && left[2] == "FAIL"
}

// corpus are the inputs that a target keeps in the repository.
func corpus(folder, name string) (list []string, err error) {
	entries, err := os.ReadDir(filepath.Join(folder, "testdata", "fuzz", name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list, err
}
