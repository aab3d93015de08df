package activities

import (
	"context"
	"slices"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
)

// Mature makes a payment's captured money available, in one Step. Repeated, it
// changes nothing. Its errors are faults.
func (s *Steps) Mature(ctx context.Context, in Ref) error {
	d, err := s.c.Files.Dossier(ctx, in.Book, in.PaymentID)
	if err != nil {
		return err
	}
	now := s.c.Now()
	m, err := payment.MaturityOf(d, now)
	if err != nil {
		return err
	}
	_, err = s.c.Committer.Commit(ctx, ledger.Step{Book: in.Book, Cause: m.Cause, Business: in.PaymentID, By: ledger.Service("maturity-relay"),
		Changes: []ledger.Change{payment.MatureRest{PaymentID: in.PaymentID, MerchantID: d.Payment.MerchantID, Currency: d.Payment.Amount.Currency,
			Cause: m.Cause, Debt: recoveryOf(m.Cause), At: now, Later: m.Later, Next: m.Next, Captured: d.Payment.Captured.Minor}}})
	return err
}

// recovers is the change by which a merchant that owes us pays its debt back
// out of what a Step makes available. Only Steps of merchants that may owe
// carry it.
func recovers(d payment.Dossier, cause string, journals []ledger.Journal) []ledger.Change {
	owes := d.MayOwe || slices.ContainsFunc(journals, func(j ledger.Journal) bool { return j.Kind() == "fee_charged" })
	if !owes || len(journals) == 0 {
		return nil
	}
	return []ledger.Change{refund.Recover{MerchantID: d.Payment.MerchantID, Currency: d.Payment.Amount.Currency, Cause: recoveryOf(cause)}}
}

// recoveryOf is the cause of the journal that pays a debt back in the Step of
// cause.
func recoveryOf(cause string) string {
	business, step, err := id.ParseKey(cause)
	if err != nil { // our own causes
		panic("activities: " + err.Error())
	}
	return id.Key(business, id.Step{Code: id.Recover, Ordinal: step.Ordinal})
}
