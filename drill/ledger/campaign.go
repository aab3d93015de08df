// Package ledger is the campaign against the committer, from outside: a million random Steps from two processes whose
// connections and selves are killed, each answer held against a model and against the book; and Jepsen's bank test, with
// PostgreSQL killed under it.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"paysaga/drill/harness"
)

// Campaign is a number of rounds of each kind. It keeps what is finished, and goes on where it stopped, as long as the commit
// is the same.
type Campaign struct {
	Seed       uint64
	Rounds     int           // of each kind
	Steps      Steps         // what each round is like; Seed, Round, Dir and Show are set here
	Opposite   Opposite      // likewise
	Bank       Bank          // likewise
	StateFile  string        // finished rounds, until the last one
	ResultFile string        // written after the last one; empty: nowhere
	Most       time.Duration // no round begins later than this
	Say        func(string)  // hears a line per round
	Show       func(string)  // hears where it is, for a terminal
}

// kinds of rounds: Steps, opposite causes, the bank.
const kinds = 3

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
	Plan   string   `json:"plan"`
	Rounds []Result `json:"rounds"`
}

// Run runs the rounds that aren't finished yet, and returns the sum of all that are. done is false if the time ran out first.
func (c Campaign) Run(ctx context.Context) (sum Result, done bool, err error) {
	if err := os.MkdirAll(filepath.Dir(c.StateFile), 0o755); err != nil {
		return sum, false, err
	}
	binary, err := harness.Self()
	if err != nil {
		return sum, false, err
	}
	kept := state{Binary: binary, Seed: c.Seed, Plan: c.plan()}
	before := state{}
	if err := harness.ReadJSON(c.StateFile, &before); err != nil {
		return sum, false, err
	}
	if before.Binary == kept.Binary && before.Seed == c.Seed && before.Plan == kept.Plan {
		kept = before
		c.Say(fmt.Sprintf("going on after round %d", len(kept.Rounds)))
	}
	began, first := time.Now(), len(kept.Rounds)
	for len(kept.Rounds) < kinds*c.Rounds {
		if time.Since(began) > c.Most {
			return sumOf(kept.Rounds), false, nil
		}
		n := len(kept.Rounds) + 1
		r, err := c.round(ctx, n, estimate{began: began, first: first, all: kinds * c.Rounds})
		if err != nil {
			return sumOf(kept.Rounds), false, err
		}
		c.Say(fmt.Sprintf("round %d of %d: %s %.0fs", n, kinds*c.Rounds, r.Line(c.Seed), r.Seconds))
		if len(r.Violations) > 0 { // not kept: it is to be mended and run again
			return r, false, harness.ErrBroken
		}
		kept.Rounds = append(kept.Rounds, r)
		if err := harness.WriteJSON(c.StateFile, kept); err != nil {
			return r, false, err
		}
	}
	sum = sumOf(kept.Rounds)
	if c.ResultFile != "" {
		report := Report{Campaign: "ledger", Commit: harness.Commit(), Binary: kept.Binary, Seed: c.Seed, At: time.Now().UTC().Truncate(time.Second),
			Machine: harness.Machine(), Rounds: len(kept.Rounds), Result: sum}
		if err := harness.WriteJSON(c.ResultFile, report); err != nil {
			return sum, false, err
		}
	}
	return sum, true, os.Remove(c.StateFile)
}

// plan tells campaigns of other sizes apart.
func (c Campaign) plan() string {
	return fmt.Sprintf("%d rounds of %d Steps, %d times opposite causes, %d reads and %d kills", c.Rounds, c.Steps.Steps, c.Opposite.Times,
		c.Bank.Reads, c.Bank.Kills)
}

// estimate tells how much time is left, by the rounds of this run.
type estimate struct {
	began      time.Time
	first, all int
}

// line is a bar: rounds that are done, and the part of the one that runs.
func (e estimate) line(n int, part float64, what string) string {
	done := float64(n-1) + min(part, 1)
	left := "?"
	if mine := done - float64(e.first); mine > 0.05 {
		left = time.Duration(float64(time.Since(e.began)) / mine * (float64(e.all) - done)).Round(time.Second).String()
	}
	return fmt.Sprintf("%s round %d of %d, %s left: %s", harness.Bar(int(done*1000), e.all*1000), n, e.all, left, what)
}

// round runs one round in a folder of its own, which stays only if a promise was broken. Kinds take turns.
func (c Campaign) round(ctx context.Context, n int, e estimate) (Result, error) {
	dir, err := os.MkdirTemp("", "paysaga-ledger-")
	if err != nil {
		return Result{}, err
	}
	c.Show(e.line(n, 0, "starting"))
	r, err := c.kind(ctx, n, dir, e)
	if ctx.Err() != nil { // stopped by a person
		return r, errors.Join(harness.ErrStopped, os.RemoveAll(dir))
	}
	if err != nil {
		return r, fmt.Errorf("round %d could not be run: %w; its server's log and data are in %s", n, err, dir)
	}
	if len(r.Violations) > 0 {
		c.Say("the server's log and data are in " + dir)
		return r, nil
	}
	return r, os.RemoveAll(dir)
}

func (c Campaign) kind(ctx context.Context, n int, dir string, e estimate) (Result, error) {
	switch n % kinds {
	case 1:
		s := c.Steps
		s.Seed, s.Round, s.Dir = c.Seed, n, dir
		s.Show = func(done, kills int) {
			c.Show(e.line(n, share(done, s.Steps), fmt.Sprintf("%d of %d Steps, %d kills", done, s.Steps, kills)))
		}
		return s.Run(ctx)
	case 2:
		o := c.Opposite
		o.Round, o.Dir = n, dir
		o.Show = func(done int) {
			c.Show(e.line(n, share(done, o.Times), fmt.Sprintf("%d of %d times the same causes from either end", done, o.Times)))
		}
		return o.Run(ctx)
	}
	b := c.Bank
	b.Seed, b.Round, b.Dir = c.Seed, n, dir
	b.Show = func(reads, kills int) {
		c.Show(e.line(n, min(share(reads, b.Reads), share(kills+1, b.Kills+1)),
			fmt.Sprintf("%d of %d reads, %d of %d kills of PostgreSQL", reads, b.Reads, kills, b.Kills)))
	}
	return b.Run(ctx)
}

func share(done, of int) float64 { return min(float64(done)/float64(max(of, 1)), 1) }

func sumOf(rounds []Result) (sum Result) {
	for _, r := range rounds {
		sum.add(r)
	}
	return sum
}
