// campaign is `make campaign-kill`: 200 kill -9 under load, up to an hour. It
// goes on where it stopped, and leaves its result in drill/results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"paysaga/drill/harness"
	"paysaga/drill/kill"
)

func main() {
	seed := flag.Uint64("seed", 2026, "what chance follows from")
	rounds := flag.Int("rounds", 20, "how many rounds of ten kills")
	most := flag.Duration("most", 55*time.Minute, "no round begins later than this; run it again to go on")
	flag.Parse()
	if err := run(*seed, *rounds, *most); err != nil {
		fmt.Fprintln(os.Stderr, "campaign-kill:", err)
		os.Exit(1)
	}
}

func run(seed uint64, rounds int, most time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	devstack := os.Getenv("PAYSAGA_DEVSTACK")
	if devstack == "" {
		return errors.New("PAYSAGA_DEVSTACK names no devstack binary: `make campaign-kill` sets it")
	}
	dir, err := os.MkdirTemp("", "paysaga-kill-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to get through
		return err
	}
	paysaga, err := kill.Build(ctx, dir)
	if err != nil {
		return err
	}
	plan := kill.Ten
	plan.Expiring = 3
	progress := &harness.Progress{}
	sum, done, err := kill.Campaign{Rounds: rounds, Plan: plan, Seed: seed, StateFile: filepath.Join(".build", "campaign-kill.json"),
		ResultFile: filepath.Join("drill", "results", "kill.json"), Dir: dir, Paysaga: paysaga, Devstack: devstack, Most: most,
		Say: progress.Say, Show: progress.Show}.Run(ctx)
	for _, v := range sum.Violations {
		progress.Say("BROKEN " + v.String())
	}
	switch {
	case err == nil && !done:
		progress.Say("the time is over; run it again to go on from here")
		fallthrough
	case done, errors.Is(err, harness.ErrStopped): // else its logs are wanted
		_ = os.RemoveAll(dir)
	}
	progress.Say(sum.Line(seed))
	return err
}
