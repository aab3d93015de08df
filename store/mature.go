package store

import (
	"context"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// matureAt notes when a payment is to be looked at again, for its money to
// become available.
type matureAt struct{ payment.MatureAt }

var setMature = updating("payments", `id text, at timestamptz`, `id = n.id`, `mature_due_at = n.at`)

// leavePending leaves a part for later. addPending brings one more: what is due before it stays due then.
var (
	leavePending = updating("payments", `id text, at timestamptz, pending bigint`, `id = n.id`, `mature_due_at = n.at, pending = n.pending`)
	addPending   = updating("payments", `id text, at timestamptz, pending bigint`, `id = n.id`,
		`mature_due_at = least(t.mature_due_at, n.at), pending = n.pending`)
)

func (m matureAt) claim(l *locks) {
	l.payments = append(l.payments, m.PaymentID)
	if m.Adds != 0 {
		l.wholes = append(l.wholes, m.PaymentID)
	}
}

func (m matureAt) judge(w *work) error {
	if w.b.found.payments.get(m.PaymentID) == nil {
		return fault.NotFound("payment")
	}
	whole := w.b.found.wholes.get(m.PaymentID)
	if m.Adds == 0 {
		w.write(setMature, m.PaymentID, m.PaymentID, optional(m.At))
		if whole != nil {
			whole.matured = m.At.IsZero()
			whole.Pending.Minor = whole.Captured.Minor - whole.Fee.Minor
		}
		return nil
	}
	if whole == nil {
		return fault.NotFound("payment")
	}
	if whole.matured {
		whole.Pending.Minor = 0
	}
	whole.Pending.Minor += m.Adds
	whole.matured = false
	w.write(addPending, m.PaymentID, m.PaymentID, optional(m.At), whole.Pending.Minor)
	return nil
}

// matureRest makes available what is left, judged by the row as it is: refunds may have taken of it until now.
type matureRest struct {
	payment.MatureRest
	book id.Book
}

var setMatured = updating("payments", `id text`, `id = n.id`, `mature_due_at = NULL, pending = NULL`)

func (m matureRest) chart() ledger.Chart { return ledger.Chart{Book: m.book, Currency: m.Currency} }

func (m matureRest) claim(l *locks) {
	l.payments = append(l.payments, m.PaymentID)
	l.wholes = append(l.wholes, m.PaymentID)
}

func (m matureRest) posts() posts {
	c := m.chart()
	return posts{accounts: []ledger.Account{c.Pending(m.MerchantID), c.Available(m.MerchantID), c.Debt(m.MerchantID), c.FeesDue(m.MerchantID)},
		causes: []string{m.Debt}}
}

func (m matureRest) judge(w *work) error {
	p := w.b.found.wholes.get(m.PaymentID)
	if p == nil || p.MerchantID != m.MerchantID || p.Amount.Currency != m.Currency {
		return fault.NotFound("payment")
	}
	if p.matured {
		return nil // whoever did it has booked it, too
	}
	if m.Captured != p.Captured.Minor {
		return fault.Conflict("stale_state", "the payment has moved since it was read")
	}
	left := p.Pending
	p.Pending = money.New(max(0, min(left.Minor, m.Later)), m.Currency)
	left.Minor -= p.Pending.Minor
	if p.matured = p.Pending.Minor == 0; p.matured {
		w.write(setMatured, m.PaymentID, m.PaymentID)
	} else {
		w.write(leavePending, m.PaymentID, m.PaymentID, m.Next, p.Pending.Minor)
	}
	if left.Minor <= 0 {
		return nil
	}
	j, err := ledger.Matured(m.Cause, ledger.Capture{Chart: m.chart(), Merchant: m.MerchantID, Gross: left, Fee: money.Zero(m.Currency), At: m.At})
	if err != nil {
		return err
	}
	w.late = append(w.late, j)
	return w.recoverDebt(m.chart(), m.MerchantID, m.Debt)
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
