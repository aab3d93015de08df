// paysaga is one binary with a subcommand per job. This package is the only
// place that reads the environment and wires the parts together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // merchants' zones, also where the machine has none

	"github.com/alecthomas/kong"

	"paysaga/domain/fault"
)

const description = `A payment system that you run yourself: durable sagas on Temporal, a double-entry ledger in PostgreSQL.

To try it on this machine, run "make dev". Every setting is a flag or a PAYSAGA_ variable; "paysaga config" prints them all.`

// commands are the subcommands. Each is a struct with its settings and a Run
// method, in a file of its own.
type commands struct {
	Settings string `help:"A JSON file of PAYSAGA_ variables, read where neither a flag nor the environment says otherwise. By default the one that 'paysaga dev' writes, if it is there." setting:"PAYSAGA_SETTINGS" placeholder:"FILE"`

	Serve     serveCommand     `cmd:"" help:"Run everything in one process: the API, and workers for all task queues."`
	API       apiCommand       `cmd:"" name:"api" help:"Run the HTTP API alone."`
	Worker    workerCommand    `cmd:"" help:"Run workers alone, for all task queues or some."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database to this build's schema, and set the application role's rights."`
	Merchant  merchantCommand  `cmd:"" help:"Create merchants and their API keys."`
	APIKey    apiKeyCommand    `cmd:"" name:"api-key" help:"API keys: what each may do, new ones, successors, ends."`
	Keys      keysCommand      `cmd:"" help:"Keys that seal secrets at rest: rotate them."`
	Channel   channelCommand   `cmd:"" help:"Accounts at payment channels: open, list, test them."`
	Statement statementCommand `cmd:"" help:"Channels' statements: keep them, list them, show their sums and lines."`
	Bank      bankCommand      `cmd:"" help:"Accounts at banks, which are run by files of ISO 20022."`
	Operator  operatorCommand  `cmd:"" help:"Create operators, and sign their decisions about money."`
	Sandbox   sandboxCommand   `cmd:"" help:"Run the sandbox channel: a payment channel with its own book, and nobody's money."`
	Listen    listenCommand    `cmd:"" help:"Be a merchant's endpoint on this machine: register, show each event that comes, and go at ctrl-C."`
	Notify    notifyCommand    `cmd:"" help:"What people are told of their orders and their money."`
	Audit     auditCommand     `cmd:"" help:"Check the books: every invariant that SQL can judge. Ends with 1 if one is broken."`
	Months    monthsCommand    `cmd:"" help:"The ledger's months: list them, make those to come, take old ones out and bring them back."`
	Period    periodCommand    `cmd:"" help:"Close a book's dates."`
	Account   accountCommand   `cmd:"" help:"The ledger's accounts: list them, make one hot, close one."`
	Export    exportCommand    `cmd:"" help:"Write a whole book as an hledger journal or as CSV."`
	Replay    replayCommand    `cmd:"" help:"Replay the histories of a running Temporal server against this build, before it is deployed."`
	Bench     benchCommand     `cmd:"" help:"Measure: payments per second against the floors that Temporal sets, and the ledger alone."`
	Dev       devCommand       `cmd:"" help:"Run PostgreSQL, Temporal, its Web UI, the sandbox and paysaga on this machine, with a demo merchant."`
	Config    configCommand    `cmd:"" help:"Print every setting, its value and where it comes from. Secrets are masked."`
	Version   versionCommand   `cmd:"" help:"Print the version of this build."`
}

// app is what the subcommands share.
type app struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	settings *settings
	model    *kong.Application
}

// gcPercent: what lives is some 20 MB, and each payment leaves a quarter of a
// megabyte behind. To collect a quarter as often costs memory that nobody misses
// and gives the time to payments.
const gcPercent = 400

// memoryLimit is where it is collected more often instead: a settlement of a
// million rebates holds far less, and leaves far more behind.
const memoryLimit = 192 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := untilSignal(os.Stderr)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], environment(os.Environ()), streams{os.Stdin, os.Stdout, os.Stderr}))
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is main without the process, for tests.
func run(ctx context.Context, args []string, env map[string]string, io streams) int {
	set := &settings{env: env}
	left := exit(-1)
	parser, err := newParser(&commands{}, set, io)
	if err != nil {
		fmt.Fprintln(io.err, "paysaga:", err)
		return 1
	}
	err = func() (err error) {
		defer func() {
			if code, ok := recover().(exit); ok { // kong has printed its help
				left = code
			}
		}()
		if len(args) == 0 || args[0] == "help" {
			args = append(args[min(1, len(args)):], "--help")
		}
		if err := set.load(args); err != nil {
			return err
		}
		kctx, err := parser.Parse(args)
		if err != nil {
			return set.named(err, parser.Model)
		}
		for _, line := range set.unknown(parser.Model) {
			fmt.Fprintln(io.err, "paysaga:", line)
		}
		return kctx.Run(&app{ctx: ctx, in: io.in, out: io.out, err: io.err, settings: set, model: parser.Model})
	}()
	switch {
	case left >= 0:
		return int(left)
	case err == nil:
		return 0
	case !errors.Is(err, errQuiet):
		fmt.Fprintln(io.err, "paysaga:", message(err))
	}
	return 1
}

// newParser reads flags into c, and what they leave out from set.
func newParser(c *commands, set *settings, io streams) (*kong.Kong, error) {
	return kong.New(c, kong.Name("paysaga"), kong.Description(description), kong.ShortUsageOnError(), kong.Resolvers(set), channelVars(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}), kong.ValueFormatter(explain),
		kong.Writers(io.out, io.err), kong.Exit(func(code int) { panic(exit(code)) }))
}

// exit is how kong ends the process, caught by run.
type exit int

// errQuiet ends with 1 after a command has said itself what is wrong.
var errQuiet = errors.New("")

// message is an error as a person at a terminal needs it: a fault's text is
// free of secrets (I-26), and says too little without its cause's type.
func message(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Unwrap() != nil && f.Kind == fault.KindInternal {
		return fmt.Sprintf("%s (%T)", err, f.Unwrap())
	}
	return err.Error()
}

// untilSignal gives a context that ends with the first SIGINT or SIGTERM. The
// second ends the process at once.
func untilSignal(out io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(out, "paysaga: stopped at once")
		os.Exit(130)
	}()
	return ctx, cancel
}

// environment is os.Environ as a map, without what is set to nothing: compose
// files and shells leave empty variables behind.
func environment(list []string) map[string]string {
	env := map[string]string{}
	for _, entry := range list {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			env[name] = value
		}
	}
	return env
}
