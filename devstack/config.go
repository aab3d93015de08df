package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Config says what one stack is made of. Every field is a flag, and every flag
// has an environment variable of the same name (see envName).
type Config struct {
	StateDir       string // all that outlives a run; default .paysaga
	ReadyFile      string // default StateDir/devstack.json
	DatabaseURL    string // an external server; empty: run PostgreSQL as a child
	PostgresBin    string // "", "system", "npm" or a folder with initdb and postgres
	PostgresPort   int    // default 5433; 0: choose one, and keep it for this state
	TemporalPort   int    // default 7233; 0: as above
	UIPort         int    // default 8233; 0: as above
	Namespace      string // default paysaga
	NoUI           bool   // default false
	Fsync          bool   // default true; false survives kill -9, but not a power cut
	HistoryShards  int    // default 128; fixed once the Temporal database exists
	VisibilityFast bool   // default true; raises the cap of 10 List and Count calls a second
	StopWithStdin  bool   // default false; a test's stack ends with the test, however that ends

	Out io.Writer // the terminal; default os.Stdout
}

// envName gives the variable that stands for a flag: --postgres-port is
// PAYSAGA_POSTGRES_PORT. Only the URL keeps the name that everybody uses.
func envName(flagName string) string {
	if flagName == "database-url" {
		return "DATABASE_URL"
	}
	return "PAYSAGA_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func (c *Config) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.StateDir, "state", ".paysaga", "folder for all `state`; it survives a restart")
	fs.StringVar(&c.ReadyFile, "ready-file", "", "written once everything is healthy (default STATE/devstack.json)")
	fs.StringVar(&c.DatabaseURL, "database-url", "", "`URL` of an external PostgreSQL server; then none is started")
	fs.StringVar(&c.PostgresBin, "postgres-bin", "", "where PostgreSQL's binaries are: system, npm or a `folder` (default: system, then npm)")
	fs.IntVar(&c.PostgresPort, "postgres-port", 5433, "0 chooses a free `port` and keeps it for this state")
	fs.IntVar(&c.TemporalPort, "temporal-port", 7233, "0 chooses a free `port` and keeps it for this state")
	fs.IntVar(&c.UIPort, "ui-port", 8233, "0 chooses a free `port` and keeps it for this state")
	fs.StringVar(&c.Namespace, "namespace", "paysaga", "Temporal `namespace` to register")
	fs.BoolVar(&c.NoUI, "no-ui", false, "leave the Temporal Web UI out")
	fs.BoolVar(&c.Fsync, "fsync", true, "false is faster and survives kill -9, but not a power cut: for tests")
	fs.IntVar(&c.HistoryShards, "history-shards", 128, "`number` of Temporal history shards; fixed by the first start on a state")
	fs.BoolVar(&c.VisibilityFast, "visibility-fast", true, "lift Temporal's cap of 10 List and Count calls per second")
	fs.BoolVar(&c.StopWithStdin, "stop-with-stdin", false, "stop when standard input ends: for tests, which hold the other end of the pipe")
}

// parseConfig reads flags over environment over defaults. Its error is fit for the terminal.
func parseConfig(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	c := Config{Out: out}
	fs := flag.NewFlagSet("devstack", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprintln(out, usage)
		fs.PrintDefaults()
	}
	c.flags(fs)
	if err := setFromEnv(fs, getenv); err != nil {
		return Config{}, err
	}
	if err := fs.Parse(args); err != nil {
		return Config{}, err
	}
	if fs.NArg() > 0 {
		return Config{}, fmt.Errorf("unexpected argument %q (try: devstack help)", fs.Arg(0))
	}
	return c, c.complete()
}

func setFromEnv(fs *flag.FlagSet, getenv func(string) string) error {
	var errs []error
	fs.VisitAll(func(f *flag.Flag) {
		name := envName(f.Name)
		value := getenv(name)
		if value == "" {
			return
		}
		if err := fs.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: %w", name, value, err))
		}
	})
	return errors.Join(errs...)
}

var namespaceShape = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

// complete fills defaults that depend on others and refuses what cannot work.
func (c *Config) complete() error {
	if c.Out == nil {
		c.Out = os.Stdout
	}
	if c.StateDir == "" {
		return errors.New("--state must name a folder")
	}
	abs, err := filepath.Abs(c.StateDir)
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	c.StateDir = abs
	if c.ReadyFile == "" {
		c.ReadyFile = filepath.Join(c.StateDir, "devstack.json")
	}
	ports := map[int]string{}
	for _, p := range c.ports() {
		if p.number < 0 || p.number > 65535 {
			return fmt.Errorf("--%s %d is not a port (0–65535)", p.flag, p.number)
		}
		if other, twice := ports[p.number]; twice && p.number != 0 {
			return fmt.Errorf("--%s and --%s are both %d", other, p.flag, p.number)
		}
		ports[p.number] = p.flag
	}
	if !namespaceShape.MatchString(c.Namespace) {
		return fmt.Errorf("--namespace %q: letters, digits, dot, dash and underscore only", c.Namespace)
	}
	if c.HistoryShards < 1 || c.HistoryShards > 16384 {
		return fmt.Errorf("--history-shards %d: give 1 to 16384", c.HistoryShards)
	}
	return nil
}

type wantedPort struct {
	flag   string
	number int
}

func (c *Config) ports() []wantedPort {
	ports := []wantedPort{{"temporal-port", c.TemporalPort}}
	if c.DatabaseURL == "" {
		ports = append(ports, wantedPort{"postgres-port", c.PostgresPort})
	}
	if !c.NoUI {
		ports = append(ports, wantedPort{"ui-port", c.UIPort})
	}
	return ports
}

const retention = 72 * time.Hour // how long a closed workflow stays readable in the Web UI
