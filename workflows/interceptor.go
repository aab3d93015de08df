package workflows

import (
	"errors"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// Strict refuses an activity that was scheduled without a timeout of its own
// or without a summary: nothing may wait unbounded, or nameless in the Web UI.
type Strict struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow puts the check in front of a workflow's calls.
func (Strict) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &strictInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

type strictInbound struct {
	interceptor.WorkflowInboundInterceptorBase
}

func (i *strictInbound) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return i.Next.Init(&strictOutbound{interceptor.WorkflowOutboundInterceptorBase{Next: out}})
}

type strictOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
}

var errLoose = errors.New("an activity needs StartToCloseTimeout, a retry policy and a summary: use the option sets of policies.go")

func (o *strictOutbound) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	opts := workflow.GetActivityOptions(ctx)
	if opts.StartToCloseTimeout == 0 || opts.RetryPolicy == nil || opts.Summary == "" {
		return refused(ctx)
	}
	return o.Next.ExecuteActivity(ctx, name, args...)
}

func (o *strictOutbound) ExecuteLocalActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	opts := workflow.GetLocalActivityOptions(ctx)
	if opts.StartToCloseTimeout == 0 || opts.RetryPolicy == nil || opts.Summary == "" {
		return refused(ctx)
	}
	return o.Next.ExecuteLocalActivity(ctx, name, args...)
}

func refused(ctx workflow.Context) workflow.Future {
	f, set := workflow.NewFuture(ctx)
	set.SetError(errLoose)
	return f
}
