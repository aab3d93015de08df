package workflows

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"paysaga/domain/refund"
)

// RefundID is the workflow id of a refund.
func RefundID(refundID string) string { return "refund/" + refundID }

// RefundOptions are what a refund's saga is started with: one run per refund,
// for ever.
func (s Starter) RefundOptions(r refund.Refund) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       RefundID(r.ID),
		TaskQueue:                TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes:    refundAttributes(r),
		StaticSummary:            r.Amount.Text() + " back via " + r.Channel + " for " + r.MerchantID + " / payment " + r.PaymentID,
		Priority:                 temporal.Priority{PriorityKey: 2, FairnessKey: r.MerchantID},
	}
}

func refundAttributes(r refund.Refund) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		attrBook.ValueSet(string(r.Book)), attrBusinessID.ValueSet(r.ID), attrMerchantID.ValueSet(r.MerchantID),
		attrChannel.ValueSet(r.Channel), attrState.ValueSet(string(r.Status)), attrCurrency.ValueSet(string(r.Amount.Currency)),
		attrAmountMinor.ValueSet(r.Amount.Minor), attrNeedsOperator.ValueSet(false))
}

func (s Starter) refundInput(r refund.Refund) RefundInput {
	return RefundInput{Book: r.Book, RefundID: r.ID, Pace: s.Pace}
}

// AcceptRefund starts the refund's saga, or joins it, and returns nil once the
// refund has ended. fault.Unknown means that it hasn't yet, or that nobody can
// tell: what was received is started by the relay in any case (I-19).
func (s Starter) AcceptRefund(ctx context.Context, r refund.Refund) error {
	return s.accept(ctx, s.RefundOptions(r), Refund, s.refundInput(r))
}

// accept starts a saga, or joins it, and waits for the answer of its Update
// accept.
func (s Starter) accept(ctx context.Context, o client.StartWorkflowOptions, saga, in any) error {
	h, err := s.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: s.Client.NewWithStartWorkflowOperation(o, saga, in),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: UpdateAccept, UpdateName: UpdateAccept, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	return outcome(err)
}

// StartRefund starts the refund's saga if it has none, and doesn't wait for it.
func (s Starter) StartRefund(ctx context.Context, r refund.Refund) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.RefundOptions(r), Refund, s.refundInput(r))
	return outcome(err)
}
