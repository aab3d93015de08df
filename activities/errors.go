package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"paysaga/domain/fault"
)

// bugTries is how often a step that meets a bug of ours is tried before it is
// handed to a person: the cause may be a deploy half done.
const bugTries = 5

// failure maps a fault to a Temporal error, the one place that does. The kind
// is the error's type; messages hold no bodies and no secrets (I-26).
//
//	Invalid, Denied, NotFound, Conflict   never retried
//	Unavailable, Unknown                  retried, after what the other side asked for
//	Internal                              retried a little, then parked by the saga
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return err
	}
	f := fault.As(err)
	o := temporal.ApplicationErrorOptions{NextRetryDelay: f.RetryAfter}
	switch f.Kind {
	case fault.KindInvalid, fault.KindDenied, fault.KindNotFound, fault.KindConflict:
		o.NonRetryable = true
	case fault.KindInternal:
		o.NonRetryable = activity.GetInfo(ctx).Attempt >= bugTries
	}
	return temporal.NewApplicationErrorWithOptions(f.Error(), string(f.Kind), o)
}

// notYet is the benign error of a poll: nothing is wrong, ask again.
func notYet(why string) error {
	return temporal.NewApplicationErrorWithOptions(why, NotYet,
		temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}

// NotYet is the type of the error by which a poll asks to be run again.
const NotYet = "not_yet"

// Unsent is the type of the error by which a call says that our own store kept
// it from being made: nothing was sent, and the channel is not to blame.
const Unsent = "unsent"

// unsent maps a failure to read what a call needs.
func unsent(ctx context.Context, err error) error {
	if fault.Of(err) != fault.KindUnavailable {
		return failure(ctx, err)
	}
	return temporal.NewApplicationError(fault.As(err).Error(), Unsent)
}
