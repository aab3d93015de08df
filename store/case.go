package store

import (
	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// openCase records an exception.
type openCase struct{ payment.OpenCase }

var insertCase = inserting("cases", `id text, merchant_id text, payment_id text, channel_account text, kind text, amount bigint,
	currency text, reason text, opened_at timestamptz`)

func (c openCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c openCase) judge(w *work) error {
	if w.b.found.cases.get(c.ID) != nil {
		return fault.Conflict("case_exists", "this case stands already")
	}
	w.b.found.cases.put(c.ID, lockedCase{kind: c.Kind, merchantID: c.MerchantID, paymentID: c.PaymentID})
	w.write(insertCase, c.ID, c.ID, orNull(c.MerchantID), orNull(c.PaymentID), orNull(c.ChannelAccount), c.Kind, c.Amount.Minor,
		orNull(c.Amount.Currency), c.Reason, w.at)
	w.emitCase("case.opened", 1, publicCase{ID: c.ID, Object: "case", Kind: c.Kind, PaymentID: c.PaymentID,
		Amount: c.Amount.Decimal(), Currency: string(c.Amount.Currency), Reason: c.Reason, Status: "open"}, c.MerchantID)
	return nil
}

// publicCase is a case as events show it.
type publicCase struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Kind      string `json:"kind"`
	PaymentID string `json:"payment_id,omitempty"`
	Amount    string `json:"amount,omitempty"`
	Currency  string `json:"currency,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Status    string `json:"status"`
	Decision  string `json:"decision,omitempty"`
}

func (w *work) emitCase(kind string, sequence int64, data publicCase, merchantID string) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: merchantID, object: "case", id: data.ID, sequence: sequence, data: data})
}

// lockedCase is what judging a case's move needs.
type lockedCase struct {
	closed                      bool
	kind, merchantID, paymentID string
}

const sqlLockCases = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, closed_at IS NOT NULL, kind, coalesce(merchant_id, ''), coalesce(payment_id, '')
		FROM cases WHERE book = $1 AND id = n.id FOR UPDATE) c`

func (b *batch) queueCases(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.cases })
	if list == nil {
		return
	}
	m.Queue(sqlLockCases, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var c lockedCase
			if err := rows.Scan(&key, &c.closed, &c.kind, &c.merchantID, &c.paymentID); err != nil {
				return err
			}
			b.found.cases.find(key, c)
		}
		return rows.Err()
	})
}

// closeCase settles an exception.
type closeCase struct{ payment.CloseCase }

var setClosed = updating("cases", `id text, decision text, actor text, reason text, at timestamptz`, `id = n.id`,
	`decision = n.decision, actor = n.actor, decision_reason = n.reason, closed_at = n.at`)

func (c closeCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c closeCase) judge(w *work) error {
	stands := w.b.found.cases.get(c.ID)
	if stands == nil {
		return fault.NotFound("case")
	}
	if stands.closed {
		return fault.Conflict("case_closed", "this case is settled already")
	}
	stands.closed = true
	w.write(setClosed, c.ID, c.ID, c.Decision, c.Actor, c.Reason, w.at)
	w.emitCase("case.closed", 2, publicCase{ID: c.ID, Object: "case", Kind: stands.kind, PaymentID: stands.paymentID,
		Status: "closed", Decision: c.Decision}, stands.merchantID)
	return nil
}

// act records what an operator did.
type act struct{ payment.Act }

var insertAct = inserting("acts", `payment_id text, act text, decision text, actor text, verified boolean, reason text, cause text,
	at timestamptz`)

func (a act) claim(*locks) {}

func (a act) judge(w *work) error {
	w.write(insertAct, w.step.Cause, a.PaymentID, a.Act.Act, orNull(a.Decision), a.Actor, a.Verified, a.Reason, w.step.Cause, w.at)
	return nil
}

// seeCallback marks a callback as dealt with. Seen twice it stays as it was first.
type seeCallback struct{ payment.SeeCallback }

const sqlLockCallbacks = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, disposition IS NOT NULL FROM callbacks WHERE book = $1 AND id = n.id FOR UPDATE) c`

var setDisposed = updating("callbacks", `id text, disposition text, at timestamptz`, `id = n.id`,
	`disposition = n.disposition, disposed_at = n.at, due_at = NULL`)

func (c seeCallback) claim(l *locks) { l.callbacks = append(l.callbacks, c.ID) }

func (c seeCallback) judge(w *work) error {
	disposed := w.b.found.callbacks.get(c.ID)
	if disposed == nil {
		return fault.NotFound("callback")
	}
	if !*disposed {
		*disposed = true
		w.write(setDisposed, c.ID, c.ID, c.Disposition, w.at)
	}
	return nil
}

func (b *batch) queueCallbacks(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.callbacks })
	if list == nil {
		return
	}
	m.Queue(sqlLockCallbacks, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var disposed bool
			if err := rows.Scan(&key, &disposed); err != nil {
				return err
			}
			b.found.callbacks.find(key, disposed)
		}
		return rows.Err()
	})
}
