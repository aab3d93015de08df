// campaign is `make campaign-rebate`: a hundred thousand random sequences of what happens to orders and their rebates, with the promises
// held after every act and an audit of the whole book after every round. It goes on where it stopped; the full run leaves its result in
// drill/results.
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
	"paysaga/drill/rebates"
)

// full is what the full campaign is.
const full = 100_000

func main() {
	seed := flag.Int("seed", 2026, "what chance follows from")
	sequences := flag.Int("sequences", full, "how many sequences in all")
	rounds := flag.Int("rounds", 20, "in how many rounds, each on a database of its own")
	workers := flag.Int("workers", 32, "how many sequences at once")
	most := flag.Duration("most", 55*time.Minute, "no round begins later than this; run it again to go on")
	flag.Parse()
	progress := &harness.Progress{}
	c := rebates.Campaign{Seed: *seed, Sequences: *sequences, Rounds: max(*rounds, 1), Workers: *workers, PerShop: 50, Most: *most,
		StateFile: filepath.Join(".build", "campaign-rebate.json"), Say: progress.Say, Show: progress.Show}
	if *sequences >= full {
		c.ResultFile = filepath.Join("drill", "results", "rebate.json")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sum, done, err := c.Run(ctx)
	for _, v := range sum.Violations {
		progress.Say("BROKEN " + v)
	}
	if err == nil && !done {
		progress.Say("the time is over; run it again to go on from here")
	}
	progress.Say(sum.Line(*seed))
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign-rebate:", err)
		os.Exit(1)
	}
}
