package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"paysaga/activities"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

func unknown(why string) activities.Answer {
	return activities.Answer{Outcome: payment.Outcome{Verdict: payment.Unknown, Reason: why}}
}

func timedOut(err error) bool {
	var t *temporal.TimeoutError
	return errors.As(err, &t)
}

// wishOf is how long the other side asked us to wait.
func wishOf(err error) time.Duration {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return a.NextRetryDelay()
	}
	return 0
}

// kindOf reads the fault's kind out of a step's error.
func kindOf(err error) fault.Kind {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return fault.Kind(a.Type())
	}
	return fault.KindInternal
}

func message(err error) string {
	var a *temporal.ApplicationError
	if errors.As(err, &a) {
		return a.Message()
	}
	return err.Error()
}
