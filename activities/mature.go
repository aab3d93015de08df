package activities

import (
	"context"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
)

// Mature makes a payment's captured money available, in one Step. Repeated, it
// changes nothing. Its errors are faults.
func (s *Steps) Mature(ctx context.Context, in Ref) error {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return err
	}
	r, err := payment.Mature(d, s.c.Now())
	if err != nil {
		return err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: in.Book, Cause: id.Key(in.PaymentID, r.Step), Business: in.PaymentID,
		By: ledger.Service("maturity-relay"), Changes: []ledger.Change{payment.MatureAt{PaymentID: in.PaymentID}}, Journals: r.Journals})
	return err
}
