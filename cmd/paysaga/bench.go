package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/term"

	"paysaga/bench"
	"paysaga/channels/sandbox"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/store"
	"paysaga/workers"
)

// benchCommand groups the benchmarks.
type benchCommand struct {
	Payments   benchPayments   `cmd:"" help:"Payments per second over HTTP, beside the floors that Temporal sets: in rounds on one machine, each part a process of its own, fsync on."`
	Settlement benchSettlement `cmd:"" help:"Vested rebates per second that a settlement pays, beside the ledger's own journals per second, and the memory of the worker; the book is judged afterwards."`
	Statements benchStatements `cmd:"" help:"Lines per second and memory of the parsers of statements, beside the standard library cutting the same bytes into cells."`
	Ledger     benchLedger     `cmd:"" help:"Journals per second, beside a committer that doesn't gather and beside what PostgreSQL takes in when nobody asks anything: in rounds on one machine, fsync on."`
}

type benchPayments struct {
	Devstack      string  `setting:"PAYSAGA_DEVSTACK" default:".build/devstack" placeholder:"FILE" help:"The devstack binary. 'make devstack' builds it."`
	DevstackState string  `name:"devstack-state" placeholder:"FOLDER" help:"Use the devstack that runs on this state folder. By default one is started on a new folder, and removed at the end."`
	Rounds        int     `default:"5" help:"How often each shape is measured at each number of clients."`
	Seconds       float64 `default:"3" help:"How long each measurement lasts."`
	Clients       []int   `default:"1,8,32" help:"How many clients work at once, each in a closed loop; the last number is the one that is reported."`
	Commits       bool    `default:"true" negatable:"" help:"Count the commits of each shape, too: that takes a minute and a half, mostly of waiting."`
	JSON          string  `name:"json" placeholder:"FILE" help:"Write all figures to a file, too."`
}

// Run starts what is to be measured, measures it, and stops it.
func (c *benchPayments) Run(a *app) error {
	dir, err := os.MkdirTemp("", "paysaga-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to get through
		return err
	}
	d, err := c.stack(a, filepath.Join(dir, "state"))
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(a.ctx)
	d.fail = fail
	defer d.stopAll()
	res, err := c.measure(ctx, a, d)
	switch {
	case a.ctx.Err() != nil:
		return errQuiet // ctrl-C: half a measurement says nothing
	case context.Cause(ctx) != nil:
		return context.Cause(ctx) // a part that ended says more than who missed it
	case err != nil:
		return err
	}
	if c.JSON != "" {
		return writeJSON(c.JSON, res)
	}
	return nil
}

func (c *benchPayments) measure(ctx context.Context, a *app, d *dev) (bench.Result, error) {
	if err := c.up(ctx, d); err != nil {
		return bench.Result{}, err
	}
	config, done, err := c.config(ctx, a, d)
	if err != nil {
		return bench.Result{}, err
	}
	defer done()
	return bench.Run(ctx, config)
}

// stack is a development stack on ports that nobody uses, so that it runs
// beside `paysaga dev`.
func (c *benchPayments) stack(a *app, state string) (*dev, error) {
	mine := *a
	mine.settings = &settings{env: maps.Clone(a.settings.env)}
	for _, port := range []string{"PAYSAGA_POSTGRES_PORT", "PAYSAGA_TEMPORAL_PORT"} {
		mine.settings.env[port] = "0"
	}
	mine.settings.env["PAYSAGA_NO_UI"] = "true"
	mine.settings.env["PAYSAGA_FSYNC"] = "true" // whatever is set for tests: a figure without it means nothing
	mine.out = io.Discard                       // what `paysaga dev` says is for its users
	api, err := freeAddress()
	if err != nil {
		return nil, err
	}
	channel, err := freeAddress()
	if err != nil {
		return nil, err
	}
	dev := devCommand{State: state, Devstack: c.Devstack, HTTPAddress: api, SandboxAddress: channel}
	if c.DevstackState != "" {
		dev.Devstack = os.Args[0] // not needed: one is running
	}
	return dev.prepare(&mine)
}

// freeAddress is one on which nothing listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// up starts the parts, or joins a devstack that runs, with its seal keys if it
// has any: our workers share its task queues.
func (c *benchPayments) up(ctx context.Context, d *dev) error {
	if c.DevstackState == "" {
		return d.up(ctx)
	}
	raw, err := os.ReadFile(filepath.Join(c.DevstackState, "devstack.json"))
	if err != nil {
		return fmt.Errorf("no devstack runs on %s: %w", c.DevstackState, err)
	}
	if err := json.Unmarshal(raw, &d.stack); err != nil {
		return err
	}
	if raw, err := os.ReadFile(filepath.Join(c.DevstackState, "settings.json")); err == nil {
		if err := os.WriteFile(filepath.Join(d.c.State, "settings.json"), raw, 0o600); err != nil {
			return err
		}
	}
	return d.upOn(ctx)
}

// config makes the merchants and the client of a run.
func (c *benchPayments) config(ctx context.Context, a *app, d *dev) (conf bench.Config, done func(), err error) {
	lanes, err := benchMerchants(ctx, d)
	if err != nil {
		return conf, nil, err
	}
	temporal, err := dialTemporal(temporalConfig{Address: d.stack.TemporalAddress, Namespace: d.stack.Namespace},
		slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return conf, nil, err
	}
	conf = bench.Config{Rounds: c.Rounds, Cell: time.Duration(c.Seconds * float64(time.Second)), Clients: c.Clients, NoCommits: !c.Commits,
		API: d.api, Sandbox: local(d.c.SandboxAddress), Lanes: lanes, Temporal: temporal, Workers: workers.Config{Client: temporal},
		Database: d.stack.PostgresURL, TemporalDB: "temporal", Processes: map[string]int{"temporal": d.stack.PID}, Out: a.out}
	for _, child := range d.children {
		if child.name != "devstack" {
			conf.Processes[child.name] = child.cmd.Process.Pid
		}
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		conf.Progress = d.err
	}
	return conf, temporal.Close, nil
}

// benchMerchants makes one merchant for each lane, with a fee, so that all of
// the ledger is at work.
func benchMerchants(ctx context.Context, d *dev) ([]bench.Merchant, error) {
	set := &settings{}
	if err := set.load([]string{"--settings=" + filepath.Join(d.c.State, "settings.json")}); err != nil {
		return nil, err
	}
	s, err := openStore(ctx, databaseConfig{DatabaseURL: d.stack.AppURL, MaxConns: 2, sealConfig: sealConfig{SealKeys: set.file["PAYSAGA_SEAL_KEYS"], Envelope: true}})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var lanes []bench.Merchant
	for _, lane := range []payment.Lane{payment.Express, payment.Standard} {
		terms := payment.Terms{FeeBasisPoints: 60, FeeOnRefund: "return", Zone: time.UTC}
		made, err := createMerchant(ctx, s, store.Merchant{Book: id.Test, Name: "Benchmark " + string(lane), Terms: terms}, "")
		if err != nil {
			return nil, err
		}
		_, err = s.AddChannelAccount(ctx, store.ChannelAccount{Book: id.Test, Channel: sandbox.Name, MerchantID: made.MerchantID,
			BaseURL: local(d.c.SandboxAddress), Credentials: sandboxCredentials("sandbox_" + rand.Text()), Lane: lane})
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, bench.Merchant{Lane: lane, ID: made.MerchantID, Key: made.APIKey})
	}
	return lanes, nil
}
