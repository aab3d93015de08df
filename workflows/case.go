package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/exception"
	"paysaga/domain/id"
)

// CaseInput starts a case's saga: ids only.
type CaseInput struct {
	Book   id.Book `json:"book"`
	CaseID string  `json:"case_id"`
	Pace   Pace    `json:"pace,omitempty"`
}

// CaseResult is how a case ended.
type CaseResult struct {
	Decision exception.Decision `json:"decision"`
}

// Case is the saga of one exception, from its opening until its money is where
// it belongs. Its id is the case's: "case/<payment>/<kind>/<step>".
func Case(ctx workflow.Context, in CaseInput) (CaseResult, error) {
	c := &caseSaga{ref: activities.CaseRef{Book: in.Book, CaseID: in.CaseID}, pace: paces[in.Pace],
		stands: activities.CaseStands{State: exception.Open}}
	c.steady.look = c.look
	if err := c.setup(ctx); err != nil {
		return CaseResult{}, err
	}
	// Who cancels it from the Web UI settles nothing: the case stands in the book.
	work, _ := workflow.NewDisconnectedContext(ctx)
	c.run(work)
	err := workflow.Await(work, func() bool { return workflow.AllHandlersFinished(work) })
	return CaseResult{Decision: c.stands.Decision}, err
}

// caseSaga is the state of one run. Everything in it is rebuilt by replay.
type caseSaga struct {
	steady
	ref  activities.CaseRef
	pace pace

	stands activities.CaseStands // as last committed
	told   bool                  // the payment's saga knows
	news   workflow.ReceiveChannel
}

func (c *caseSaga) look() sight {
	v := sight{status: string(c.stands.State), parked: c.stands.Parked, terminal: c.closed()}
	if v.parked == "" && c.stands.Person {
		v.parked = "a person decides"
	}
	return v
}

func (c *caseSaga) closed() bool { return c.stands.State == exception.Closed }

// run advances the case as far as its policy goes, and then waits: for a
// person, the deadline, the order, or the refund.
func (c *caseSaga) run(ctx workflow.Context) {
	c.tell(ctx, "taking the case over", "its policy decides, or a person")
	c.commit(ctx, "take the case over", steps.Advance, c.ref, &c.stands)
	for c.pass(ctx); !c.closed(); c.pass(ctx) {
		c.watch(ctx)
	}
}

// pass tells whoever has to know where the case stands.
func (c *caseSaga) pass(ctx workflow.Context) {
	c.show(ctx)
	k := c.stands
	if c.told || !k.Holds || k.State == exception.Open {
		return
	}
	c.told = true
	// A payment whose saga has ended needs no telling.
	_ = workflow.SignalExternalWorkflow(ctx, PaymentID(k.PaymentID), "", SignalSettled, nil).Get(ctx, nil)
}

// watch waits until the case has moved. It asks the book again and again; the
// deadline, an operator, and whoever moved the case make that sooner.
func (c *caseSaga) watch(ctx workflow.Context) {
	c.explain(ctx)
	nudge, seen := c.nudges, c.stands.Sequence
	asking, stop := workflow.WithCancel(ctx)
	defer stop()
	due := c.deadline(asking)
	f := workflow.ExecuteActivity(c.pace.ask(asking, TaskQueue, "wait until the case moves"), steps.Watch,
		activities.WatchInput{CaseRef: c.ref, Sequence: seen})
	_ = workflow.Await(ctx, func() bool {
		return f.IsReady() || c.nudges != nudge || c.stands.Sequence != seen || c.news.Len() > 0 || (due != nil && due.IsReady())
	})
	for c.news.ReceiveAsync(nil) {
	}
	var after activities.CaseStands
	switch {
	case c.stands.Sequence != seen: // an operator's Update came first, and knows more
		return
	case !f.IsReady():
		stop()
		c.commit(ctx, "look at the case now", steps.Advance, c.ref, &after)
	default:
		if err := f.Get(ctx, &after); err != nil {
			c.park(ctx, "waiting for the case: "+message(err))
			return
		}
	}
	if after.Sequence >= c.stands.Sequence {
		c.stands = after
	}
}

// deadline is the timer of the policy's default; nil without one.
func (c *caseSaga) deadline(ctx workflow.Context) workflow.Future {
	at := c.stands.Deadline
	if c.stands.State != exception.Open || at.IsZero() || !at.After(workflow.Now(ctx)) {
		return nil
	}
	return workflow.NewTimerWithOptions(ctx, at.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: "then the policy decides"})
}

func (c *caseSaga) explain(ctx workflow.Context) {
	next := "an operator sends the Update resolve, or decides over the API"
	switch k := c.stands; {
	case k.State == exception.Decided:
		next = "the case closes when the refund has succeeded"
	case !k.Deadline.IsZero():
		next += "; at " + k.Deadline.UTC().Format("2006-01-02 15:04:05 UTC") + " the policy decides"
	}
	waits := c.stands.Waits
	if c.stands.Parked != "" {
		waits = "parked: " + c.stands.Parked
	}
	c.tell(ctx, waits, next)
}

// CaseResolution is an operator's decision of a case, as typed.
type CaseResolution struct {
	Decision exception.Decision `json:"decision"`
	Actor    string             `json:"actor"`
	Reason   string             `json:"reason"`
	Code     string             `json:"code,omitempty"` // of `paysaga operator sign`; needed in the live book
}

// CaseState is what an Update of a case answers.
type CaseState struct {
	State    exception.State    `json:"state"`
	Decision exception.Decision `json:"decision,omitempty"`
	Doing    string             `json:"doing,omitempty"`
}

// setup registers the handlers, before anything can block.
func (c *caseSaga) setup(ctx workflow.Context) error {
	c.news = workflow.GetSignalChannel(ctx, SignalMoved)
	err := workflow.SetUpdateHandlerWithOptions(ctx, UpdateResolve, c.onResolve, workflow.UpdateHandlerOptions{
		Description: "decide: {decision: accept | wait | return | write_off | dismiss, actor, reason, code}", Validator: c.canResolve})
	if err != nil {
		return err
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateRetry, c.onNudge, workflow.UpdateHandlerOptions{
		Description: "look at the case now, or try again what is parked", Validator: c.canNudge})
}

func (c *caseSaga) state() CaseState {
	return CaseState{State: c.stands.State, Decision: c.stands.Decision, Doing: c.doing}
}

func (c *caseSaga) canResolve(_ workflow.Context, r CaseResolution) error {
	switch {
	case c.closed():
		return invalid("the case is closed")
	case r.Decision == "":
		return invalid("decision is missing")
	case r.Actor == "" || r.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// onResolve carries an operator's decision out. A refusal is an answer to the
// operator and changes nothing.
func (c *caseSaga) onResolve(ctx workflow.Context, r CaseResolution) (CaseState, error) {
	c.acts++
	in := activities.ResolveCaseInput{CaseRef: c.ref, Decision: r.Decision, Actor: r.Actor, Reason: r.Reason, Code: r.Code}
	var after activities.CaseStands
	what := "resolve " + ordinal(c.acts) + ": " + string(r.Decision)
	if err := workflow.ExecuteActivity(book(ctx, what), steps.ResolveCase, in).Get(ctx, &after); err != nil {
		return c.state(), refusal(err)
	}
	if after.Sequence > c.stands.Sequence {
		c.stands = after
	}
	return c.state(), nil
}

func (c *caseSaga) canNudge(workflow.Context) error {
	if c.closed() {
		return invalid("the case is closed")
	}
	return nil
}

func (c *caseSaga) onNudge(workflow.Context) (CaseState, error) {
	c.nudges++
	return c.state(), nil
}

// The signals between sagas: they say that there is something to read.
const (
	SignalSettled = "settled" // to a payment: its case is decided
	SignalMoved   = "moved"   // to a case: somebody moved it
)
