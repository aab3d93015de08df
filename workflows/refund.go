package workflows

import (
	"go.temporal.io/sdk/workflow"

	"paysaga/activities"
	"paysaga/domain/id"
	"paysaga/domain/refund"
)

// RefundInput starts a refund's saga: ids only.
type RefundInput struct {
	Book     id.Book `json:"book"`
	RefundID string  `json:"refund_id"`
	Pace     Pace    `json:"pace,omitempty"`
}

// RefundResult is how a refund ended.
type RefundResult struct {
	Status refund.Status `json:"status"`
}

// Refund is the saga of one refund.
func Refund(ctx workflow.Context, in RefundInput) (RefundResult, error) {
	status, err := runOut(ctx, outgoing{name: "refund", doing: "refunding", apart: "wants refunds of one charge apart", decisions: refund.Decisions(),
		open: steps.OpenRefund, send: steps.Refund, ask: steps.AskRefund, book: steps.BookRefund, park: steps.ParkRefund,
		heed: steps.HeedRefund, resolve: steps.ResolveRefund}, activities.Out{Book: in.Book, RefundID: in.RefundID}, in.Pace)
	return RefundResult{Status: status}, err
}
