package workflows

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"paysaga/domain/delivery"
)

// DeliveryID is the workflow id of a delivery.
func DeliveryID(r delivery.Ref) string { return "delivery/" + r.ID() }

// deliveryOptions are what a delivery's saga is started with. One that has ended is started again when it is to be told
// again; while one is open it is joined.
func (s Starter) deliveryOptions(d delivery.Start) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       DeliveryID(d.Ref),
		TaskQueue:                TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes:    deliveryAttributes(d),
		StaticSummary:            d.Type + " of " + d.ObjectID + " to " + d.EndpointID + " of " + d.MerchantID,
		// Payments first: what is told late is no harm to money.
		Priority: temporal.Priority{PriorityKey: 4, FairnessKey: d.EndpointID},
	}
}

// TellAgain starts a delivery's saga, or joins the open one. If it is to be told now, an open one doesn't wait any longer.
func (s Starter) TellAgain(ctx context.Context, d delivery.Start) error {
	in := DeliveryInput{Ref: d.Ref, Schedule: d.Schedule, NextAt: d.NextAt}
	if !d.Now {
		_, err := s.Client.ExecuteWorkflow(ctx, s.deliveryOptions(d), Delivery, in)
		return outcome(err)
	}
	h, err := s.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: s.Client.NewWithStartWorkflowOperation(s.deliveryOptions(d), Delivery, in),
		UpdateOptions:          client.UpdateWorkflowOptions{UpdateName: UpdateRetry, WaitForStage: client.WorkflowUpdateStageCompleted},
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	return outcome(err)
}
