package store

import (
	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/payment"
)

// openCase records an exception.
type openCase struct{ payment.OpenCase }

const sqlInsertCase = `
	INSERT INTO cases (book, id, merchant_id, payment_id, channel_account, kind, amount, currency, reason, opened_at)
	VALUES (@book, @id, nullif(@merchant_id, ''), nullif(@payment_id, ''), nullif(@account, ''), @kind, @amount,
		nullif(@currency, ''), @reason, @at)`

func (c openCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c openCase) judge(w *work) error {
	if w.found.cases[c.ID] != nil {
		return fault.Conflict("case_exists", "this case stands already")
	}
	w.found.cases[c.ID] = &lockedCase{kind: c.Kind, merchantID: c.MerchantID, paymentID: c.PaymentID}
	w.out.queue(sqlInsertCase, pgx.NamedArgs{"book": w.step.Book, "id": c.ID, "merchant_id": c.MerchantID, "payment_id": c.PaymentID,
		"account": c.ChannelAccount, "kind": c.Kind, "amount": c.Amount.Minor, "currency": c.Amount.Currency, "reason": c.Reason, "at": w.at})
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

const sqlLockCase = `
	SELECT closed_at IS NOT NULL, kind, coalesce(merchant_id, ''), coalesce(payment_id, '')
	FROM cases WHERE book = $1 AND id = $2 FOR UPDATE`

func (w *work) queueCases(b *pgx.Batch) {
	for _, key := range unique(w.lock.cases) {
		b.Queue(sqlLockCase, w.step.Book, key).QueryRow(func(row pgx.Row) error {
			c := &lockedCase{}
			err := row.Scan(&c.closed, &c.kind, &c.merchantID, &c.paymentID)
			if err == nil {
				w.found.cases[key] = c
			}
			return noRows(err)
		})
	}
}

// closeCase settles an exception.
type closeCase struct{ payment.CloseCase }

const sqlCloseCase = `
	UPDATE cases SET decision = $3, actor = $4, decision_reason = $5, closed_at = $6 WHERE book = $1 AND id = $2`

func (c closeCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c closeCase) judge(w *work) error {
	stands := w.found.cases[c.ID]
	if stands == nil {
		return fault.NotFound("case")
	}
	if stands.closed {
		return fault.Conflict("case_closed", "this case is settled already")
	}
	stands.closed = true
	w.out.queue(sqlCloseCase, w.step.Book, c.ID, c.Decision, c.Actor, c.Reason, w.at)
	w.emitCase("case.closed", 2, publicCase{ID: c.ID, Object: "case", Kind: stands.kind, PaymentID: stands.paymentID,
		Status: "closed", Decision: c.Decision}, stands.merchantID)
	return nil
}

// act records what an operator did.
type act struct{ payment.Act }

const sqlInsertAct = `
	INSERT INTO acts (book, payment_id, act, decision, actor, verified, reason, cause, at)
	VALUES ($1, $2, $3, nullif($4, ''), $5, $6, $7, $8, $9)`

func (a act) claim(*locks) {}

func (a act) judge(w *work) error {
	w.out.queue(sqlInsertAct, w.step.Book, a.PaymentID, a.Act.Act, a.Decision, a.Actor, a.Verified, a.Reason, w.step.Cause, w.at)
	return nil
}

// seeCallback marks a callback as dealt with. Seen twice it stays as it was first.
type seeCallback struct{ payment.SeeCallback }

const sqlLockCallback = `SELECT disposition IS NOT NULL FROM callbacks WHERE book = $1 AND id = $2 FOR UPDATE`

const sqlSeeCallback = `UPDATE callbacks SET disposition = $3, disposed_at = $4, due_at = NULL WHERE book = $1 AND id = $2`

func (c seeCallback) claim(l *locks) { l.callbacks = append(l.callbacks, c.ID) }

func (c seeCallback) judge(w *work) error {
	disposed, ok := w.found.callbacks[c.ID]
	if !ok {
		return fault.NotFound("callback")
	}
	if !disposed {
		w.out.queue(sqlSeeCallback, w.step.Book, c.ID, c.Disposition, w.at)
	}
	return nil
}

func (w *work) queueCallbacks(b *pgx.Batch) {
	for _, key := range unique(w.lock.callbacks) {
		b.Queue(sqlLockCallback, w.step.Book, key).QueryRow(func(row pgx.Row) error {
			var disposed bool
			err := row.Scan(&disposed)
			if err == nil {
				w.found.callbacks[key] = disposed
			}
			return noRows(err)
		})
	}
}
