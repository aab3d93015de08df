package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/refund"
)

const refundColumns = `
	r.book::text, r.id, r.payment_id, r.order_id, r.merchant_id, r.part, r.charge, r.channel, r.channel_account, coalesce(r.charge_id, ''),
	r.amount, r.currency, coalesce(r.reason, ''), r.metadata, r.source, coalesce(r.case_id, ''), r.created_at,
	r.taken_fee, r.taken_pending, r.taken_available, r.taken_debt,
	r.status, r.in_doubt, coalesce(r.parked, ''), coalesce(r.failure_code, ''), r.paid_elsewhere, r.sequence, coalesce(r.channel_id, ''),
	r.effective_at, r.updated_at, r.wallet, coalesce(r.user_id, ''), r.combined, r.to_wallet, r.taken_wallet,
	coalesce((SELECT x.own_funds FROM channel_accounts x WHERE x.book = r.book AND x.id = r.channel_account), false)`

// scanRefund reads refundColumns and then more.
func scanRefund(row pgx.Row, more ...any) (refund.Refund, error) {
	var r refund.Refund
	var effective *time.Time
	t := &r.Taken
	err := row.Scan(append([]any{&r.Book, &r.ID, &r.PaymentID, &r.OrderID, &r.MerchantID, &r.Part, &r.Charge, &r.Channel, &r.ChannelAccount, &r.ChargeID,
		&r.Amount.Minor, &r.Amount.Currency, &r.Reason, &r.Metadata, &r.Source, &r.CaseID, &r.CreatedAt,
		&t.Fee.Minor, &t.Pending.Minor, &t.Available.Minor, &t.Debt.Minor,
		&r.Status, &r.InDoubt, &r.Parked, &r.FailureCode, &r.Elsewhere, &r.Sequence, &r.ChannelID, &effective, &r.UpdatedAt,
		&r.Wallet.Minor, &r.User, &r.Combined, &r.ToWallet, &t.Wallet.Minor, &r.OwnFunds}, more...)...)
	for _, a := range []*money.Amount{&t.Fee, &t.Pending, &t.Available, &t.Debt, &t.Wallet, &r.Wallet} {
		a.Currency = r.Amount.Currency
	}
	r.EffectiveAt = value(effective)
	return r, err
}

func collectRefund(row pgx.CollectableRow) (refund.Refund, error) { return scanRefund(row) }

const sqlRefunds = `SELECT` + refundColumns + ` FROM refunds r`

// Refund reads one refund as it is now. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view.
func (s *Store) Refund(ctx context.Context, book id.Book, merchantID, refundID string) (refund.Refund, error) {
	db, err := s.db(book)
	if err != nil {
		return refund.Refund{}, err
	}
	r, err := scanRefund(db.pool.QueryRow(ctx, sqlRefunds+` WHERE r.book = $1 AND r.id = $2`, book, refundID))
	if err == pgx.ErrNoRows || (err == nil && merchantID != "" && r.MerchantID != merchantID) {
		return refund.Refund{}, fault.NotFound("refund")
	}
	return r, failure(err)
}

// Refunds lists refunds, newest first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Refunds(ctx context.Context, f refund.Filter) ([]refund.Refund, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"r.book = @book"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "r.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.PaymentID != "", "r.payment_id = @payment", "payment", f.PaymentID)
	add(f.Status != "", "r.status = @status", "status", f.Status)
	add(!f.CreatedFrom.IsZero(), "r.created_at >= @from", "from", f.CreatedFrom)
	add(!f.CreatedBefore.IsZero(), "r.created_at < @before", "before", f.CreatedBefore)
	add(f.After != "", "r.id < @after", "after", f.After)
	rows, err := db.pool.Query(ctx, fmt.Sprintf(`%s WHERE %s ORDER BY r.id DESC LIMIT @limit`, sqlRefunds, strings.Join(where, " AND ")), args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, collectRefund)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

const refundAttemptColumns = `
	a.book::text, a.refund_id, a.ordinal, a.channel, a.channel_account, a.request_hash, a.born_at, coalesce(a.verdict, ''), a.dead,
	coalesce(a.channel_id, ''), coalesce(a.decline_code, ''), coalesce(a.amount, 0), coalesce(a.amount_currency, ''), a.effective_at`

const sqlRefundAttempts = `SELECT` + refundAttemptColumns + ` FROM refund_attempts a WHERE a.book = $1 AND a.refund_id = $2 ORDER BY a.ordinal`

const sqlRefundCharge = `SELECT` + attemptColumns + `
	FROM refunds r JOIN attempts a ON a.book = r.book AND a.payment_id = r.payment_id AND a.ordinal = r.charge
	WHERE r.book = $1 AND r.id = $2`

// How many refunds of the charge its channel has been sent, whatever came of them.
const sqlRefundsSent = `
	SELECT count(t.ordinal) FROM refunds r JOIN refunds o ON o.book = r.book AND o.payment_id = r.payment_id AND o.charge = r.charge
	JOIN refund_attempts t ON t.book = o.book AND t.refund_id = o.id
	WHERE r.book = $1 AND r.id = $2`

// RefundDossier reads all that a step of the saga needs of a refund, in one round trip.
func (s *Store) RefundDossier(ctx context.Context, book id.Book, refundID string) (refund.Dossier, error) {
	var d refund.Dossier
	db, err := s.db(book)
	if err != nil {
		return d, err
	}
	b := &pgx.Batch{}
	b.Queue(sqlRefunds+` WHERE r.book = $1 AND r.id = $2`, book, refundID).QueryRow(func(row pgx.Row) (err error) {
		d.Refund, err = scanRefund(row)
		return noRows(err)
	})
	b.Queue(sqlRefundAttempts, book, refundID).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			a, err := scanTry(rows, id.RefundOut)
			if err != nil {
				return err
			}
			d.Attempts = append(d.Attempts, a)
		}
		return rows.Err()
	})
	b.Queue(sqlRefundCharge, book, refundID).QueryRow(func(row pgx.Row) (err error) {
		d.Charge, err = attemptOf(row)
		return noRows(err)
	})
	b.Queue(sqlRefundsSent, book, refundID).QueryRow(func(row pgx.Row) error { return row.Scan(&d.Sent) })
	if err := db.atOnce(ctx, b); err != nil {
		return refund.Dossier{}, failure(err)
	}
	if d.Refund.ID == "" {
		return refund.Dossier{}, fault.NotFound("refund")
	}
	return d, nil
}

const sqlRefundIntent = `SELECT` + refundAttemptColumns + `, a.request_sealed FROM refund_attempts a WHERE a.book = $1 AND a.refund_id = $2 AND a.ordinal = $3`

// RefundIntent reads a committed intent back for its call, with request and credentials opened. A key that was never
// committed is NotFound: nothing may be sent for it (I-13).
func (s *Store) RefundIntent(ctx context.Context, book id.Book, key string) (channels.RefundIntent, error) {
	var in channels.RefundIntent
	db, err := s.db(book)
	if err != nil {
		return in, err
	}
	refundID, step, err := id.ParseKey(key)
	if err != nil {
		return in, err
	}
	if step.Code != id.RefundOut {
		return in, fault.NotFound("intent")
	}
	var sealed []byte
	in.Attempt, err = scanTry(db.pool.QueryRow(ctx, sqlRefundIntent, book, refundID, step.Ordinal), id.RefundOut, &sealed)
	if err == pgx.ErrNoRows {
		return in, fault.NotFound("intent")
	} else if err != nil {
		return in, failure(err)
	}
	a := in.Attempt
	in.Key, in.Account, err = s.thaw(ctx, db, frozen{key, a.RequestHash, a.BornAt, a.ChannelAccount, sealed}, &in.Request)
	return in, err
}

const sqlRefundSlot = `
	SELECT r.not_before, a.refund_slot_at, a.refund_sent_at
	FROM refunds r JOIN attempts a ON a.book = r.book AND a.payment_id = r.payment_id AND a.ordinal = r.charge
	WHERE r.book = $1 AND r.id = $2 FOR UPDATE OF a`

const sqlTakeSlot = `
	WITH taken AS (UPDATE refunds SET not_before = $3 WHERE book = $1 AND id = $2 RETURNING book, payment_id, charge)
	UPDATE attempts a SET refund_slot_at = $4, refund_sent_at = $5
	FROM taken t WHERE a.book = t.book AND a.payment_id = t.payment_id AND a.ordinal = t.charge`

// ClaimRefundSlot takes a place in the row of refunds of one charge that its channel wants apart, and says when it comes: a
// time that isn't later than now is the word to send. Asked again it keeps its place, unless that has passed and another was
// sent since. The rows of the charge and of the refund are locked meanwhile, in that order.
func (s *Store) ClaimRefundSlot(ctx context.Context, book id.Book, refundID string, apart time.Duration) (time.Time, error) {
	db, err := s.db(book)
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		var mine, slot, sent *time.Time
		if err := tx.QueryRow(ctx, sqlRefundSlot, book, refundID).Scan(&mine, &slot, &sent); err != nil {
			return err
		}
		row := refund.Slots{Mine: value(mine), Next: value(slot), Sent: value(sent)}.Claim(kept(s.clock()), apart)
		at = row.Mine
		_, err := tx.Exec(ctx, sqlTakeSlot, book, refundID, row.Mine, optional(row.Next), optional(row.Sent))
		return err
	})
	if err == pgx.ErrNoRows {
		return at, fault.NotFound("refund")
	}
	return at, failure(err)
}

const sqlClaimUnstartedRefunds = `
	WITH due AS (
		SELECT book, id FROM refunds
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE refunds r SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE r.book = due.book AND r.id = due.id
	RETURNING` + refundColumns

// UnstartedRefunds claims refunds that were received olderThan ago and that no saga has opened, as Unstarted does payments.
func (s *Store) UnstartedRefunds(ctx context.Context, olderThan time.Duration, limit int) ([]refund.Refund, error) {
	return claimRows(ctx, s, sqlClaimUnstartedRefunds, olderThan, limit, collectRefund)
}
