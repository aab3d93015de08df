package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/accrual"
)

// The Updates by which operators steer a settlement.
const (
	UpdatePause  = "pause"
	UpdateResume = "resume"
)

// Steering is who steers a settlement, and why, as typed.
type Steering struct {
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"` // of `paysaga operator sign`; needed in the live book
}

// SettlementState is what an Update of a settlement answers.
type SettlementState struct {
	Status accrual.RunStatus `json:"status"`
	Doing  string            `json:"doing,omitempty"`
}

func (s *settlementSaga) setup(ctx workflow.Context) error {
	s.news = workflow.GetSignalChannel(ctx, SignalMoved)
	for _, u := range []struct {
		name, what         string
		handler, validator any
	}{
		{UpdatePause, "hold it after the page under way: {actor, reason, code}", s.steering(accrual.Paused), s.canSteer},
		{UpdateResume, "go on: {actor, reason, code}", s.steering(accrual.Running), s.canSteer},
		{UpdateCancel, "end it after the page under way; what isn't paid stays open: {actor, reason, code}", s.steering(accrual.Canceled), s.canSteer},
		{UpdateRetry, "try again what is parked, or look at once whether it was resumed", s.onNudge, s.canNudge},
	} {
		options := workflow.UpdateHandlerOptions{Description: u.what, Validator: u.validator}
		if err := workflow.SetUpdateHandlerWithOptions(ctx, u.name, u.handler, options); err != nil {
			return err
		}
	}
	return nil
}

func (s *settlementSaga) state() SettlementState {
	return SettlementState{Status: s.run.Status, Doing: s.doing}
}

func (s *settlementSaga) canSteer(_ workflow.Context, by Steering) error {
	switch {
	case s.run.Status.Terminal():
		return invalid("the settlement has ended: " + string(s.run.Status))
	case by.Actor == "" || by.Reason == "":
		return invalid("actor and reason are required: who decides, and why")
	}
	return nil
}

// steering carries an operator's word out. A refusal is an answer to them and
// changes nothing.
func (s *settlementSaga) steering(to accrual.RunStatus) func(workflow.Context, Steering) (SettlementState, error) {
	return func(ctx workflow.Context, by Steering) (SettlementState, error) {
		in := activities.SteerSettlementInput{SettlementRef: s.ref, To: to, Actor: by.Actor, Reason: by.Reason, Code: by.Code}
		var now activities.OpenedSettlement
		if err := workflow.ExecuteActivity(book(ctx, "steer: "+string(to)), steps.SteerSettlement, in).Get(ctx, &now); err != nil {
			return s.state(), refusal(err)
		}
		if now.Sequence >= s.run.Sequence {
			s.run = now
		}
		return s.state(), nil
	}
}

func (s *settlementSaga) canNudge(workflow.Context) error {
	if s.run.Status.Terminal() {
		return invalid("the settlement has ended: " + string(s.run.Status))
	}
	return nil
}

func (s *settlementSaga) onNudge(workflow.Context) (SettlementState, error) {
	s.nudges++
	return s.state(), nil
}
