// campaign is `make campaign-ledger`: a million random Steps, ten thousand times a hundred causes that two processes bring from
// either end, and the bank test with a million reads and a hundred kills of PostgreSQL. It goes on where it stopped; the full run leaves its result in drill/results.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"paysaga/drill/harness"
	"paysaga/drill/ledger"
)

// What the full campaign is, in rounds of a database of their own.
const (
	fullRounds = 10
	fullSteps  = 1_000_000
	fullTimes  = 10_000
	fullReads  = 1_000_000
	fullKills  = 100
)

func main() {
	ledger.Child()
	seed := flag.Uint64("seed", 2026, "what chance follows from")
	rounds := flag.Int("rounds", fullRounds, "how many rounds of each kind")
	steps := flag.Int("steps", fullSteps, "how many random Steps in all")
	times := flag.Int("opposite", fullTimes, "how often two processes bring a hundred causes from either end, in all")
	reads := flag.Int("reads", fullReads, "how many reads of the bank's total in all")
	kills := flag.Int("kills", fullKills, "how often PostgreSQL is killed in all")
	most := flag.Duration("most", 55*time.Minute, "no round begins later than this; run it again to go on")
	flag.Parse()
	n := max(*rounds, 1)
	c := ledger.Campaign{Seed: *seed, Rounds: n, Most: *most, StateFile: filepath.Join(".build", "campaign-ledger.json"),
		Steps:    ledger.Steps{Steps: (*steps + n - 1) / n, Batch: 10_000, Clerks: 128, Durable: true},
		Opposite: ledger.Opposite{Times: (*times + n - 1) / n, Causes: 100, Durable: true},
		Bank:     ledger.Bank{Reads: (*reads + n - 1) / n, Kills: (*kills + n - 1) / n, Writers: 24, Readers: 6}}
	if *steps >= fullSteps && *times >= fullTimes && *reads >= fullReads && *kills >= fullKills {
		c.ResultFile = filepath.Join("drill", "results", "ledger.json")
	}
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "campaign-ledger:", err)
		os.Exit(1)
	}
}

func run(c ledger.Campaign) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := &harness.Progress{}
	c.Say, c.Show = progress.Say, progress.Show
	progress.Say(fmt.Sprintf("seed %d, commits to PostgreSQL with fsync on; about half an hour on two idle cores", c.Seed))
	sum, done, err := c.Run(ctx)
	for _, v := range sum.Violations {
		progress.Say("BROKEN " + v)
	}
	if err == nil && !done {
		progress.Say("the time is over; run it again to go on from here")
	}
	progress.Say(sum.Line(c.Seed))
	return err
}
