package activities

import (
	"context"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/transfer"
)

// TransferFiles reads what the step of a transfer needs.
type TransferFiles interface {
	Transfer(ctx context.Context, book id.Book, merchantID, transferID string) (transfer.Transfer, error)
}

// TransferRef names the transfer a step works on.
type TransferRef struct {
	Book       id.Book `json:"book"`
	TransferID string  `json:"transfer_id"`
}

// MovedTransfer is where the transfer stands.
type MovedTransfer struct {
	Status      transfer.Status `json:"status"`
	FailureCode string          `json:"failure_code,omitempty"`
}

// MoveTransfer commits the one Step of a transfer: the money moves, or the transfer fails for what is found under the locks. Repeated, it
// answers with what stands.
func (s *Steps) MoveTransfer(ctx context.Context, ref TransferRef) (MovedTransfer, error) {
	t, err := s.c.Transfers.Transfer(ctx, ref.Book, "", ref.TransferID)
	if err == nil && !t.Status.Terminal() {
		_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: ref.Book, Cause: transfer.Cause(t.ID), Business: t.ID,
			By: ledger.Service("transfer-saga"), Changes: []ledger.Change{transfer.Move{Transfer: t, Now: s.c.Now()}}})
		if err == nil {
			t, err = s.c.Transfers.Transfer(ctx, ref.Book, "", ref.TransferID)
		}
	}
	return MovedTransfer{Status: t.Status, FailureCode: t.FailureCode}, failure(ctx, err)
}
