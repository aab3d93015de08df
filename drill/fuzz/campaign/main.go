// campaign is `make campaign-fuzz`: every fuzz target for ten minutes. It goes on where it stopped, and leaves its result in
// drill/results.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"paysaga/drill/fuzz"
	"paysaga/drill/harness"
)

func main() {
	each := flag.Float64("minutes", 10, "how long each target is fuzzed")
	most := flag.Float64("most", 55, "minutes after which it stops; run it again to go on")
	atOnce := flag.Int("at-once", runtime.NumCPU(), "how many targets are fuzzed at once, each with one worker")
	flag.Parse()
	if err := run(minutes(*each), minutes(*most), *atOnce); err != nil {
		fmt.Fprintln(os.Stderr, "campaign-fuzz:", err)
		os.Exit(1)
	}
}

func minutes(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }

func run(each, most time.Duration, atOnce int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := &harness.Progress{}
	report, done, err := fuzz.Campaign{Root: ".", Each: each, AtOnce: atOnce, Most: most, StateFile: filepath.Join(".build", "campaign-fuzz.json"),
		ResultFile: filepath.Join("drill", "results", "fuzz.json"), Dir: filepath.Join(".build", "fuzz"),
		Say: progress.Say, Show: progress.Show}.Run(ctx)
	var executions int64
	var seconds, cpu float64
	crashers := 0
	for _, r := range report.Results {
		executions, seconds, cpu, crashers = executions+r.Executions, seconds+r.Seconds, cpu+r.CPU, crashers+len(r.Crashers)
	}
	if err == nil && !done {
		progress.Say("the time is over; run it again to go on from here")
	}
	progress.Say(fmt.Sprintf("campaign=fuzz targets=%d executions=%d seconds=%.0f cpu_seconds=%.0f crashers=%d", len(report.Results), executions, seconds, cpu, crashers))
	return err
}
