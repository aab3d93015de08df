package activities

import (
	"context"

	"go.temporal.io/sdk/activity"
)

// SentBeforeInput asks whether an intent may have been sent already.
type SentBeforeInput struct {
	OpenedIn string `json:"opened_in"` // the run that committed it
}

// SentBefore says whether another run than the one that asks committed the
// intent: a reset has come between, and nobody knows what that run had sent.
func (s *Steps) SentBefore(ctx context.Context, in SentBeforeInput) (bool, error) {
	return in.OpenedIn != runOf(ctx), nil
}

// runOf is the run of the saga that a step belongs to; empty outside of one.
func runOf(ctx context.Context) string {
	if !activity.IsActivity(ctx) {
		return ""
	}
	return activity.GetInfo(ctx).WorkflowExecution.RunID
}
