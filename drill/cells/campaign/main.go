// campaign is `make campaign-drill`: every fault at every boundary of every activity, five times each, then twenty planted bugs and
// a canary. It goes on where it stopped, and leaves its result in drill/results. In a build with the tag planted it is one of those
// bugs instead, chosen by PLANT, and says whether the judges see it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paysaga/drill/cells"
	"paysaga/drill/harness"
)

func main() {
	seed := flag.Uint64("seed", 2026, "what chance follows from")
	minutes := flag.Int("minutes", 55, "nothing begins later than this; run it again to go on")
	times := flag.Int("times", 5, "how often each cell is run")
	only := flag.String("cells", "", "run only the cells whose name matches, and leave no result")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("PAYSAGA_DEVSTACK") == "" {
		fmt.Fprintln(os.Stderr, "campaign-drill: PAYSAGA_DEVSTACK names no devstack binary: `make campaign-drill` sets it")
		os.Exit(1)
	}
	run := drill(cells.Campaign{Times: *times, Seed: *seed, Most: time.Duration(*minutes) * time.Minute}, *only)
	if cells.Planted > 0 {
		run = planted
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "campaign-drill:", err)
		os.Exit(1)
	}
}

func drill(c cells.Campaign, only string) func(context.Context) error {
	return func(ctx context.Context) error {
		progress := &harness.Progress{}
		c.StateFile, c.ResultFile = filepath.Join(".build", "campaign-drill.json"), filepath.Join("drill", "results", "drill.json")
		c.Evidence = filepath.Join(".build", "campaign-drill-evidence")
		c.Plants, c.Say, c.Show = plants(), progress.Say, progress.Show
		if only != "" {
			pattern, err := regexp.Compile(only)
			if err != nil {
				return err
			}
			c.Only, c.StateFile = pattern, filepath.Join(".build", "campaign-drill-part.json")
		}
		report, done, err := c.Run(ctx)
		for _, line := range report.Board() {
			progress.Say(line)
		}
		switch {
		case err == nil && !done:
			progress.Say("the time is over; run it again to go on from here")
		case err == nil && len(report.Violations) > 0 || report.Canary == "passed":
			err = harness.ErrBroken
		}
		if done && err == nil { // what was missed can be looked for again
			_ = os.Remove(c.StateFile)
		}
		progress.Say(report.Line())
		return err
	}
}

// plants builds the planted binary when it is first needed, and runs one bug of it.
func plants() func(context.Context, int) (bool, string, error) {
	binary, built := filepath.Join(".build", "drill-planted"), false
	return func(ctx context.Context, n int) (bool, string, error) {
		if !built {
			out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "planted", "-o", binary, "paysaga/drill/cells/campaign").CombinedOutput()
			if err != nil {
				return false, "", fmt.Errorf("the planted build: %w: %s", err, out)
			}
			built = true
		}
		cmd := exec.CommandContext(ctx, binary)
		cmd.Env = append(os.Environ(), "PLANT="+strconv.Itoa(n))
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		by, caught := strings.CutPrefix(lastLine(string(out)), "caught: ")
		return caught, by, err
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// planted runs the bug that PLANT names, or all of them one after the other.
func planted(ctx context.Context) error {
	chosen := os.Getenv("PLANT")
	from, to := 1, cells.Planted
	if chosen != "all" {
		n, err := strconv.Atoi(chosen)
		if err != nil || n < 1 || n > cells.Planted {
			return fmt.Errorf("PLANT is 1 to %d, or all", cells.Planted)
		}
		from, to = n, n
	}
	dev, end, err := cells.StartDevstack()
	if err != nil {
		return err
	}
	defer end()
	var missed error
	for n := from; n <= to; n++ {
		by, err := cells.Catch(ctx, dev, cells.Plant(n))
		if err != nil {
			return err
		}
		if by == "" {
			missed = errors.Join(missed, fmt.Errorf("nobody saw planted bug %d: %s", n, cells.Plant(n)))
			fmt.Printf("missed: %d %s\n", n, cells.Plant(n))
			continue
		}
		fmt.Printf("caught: %s: %s\n", cells.Plant(n), by)
	}
	if chosen == "all" {
		return missed
	}
	return nil
}
