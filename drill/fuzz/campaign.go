// Package fuzz is the campaign that runs every fuzz target of the repository: each on its own test binary, for so many minutes in all,
// however often it is stopped in between. What makes a target fail stays as a file of its corpus, which every `go test` runs from then on.
package fuzz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// Result is what one target has come to. Seconds count while it was fuzzed, not while it was compiled.
type Result struct {
	Target
	Binary      string   `json:"binary_sha256"`
	Executions  int64    `json:"executions"`
	Seconds     float64  `json:"seconds"`
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
	Results  []Result  `json:"targets"`
}

// Campaign runs targets one after the other.
type Campaign struct {
	Root       string        // of the repository
	Each       time.Duration // for each target
	Most       time.Duration // no slice begins later than this
	Slice      time.Duration // how much is lost when it is stopped; default a minute
	StateFile  string
	ResultFile string
	Dir        string // binaries and what was found interesting; kept between runs
	Say        func(string)
	Show       func(string)
}

// How a campaign ends before its last target.
var (
	ErrCrashed = errors.New("a target failed; what made it fail is in its corpus")
	ErrStopped = errors.New("stopped; run it again to go on from here")
)

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

// Run fuzzes what isn't done yet. done is false if the time ran out first. A target whose binary has changed begins anew.
func (c Campaign) Run(ctx context.Context) (report Report, done bool, err error) {
	list, err := Targets(c.Root)
	if err == nil {
		err = os.MkdirAll(c.Dir, 0o755)
	}
	kept := map[string]Result{}
	if err == nil {
		err = harness.ReadJSON(c.StateFile, &kept)
	}
	if err != nil {
		return report, false, err
	}
	report = Report{Campaign: "fuzz", Machine: harness.Machine(), Each: c.Each.Seconds()}
	until := time.Now().Add(c.Most)
	crashed := false
	for n, t := range list {
		r, err := c.target(ctx, t, kept, until, fmt.Sprintf("%s %d of %d targets", harness.Bar(n, len(list)), n, len(list)))
		report.Results = append(report.Results, r)
		switch {
		case ctx.Err() != nil:
			return report, false, ErrStopped
		case err != nil:
			return report, false, fmt.Errorf("%s: %w", t, err)
		case len(r.Crashers) > 0:
			crashed = true
			c.Say(fmt.Sprintf("BROKEN %s: %s", t, strings.Join(r.Crashers, ", ")))
		case r.Seconds < c.Each.Seconds():
			return report, false, nil
		default:
			c.Say(fmt.Sprintf("%s: %d executions in %.0f s, %d inputs that were new", t, r.Executions, r.Seconds, r.Interesting))
		}
	}
	report.Commit, report.At = harness.Commit(), time.Now().UTC().Truncate(time.Second)
	if err := harness.WriteJSON(c.ResultFile, report); err != nil {
		return report, false, err
	}
	if crashed {
		return report, true, ErrCrashed
	}
	return report, true, os.Remove(c.StateFile)
}

// target fuzzes one in slices, and keeps what each came to.
func (c Campaign) target(ctx context.Context, t Target, kept map[string]Result, until time.Time, at string) (Result, error) {
	c.Show(at + ", compiling " + t.String())
	binary, hash, err := c.build(ctx, t)
	if err != nil {
		return Result{Target: t}, err
	}
	r := kept[t.String()]
	if r.Binary != hash || len(r.Crashers) > 0 {
		r = Result{Target: t, Binary: hash, Crashers: []string{}}
	}
	slice := c.Slice
	if slice == 0 {
		slice = time.Minute
	}
	for r.Seconds < c.Each.Seconds() && len(r.Crashers) == 0 && time.Now().Before(until) {
		left := time.Duration((c.Each.Seconds() - r.Seconds) * float64(time.Second))
		before := r
		one, err := c.fuzz(ctx, t, binary, min(slice, max(left, time.Second)), func(s progress) {
			c.Show(fmt.Sprintf("%s, %s: %.0f of %.0f s, %d executions, %d crashers", at, t, before.Seconds+s.seconds, c.Each.Seconds(), before.Executions+s.executions, len(r.Crashers)))
		})
		if err != nil {
			return r, err
		}
		r.Executions, r.Seconds, r.Interesting = r.Executions+one.executions, r.Seconds+one.seconds, r.Interesting+one.interesting
		r.Crashers = append(r.Crashers, one.crashers...)
		kept[t.String()] = r
		if err := harness.WriteJSON(c.StateFile, kept); err != nil {
			return r, err
		}
	}
	return r, nil
}

// build compiles a target's test binary, with the instruments of the fuzzer.
func (c Campaign) build(ctx context.Context, t Target) (binary, hash string, err error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", "", err
	}
	binary = filepath.Join(dir, strings.NewReplacer("/", "_", ".", "_").Replace(t.Folder+"_"+t.Name)+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-buildvcs=false", "-fuzz", "^"+t.Name+"$", "-o", binary, "./"+t.Folder)
	cmd.Dir = c.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("it doesn't compile: %w: %s", err, out)
	}
	raw, err := os.ReadFile(binary)
	sum := sha256.Sum256(raw)
	return binary, hex.EncodeToString(sum[:]), err
}
