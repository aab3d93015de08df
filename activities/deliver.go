package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/temporal"

	"paysaga/domain/delivery"
	"paysaga/domain/fault"
	"paysaga/domain/trade"
)

// Post reads and writes deliveries.
type Post interface {
	// DueDelivery reads a delivery as its next try needs it: the endpoint as it is, secrets in force, the bytes to send.
	DueDelivery(ctx context.Context, ref delivery.Ref) (delivery.Due, error)
	// RecordTry writes what a try came to, and returns where the delivery stands then.
	RecordTry(ctx context.Context, t delivery.Told) (delivery.State, error)
}

// DeliverInput names a delivery, and the schedule that it goes by: ids only.
type DeliverInput struct {
	delivery.Ref
	Schedule delivery.Schedule `json:"schedule"`
}

// DeliverAnswer is where the delivery stands after the try. It holds nothing of what was sent or answered (I-26).
type DeliverAnswer struct {
	State  delivery.State `json:"state"`
	Reason string         `json:"reason,omitempty"` // of the last failed try
	Tries  int            `json:"tries"`
	NextAt time.Time      `json:"next_at,omitzero"` // while more tries follow
}

// Busy is the type of the error by which a try says that its endpoint has too many under way: it is made a little later.
const Busy = "endpoint_busy"

// busyPatience is how long a try waits for its turn; busyPause is when it comes again.
const (
	busyPatience = 3 * time.Second
	busyPause    = 10 * time.Second
)

// Deliver makes one try and records it. A delivery that has ended, or is held, is left alone. Repeated after its answer was lost,
// it sends again: an event is told at least once (I-23).
func (s *Steps) Deliver(ctx context.Context, in DeliverInput) (DeliverAnswer, error) {
	for {
		due, err := s.c.Post.DueDelivery(ctx, in.Ref)
		if fault.Of(err) == fault.KindNotFound {
			return DeliverAnswer{State: delivery.StateGone}, nil
		}
		if err != nil {
			return DeliverAnswer{}, failure(ctx, err)
		}
		if !due.Row.State.Open() {
			return DeliverAnswer{State: due.Row.State, Reason: due.Row.Last.Reason, Tries: due.Row.Tries}, nil
		}
		told, err := s.tryOnce(ctx, in, due)
		if err != nil {
			return DeliverAnswer{}, err
		}
		state, err := s.c.Post.RecordTry(ctx, told)
		if err != nil {
			return DeliverAnswer{}, failure(ctx, err)
		}
		if !told.Tried && state.Open() {
			continue // it was to be held, and the endpoint is enabled again
		}
		a := DeliverAnswer{State: state, Reason: told.Result.Reason, Tries: due.Row.Tries, NextAt: told.Verdict.NextAt}
		if told.Tried {
			a.Tries++
		}
		return a, nil
	}
}

// tryOnce sends, unless the endpoint is paused or wants nothing more. Its error is Temporal's.
func (s *Steps) tryOnce(ctx context.Context, in DeliverInput, due delivery.Due) (delivery.Told, error) {
	row := due.Row
	told := delivery.Told{Ref: in.Ref, MerchantID: row.MerchantID, Type: row.Type, Object: row.Object, APIVersion: due.Target.APIVersion,
		At: s.c.Now(), Schedule: in.Schedule}
	switch {
	case due.Target.Status == delivery.Paused:
		told.Verdict = delivery.Verdict{State: delivery.StateHeld, Failed: row.Failed}
		return told, nil
	case due.Target.Status == delivery.Disabled || len(due.Target.Secrets) == 0:
		told.Verdict = delivery.Verdict{State: delivery.StateGone, Failed: row.Failed}
		return told, nil
	}
	r, tried, err := s.c.Courier.Tell(ctx, due.Target, trade.Event{ID: in.EventID}, due.Body, busyPatience)
	switch {
	case err != nil:
		return told, failure(ctx, err)
	case !tried:
		return told, temporal.NewApplicationErrorWithOptions("the endpoint has too many tries under way", Busy,
			temporal.ApplicationErrorOptions{NextRetryDelay: busyPause, Category: temporal.ApplicationErrorCategoryBenign})
	}
	told.Tried, told.Result, told.At = true, r, s.c.Now()
	told.Verdict = in.Schedule.Judge(in.Ref, row.Failed, r, told.At)
	return told, nil
}
