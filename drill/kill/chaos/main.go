// chaos is `make demo-chaos`: a hundred payments and their refunds, while the
// workers are killed every few seconds. All of them finish, once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"paysaga/drill/harness"
	"paysaga/drill/kill"
)

func main() {
	seed := flag.Uint64("seed", 2026, "what chance follows from")
	payments := flag.Int("payments", 100, "how many payments, each with a refund")
	flag.Parse()
	if err := run(*seed, *payments); err != nil {
		fmt.Fprintln(os.Stderr, "demo-chaos:", err)
		os.Exit(1)
	}
}

func run(seed uint64, payments int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	devstack := os.Getenv("PAYSAGA_DEVSTACK")
	if devstack == "" {
		return errors.New("PAYSAGA_DEVSTACK names no devstack binary: `make demo-chaos` sets it")
	}
	dir, err := os.MkdirTemp("", "paysaga-chaos-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to get through
		return err
	}
	progress := &harness.Progress{}
	progress.Show("building paysaga")
	binary, err := kill.Build(ctx, dir)
	if err != nil {
		return err
	}
	result, err := kill.Chaos{Payments: payments, Seed: seed, Dir: dir, Paysaga: binary, Devstack: devstack, Say: progress.Say, Show: progress.Show}.Run(ctx)
	if err != nil {
		return err
	}
	for _, line := range result.Table() {
		progress.Say(line)
	}
	switch {
	case !result.Agrees():
		return errors.New("the channel's book and ours differ")
	case !result.Whole():
		return errors.New("the books agree, but this machine was too slow: not everything had finished when the time was over")
	}
	progress.Say("  All of them finished, once.")
	return nil
}
