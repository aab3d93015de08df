package workflows

import (
	"context"
	"errors"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"paysaga/domain/access"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// Starter starts payment sagas and speaks to them. The API and the relays use
// the same one, so that whoever comes first starts the same run.
type Starter struct {
	Client client.Client
	Pace   Pace
}

// PaymentID is the workflow id of a payment, or of a top-up.
func PaymentID(paymentID string) string {
	if id.Is(id.TopUp, paymentID) {
		return "topup/" + paymentID
	}
	return "payment/" + paymentID
}

// sagaFor is what a payment's run is: a top-up's is the same under a name of its own.
func sagaFor(p payment.Payment) any {
	if p.TopUp() {
		return TopUp
	}
	return Payment
}

// Options are what a payment's saga is started with.
func (s Starter) Options(p payment.Payment) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:        PaymentID(p.ID),
		TaskQueue: TaskQueue,
		// One run per payment, for ever: whoever starts it again joins the open
		// run, and a closed one is never started anew.
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes:    attributes(p),
		StaticSummary:            summary(p),
		Priority:                 temporal.Priority{PriorityKey: 1, FairnessKey: p.MerchantID},
	}
}

func (s Starter) input(p payment.Payment) PaymentInput {
	return PaymentInput{Book: p.Book, PaymentID: p.ID, Pace: s.Pace}
}

// Accept starts the payment's saga, or joins it, and returns nil once the
// payment is in a stable state. fault.Unknown means that it isn't yet, or that
// nobody can tell: what was received is started by the relay in any case
// (I-19).
func (s Starter) Accept(ctx context.Context, p payment.Payment) error {
	return s.join(ctx, p, UpdateAccept, UpdateAccept)
}

// Cancel asks the saga to cancel the payment, and returns nil once it has
// ended or can't be cancelled any more. A payment that has no saga yet gets
// one: it finds the request in the row.
func (s Starter) Cancel(ctx context.Context, p payment.Payment) error {
	return s.join(ctx, p, UpdateCancel, UpdateCancel)
}

// Capture tells the saga of a received capture, and returns nil once that is
// settled. Its id is the update's: the API and the relay get the one answer.
func (s Starter) Capture(ctx context.Context, p payment.Payment, captureID string) error {
	return s.join(ctx, p, UpdateCapture, captureID, CaptureNote{CaptureID: captureID})
}

// join is Update-with-Start under an id by which all who ask get the one
// answer.
func (s Starter) join(ctx context.Context, p payment.Payment, update, updateID string, args ...any) error {
	h, err := s.Client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: s.Client.NewWithStartWorkflowOperation(s.Options(p), sagaFor(p), s.input(p)),
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: updateID, UpdateName: update, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	return outcome(err)
}

// Review carries a person's word on a payment that risk holds to its saga, with
// the code that proves them. What the saga refuses is a fault of the kind that
// it names; a saga that has ended is Conflict "review_over".
func (s Starter) Review(ctx context.Context, p payment.Payment, v access.Vouch, code string) error {
	h, err := s.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: PaymentID(p.ID), UpdateName: UpdateReview, WaitForStage: client.WorkflowUpdateStageCompleted,
		Args: []any{Judgement{Decision: v.Decision, Actor: v.Actor, Reason: v.Reason, Code: code}}})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	var gone *serviceerror.NotFound
	var refused *temporal.ApplicationError
	switch {
	case errors.As(err, &gone), errors.As(err, &refused) && fault.Kind(refused.Type()) == fault.KindInvalid:
		return fault.Conflict("review_over", "nobody has to judge this payment")
	case errors.As(err, &refused):
		return fault.New(fault.Kind(refused.Type()), "review_over", refused.Message())
	}
	return outcome(err)
}

// Start starts the payment's saga if it has none, and doesn't wait for it.
func (s Starter) Start(ctx context.Context, p payment.Payment) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.Options(p), sagaFor(p), s.input(p))
	return outcome(err)
}

// sagaOf is the workflow id of what a callback speaks of.
func sagaOf(businessID string) string {
	switch {
	case id.Is(id.Refund, businessID):
		return RefundID(businessID)
	case id.Is(id.Payout, businessID):
		return PayoutID(businessID)
	}
	return PaymentID(businessID)
}

// Deliver hands a stored callback to the open saga of a payment, a refund or a
// payout.
// Its id stands for one event of the channel, so the saga hears each event once. fault.NotFound
// means that there is no open run.
func (s Starter) Deliver(ctx context.Context, businessID, callbackID string) error {
	h, err := s.Client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: sagaOf(businessID), UpdateID: callbackID, UpdateName: UpdateCallback,
		Args: []any{CallbackNote{CallbackID: callbackID}}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return fault.NotFound("an open saga of " + businessID)
	}
	return outcome(err)
}

// StartCase starts a case's saga if it has none, and doesn't wait for it.
func (s Starter) StartCase(ctx context.Context, c exception.Case) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.caseOptions(c), Case, CaseInput{Book: c.Book, CaseID: c.ID, Pace: s.Pace})
	return outcome(err)
}

// CaseMoved tells a case's saga that somebody moved it, and starts it if there
// is none: it would find out by itself, later.
func (s Starter) CaseMoved(ctx context.Context, c exception.Case) error {
	_, err := s.Client.SignalWithStartWorkflow(ctx, c.ID, SignalMoved, nil, s.caseOptions(c), Case, CaseInput{Book: c.Book, CaseID: c.ID, Pace: s.Pace})
	return outcome(err)
}

// caseOptions are what a case's saga is started with: one run per case, for ever.
func (s Starter) caseOptions(c exception.Case) client.StartWorkflowOptions {
	about := c.PaymentID
	if about == "" {
		about = "nobody's payment"
	}
	if parts := strings.Split(c.ID, "/"); len(parts) > 1 && id.Is(id.Payout, parts[1]) {
		about = parts[1]
	}
	return client.StartWorkflowOptions{
		ID: c.ID, TaskQueue: TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(attrBook.ValueSet(string(c.Book)), attrBusinessID.ValueSet(c.ID),
			attrMerchantID.ValueSet(c.MerchantID), attrState.ValueSet(string(c.State())), attrCurrency.ValueSet(string(c.Amount.Currency)),
			attrAmountMinor.ValueSet(c.Amount.Minor), attrNeedsOperator.ValueSet(false)),
		StaticSummary: string(c.Kind) + ": " + c.Amount.Text() + " of " + about,
		Priority:      temporal.Priority{PriorityKey: 2, FairnessKey: c.MerchantID},
	}
}

// Health says whether Temporal answers.
func (s Starter) Health(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	_, err := s.Client.CheckHealth(ctx, &client.CheckHealthRequest{})
	if err != nil {
		return fault.Unavailable("temporal_unavailable", "Temporal doesn't answer", err)
	}
	return nil
}

// outcome maps what Temporal's client says. A run that has ended is no error:
// the row says how. All else means "not known yet": the row was committed
// before, and the relay goes on.
func outcome(err error) error {
	var ended *serviceerror.WorkflowExecutionAlreadyStarted
	if err == nil || errors.As(err, &ended) {
		return nil
	}
	return fault.Unknown("saga_unanswered", "the saga hasn't answered yet", err)
}
