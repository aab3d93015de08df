package workflows

import (
	"strconv"

	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/accrual"
	"paysaga/domain/id"
	"paysaga/domain/money"
)

// SettlementInput starts a settlement's saga: ids only, and where a run before
// this one has stopped.
type SettlementInput struct {
	Book  id.Book        `json:"book"`
	RunID string         `json:"run_id"`
	Pace  Pace           `json:"pace,omitempty"`
	After accrual.Cursor `json:"after,omitzero"`
	Done  accrual.Tally  `json:"done,omitzero"`
	Left  int64          `json:"left,omitempty"`
}

// SettlementResult is how a settlement ended. Left counts users whose rebates
// stay open for the next one.
type SettlementResult struct {
	Status accrual.RunStatus `json:"status"`
	Done   accrual.Tally     `json:"done"`
	Left   int64             `json:"left"`
}

// Settlement is the saga that pays a campaign's vested rebates into wallets,
// page by page, each rebate once (I-22). It holds no money and undoes nothing:
// whatever it was stopped at, the next page goes on.
func Settlement(ctx workflow.Context, in SettlementInput) (SettlementResult, error) {
	s := &settlementSaga{in: in, ref: activities.SettlementRef{Book: in.Book, RunID: in.RunID}, pace: paces[in.Pace],
		after: in.After, done: in.Done, left: in.Left, run: activities.OpenedSettlement{Status: accrual.Running}}
	s.look = s.sight
	if err := s.setup(ctx); err != nil {
		return SettlementResult{}, err
	}
	// Who cancels it from the Web UI settles nothing: the Update cancel does.
	work, _ := workflow.NewDisconnectedContext(ctx)
	next := s.pages(work)
	if err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) }); err != nil {
		return SettlementResult{}, err
	}
	if next != nil {
		return SettlementResult{}, workflow.NewContinueAsNewError(work, Settlement, *next)
	}
	return SettlementResult{Status: s.run.Status, Done: s.done, Left: s.left}, nil
}

// settlementSaga is the state of one run. Everything in it is rebuilt by replay.
type settlementSaga struct {
	steady
	in   SettlementInput
	ref  activities.SettlementRef
	pace pace

	run   activities.OpenedSettlement // as last read
	after accrual.Cursor
	done  accrual.Tally // what the pages have said
	left  int64
	why   string // of the first user who couldn't be paid
	news  workflow.ReceiveChannel
}

func (s *settlementSaga) sight() sight {
	return sight{status: string(s.run.Status), terminal: s.run.Status.Terminal(), businessDate: s.run.Date.Format(accrual.DateFormat)}
}

// settlePages is how many pages a run takes before it continues as a new one:
// each is some 6 events of the 4,096 after which Temporal asks for it.
const settlePages = 400

// pages pays until nothing is left, or somebody cancels; what it returns is how
// a new run goes on.
func (s *settlementSaga) pages(ctx workflow.Context) *SettlementInput {
	s.tell(ctx, "reading the settlement", "its first page is paid")
	s.commit(ctx, "open the settlement", steps.OpenSettlement, s.ref, &s.run)
	for n := 1; !s.run.Status.Terminal(); n++ {
		if s.run.Status == accrual.Paused {
			s.waitWhilePaused(ctx)
			continue
		}
		p := s.page(ctx)
		switch {
		case s.run.Status != accrual.Running:
		case p.Over:
			s.complete(ctx)
		case n >= settlePages || workflow.GetInfo(ctx).GetContinueAsNewSuggested():
			return &SettlementInput{Book: s.in.Book, RunID: s.in.RunID, Pace: s.in.Pace, After: s.after, Done: s.done, Left: s.left}
		}
	}
	s.tell(ctx, s.progress(), "")
	s.show(ctx)
	return nil
}

// page pays the next rebates. It is tried without limit, and pays none twice.
func (s *settlementSaga) page(ctx workflow.Context) activities.SettledPage {
	s.tell(ctx, s.progress(), "the next page is paid; the Updates pause and cancel hold it there")
	in := activities.SettlePageInput{SettlementRef: s.ref, After: s.after, Limit: s.pace.settlePage}
	for {
		var p activities.SettledPage
		err := workflow.ExecuteActivity(settle(ctx, "pay the rebates after "+s.after.User), steps.SettlePage, in).Get(ctx, &p)
		if err == nil {
			s.after, s.done, s.left = p.Next, s.done.Add(p.Tally), s.left+p.Left
			if s.why == "" {
				s.why = p.Why
			}
			s.saw(p.Run)
			return p
		}
		s.park(ctx, "paying a page: "+message(err))
	}
}

// saw keeps what the row says, without what it has come to: pages don't sum it.
func (s *settlementSaga) saw(run activities.OpenedSettlement) {
	if run.Sequence >= s.run.Sequence {
		run.Done = s.run.Done
		s.run = run
	}
}

func (s *settlementSaga) complete(ctx workflow.Context) {
	s.commit(ctx, "complete the settlement", steps.SteerSettlement, activities.SteerSettlementInput{SettlementRef: s.ref, To: accrual.Completed}, &s.run)
	s.done = s.run.Done // the exact sums
}

// waitWhilePaused asks the book again and again; an operator's Update and a
// signal of the API make that sooner.
func (s *settlementSaga) waitWhilePaused(ctx workflow.Context) {
	s.tell(ctx, "paused; "+s.progress(), "an operator sends the Update resume or cancel, or the API does")
	s.show(ctx)
	seen, nudge := s.run.Sequence, s.nudges
	asking, stop := workflow.WithCancel(ctx)
	defer stop()
	f := workflow.ExecuteActivity(s.pace.ask(asking, TaskQueue, "wait until somebody resumes it"), steps.WatchSettlement,
		activities.WatchSettlementInput{SettlementRef: s.ref, Sequence: seen})
	_ = workflow.Await(ctx, func() bool { return f.IsReady() || s.run.Sequence != seen || s.nudges != nudge || s.news.Len() > 0 })
	for s.news.ReceiveAsync(nil) {
	}
	var now activities.OpenedSettlement
	switch {
	case s.run.Sequence != seen: // an Update came first
		return
	case !f.IsReady():
		stop()
		s.commit(ctx, "read the settlement", steps.OpenSettlement, s.ref, &now)
	default:
		if err := f.Get(ctx, &now); err != nil {
			s.park(ctx, "waiting while it is paused: "+message(err))
			return
		}
	}
	if now.Sequence >= s.run.Sequence {
		s.run = now
	}
	s.show(ctx)
}

// progress says how far it is: done of total, and what they come to.
func (s *settlementSaga) progress() string {
	amount := func(minor int64) string { return money.New(minor, money.Currency(s.run.Currency)).Text() }
	text := strconv.FormatInt(s.done.Rebates, 10) + " of " + strconv.FormatInt(s.run.Total.Rebates, 10) + " rebates, " +
		amount(s.done.Paid+s.done.Released) + " of " + amount(s.run.Total.Paid)
	if s.left > 0 {
		text += "; " + strconv.FormatInt(s.left, 10) + " users are left for the next one, the first because of " + s.why
	}
	return text
}
