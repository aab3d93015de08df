package kill

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program of the drill: started, killed, and started again with
// the same arguments. It ends with us, whatever becomes of us.
type process struct {
	name, binary string
	args, env    []string
	dir          string // where it runs, and where its log is
	// ready is asked until it says yes; said is what it has logged since its start.
	ready func(ctx context.Context, pid int, said string) bool
	// ended hears of an end that nobody here asked for.
	ended func(name, said string)

	mu   sync.Mutex
	cmd  *exec.Cmd
	held io.Closer // its standard input: --stop-with-stdin
	done chan struct{}
	meant,
	up bool
	from int64 // where its last start's log begins
}

// upPatience is how long a start may take on a busy machine.
const upPatience = 2 * time.Minute

func (p *process) logFile() string { return filepath.Join(p.dir, p.name+".log") }

// start starts it and waits until it is ready.
func (p *process) start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return fmt.Errorf("%s can't be started: %w", p.name, err)
	}
	ctx, stop := context.WithTimeout(ctx, upPatience)
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !p.ready(ctx, p.cmd.Process.Pid, p.said()) {
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready: %s", p.name, end(p.said()))
		case <-ctx.Done():
			return fmt.Errorf("%s isn't ready: %w: %s", p.name, ctx.Err(), end(p.said()))
		}
	}
	p.mu.Lock()
	p.up = true
	p.mu.Unlock()
	return nil
}

func (p *process) launch() error {
	out, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	info, err := out.Stat()
	if err != nil {
		return err
	}
	cmd := exec.Command(p.binary, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	held, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.held, p.done, p.meant, p.from = cmd, held, done, false, info.Size()
	p.mu.Unlock()
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		meant := p.meant
		p.up = false
		p.mu.Unlock()
		close(done)
		if !meant {
			p.ended(p.name, end(p.said()))
		}
	}()
	return nil
}

// isUp says whether it is ready, and neither killed nor ended since.
func (p *process) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// intend marks that the end to come is ours, and returns what runs.
func (p *process) intend() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meant, p.up = true, false
	return p.cmd, p.done
}

// kill ends everything it has started, and itself, by SIGKILL, and waits until
// it is gone. Itself last: devstack's end alone would stop PostgreSQL in its own
// way.
func (p *process) kill() {
	cmd, done := p.intend()
	if cmd == nil {
		return
	}
	for _, pid := range append(descendants(cmd.Process.Pid), cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
	}
	<-done
}

// stop ends it cleanly, or by force after 20 s.
func (p *process) stop() {
	cmd, done := p.intend()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		p.kill()
	}
	_ = p.held.Close()
}

// said is what it has logged since its last start.
func (p *process) said() string {
	f, err := os.Open(p.logFile())
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	p.mu.Lock()
	from := p.from
	p.mu.Unlock()
	raw, _ := io.ReadAll(io.NewSectionReader(f, from, 1<<20))
	return string(raw)
}

// end is the last few lines of a log.
func end(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// descendants are the processes below pid, at this moment. PostgreSQL's each
// have a process group of their own, so the group alone isn't enough.
func descendants(pid int) (below []int) {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		if len(fields) < 2 {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], child)
	}
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		below = append(below, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return below
}
