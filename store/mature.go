package store

import (
	"context"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// matureAt notes when a payment is to be looked at again, for its money to
// become available.
type matureAt struct{ payment.MatureAt }

var setMature = updating("payments", `id text, at timestamptz`, `id = n.id`, `mature_due_at = n.at`)

func (m matureAt) claim(l *locks) { l.payments = append(l.payments, m.PaymentID) }

func (m matureAt) judge(w *work) error {
	if w.b.found.payments.get(m.PaymentID) == nil {
		return fault.NotFound("payment")
	}
	w.write(setMature, m.PaymentID, m.PaymentID, optional(m.At))
	return nil
}

const sqlClaimMaturing = `
	WITH due AS (
		SELECT book, id FROM payments
		WHERE mature_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY mature_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE payments p SET mature_due_at = $1 + interval '60 seconds'
	FROM due WHERE p.book = due.book AND p.id = due.id
	RETURNING p.id`

// Maturing claims payments whose captured money becomes available now. One that
// can't be booked comes again after a minute.
func (s *Store) Maturing(ctx context.Context, limit int) ([]payment.Payment, error) {
	return s.claimPayments(ctx, sqlClaimMaturing, s.clock(), limit)
}
