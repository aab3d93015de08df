package workflows

import (
	"reflect"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
)

// steady is what every saga does the same way: it commits steps as often as it
// takes, parks where only a person can help, asks patiently, and says in the
// Web UI what goes on. A saga embeds it and sets look before its first step.
// Everything in it is rebuilt by replay.
type steady struct {
	look func() sight // where the saga's object stands, as last committed

	parked  string // why the run itself is stuck; empty: it isn't
	nudges  int    // operators' "ask now" and "retry now"
	acts    int    // operators' decisions
	doing   string
	next    string
	shown   string // the state that the search attributes show
	flagged bool   // NeedsOperator is shown
}

// sight is what operators are shown of a saga's object.
type sight struct {
	status       string
	inDoubt      bool
	parked       string // why the object needs a person; empty: it doesn't
	terminal     bool
	businessDate string
	channel      string
}

// commit runs a step that commits to the ledger: inside this workflow task,
// and if that fails the same step as a regular activity, as often as it takes.
// One that can't be done parks the run, and is tried again at a nudge.
func (s *steady) commit(ctx workflow.Context, what string, step, in, out any) {
	if answer(ctx, workflow.ExecuteLocalActivity(bookLocally(ctx, what), step, in), out) == nil {
		return
	}
	for {
		err := answer(ctx, workflow.ExecuteActivity(book(ctx, what), step, in), out)
		if err == nil {
			return
		}
		s.park(ctx, what+": "+message(err))
	}
}

// read runs a database step of a handler: like commit, but what can't be done
// is an error for whoever sent the Update, and the run goes on.
func (s *steady) read(ctx workflow.Context, what string, step, in, out any) error {
	if workflow.ExecuteLocalActivity(bookLocally(ctx, what), step, in).Get(ctx, out) == nil {
		return nil
	}
	return refusal(workflow.ExecuteActivity(book(ctx, what), step, in).Get(ctx, out))
}

// answer reads a step's answer as it is. Get alone reads it over what out holds, so a mark that the answer leaves out, a doubt or
// a parking that is over, would stay. Runs that have once gone on with such a mark keep it.
//
// Of what it calls, only the texts of reflect's panics aren't deterministic.
//
//workflowcheck:ignore
func answer(ctx workflow.Context, f workflow.Future, out any) error {
	if out == nil || reflect.ValueOf(out).Elem().IsZero() {
		return f.Get(ctx, out)
	}
	held := reflect.ValueOf(out).Elem()
	fresh := reflect.New(held.Type())
	if err := f.Get(ctx, fresh.Interface()); err != nil {
		return err
	}
	if err := f.Get(ctx, out); err != nil {
		return err
	}
	if !reflect.DeepEqual(held.Interface(), fresh.Elem().Interface()) && since(ctx, "answers as they are") {
		held.Set(fresh.Elem())
	}
	return nil
}

// refusal is a step's error as an Update answers it: final, by its kind.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(message(err), string(kindOf(err)), nil)
}

// park waits, with a reason that operators see, until somebody nudges.
func (s *steady) park(ctx workflow.Context, why string) {
	s.parked = why
	s.tell(ctx, "parked: "+why, "an operator sends the Update retry_now when the cause is gone")
	s.show(ctx)
	nudge := s.nudges
	_ = workflow.Await(ctx, func() bool { return s.nudges != nudge })
	s.parked = ""
	s.show(ctx)
}

// patiently runs a question until it is answered, or until nobody needs the
// answer any more. A nudge asks anew at once; a question that can't be asked
// parks the run until a nudge. Only questions and closes are ever cancelled.
func (s *steady) patiently(ctx workflow.Context, question func(workflow.Context) workflow.Future, until func() bool) (activities.Answer, bool) {
	for {
		nudge := s.nudges
		asking, stop := workflow.WithCancel(ctx)
		f := question(asking)
		_ = workflow.Await(ctx, func() bool { return f.IsReady() || s.nudges != nudge || until() })
		var a activities.Answer
		switch {
		case f.IsReady():
			err := f.Get(ctx, &a)
			stop()
			if err == nil {
				return a, true
			}
			s.park(ctx, "asking "+s.look().channel+": "+message(err))
		default:
			stop()
			if until() {
				return a, false
			}
		}
	}
}

// rest waits, unless an operator's nudge or over makes it shorter.
func (s *steady) rest(ctx workflow.Context, d time.Duration, summary string, over func() bool) {
	nudge := s.nudges
	timers, stop := workflow.WithCancel(ctx)
	passed := workflow.NewTimerWithOptions(timers, d, workflow.TimerOptions{Summary: summary})
	_ = workflow.Await(ctx, func() bool { return passed.IsReady() || s.nudges != nudge || over() })
	stop()
}

// show brings the search attributes up to date where an operator acts on them:
// unknown, parked, ended. Each change costs a write, so the rest isn't shown.
func (s *steady) show(ctx workflow.Context) {
	v := s.look()
	state, needs := v.status, s.parked != "" || v.parked != ""
	switch {
	case needs:
		state = "parked"
	case v.inDoubt:
		state = "in_doubt"
	}
	if state == s.shown || (s.shown == "" && !needs && !v.inDoubt && !v.terminal) {
		return
	}
	list := []temporal.SearchAttributeUpdate{attrState.ValueSet(state)}
	if needs != s.flagged {
		list = append(list, attrNeedsOperator.ValueSet(needs))
	}
	if v.businessDate != "" {
		list = append(list, attrBusinessDate.ValueSet(v.businessDate))
	}
	if v.channel != "" {
		list = append(list, attrChannel.ValueSet(v.channel))
	}
	_ = workflow.UpsertTypedSearchAttributes(ctx, list...) // fails only for an empty list
	s.shown, s.flagged = state, needs
}

// tell says in the Web UI what goes on and what comes next. It isn't history.
func (s *steady) tell(ctx workflow.Context, doing, next string) {
	s.doing, s.next = doing, next
	text := "**" + s.look().status + "**: " + doing + ", since " + workflow.Now(ctx).UTC().Format("2006-01-02 15:04:05 UTC")
	if next != "" {
		text += "\n\nNext: " + next
	}
	workflow.SetCurrentDetails(ctx, text)
}
