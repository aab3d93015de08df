package workflows

import "go.temporal.io/sdk/workflow"

// TopUp is the saga of one top-up: a payment's, whose success goes to a wallet. It has a name of its own, so that a worker which knows
// nothing of top-ups leaves it to one that does.
func TopUp(ctx workflow.Context, in PaymentInput) (PaymentResult, error) { return Payment(ctx, in) }
