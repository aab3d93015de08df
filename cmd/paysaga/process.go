package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.temporal.io/sdk/client"

	"paysaga/activities"
	"paysaga/api"
	"paysaga/channels"
	"paysaga/domain/id"
	"paysaga/domain/routing"
	"paysaga/notify"
	"paysaga/store"
	"paysaga/webhook"
	"paysaga/workers"
	"paysaga/workflows"
)

// process is a running API, worker, or both.
type process struct {
	log      *slog.Logger
	metrics  *prometheus.Registry
	store    *store.Store
	temporal client.Client
	registry channels.Registry
	hooks    *webhook.Sender // reaches merchants' endpoints
	saga     sagaConfig
	health   *activities.Health // what all processes see of the channels
	// data is where the data is, for the audit's own connections.
	data   store.Config
	fail   context.CancelCauseFunc
	behind sync.WaitGroup // what runs until everything else has stopped
}

// drainTime is how long a stop waits for requests under way: longer than any
// deadline of theirs that makes sense.
const drainTime = 15 * time.Second

// newProcess checks the settings and makes the parts. It connects to nothing,
// so that it comes up before the database and Temporal do.
func newProcess(a *app, role string, db databaseConfig, t temporalConfig, saga sagaConfig, hooks webhookConfig, l logConfig) (*process, error) {
	conf, err := db.store()
	if err != nil {
		return nil, err
	}
	p := &process{log: l.logger(a.err, role), metrics: metricsOf(role), registry: registry(), saga: saga, data: conf}
	if p.hooks, err = hooks.sender(); err != nil {
		return nil, err
	}
	if p.temporal, err = dialTemporal(t, p.log, p.metrics); err != nil {
		return nil, err
	}
	conf.Lazy = true
	if p.store, err = store.Open(a.ctx, conf); err != nil {
		return p, err
	}
	p.health = activities.NewHealth(activities.HealthConfig{Kept: p.store, Changed: p.circuitTurned})
	p.metrics.MustRegister(workers.NewCircuits(p.health))
	return p, nil
}

// circuitTurned tells whoever reads the log.
func (p *process) circuitTurned(c activities.Circuit) {
	log := p.log.With("channel", c.Channel, "account", c.Account, "calls", c.Stats.Calls, "failures", c.Stats.Failures)
	if c.State == routing.Closed {
		log.Info("a channel account answers again: its circuit is closed")
		return
	}
	log.Warn("a channel account fails: its circuit is open, and new payments go elsewhere if they can. 'paysaga channel health' shows more")
}

// run serves what there are settings for until ctx ends, and then stops in
// order: requests are answered, steps under way end, then relays and logs.
func (p *process) run(ctx context.Context, front *apiConfig, w *work) error {
	defer p.store.Close()
	defer p.temporal.Close()
	defer p.hooks.Close()
	ctx, fail := context.WithCancelCause(ctx)
	p.fail = fail
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	defer func() { end(); p.behind.Wait() }()

	p.behind.Go(func() { workers.ShareHealth(background, p.health, time.Second, p.log) })
	var poke func()
	worked := make(chan struct{})
	drained := make(chan struct{})
	if w != nil {
		poke = w.prepare(p, background)
		go func() { defer close(worked); w.run(ctx, p, drained) }()
	} else {
		close(worked)
	}
	handler, address, err := p.handler(front, w, poke)
	if err == nil {
		err = p.serve(ctx, address, handler)
	}
	fail(err)
	close(drained)
	<-worked
	p.log.Info("stopped")
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// handler is the API, or what a worker shows.
func (p *process) handler(front *apiConfig, w *work, poke func()) (http.Handler, string, error) {
	page := promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{})
	if front == nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", page)
		mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { fmt.Fprintln(out, `{"status":"ok"}`) })
		return mux, w.metricsAddress, nil
	}
	written, err := notify.NewTemplates()
	if err != nil {
		return nil, "", err
	}
	h, err := api.New(api.Config{Deadline: front.Deadline, LoginRate: front.LoginRate}, api.Parts{Keys: p.store, Sessions: p.store, Users: p.store, Logins: p.store, Destinations: p.store, Accounts: p.store, Book: p.store, Reader: p.store, Refunds: p.store, Payouts: p.store, Ledger: p.store,
		Cases: p.store, Judge: activities.New(activities.Config{Committer: p.store, Files: p.store, Cases: p.store, Settlements: p.store, Sealer: p.store}),
		Transfers: p.store,
		Rebates:   p.store, Settler: activities.New(activities.Config{Committer: p.store, Settlements: p.store}),
		Rerater: activities.New(activities.Config{Committer: p.store, Reratings: p.store, Rebates: p.store}),
		Rules:   p.store, Lists: p.store, Sealer: p.store, Health: p.health.Of,
		Notices: p.store, Writer: written,
		Campaigns: p.store, Shoppers: p.store,
		Inbox: p.store, Endpoints: p.store, Outbox: p.store, Again: p.store, Hooks: p.hooks, Store: p.store, Starter: p.starter(), Channels: p.registry, Poke: poke, Metrics: p.metrics, MetricsPage: page, Log: p.log})
	return h, front.HTTPAddress, err
}

func (p *process) starter() workflows.Starter {
	return workflows.Starter{Client: p.temporal, Pace: p.saga.pace()}
}

// serve answers HTTP until ctx ends, and then what is under way.
func (p *process) serve(ctx context.Context, address string, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("can't listen on %s: %w; choose another address by PAYSAGA_HTTP_ADDRESS or PAYSAGA_METRICS_ADDRESS", address, err)
	}
	srv := api.Server(address, h)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	p.log.Info("listening", "address", l.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	p.log.Info("stopping: no new work; what is under way ends. A second signal stops at once")
	rest, stop := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer stop()
	if err := srv.Shutdown(rest); err != nil {
		p.log.Warn("requests were cut off", "error", err.Error())
		_ = srv.Close()
	}
	return nil
}

// work is what a worker does.
type work struct {
	workConfig
	queues         []string // nil: all
	metricsAddress string
	steps          *activities.Steps
}

// prepare makes the steps, and runs what goes on behind them until ctx ends:
// the log of calls, the relays, the audit. It returns how to poke the relays.
func (w *work) prepare(p *process, ctx context.Context) (poke func()) {
	calls := workers.NewCallLog(p.store.AppendCalls, p.log)
	var opened func()
	courier := activities.NewCourier(p.hooks)
	w.steps = activities.New(activities.Config{Committer: p.store, Files: p.store, Refunds: p.store, Payouts: p.store, Transfers: p.store, Cases: p.store,
		Settlements: p.store, Rebates: p.store, Reratings: p.store, Withdrawals: p.store,
		Rules: p.store, Health: p.health, Meter: workers.NewChannelMeter(p.metrics),
		CaseOpened: func() { opened() }, Sealer: p.store, Calls: calls, Channels: p.registry,
		CallbackURL: p.saga.PublicURL, ExpressTimeout: w.ExpressTimeout, CallTimeout: w.CallTimeout, Post: p.store, Courier: courier})
	p.behind.Go(func() { calls.Run(ctx) })
	if !w.serves(workflows.TaskQueue) { // who runs no sagas books nothing
		return nil
	}
	carriers, err := w.noticeConfig.sender()
	if err != nil {
		p.fail(err)
		return nil
	}
	relays := workers.NewRelays(workers.RelayConfig{Notices: p.store, Carriers: carriers, Waiting: p.store, Outbox: p.store, Courier: courier, Sagas: p.starter(), Settler: w.steps, Steps: p.store, Payments: p.store, Months: p.store, Books: p.store, Risk: p.store, Rebates: p.store, Judge: w.steps, Log: p.log})
	opened = relays.PokeCases
	p.behind.Go(func() { relays.Run(ctx) })
	if w.BankEvery > 0 {
		clerk := newClerk(p.store, p.log, relays.PokeCallbacks)
		p.metrics.MustRegister(clerk.files, clerk.last)
		p.behind.Go(func() { clerk.run(ctx, w.BankEvery) })
	}
	if w.SettleEvery > 0 {
		p.behind.Go(func() { schedule(ctx, p, w.SettleEvery) })
	}
	if w.AuditEvery > 0 {
		p.behind.Go(func() { auditing(ctx, databases(p.data), w.AuditEvery, p.metrics, p.log) })
	}
	if daily, err := newCheckpoints(w.workConfig, p.data, p.metrics, p.log); err != nil {
		p.fail(err)
	} else if daily != nil {
		p.behind.Go(func() { daily.run(ctx, time.Hour) })
	}
	return relays.PokeCallbacks
}

// schedule has every book's rebates settled by themselves, as soon as Temporal lets it.
func schedule(ctx context.Context, p *process, every time.Duration) {
	for _, book := range id.Books() {
		_ = retry(ctx, p.log, "the schedule of settlements", func(ctx context.Context) error { // it ends with ctx alone
			return p.starter().Schedule(ctx, book, every)
		})
	}
}
