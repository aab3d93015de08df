package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// TaskQueue is where all sagas run. Each channel has a queue of its own, so
// that a slow one can't hold up the others.
const TaskQueue = "payments"

// ChannelQueue is the task queue of a channel's calls.
func ChannelQueue(channel string) string { return "channel-" + channel }

// WebhookQueue is where merchants' endpoints are told: what is slow there holds up nothing else.
const WebhookQueue = "webhooks"

// Pace sets how patient a saga is. It is part of the input, so that a history
// replays with the pace it was recorded with.
type Pace string

// The paces.
const (
	Production Pace = ""
	// Drill asks again within seconds, for fault campaigns and demos.
	Drill Pace = "drill"
)

// pace is what a Pace means.
type pace struct {
	askFirst, askCap time.Duration // how soon and how seldom an unknown or pending outcome is asked about
	parkAfter        time.Duration // how long an outcome stays unknown before a person is shown it too
	callFirst        time.Duration // the pause before a call that didn't happen is tried again; doubles
	callTries        int           // how often it is tried before the channel counts as unreachable
	resends          int           // how often an intent that never arrived is sent again under its key
	absence          time.Duration // how long a closed intent must stay absent to count as dead
	voidBefore       time.Duration // how long before it lapses an authorization is voided
	guard, guardCap  time.Duration // how long, and how seldom, an attempt that was given up is watched
	settlePage       int           // how many rebates a page of a settlement has
}

var paces = map[Pace]pace{
	Production: {askFirst: time.Second, askCap: 5 * time.Minute, parkAfter: 24 * time.Hour, callFirst: 500 * time.Millisecond, callTries: 6, resends: 3, absence: 2 * time.Minute, voidBefore: time.Hour,
		guard: 7 * 24 * time.Hour, guardCap: time.Hour, settlePage: 20_000},
	Drill: {askFirst: 200 * time.Millisecond, askCap: 2 * time.Second, parkAfter: 5 * time.Second, callFirst: 100 * time.Millisecond, callTries: 4, resends: 3, absence: 2 * time.Second, voidBefore: time.Hour,
		guard: 40 * time.Second, guardCap: 2 * time.Second, settlePage: 50},
}

// The option sets, one per kind of step. All timeouts of the sagas stand here.

// bookLocally runs a database step inside the workflow task: fast, no
// transition, and soon given up for the same step as a regular activity.
func bookLocally(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 2 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             summary,
	})
}

// book runs a database step that must finish: retried without limit, visible
// and pausable in the Web UI.
func book(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             summary,
	})
}

// callLocally is the express lane: one call, inside the workflow task.
func callLocally(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 2 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             summary,
	})
}

// call is the standard lane: one try. The saga tries again by itself, since it
// must know whether a try may have got through.
func call(ctx workflow.Context, queue, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 15 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             summary,
	})
}

// ask is a question, or a close, that is repeated until it is answered:
// Temporal's retries are the poll, so the history doesn't grow (I-14).
func (p pace) ask(ctx workflow.Context, queue, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 15 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: p.askFirst, BackoffCoefficient: 2, MaximumInterval: p.askCap},
		Summary:             summary,
	})
}

// deliver is one try at a merchant's endpoint: longer than the sender's own time-out and a turn's wait. What fails here is ours,
// and is tried on without limit; what the endpoint does wrong is an answer.
func deliver(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           WebhookQueue,
		StartToCloseTimeout: 45 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:             summary,
	})
}

// watch asks about what was given up, ever more seldom.
func (p pace) watch(ctx workflow.Context, queue, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           queue,
		StartToCloseTimeout: 15 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: p.askFirst, BackoffCoefficient: 2, MaximumInterval: p.guardCap},
		Summary:             summary,
	})
}

// settle is a page of a settlement: many Steps, each of which happens once, so
// it is retried without limit. It says that it lives, so that a worker that is
// gone is soon followed by another.
func settle(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute,
		HeartbeatTimeout:    15 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             summary,
	})
}

// tick begins the settlements that are due: counting what there is may take its
// time.
func tick(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 2 * time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             summary,
	})
}
