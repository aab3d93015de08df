package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"paysaga/workers"
	"paysaga/workflows"
)

// replayCommand answers, before a deploy: would this build go on with what is
// under way (I-27)?
type replayCommand struct {
	temporalConfig `embed:""`
	Open           bool `help:"Replay every open saga."`
	Closed         int  `placeholder:"N" help:"Also replay the N sagas that ended last."`
}

// sagas finds ours: others may share the namespace.
const sagas = `TaskQueue = '` + workflows.TaskQueue + `'`

// Run replays, prints counts, and ends with 1 if a history doesn't replay.
func (c *replayCommand) Run(a *app) error {
	if !c.Open && c.Closed <= 0 {
		return wrong("replay", "needs --open, or --closed N")
	}
	temporal, err := dialTemporal(c.temporalConfig, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer temporal.Close()
	r := &replay{temporal: temporal, namespace: c.Namespace, out: a.out}
	if r.replayer, err = workers.NewReplayer(); err != nil {
		return err
	}
	if c.Open {
		if err := r.all(a.ctx, sagas+` AND ExecutionStatus = 'Running'`, 0); err != nil {
			return err
		}
	}
	if c.Closed > 0 {
		if err := r.all(a.ctx, sagas+` AND ExecutionStatus != 'Running'`, c.Closed); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "%d replayed, %d failed, %d not begun yet\n", r.replayed, r.failed, r.young)
	if r.failed > 0 {
		return errQuiet
	}
	return nil
}

type replay struct {
	temporal  client.Client
	namespace string
	replayer  worker.WorkflowReplayer
	out       io.Writer

	replayed, failed, young int
}

// all replays what a query finds; most is a bound, 0 for none.
func (r *replay) all(ctx context.Context, query string, most int) error {
	var page []byte
	for n := 0; ; {
		res, err := r.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200, NextPageToken: page})
		if err != nil {
			return fmt.Errorf("the Temporal server can't list sagas: %w", err)
		}
		for _, e := range res.Executions {
			if n++; most > 0 && n > most {
				return nil
			}
			if err := r.one(ctx, e.Execution.WorkflowId, e.Execution.RunId); err != nil {
				return err
			}
		}
		if page = res.NextPageToken; len(page) == 0 {
			return nil
		}
	}
}

// leastEvents is a history with one workflow task that has been completed.
const leastEvents = 4

func (r *replay) one(ctx context.Context, workflowID, runID string) error {
	h, err := r.history(ctx, workflowID, runID)
	if err != nil {
		return fmt.Errorf("the history of %s can't be read: %w", workflowID, err)
	}
	if len(h.Events) < leastEvents {
		r.young++
		return nil
	}
	if err := r.replayer.ReplayWorkflowHistory(tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)), h); err != nil {
		r.failed++
		fmt.Fprintf(r.out, "FAILED %s (run %s): %v\n", workflowID, runID, err)
		return nil
	}
	r.replayed++
	return nil
}

func (r *replay) history(ctx context.Context, workflowID, runID string) (*historypb.History, error) {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	h := &historypb.History{}
	events := r.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}
