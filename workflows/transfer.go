package workflows

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/transfer"
)

// TransferInput starts a transfer's saga: ids only.
type TransferInput struct {
	Book       id.Book `json:"book"`
	TransferID string  `json:"transfer_id"`
}

// TransferState is how a transfer ended, or what an Update of it answers.
type TransferState struct {
	Status transfer.Status `json:"status"`
	Doing  string          `json:"doing,omitempty"`
}

// Transfer is the saga of one transfer: one Step, which moves the money or says why not. It has nothing to undo, and nobody to ask.
func Transfer(ctx workflow.Context, in TransferInput) (TransferState, error) {
	s := &transferSaga{ref: activities.TransferRef{Book: in.Book, TransferID: in.TransferID}}
	s.moved.Status = transfer.Processing
	s.look = s.sight
	if err := s.setup(ctx); err != nil {
		return TransferState{}, err
	}
	work, _ := workflow.NewDisconnectedContext(ctx) // what was acknowledged is settled, whoever cancels
	s.tell(work, "moving the money", "")
	s.commit(work, "move", steps.MoveTransfer, s.ref, &s.moved)
	s.tell(work, "ended", "")
	s.show(work)
	err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) })
	return TransferState{Status: s.moved.Status}, err
}

// transferSaga is the state of one run. Everything in it is rebuilt by replay.
type transferSaga struct {
	steady
	ref   activities.TransferRef
	moved activities.MovedTransfer
}

func (s *transferSaga) sight() sight {
	return sight{status: string(s.moved.Status), terminal: s.ended()}
}

func (s *transferSaga) ended() bool { return s.moved.Status.Terminal() }

func (s *transferSaga) setup(ctx workflow.Context) error {
	options := workflow.UpdateHandlerOptions{Description: "answers once the transfer has ended"}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateAccept, s.onAccept, options); err != nil {
		return err
	}
	options = workflow.UpdateHandlerOptions{Description: "try again what is parked", Validator: s.canNudge}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateRetry, s.onNudge, options)
}

func (s *transferSaga) state() TransferState {
	return TransferState{Status: s.moved.Status, Doing: s.doing}
}

func (s *transferSaga) onAccept(ctx workflow.Context) (TransferState, error) {
	err := workflow.Await(ctx, s.ended)
	return s.state(), err
}

func (s *transferSaga) canNudge(workflow.Context) error {
	if s.ended() {
		return invalid("the transfer has ended: " + string(s.moved.Status))
	}
	return nil
}

func (s *transferSaga) onNudge(workflow.Context) (TransferState, error) {
	s.nudges++
	return s.state(), nil
}

// TransferID is the workflow id of a transfer.
func TransferID(transferID string) string { return "transfer/" + transferID }

// TransferOptions are what a transfer's saga is started with: one run per transfer, for ever.
func (s Starter) TransferOptions(t transfer.Transfer) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       TransferID(t.ID),
		TaskQueue:                TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			attrBook.ValueSet(string(t.Book)), attrBusinessID.ValueSet(t.ID), attrMerchantID.ValueSet(t.MerchantID),
			attrState.ValueSet(string(t.Status)), attrCurrency.ValueSet(string(t.Amount.Currency)),
			attrAmountMinor.ValueSet(t.Amount.Minor), attrNeedsOperator.ValueSet(false)),
		StaticSummary: t.Amount.Text() + " from " + t.From + " to " + t.To + " of " + t.MerchantID,
		Priority:      temporal.Priority{PriorityKey: 1, FairnessKey: t.MerchantID},
	}
}

// AcceptTransfer starts the transfer's saga, or joins it, and returns nil once the transfer has ended. fault.Unknown means that it hasn't
// yet, or that nobody can tell: what was received is started by the relay in any case (I-19).
func (s Starter) AcceptTransfer(ctx context.Context, t transfer.Transfer) error {
	in := TransferInput{Book: t.Book, TransferID: t.ID}
	h, err := s.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: s.Client.NewWithStartWorkflowOperation(s.TransferOptions(t), Transfer, in),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: UpdateAccept, UpdateName: UpdateAccept, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	return outcome(err)
}

// StartTransfer starts the transfer's saga if it has none, and doesn't wait for it.
func (s Starter) StartTransfer(ctx context.Context, t transfer.Transfer) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.TransferOptions(t), Transfer, TransferInput{Book: t.Book, TransferID: t.ID})
	return outcome(err)
}
