// Package kill is the campaign that ends processes by kill -9 under load:
// workers, APIs, and devstack together with its PostgreSQL. Afterwards every
// acknowledged payment has to be as the sandbox's book says, charged at most
// once, and nothing may be stuck. Real processes, real parts; a round is one
// set of them, and the campaign is many rounds.
package kill

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"paysaga/drill/harness"
)

// Campaign is a number of rounds. It keeps what is finished, and goes on where
// it stopped, as long as the binary is the same.
type Campaign struct {
	Rounds            int
	Plan              Plan // of each round
	Seed              uint64
	StateFile         string        // finished rounds, until the last one
	ResultFile        string        // written after the last one
	Dir               string        // for the rounds' folders
	Paysaga, Devstack string        // binaries
	Most              time.Duration // no round begins later than this
	Say               func(string)  // hears a line per round
	Show              func(string)  // hears where it is, for a terminal
}

// Report is a campaign's result as it is committed.
type Report struct {
	Campaign string    `json:"campaign"`
	Commit   string    `json:"commit"`
	Binary   string    `json:"binary_sha256"`
	Seed     uint64    `json:"seed"`
	Machine  string    `json:"machine"`
	At       time.Time `json:"finished_at"`
	Rounds   int       `json:"rounds"`
	Result
}

// state is what is kept between runs.
type state struct {
	Binary string   `json:"binary_sha256"`
	Seed   uint64   `json:"seed"`
	Rounds []Result `json:"rounds"`
}

// Run runs the rounds that aren't finished yet, and returns the sum of all that
// are. done is false if the time ran out first.
func (c Campaign) Run(ctx context.Context) (sum Result, done bool, err error) {
	binary, err := harness.HashOf(c.Paysaga)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(c.StateFile), 0o755), os.MkdirAll(filepath.Dir(c.ResultFile), 0o755))
	}
	if err != nil {
		return sum, false, err
	}
	kept := state{Binary: binary, Seed: c.Seed}
	before := state{}
	if err := harness.ReadJSON(c.StateFile, &before); err != nil {
		return sum, false, err
	}
	if before.Binary == binary && before.Seed == c.Seed {
		kept = before
		c.Say(fmt.Sprintf("going on after round %d", len(kept.Rounds)))
	}
	began := time.Now()
	for len(kept.Rounds) < c.Rounds {
		if time.Since(began) > c.Most {
			return sumOf(kept.Rounds), false, nil
		}
		result, err := c.round(ctx, len(kept.Rounds)+1)
		if err != nil {
			return sumOf(kept.Rounds), false, err
		}
		c.Say(fmt.Sprintf("round %d: %s in_flight≥%d drain=%.0fs %.0fs", len(kept.Rounds)+1, result.Line(c.Seed), result.MinInFlight,
			result.DrainSeconds, result.Seconds))
		if len(result.Violations) > 0 { // not kept: it is to be mended and run again
			return result, false, harness.ErrBroken
		}
		kept.Rounds = append(kept.Rounds, result)
		if err := harness.WriteJSON(c.StateFile, kept); err != nil {
			return result, false, err
		}
	}
	sum = sumOf(kept.Rounds)
	report := Report{Campaign: "kill", Commit: harness.Commit(), Binary: binary, Seed: c.Seed, At: time.Now().UTC().Truncate(time.Second),
		Machine: harness.Machine(), Rounds: len(kept.Rounds), Result: sum}
	if err := harness.WriteJSON(c.ResultFile, report); err != nil {
		return sum, false, err
	}
	return sum, true, os.Remove(c.StateFile)
}

// round runs one round in a folder of its own, which stays only if a promise
// was broken.
func (c Campaign) round(ctx context.Context, n int) (Result, error) {
	dir, err := os.MkdirTemp(c.Dir, "round-")
	if err != nil {
		return Result{}, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to get through
		return Result{}, err
	}
	began, kills := time.Now(), 0
	each := c.Plan.Worker + c.Plan.API + c.Plan.Devstack
	show := func(what string) {
		done := (n-1)*each + kills
		c.Show(fmt.Sprintf("%s %d of %d kills, round %d: %s", harness.Bar(done, c.Rounds*each), done, c.Rounds*each, n, what))
	}
	show("starting")
	result, err := Round{Plan: c.Plan, Seed: c.Seed, Number: n, Dir: dir, Paysaga: c.Paysaga, Devstack: c.Devstack, Killed: func(k Kill) {
		kills++
		show(fmt.Sprintf("killed %s with %d payments in flight", k.Kind, k.InFlight))
	}}.Run(ctx)
	result.Seconds = time.Since(began).Seconds()
	if ctx.Err() != nil { // stopped by a person
		return result, errors.Join(harness.ErrStopped, os.RemoveAll(dir))
	}
	if err != nil {
		return result, fmt.Errorf("round %d could not be run: %w; its logs are in %s", n, err, dir)
	}
	if len(result.Violations) > 0 {
		c.Say("logs and histories are in " + dir)
		return result, nil
	}
	return result, os.RemoveAll(dir)
}

func sumOf(rounds []Result) (sum Result) {
	for _, r := range rounds {
		sum.add(r)
	}
	return sum
}

// Build builds the paysaga binary, the same bytes for the same sources.
func Build(ctx context.Context, into string) (string, error) {
	path := filepath.Join(into, "paysaga")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, "paysaga/cmd/paysaga").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("paysaga can't be built: %w: %s", err, out)
	}
	return path, err
}
