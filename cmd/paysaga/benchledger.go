package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"paysaga/bench/posting"
)

type benchLedger struct {
	Rounds   int      `default:"5" help:"How often each cell is measured."`
	Seconds  float64  `default:"2" help:"How long each measurement lasts."`
	Clients  []int    `default:"1,32,256" help:"How many clients commit at once, each in a closed loop."`
	Only     []string `placeholder:"SHAPES" help:"Measure these shapes only: random, hot, floored, floored2 (by two processes), moves, http, http_bulk, l1, l2."`
	Growth   string   `default:"10m" help:"Up to how many journals the book is filled, to measure again: 0, 1m or 10m (after 1m)."`
	Costs    bool     `default:"true" negatable:"" help:"Measure each shape alone on a new database, too, for what it costs."`
	Postgres string   `placeholder:"URL" help:"A server that runs, as a role that may create databases and roles. By default one is started in a temporary folder, fsync on, and removed at the end."`
	Set      []string `sep:"none" placeholder:"NAME=VALUE" help:"Settings of the server that is started, over the benchmark's own."`
	JSON     string   `name:"json" placeholder:"FILE" help:"Write all figures to a file, too."`
	Profile  string   `placeholder:"FILE" help:"Write a CPU profile of this process: the committer, and who asks it."`
	Child    bool     `hidden:"" help:"Be one of two processes: do what is said on standard input."`
}

// Run measures, on a server of its own.
func (c *benchLedger) Run(a *app) error {
	// Most of the memory is Steps that wait to be asked for, which the limit of a server knows nothing of.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	if c.Child {
		return posting.Child(a.ctx, a.in, a.out)
	}
	conf, err := c.config(a)
	if err != nil {
		return err
	}
	if c.Profile != "" {
		out, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		defer func() { _ = out.Close() }()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	res, err := posting.Run(a.ctx, conf)
	if a.ctx.Err() != nil {
		return errQuiet // ctrl-C: half a measurement says nothing
	}
	if err != nil || c.JSON == "" {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.JSON), 0o755); err != nil {
		return err
	}
	return writeJSON(c.JSON, struct {
		Commit string    `json:"commit"`
		At     time.Time `json:"finished_at"`
		posting.Result
	}{version().tree(), time.Now().UTC().Truncate(time.Second), res})
}

func (c *benchLedger) config(a *app) (posting.Config, error) {
	conf := posting.Config{Rounds: c.Rounds, Window: time.Duration(c.Seconds * float64(time.Second)), Clients: slices.Sorted(slices.Values(c.Clients)), Only: c.Only,
		NoCosts: !c.Costs, Postgres: c.Postgres, Out: a.out}
	switch c.Growth {
	case "0":
	case "1m":
		conf.Growth = []int{1_000_000}
	case "10m":
		conf.Growth = []int{1_000_000, 10_000_000}
	default:
		n, err := strconv.Atoi(c.Growth)
		if err != nil || n < 1 {
			return conf, fmt.Errorf("--growth is 0, 1m, 10m or a number of journals, not %q", c.Growth)
		}
		conf.Growth = []int{n}
	}
	for _, s := range c.Set {
		name, value, found := strings.Cut(s, "=")
		if !found {
			return conf, fmt.Errorf("--set is NAME=VALUE, not %q", s)
		}
		if conf.Settings == nil {
			conf.Settings = map[string]string{}
		}
		conf.Settings[name] = value
	}
	self, err := os.Executable()
	if err != nil {
		return conf, err
	}
	conf.Child = func() *exec.Cmd {
		cmd := exec.Command(self, "bench", "ledger", "--child")
		cmd.Stderr = os.Stderr
		return cmd
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		conf.Progress = a.err
	}
	return conf, nil
}
