package workflows

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// SettlementID is the workflow id of a settlement:
// "rebate-settlement/<campaign>/<business date>/<n>".
func SettlementID(r accrual.Run) string { return "rebate-settlement/" + r.Name() }

// settlementOptions are what a settlement's saga is started with: one per run of
// the book, for ever.
func (s Starter) settlementOptions(r accrual.Run) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: SettlementID(r), TaskQueue: TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(attrBook.ValueSet(string(r.Book)), attrBusinessID.ValueSet(r.ID),
			attrMerchantID.ValueSet(r.MerchantID), attrState.ValueSet(string(r.Status)), attrCurrency.ValueSet(string(r.Currency)),
			attrBusinessDate.ValueSet(r.BusinessDate.Format(accrual.DateFormat)), attrAmountMinor.ValueSet(r.Total.Paid),
			attrNeedsOperator.ValueSet(false)),
		StaticSummary: money.New(r.Total.Paid, r.Currency).Text() + " of rebates of " + r.CampaignID + " for " + r.MerchantID,
		Priority:      temporal.Priority{PriorityKey: 3, FairnessKey: r.MerchantID}, // payments come first
	}
}

// StartSettlement starts a settlement's saga if it has none, and doesn't wait for it.
func (s Starter) StartSettlement(ctx context.Context, r accrual.Run) error {
	_, err := s.Client.ExecuteWorkflow(ctx, s.settlementOptions(r), Settlement, SettlementInput{Book: r.Book, RunID: r.ID, Pace: s.Pace})
	return outcome(err)
}

// SettlementMoved tells a settlement's saga that somebody steered it, and starts
// it if there is none: it would find out by itself, later.
func (s Starter) SettlementMoved(ctx context.Context, r accrual.Run) error {
	_, err := s.Client.SignalWithStartWorkflow(ctx, SettlementID(r), SignalMoved, nil, s.settlementOptions(r), Settlement,
		SettlementInput{Book: r.Book, RunID: r.ID, Pace: s.Pace})
	return outcome(err)
}

// TickInput is what a schedule starts a tick with.
type TickInput struct {
	Book id.Book `json:"book"`
}

// SettlementTick begins what is due, and ends: a schedule appends its time to
// the ids of what it starts, and a settlement has an id of its own.
func SettlementTick(ctx workflow.Context, in TickInput) (activities.Ticked, error) {
	var t activities.Ticked
	err := workflow.ExecuteActivity(tick(ctx, "begin the settlements that are due"), steps.BeginDue,
		activities.TickInput{Book: in.Book, At: workflow.Now(ctx)}).Get(ctx, &t)
	return t, err
}

// TickOptions are what a tick is started with by hand.
func (s Starter) TickOptions(book id.Book) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: tickID(book), TaskQueue: TaskQueue, StaticSummary: "begin the settlements of the " + string(book) + " book that are due"}
}

func tickID(book id.Book) string { return "rebate-tick/" + string(book) }

// ScheduleID is the id of a book's schedule of settlements.
func ScheduleID(book id.Book) string { return "rebate-settlements/" + string(book) }

// Schedule makes a book's schedule of settlements, or leaves the one that is
// there: operators may have changed or paused it. Each tick begins all that has
// vested by its merchant's date, so one that was missed loses no day.
func (s Starter) Schedule(ctx context.Context, book id.Book, every time.Duration) error {
	_, err := s.Client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:            ScheduleID(book),
		Spec:          client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: time.Hour,
		Action: &client.ScheduleWorkflowAction{ID: tickID(book), Workflow: SettlementTick, Args: []any{TickInput{Book: book}},
			TaskQueue: TaskQueue, StaticSummary: "begin the settlements of the " + string(book) + " book that are due"},
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return nil
	}
	return outcome(err)
}
