// Package stage is the whole of paysaga on real parts, for tests: devstack's
// Temporal server, a PostgreSQL of its own, the sandbox channel over HTTP, the
// API over HTTP, workers and relays. Only the processes are one.
package stage

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"paysaga/activities"
	"paysaga/api"
	"paysaga/channels"
	"paysaga/channels/sandbox"
	"paysaga/channels/wire"
	"paysaga/domain/risk"
	"paysaga/domain/routing"
	"paysaga/store"
	"paysaga/webhook"
	"paysaga/workers"
	"paysaga/workflows"
)

// Options tune a stage; the zero value is a drill's pace and everything on.
type Options struct {
	Pace workflows.Pace  // default workflows.Drill
	Risk risk.Definition // what holds without stored rules
	// Breaker says when circuits open; the zero never opens one: what a test scripts is to reach the channel.
	Breaker  routing.BreakerConfig
	Deadline time.Duration // of the API (12 s: a test may share its machine with many)
	Notices  bool          // people are told, by Carriers
	NoWorker bool          // workers are started by StartWorker
	// Dev is a devstack that runs already, on which the stage has a database of its own; nil: one is started.
	Dev *Devstack
	// Via puts something between two parts: it is given one's address, and returns where the other is to look for it.
	Via func(part, address string) string
	// Dial and Wire change how parts are made and joined; nil: they stay.
	Dial func(*client.Options)
	Wire Wire
}

// Wire changes parts before they are made. Unset, they stay.
type Wire struct {
	Steps  func(*activities.Config)
	Relays func(*workers.RelayConfig)
	API    func(*api.Parts)
}

// The parts that Options.Via is asked about.
const (
	Postgres  = "postgres"
	Temporal  = "temporal"
	Callbacks = "callbacks" // the API, as channels reach it
)

// Stage is one running paysaga.
type Stage struct {
	Dev     *Devstack
	Store   *store.Store
	Client  client.Client
	Steps   *activities.Steps
	Starter workflows.Starter
	API     *httptest.Server
	HTTP    *http.Client
	// Receiver is where endpoints of tests are, Webhooks what reaches it.
	Receiver *Receiver
	Webhooks *webhook.Sender

	// Carriers bring messages to people; nil without Options.Notices.
	Carriers *Carriers

	// Health is what the stage sees of its channels.
	Health *activities.Health

	relays   *workers.Relays
	channels channels.Registry
	wire     Wire
}

func change[T any](how func(*T), what *T) {
	if how != nil {
		how(what)
	}
}

// New starts a stage that ends with the test.
func New(t testing.TB, o Options) *Stage {
	t.Helper()
	if o.Pace == "" {
		o.Pace = workflows.Drill
	}
	if o.Deadline == 0 {
		o.Deadline = 12 * time.Second
	}
	if o.Via == nil {
		o.Via = func(_, address string) string { return address }
	}
	s := &Stage{Dev: o.Dev}
	if s.Dev == nil {
		s.Dev = StartDevstack(t)
	} else {
		s.Dev = s.Dev.database(t)
	}
	s.openStore(t, o.Via)
	log := slog.New(slog.DiscardHandler)
	dial := client.Options{HostPort: o.Via(Temporal, s.Dev.TemporalAddress), Namespace: s.Dev.Namespace, Logger: log}
	if o.Dial != nil {
		o.Dial(&dial)
	}
	c, err := client.Dial(dial)
	must(t, err)
	t.Cleanup(c.Close)
	s.Client, s.Starter = c, workflows.Starter{Client: c, Pace: o.Pace}
	worker.SetStickyWorkflowCacheSize(2000)

	registry := channels.NewRegistry(sandbox.New(wire.New(wire.Config{})))
	calls := workers.NewCallLog(s.Store.AppendCalls, log)
	s.API = httptest.NewUnstartedServer(nil)
	s.Health = o.health(s.Store)
	s.Receiver = newReceiver(t)
	s.Webhooks = s.Receiver.sender(t)
	config := activities.Config{Committer: s.Store, Files: s.Store, Refunds: s.Store, Payouts: s.Store, Transfers: s.Store, Sealer: s.Store, Calls: calls,
		Settlements: s.Store, Rebates: s.Store, Reratings: s.Store, Withdrawals: s.Store,
		Cases: s.Store, CaseOpened: func() { s.relays.PokeCases() }, Post: s.Store, Courier: activities.NewCourier(s.Webhooks),
		Channels: registry, Rules: s.Store, Risk: o.Risk, Health: s.Health, CallTimeout: 2 * time.Second, CallbackURL: "http://" + o.Via(Callbacks, s.API.Listener.Addr().String())}
	change(o.Wire.Steps, &config)
	s.Steps = activities.New(config)
	relays := workers.RelayConfig{Waiting: s.Store, Outbox: s.Store, Courier: config.Courier, Sagas: s.Starter, Settler: s.Steps, Steps: s.Store,
		Payments: s.Store, Risk: s.Store, Rebates: s.Store, Judge: s.Steps, Every: 50 * time.Millisecond, StartAfter: time.Second, OrphanAfter: 2 * time.Second, Log: log}
	if o.Notices {
		s.carriers(t, &relays)
	}
	change(o.Wire.Relays, &relays)
	s.relays = workers.NewRelays(relays)
	s.channels, s.wire = config.Channels, o.Wire
	s.front(t, o.Deadline)

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.relays.Run(ctx) })
	running.Go(func() { calls.Run(ctx) })
	running.Go(func() { workers.ShareHealth(ctx, s.Health, 200*time.Millisecond, log) })
	t.Cleanup(func() { stop(); running.Wait() })
	if !o.NoWorker {
		s.StartWorker(t)
	}
	return s
}

// health is shared over the store if circuits can open at all.
func (o Options) health(kept activities.Circuits) *activities.Health {
	if o.Breaker == (routing.BreakerConfig{}) {
		return activities.NewHealth(activities.HealthConfig{Breaker: routing.BreakerConfig{MinCalls: math.MaxInt32}})
	}
	return activities.NewHealth(activities.HealthConfig{Breaker: o.Breaker, Kept: kept})
}

// front serves the API.
func (s *Stage) front(t testing.TB, deadline time.Duration) {
	t.Helper()
	parts := api.Parts{Rebates: s.Store, Settler: s.Steps, Rerater: s.Steps, Keys: s.Store, Sessions: s.Store, Users: s.Store, Logins: s.Store, Destinations: s.Store, Accounts: s.Store, Book: s.Store,
		Reader: s.Store, Refunds: s.Store, Payouts: s.Store, Ledger: s.Store, Cases: s.Store, Judge: s.Steps, Inbox: s.Store, Store: s.Store, Starter: s.Starter, Channels: s.channels, Poke: s.relays.PokeCallbacks,
		Transfers: s.Store,
		Notices:   s.Store, Writer: templates(t),
		Endpoints: s.Store, Outbox: s.Store, Again: s.Store, Hooks: s.Webhooks,
		Rules: s.Store, Lists: s.Store, Campaigns: s.Store, Shoppers: s.Store, Sealer: s.Store, Health: s.Health.Of,
		Metrics: prometheus.NewRegistry(), MetricsPage: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)}
	change(s.wire.API, &parts)
	handler, err := api.New(api.Config{Deadline: deadline}, parts)
	must(t, err)
	s.API.Config.Handler = handler
	s.API.Start()
	t.Cleanup(s.API.Close)
	s.HTTP = s.API.Client()
}

// WithoutTemporal is the same stage behind another API, one that can't reach
// Temporal. Its relays are the stage's.
func (s *Stage) WithoutTemporal(t testing.TB) *Stage {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{HostPort: "127.77.77.77:9", Namespace: s.Dev.Namespace, Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(c.Close)
	down := *s
	down.Starter.Client = c
	down.API = httptest.NewUnstartedServer(nil)
	down.front(t, time.Second)
	return &down
}

// StartWorker starts the workers of all queues; they end with the test.
func (s *Stage) StartWorker(t testing.TB) {
	t.Helper()
	set, err := workers.New(workers.Config{Client: s.Client, Steps: s.Steps, Queues: workers.AllQueues(s.Steps), StopTimeout: 2 * time.Second})
	must(t, err)
	must(t, set.Start())
	t.Cleanup(set.Stop)
}

// openStore migrates devstack's database and opens it as the application.
func (s *Stage) openStore(t testing.TB, via func(part, address string) string) {
	t.Helper()
	ctx := context.Background()
	must(t, store.Migrate(ctx, s.Dev.PostgresURL, store.AppRole{}))
	at, err := url.Parse(s.Dev.AppURL)
	must(t, err)
	at.Host = via(Postgres, at.Host)
	opened, err := store.Open(ctx, store.Config{URL: at.String(), MaxConns: 24, CacheFor: -1,
		SealKeys: store.SealKeys{Current: "test", Keys: map[string][]byte{"test": []byte("only for tests: 32 bytes of a key")[:32]}}})
	must(t, err)
	s.Store = opened
	t.Cleanup(opened.Close)
}

// Update sends an Update to a payment's saga, as an operator does from the
// Temporal Web UI, and waits for its answer.
func (s *Stage) Update(t testing.TB, paymentID, name string, args ...any) error {
	t.Helper()
	return s.UpdateWorkflow(workflows.PaymentID(paymentID), name, args...)
}

// UpdateWorkflow is Update of any saga.
func (s *Stage) UpdateWorkflow(workflowID, name string, args ...any) error {
	h, err := s.Client.UpdateWorkflow(context.Background(), client.UpdateWorkflowOptions{
		WorkflowID: workflowID, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return err
	}
	return h.Get(context.Background(), nil)
}

// UntilDetails waits until a saga's current details, as the Web UI shows them,
// contain text.
func (s *Stage) UntilDetails(t testing.TB, paymentID, text string) {
	t.Helper()
	s.UntilDetailsOf(t, workflows.PaymentID(paymentID), text)
}

// UntilDetailsOf is UntilDetails of any saga.
func (s *Stage) UntilDetailsOf(t testing.TB, workflowID, text string) {
	t.Helper()
	Eventually(t, "the details of "+workflowID+" contain "+text, func() bool {
		v, err := s.Client.QueryWorkflow(context.Background(), workflowID, "", "__temporal_workflow_metadata")
		if err != nil {
			return false
		}
		var meta sdk.WorkflowMetadata
		must(t, v.Get(&meta))
		return strings.Contains(meta.CurrentDetails, text)
	})
}

// SetCredentials gives a channel account other credentials, as rotating them
// will.
func (m *Merchant) SetCredentials(t testing.TB, account int, credentials map[string]string) {
	t.Helper()
	ctx := context.Background()
	text, err := json.Marshal(credentials)
	must(t, err)
	sealed, err := m.Stage.Store.Seal(text)
	must(t, err)
	conn, err := pgx.Connect(ctx, m.Stage.Dev.PostgresURL)
	must(t, err)
	_, err = conn.Exec(ctx, "UPDATE channel_accounts SET credentials_sealed = $1 WHERE id = $2", sealed, m.Sandboxes[account].Account)
	must(t, err)
	must(t, conn.Close(ctx))
}
