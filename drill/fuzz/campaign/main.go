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
	"syscall"
	"time"

	"paysaga/drill/fuzz"
	"paysaga/drill/harness"
)

func main() {
	each := flag.Float64("minutes", 10, "how long each target is fuzzed")
	most := flag.Float64("most", 55, "minutes after which it stops; run it again to go on")
	flag.Parse()
	if err := run(minutes(*each), minutes(*most)); err != nil {
		fmt.Fprintln(os.Stderr, "campaign-fuzz:", err)
		os.Exit(1)
	}
}

func minutes(n float64) time.Duration { return time.Duration(n * float64(time.Minute)) }

func run(each, most time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	progress := &harness.Progress{}
	report, done, err := fuzz.Campaign{Root: ".", Each: each, Most: most, StateFile: filepath.Join(".build", "campaign-fuzz.json"),
		ResultFile: filepath.Join("drill", "results", "fuzz.json"), Dir: filepath.Join(".build", "fuzz"),
		Say: progress.Say, Show: progress.Show}.Run(ctx)
	var executions int64
	var seconds float64
	crashers := 0
	for _, r := range report.Results {
		executions, seconds, crashers = executions+r.Executions, seconds+r.Seconds, crashers+len(r.Crashers)
	}
	if err == nil && !done {
		progress.Say("the time is over; run it again to go on from here")
	}
	progress.Say(fmt.Sprintf("campaign=fuzz targets=%d executions=%d seconds=%.0f crashers=%d", len(report.Results), executions, seconds, crashers))
	return err
}
