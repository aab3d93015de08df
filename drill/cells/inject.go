package cells

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"paysaga/domain/fault"
)

// errDead is what everything of a worker that has died gets; nobody hears of it.
var errDead = fault.Unknown("drill_crash", "the worker has died", nil)

// visit is one execution of an activity in a run.
type visit struct {
	run  *Run
	name string // "payment/Charge"
	hot  bool   // it is the cell's boundary
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// at says whether the cell's fault strikes here and now, once.
func (v *visit) at(m Moment) bool {
	return v != nil && v.hot && v.run.Cell.Moment == m && v.run.fire()
}

// sometime is at, for faults that are dealt with where the call is made.
func (v *visit) sometime(faults ...Fault) (Moment, bool) {
	if v == nil || !v.hot {
		return "", false
	}
	for _, f := range faults {
		if v.run.Cell.Fault == f && v.run.fire() {
			return v.run.Cell.Moment, true
		}
	}
	return "", false
}

// atCall are the faults that strike at the channel, beside those that strike everywhere.
var atCall = []Fault{Refused, CutBefore, CutAfter, Hang, Status500, Status429, Garbage, WrongAmount, ClockSkew}

// sentinel stands before every activity of a worker, and lets the faults in.
type sentinel struct {
	interceptor.WorkerInterceptorBase
	interceptor.ClientInterceptorBase
	h *House
}

func (s *sentinel) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &gate{interceptor.ActivityInboundInterceptorBase{Next: next}, s.h}
}

type gate struct {
	interceptor.ActivityInboundInterceptorBase
	h *House
}

func (g *gate) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	info := activity.GetInfo(ctx)
	r := g.h.runOf(ctx, info.WorkflowExecution.ID)
	if r == nil {
		return g.Next.ExecuteActivity(ctx, in)
	}
	if r.dead() {
		return nil, errDead
	}
	v := r.visit(sagaOf(info.WorkflowExecution.ID), info.ActivityType.Name)
	ctx = context.WithValue(ctx, visitKey{}, v)
	if _, here := byCall(r.Cell.Fault); !here && v.at(Before) {
		if err := r.strike(ctx); err != nil {
			return nil, err
		}
	}
	out, err := g.Next.ExecuteActivity(ctx, in)
	if r.dead() {
		return nil, errDead
	}
	if err == nil {
		defer r.passed(v)
	}
	if v.at(Reply) {
		if err := r.strike(ctx); err != nil {
			return nil, err
		}
	}
	return out, err
}

func byCall(f Fault) (Fault, bool) {
	for _, x := range atCall {
		if x == f {
			return f, true
		}
	}
	return "", false
}

// strike lets a fault strike that can do so anywhere. An error is the activity's.
func (r *Run) strike(ctx context.Context) error {
	switch r.Cell.Fault {
	case Crash:
		info := activity.GetInfo(ctx)
		r.die(info.IsLocalActivity, info.TaskToken)
		return errDead
	case Timeout:
		<-ctx.Done()
		return ctx.Err()
	case Panic:
		panic("the drill lets the activity panic")
	case PostgresCut:
		return r.house.postgres.cut()
	case TemporalCut:
		return r.house.temporal.cut()
	case CommitLost:
		return fault.Unknown("drill_commit_lost", "the commit's answer was lost", nil)
	case ReplyLost:
		info := activity.GetInfo(ctx)
		r.lose(info.IsLocalActivity, info.TaskToken)
	case Duplicate:
		return r.callBack("again", 3)
	case Reordered:
		return r.callBack("out_of_order", 1)
	case Forged:
		return r.forge()
	}
	return nil
}

// fate is what is to become of what a worker hands in.
type fate struct {
	mu    sync.Mutex
	dying bool   // the worker has died: what it hands in is lost
	loses bool   // Temporal takes it, and the worker doesn't hear so
	local bool   // in a workflow task; else in the activity of the token
	token []byte //
	fired bool

	asked time.Time // when the operator last looked; under the run's mutex
}

func (r *Run) dead() bool {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	return r.fate.dying
}

func (r *Run) die(local bool, token []byte) {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	r.fate.dying, r.fate.local, r.fate.token = true, local, token
	r.house.count(func(t *Tally) { t.Kills++ })
}

func (r *Run) lose(local bool, token []byte) {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	r.fate.loses, r.fate.local, r.fate.token = true, local, token
	r.house.count(func(t *Tally) { t.LostReplies++ })
}

// fire is true once.
func (r *Run) fire() bool {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	if r.fate.fired {
		return false
	}
	r.fate.fired = true
	return true
}

func (r *Run) hasFired() bool {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	return r.fate.fired
}

// takes says what becomes of a task that is handed in: whether Temporal gets it, and whether the worker hears of it.
func (r *Run) takes(local bool, token []byte) (arrives, heard bool) {
	r.fate.mu.Lock()
	defer r.fate.mu.Unlock()
	mine := r.fate.local == local && (local || bytes.Equal(r.fate.token, token))
	switch {
	case r.fate.dying:
		r.fate.dying = !mine // with its task the dead worker is gone; the next one lives
		return false, false
	case r.fate.loses && mine:
		r.fate.loses = false
		return true, false
	}
	return true, true
}

var businessIDs = regexp.MustCompile(`(pay|top|trf|rfd|cap|pyt)_[0-9a-z]{26}`)

// sagaOf is the type of the workflow that an id belongs to: "payment" of "payment/pay_…".
func sagaOf(workflowID string) string {
	saga, _, _ := strings.Cut(workflowID, "/")
	return saga
}

// taskTimeout replaces the ten seconds after which Temporal believes that a worker has died: a drill has no time.
const taskTimeout = 2 * time.Second

var errTaskGone = serviceerror.NewNotFound("the drill lost it")

// between sees every call to Temporal.
func (h *House) between(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	local, token := false, []byte(nil)
	switch q := req.(type) {
	case *workflowservice.StartWorkflowExecutionRequest:
		q.WorkflowTaskTimeout = durationpb.New(taskTimeout)
	case *workflowservice.ExecuteMultiOperationRequest:
		for _, op := range q.Operations {
			if start := op.GetStartWorkflow(); start != nil {
				start.WorkflowTaskTimeout = durationpb.New(taskTimeout)
			}
		}
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		local, token = true, q.TaskToken
	case *workflowservice.RespondWorkflowTaskFailedRequest:
		local, token = true, q.TaskToken
	case *workflowservice.RespondActivityTaskCompletedRequest:
		token = q.TaskToken
	case *workflowservice.RespondActivityTaskFailedRequest:
		token = q.TaskToken
	case *workflowservice.RespondActivityTaskCanceledRequest:
		token = q.TaskToken
	}
	if token == nil {
		return next(ctx, method, req, reply, cc, opts...)
	}
	r := h.known(businessIDs.FindString(string(token)))
	if r == nil {
		return next(ctx, method, req, reply, cc, opts...)
	}
	arrives, heard := r.takes(local, token)
	if !arrives {
		return errTaskGone
	}
	err := next(ctx, method, req, reply, cc, opts...)
	if !heard {
		return errors.Join(errTaskGone, err)
	}
	return err
}
