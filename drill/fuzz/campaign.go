// Package fuzz is the campaign that runs every fuzz target of the repository: each on its own test binary with one worker, as many at once
// as there are cores, for so many minutes in all, however often it is stopped in between. What makes a target fail stays as a file of its
// corpus, which every `go test` runs from then on.
package fuzz

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"paysaga/drill/harness"
)

// Target is a fuzz function.
type Target struct {
	Folder string `json:"package"` // from the root of the repository
	Name   string `json:"target"`
}

func (t Target) String() string { return t.Folder + " " + t.Name }

// Result is what one target has come to. Seconds are of the clock while it was fuzzed, not while it was compiled; CPU is what the fuzzer and
// its worker had of the machine meanwhile, which is less when others wanted it too.
type Result struct {
	Target
	Sources     string   `json:"sources_sha256"`
	Executions  int64    `json:"executions"`
	Seconds     float64  `json:"seconds"`
	CPU         float64  `json:"cpu_seconds"`
	Interesting int64    `json:"new_interesting"`
	Crashers    []string `json:"crashers"` // files of its corpus; none is a pass
}

// Report is a campaign's result as it is committed.
type Report struct {
	Campaign string    `json:"campaign"`
	Commit   string    `json:"commit"`
	Machine  string    `json:"machine"`
	At       time.Time `json:"finished_at"`
	Each     float64   `json:"seconds_each"`
	AtOnce   int       `json:"targets_at_once"`
	Results  []Result  `json:"targets"`
}

// Campaign runs targets, so many at once.
type Campaign struct {
	Root       string        // of the repository
	Each       time.Duration // for each target
	AtOnce     int           // default: as many as there are cores
	Most       time.Duration // no slice begins later than this
	Slice      time.Duration // how much is lost when it is stopped; default a minute
	StateFile  string
	ResultFile string
	Dir        string // binaries and what was found interesting; kept between runs
	Say        func(string)
	Show       func(string)
}

// ErrCrashed is how a campaign ends that broke something.
var ErrCrashed = errors.New("a target failed; what made it fail is in its corpus")

var fuzzFunction = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// Targets are the fuzz functions below a folder, sorted.
func Targets(root string) (list []Target, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name[0] == '.' || name == "testdata" || name == "node_modules" || name == "devstack") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range fuzzFunction.FindAllSubmatch(source, -1) {
			list = append(list, Target{filepath.ToSlash(folder), string(m[1])})
		}
		return err
	})
	slices.SortFunc(list, func(a, b Target) int { return strings.Compare(a.String(), b.String()) })
	return list, err
}

// Run fuzzes what isn't done yet. done is false if the time ran out first. A target whose sources have changed begins anew.
func (c Campaign) Run(ctx context.Context) (report Report, done bool, err error) {
	list, err := Targets(c.Root)
	if err == nil {
		err = os.MkdirAll(c.Dir, 0o755)
	}
	if c.AtOnce < 1 {
		c.AtOnce = runtime.NumCPU()
	}
	if c.Slice == 0 {
		c.Slice = time.Minute
	}
	r := &running{Campaign: c, until: time.Now().Add(c.Most), kept: map[string]Result{}, results: make([]Result, len(list)), now: map[int]string{}}
	if err == nil {
		err = harness.ReadJSON(c.StateFile, &r.kept)
	}
	if err != nil {
		return report, false, err
	}
	report = Report{Campaign: "fuzz", Machine: harness.Machine(), Each: c.Each.Seconds(), AtOnce: c.AtOnce}
	err = r.all(ctx, list)
	report.Results = r.results
	switch {
	case ctx.Err() != nil:
		return report, false, harness.ErrStopped
	case err != nil:
		return report, false, err
	case r.done < len(list):
		return report, false, nil
	}
	report.Commit, report.At = harness.Commit(), time.Now().UTC().Truncate(time.Second)
	if err := harness.WriteJSON(c.ResultFile, report); err != nil {
		return report, false, err
	}
	if r.crashed {
		return report, true, ErrCrashed
	}
	return report, true, os.Remove(c.StateFile)
}

// build compiles a target's test binary, with the instruments of the fuzzer.
func (c Campaign) build(ctx context.Context, t Target) (binary string, err error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", err
	}
	binary = filepath.Join(dir, strings.NewReplacer("/", "_", ".", "_").Replace(t.Folder+"_"+t.Name)+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-buildvcs=false", "-fuzz", "^"+t.Name+"$", "-o", binary, "./"+t.Folder)
	cmd.Dir = c.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it doesn't compile: %w: %s", err, out)
	}
	return binary, nil
}
