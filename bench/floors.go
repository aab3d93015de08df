package bench

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"paysaga/channels/sandbox"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/workflows"
)

// The task queues of the floors: one like that of sagas, one like a channel's.
const (
	sagaQueue = "bench-payments"
	callQueue = "bench-channel"
)

// floors are workflows that do nothing of use, run by workers like those of
// payments.
type floors struct {
	client  client.Client
	starter workflows.Starter
	tag     string // makes ids unique among runs
	n       atomic.Int64
	workers []worker.Worker
}

func startFloors(c Config) (*floors, error) {
	f := &floors{client: c.Temporal, starter: workflows.Starter{Client: c.Temporal}, tag: strconv.FormatInt(time.Now().UnixNano(), 36)}
	sagas := worker.New(c.Temporal, sagaQueue, c.Workers.Options(workflows.TaskQueue))
	for name, w := range map[string]any{floorEmpty: empty, floorOne: one, floorNaive: naive, floorEager: eager} {
		sagas.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{Name: name})
	}
	calls := worker.New(c.Temporal, callQueue, c.Workers.Options(workflows.ChannelQueue(sandbox.Name)))
	for _, w := range []worker.Worker{sagas, calls} {
		w.RegisterActivityWithOptions(nothing, activity.RegisterOptions{Name: "Nothing"})
		if err := w.Start(); err != nil {
			f.stop()
			return nil, err
		}
		f.workers = append(f.workers, w)
	}
	return f, nil
}

func (f *floors) stop() {
	for _, w := range f.workers {
		w.Stop()
	}
}

func (f *floors) shapes() []shape {
	return []shape{f.shape(floorEmpty), f.shape(floorOne), f.shape(floorNaive), f.shape(floorEager)}
}

// shape runs one of them to its end, started as a payment is.
func (f *floors) shape(name string) shape {
	return shape{name, func(ctx context.Context) (string, error) {
		p := f.payment(name)
		o := f.starter.Options(p)
		o.ID, o.TaskQueue = p.ID, sagaQueue
		run, err := f.client.ExecuteWorkflow(ctx, o, name, workflows.PaymentInput{Book: p.Book, PaymentID: p.ID})
		if err != nil {
			return "", err
		}
		return p.ID, run.Get(ctx, nil)
	}}
}

// payment is one that exists only in search attributes and a summary.
func (f *floors) payment(name string) payment.Payment {
	n := strconv.FormatInt(f.n.Add(1), 10)
	return payment.Payment{Book: id.Test, ID: "bench/" + name + "/" + f.tag + "/" + n, MerchantID: "mer_00000000000000000000000000",
		OrderRef: "bench-" + f.tag + "-" + n, Amount: money.New(1234, "CNY"), Method: payment.MethodCardToken, Status: payment.Processing}
}

// empty is F1: what a workflow costs that does nothing.
func empty(workflow.Context, workflows.PaymentInput) (workflows.PaymentResult, error) {
	return workflows.PaymentResult{Status: payment.Paid}, nil
}

// one is F2: one activity, on a queue of its own as a channel's calls are.
func one(ctx workflow.Context, in workflows.PaymentInput) (workflows.PaymentResult, error) {
	return chain(ctx, in, callQueue, 1)
}

// naive is N: a saga that makes each of four steps an activity like F2's.
func naive(ctx workflow.Context, in workflows.PaymentInput) (workflows.PaymentResult, error) {
	return chain(ctx, in, callQueue, 4)
}

// eager is N on the workflow's own queue, where the server hands an activity to
// the worker in the answer that scheduled it. No channel has that queue, so
// this one is a floor for orientation only.
func eager(ctx workflow.Context, in workflows.PaymentInput) (workflows.PaymentResult, error) {
	return chain(ctx, in, sagaQueue, 4)
}

func chain(ctx workflow.Context, in workflows.PaymentInput, queue string, steps int) (workflows.PaymentResult, error) {
	for i := range steps {
		// As the policies of workflows have it.
		step := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: queue, StartToCloseTimeout: 15 * time.Second,
			RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
			Summary:     "step " + strconv.Itoa(i+1) + " of " + in.PaymentID,
		})
		if err := workflow.ExecuteActivity(step, "Nothing", in).Get(ctx, nil); err != nil {
			return workflows.PaymentResult{}, err
		}
	}
	return workflows.PaymentResult{Status: payment.Paid}, nil
}

func nothing(context.Context, workflows.PaymentInput) (workflows.PaymentResult, error) {
	return workflows.PaymentResult{Status: payment.Paid}, nil
}
