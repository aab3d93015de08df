// devstack runs everything that paysaga needs on one machine, in one process:
// PostgreSQL (as a child), the Temporal server persisted in it, and its Web UI.
// It is for development and tests; production takes external servers by address.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"go.temporal.io/server/common/headers"
)

const usage = `devstack: PostgreSQL, the Temporal server and its Web UI for paysaga, on one machine.

  devstack [flags]         start all of it; ctrl-C stops it
  devstack wait [flags]    wait until the stack of --state is ready (--timeout 60s), print its ready file
  devstack version         print the versions inside

Each flag can be set by the environment: --postgres-port is PAYSAGA_POSTGRES_PORT; --database-url is DATABASE_URL.

Flags:`

// gcPercent and gcLimit: the Temporal server spends an eighth of its time on
// collecting garbage at the default of 100. On one machine, memory is cheaper
// than that, up to a limit.
const (
	gcPercent = 400
	gcLimit   = 1 << 30 // bytes
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(gcLimit)
	}
	args := os.Args[1:]
	command := "start"
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	if err := execute(command, args, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "devstack:", err)
		os.Exit(1)
	}
}

func execute(command string, args []string, out io.Writer) error {
	switch command {
	case "start":
		return start(args, out)
	case "wait":
		return wait(args, out)
	case "version":
		fmt.Fprintf(out, "Temporal server %s, Web UI %s, schema v%s, visibility schema v%s\n",
			headers.ServerVersion, moduleVersion("github.com/temporalio/ui-server/v2"), temporalSchemas[0].version, temporalSchemas[1].version)
		return nil
	case "help":
		return start([]string{"-h"}, out)
	default:
		return fmt.Errorf("unknown command %q (try: devstack help)", command)
	}
}

// moduleVersion is that of a module in this build.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

func start(args []string, out io.Writer) error {
	cfg, err := parseConfig(args, os.Getenv, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(out)
	defer stop()
	if cfg.StopWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end too
			stop()
		}()
	}
	stack, err := Start(ctx, cfg)
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(out, "devstack: stopped before it was ready")
		return nil
	}
	if err != nil {
		return err
	}
	err = stack.Wait(ctx)
	began := time.Now()
	stack.say("stopping")
	stack.Stop()
	fmt.Fprintf(out, "devstack: stopped (%.1f s)\n", time.Since(began).Seconds())
	return err
}

// untilSignal gives a context that ends with the first signal. A second one
// ends the process at once; PostgreSQL goes with it and recovers at the next start.
func untilSignal(out io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(out, "devstack: stopped at once")
		os.Exit(130)
	}()
	return ctx, cancel
}
