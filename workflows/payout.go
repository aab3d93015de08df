package workflows

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/payout"
)

// PayoutInput starts a payout's saga: ids only.
type PayoutInput struct {
	Book     id.Book `json:"book"`
	PayoutID string  `json:"payout_id"`
	Pace     Pace    `json:"pace,omitempty"`
}

// PayoutResult is how a payout ended.
type PayoutResult struct {
	Status payout.Status `json:"status"`
}

// Payout is the saga of one payout.
func Payout(ctx workflow.Context, in PayoutInput) (PayoutResult, error) {
	status, err := runOut(ctx, outgoing{name: "payout", doing: "paying out", apart: "wants payouts apart", decisions: payout.Decisions(),
		open: steps.OpenPayout, send: steps.Payout, ask: steps.AskPayout, book: steps.BookPayout, park: steps.ParkPayout,
		heed: steps.HeedPayout, resolve: steps.ResolvePayout}, activities.Out{Book: in.Book, PayoutID: in.PayoutID}, in.Pace)
	return PayoutResult{Status: status}, err
}

// PayoutID is the workflow id of a payout.
func PayoutID(payoutID string) string { return "payout/" + payoutID }

// PayoutOptions are what a payout's saga is started with: one run per payout,
// for ever.
func (s Starter) PayoutOptions(p payout.Payout) client.StartWorkflowOptions {
	of := p.MerchantID
	if p.UserID != "" {
		of = p.UserID + " of " + of
	}
	return client.StartWorkflowOptions{
		ID:                       PayoutID(p.ID),
		TaskQueue:                TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			attrBook.ValueSet(string(p.Book)), attrBusinessID.ValueSet(p.ID), attrMerchantID.ValueSet(p.MerchantID),
			attrChannel.ValueSet(p.Channel), attrState.ValueSet(string(p.Status)), attrCurrency.ValueSet(string(p.Amount.Currency)),
			attrAmountMinor.ValueSet(p.Amount.Minor), attrNeedsOperator.ValueSet(false)),
		StaticSummary: p.Amount.Text() + " out via " + p.Channel + " for " + of,
		Priority:      temporal.Priority{PriorityKey: 2, FairnessKey: p.MerchantID},
	}
}

func (s Starter) payoutInput(p payout.Payout) PayoutInput {
	return PayoutInput{Book: p.Book, PayoutID: p.ID, Pace: s.Pace}
}

// AcceptPayout starts the payout's saga, or joins it, and returns nil once the
// payout has ended. fault.Unknown means that it hasn't yet, or that nobody can
// tell: what was received is started by the relay in any case (I-19).
func (s Starter) AcceptPayout(ctx context.Context, p payout.Payout) error {
	return s.accept(ctx, s.PayoutOptions(p), Payout, s.payoutInput(p))
}

// StartPayout starts the payout's saga if it has none, and doesn't wait for it.
func (s Starter) StartPayout(ctx context.Context, p payout.Payout) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.PayoutOptions(p), Payout, s.payoutInput(p))
	return outcome(err)
}
