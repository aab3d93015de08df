package kill

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"paysaga/domain/payment"
	"paysaga/workflows"
)

// operator decides from the Temporal Web UI, and reads its lists.
type operator struct {
	temporal  temporal.Client
	namespace string
}

func newOperator(s *set) (*operator, error) {
	c, err := temporal.NewLazyClient(temporal.Options{HostPort: s.dev.TemporalAddress, Namespace: s.dev.Namespace,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &operator{temporal: c, namespace: s.dev.Namespace}, nil
}

// resolve decides, until the decision has led to an end. One decision under one
// update id: pressing the button again repeats it, and decides nothing new.
func (op *operator) resolve(ctx context.Context, o *order, d payment.Decision) error {
	id := o.seen().ID
	for {
		try, stop := context.WithTimeout(ctx, 5*time.Second)
		h, err := op.temporal.UpdateWorkflow(try, temporal.UpdateWorkflowOptions{WorkflowID: workflows.PaymentID(id),
			UpdateID: "drill-resolve", UpdateName: workflows.UpdateResolve, WaitForStage: temporal.WorkflowUpdateStageCompleted,
			Args: []any{workflows.Resolution{Decision: d, Actor: "drill", Reason: "seen in the channel's back office"}}})
		if err == nil {
			err = h.Get(try, nil)
		}
		stop()
		if err == nil || o.seen().Status.Terminal() {
			return nil
		}
		if err := rest(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// list returns the workflow ids that a query finds.
func (op *operator) list(ctx context.Context, query string) (ids []string, err error) {
	var page []byte
	for {
		res, err := op.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: op.namespace, Query: query, PageSize: 1000, NextPageToken: page})
		if err != nil {
			return nil, err
		}
		for _, e := range res.Executions {
			ids = append(ids, e.Execution.WorkflowId)
		}
		if page = res.NextPageToken; len(page) == 0 {
			return ids, nil
		}
	}
}

// history is a payment's saga in lines, for a person who looks for what broke.
func (op *operator) history(ctx context.Context, paymentID string) string {
	var text strings.Builder
	events := op.temporal.GetWorkflowHistory(ctx, workflows.PaymentID(paymentID), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			fmt.Fprintln(&text, err)
			break
		}
		fmt.Fprintln(&text, e.EventId, e.EventTime.AsTime().Format(time.StampMilli), e.EventType, protojson.Format(e))
	}
	return text.String()
}
