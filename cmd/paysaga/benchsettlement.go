package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"paysaga/bench/settling"
	"paysaga/store"
)

type benchSettlement struct {
	Devstack string        `setting:"PAYSAGA_DEVSTACK" default:".build/devstack" placeholder:"FILE" help:"The devstack binary. 'make devstack' builds it."`
	Rebates  int           `default:"1000000" help:"How many vested rebates are settled."`
	Users    int           `default:"100000" help:"Of how many users they are."`
	Floor    time.Duration `default:"15s" help:"How long the ledger's own figure is measured."`
	JSON     string        `name:"json" placeholder:"FILE" help:"Write all figures to a file, too."`
}

// Run starts a stack of its own, settles one campaign, and judges the book.
func (c *benchSettlement) Run(a *app) error {
	dir, err := os.MkdirTemp("", "paysaga-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user has to get through
		return err
	}
	d, err := (&benchPayments{Devstack: c.Devstack}).stack(a, filepath.Join(dir, "state"))
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
	case err != nil:
		return err
	}
	if c.JSON == "" {
		return nil
	}
	return writeJSON(c.JSON, struct {
		Commit string    `json:"commit"`
		At     time.Time `json:"finished_at"`
		settling.Result
	}{version().tree(), time.Now().UTC().Truncate(time.Second), res})
}

func (c *benchSettlement) measure(ctx context.Context, a *app, d *dev) (settling.Result, error) {
	if err := d.startDevstack(ctx); err != nil {
		return settling.Result{}, err
	}
	if err := d.settle(); err != nil {
		return settling.Result{}, err
	}
	if err := store.Migrate(ctx, d.stack.PostgresURL, store.AppRole{}); err != nil {
		return settling.Result{}, err
	}
	set := &settings{}
	if err := set.load([]string{"--settings=" + filepath.Join(d.c.State, "settings.json")}); err != nil {
		return settling.Result{}, err
	}
	s, err := openStore(ctx, databaseConfig{DatabaseURL: d.stack.AppURL, MaxConns: 8, sealConfig: sealConfig{SealKeys: set.file["PAYSAGA_SEAL_KEYS"], Envelope: true}})
	if err != nil {
		return settling.Result{}, err
	}
	defer s.Close()
	metrics, err := freeAddress()
	if err != nil {
		return settling.Result{}, err
	}
	worker := 0
	res, err := settling.Run(ctx, settling.Config{Store: s, Owner: d.stack.PostgresURL, Users: c.Users, Rebates: c.Rebates, Floor: c.Floor, Out: a.out,
		Worker: func() int {
			if worker == 0 { // while rebates are promised nobody relays their events
				w, err := d.start("worker", d.self(), "worker", "--stop-with-stdin", "--metrics-address", metrics,
					"--pace", "production", "--audit-every", "0", "--settle-every", "0") // its pages are as large as they get; the book is judged at the end
				if err != nil {
					d.fail(fmt.Errorf("the worker can't be started: %w", err))
					return 0
				}
				worker = w.cmd.Process.Pid
			}
			return worker
		}})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return res, err
}
