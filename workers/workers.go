// Package workers says what this process does beside answering HTTP: which
// task queues it serves, within which limits, and which relays it runs.
package workers

import (
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/workflows"
)

// Config says what to serve. Zero limits take the defaults.
type Config struct {
	Client client.Client
	Steps  *activities.Steps
	// Queues are the task queues to serve: workflows.TaskQueue,
	// workflows.WebhookQueue, and workflows.ChannelQueue of each channel.
	Queues []string
	// CallsPerChannel bounds the calls under way at one channel (32).
	CallsPerChannel int
	// ChannelRates bounds the calls per second at channels by name, over all processes: Temporal's server keeps it. Calls of the
	// express lane aren't on the queue; the accounts' own limits count those too.
	ChannelRates map[string]float64
	// Tellings bounds the sagas' tries under way at merchants' endpoints (128).
	Tellings int
	// LedgerSteps bounds the regular database steps under way (16): no more
	// than the pool has connections. Local ones are bounded at 256.
	LedgerSteps int
	// Sagas bounds the workflow tasks under way (256).
	Sagas int
	// StopTimeout is how long a stop waits for what is under way (30 s).
	StopTimeout time.Duration
	OnFatal     func(error)
}

// Set is the running workers of a process, one per queue.
type Set []worker.Worker

// New builds the workers; an unknown queue name is fault.Invalid.
func New(c Config) (Set, error) {
	c = c.withDefaults()
	var set Set
	for _, queue := range c.Queues {
		w := worker.New(c.Client, queue, c.Options(queue))
		switch {
		case queue == workflows.TaskQueue:
			registerSagas(w)
			registerLedger(w, c.Steps)
			registerSettlements(w, c.Steps)
			registerCalls(w, c.Steps) // the express lane calls from inside the saga's task
		case queue == workflows.WebhookQueue:
			register(w, map[string]any{"Deliver": c.Steps.Deliver})
		case slices.Contains(ChannelQueues(c.Steps), queue):
			registerCalls(w, c.Steps)
		default:
			return nil, fault.Invalid("queue_unknown", "queues", "no such task queue: "+queue)
		}
		set = append(set, w)
	}
	return set, nil
}

func (c Config) withDefaults() Config {
	if c.CallsPerChannel == 0 {
		c.CallsPerChannel = 32
	}
	if c.Tellings == 0 {
		c.Tellings = 128
	}
	if c.LedgerSteps == 0 {
		c.LedgerSteps = 16
	}
	if c.Sagas == 0 {
		c.Sagas = 256
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 30 * time.Second
	}
	return c
}

// ChannelQueues are the queues of the channels that steps knows.
func ChannelQueues(steps *activities.Steps) []string {
	var list []string
	for _, name := range steps.Channels() {
		list = append(list, workflows.ChannelQueue(name))
	}
	return list
}

// AllQueues is everything one process can serve.
func AllQueues(steps *activities.Steps) []string {
	return append([]string{workflows.TaskQueue, workflows.WebhookQueue}, ChannelQueues(steps)...)
}

// Options are those of a queue's worker. What is measured beside payments gets
// the same.
func (c Config) Options(queue string) worker.Options {
	c = c.withDefaults()
	o := worker.Options{
		WorkerStopTimeout:           c.StopTimeout,
		WorkflowPanicPolicy:         worker.BlockWorkflow, // a bug must not fail live payments
		DisableRegistrationAliasing: true,
		Interceptors:                []interceptor.WorkerInterceptor{&workflows.Strict{}},
		OnFatalError:                c.OnFatal,
	}
	if queue == workflows.TaskQueue {
		o.MaxConcurrentWorkflowTaskExecutionSize = c.Sagas
		o.MaxConcurrentLocalActivityExecutionSize = 256
		o.MaxConcurrentActivityExecutionSize = c.LedgerSteps
		o.MaxConcurrentWorkflowTaskPollers = 8
		o.MaxConcurrentActivityTaskPollers = 2
		return o
	}
	o.DisableWorkflowWorker = true
	o.MaxConcurrentActivityExecutionSize = c.CallsPerChannel
	if queue == workflows.WebhookQueue {
		o.MaxConcurrentActivityExecutionSize = c.Tellings
	}
	for channel, rate := range c.ChannelRates {
		if queue == workflows.ChannelQueue(channel) {
			o.TaskQueueActivitiesPerSecond = rate
		}
	}
	o.MaxConcurrentActivityTaskPollers = 5
	return o
}

// registerSagas is the one list of sagas: workers run them, NewReplayer replays them.
func registerSagas(w worker.WorkflowRegistry) {
	w.RegisterWorkflowWithOptions(workflows.Payment, workflow.RegisterOptions{Name: "Payment"})
	w.RegisterWorkflowWithOptions(workflows.TopUp, workflow.RegisterOptions{Name: "TopUp"})
	w.RegisterWorkflowWithOptions(workflows.Delivery, workflow.RegisterOptions{Name: "Delivery"})
	w.RegisterWorkflowWithOptions(workflows.Refund, workflow.RegisterOptions{Name: "Refund"})
	w.RegisterWorkflowWithOptions(workflows.Payout, workflow.RegisterOptions{Name: "Payout"})
	w.RegisterWorkflowWithOptions(workflows.Case, workflow.RegisterOptions{Name: "Case"})
	w.RegisterWorkflowWithOptions(workflows.Transfer, workflow.RegisterOptions{Name: "Transfer"})
	w.RegisterWorkflowWithOptions(workflows.Settlement, workflow.RegisterOptions{Name: "Settlement"})
	w.RegisterWorkflowWithOptions(workflows.SettlementTick, workflow.RegisterOptions{Name: "SettlementTick"})
	w.RegisterWorkflowWithOptions(workflows.Guardian, workflow.RegisterOptions{Name: "Guardian"})
}

func registerLedger(w worker.ActivityRegistry, s *activities.Steps) {
	register(w, map[string]any{"Open": s.Open, "Book": s.Book, "Heed": s.Heed, "Park": s.Park, "Resolve": s.Resolve, "Review": s.Review, "Look": s.Look,
		"FindCapture": s.FindCapture, "Fence": s.Fence, "BookCapture": s.BookCapture,
		"Advance": s.Advance, "Watch": s.Watch, "ResolveCase": s.ResolveCase,
		"OpenRefund": s.OpenRefund, "BookRefund": s.BookRefund, "HeedRefund": s.HeedRefund, "ParkRefund": s.ParkRefund,
		"ResolveRefund": s.ResolveRefund, "MoveTransfer": s.MoveTransfer,
		"OpenPayout": s.OpenPayout, "BookPayout": s.BookPayout, "HeedPayout": s.HeedPayout, "ParkPayout": s.ParkPayout,
		"ResolvePayout": s.ResolvePayout})
}

func registerSettlements(w worker.ActivityRegistry, s *activities.Steps) {
	register(w, map[string]any{"OpenSettlement": s.OpenSettlement, "WatchSettlement": s.WatchSettlement, "SettlePage": s.SettlePage,
		"SteerSettlement": s.SteerSettlement, "BeginDue": s.BeginDue})
}

func registerCalls(w worker.ActivityRegistry, s *activities.Steps) {
	register(w, map[string]any{"Charge": s.Charge, "Confirm": s.Confirm, "Ask": s.Ask, "Close": s.Close, "Capture": s.Capture, "Guard": s.Guard,
		"Refund": s.Refund, "AskRefund": s.AskRefund, "Payout": s.Payout, "AskPayout": s.AskPayout})
}

func register(w worker.ActivityRegistry, steps map[string]any) {
	for name, step := range steps {
		w.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: name})
	}
}

// Start starts all workers; one that can't start stops the others again.
func (s Set) Start() error {
	for i, w := range s {
		if err := w.Start(); err != nil {
			s[:i].Stop()
			return err
		}
	}
	return nil
}

// Stop lets what is under way finish, within the stop timeout.
func (s Set) Stop() {
	done := make(chan struct{})
	for _, w := range s {
		go func() { w.Stop(); done <- struct{}{} }()
	}
	for range s {
		<-done
	}
}
