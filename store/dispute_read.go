package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/dispute"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

const disputeColumns = `
	d.book::text, d.id, d.payment_id, d.order_id, d.merchant_id, coalesce(d.user_id, ''), d.charge, d.channel, d.channel_account, d.channel_id,
	d.amount, d.currency, d.fee, coalesce(d.reason, ''), d.status, d.taken_merchant, d.taken_wallet, d.taken_suspense, d.taken_fee,
	d.sequence, d.opened_at, d.said_at, d.updated_at`

func scanDispute(row pgx.Row) (dispute.Dispute, error) {
	var d dispute.Dispute
	t := &d.Taken
	err := row.Scan(&d.Book, &d.ID, &d.PaymentID, &d.OrderID, &d.MerchantID, &d.UserID, &d.Charge, &d.Channel, &d.ChannelAccount, &d.ChannelID,
		&d.Amount.Minor, &d.Amount.Currency, &d.Fee, &d.Reason, &d.Status, &t.Merchant, &t.Wallet, &t.Suspense, &t.Fee,
		&d.Sequence, &d.OpenedAt, &d.SaidAt, &d.UpdatedAt)
	return d, err
}

func collectDispute(row pgx.CollectableRow) (dispute.Dispute, error) { return scanDispute(row) }

const sqlChargeReference = `
	SELECT payment_id, ordinal FROM attempts WHERE channel_id = $3 AND channel_account = $2 AND book = $1 ORDER BY payment_id LIMIT 1`

// ChargeReference is our reference of the charge that a channel account knows by an id of its own; one that it doesn't is NotFound.
func (s *Store) ChargeReference(ctx context.Context, book id.Book, channelAccount, channelID string) (string, error) {
	db, err := s.db(book)
	if err != nil {
		return "", err
	}
	var paymentID string
	var ordinal int
	err = db.pool.QueryRow(ctx, sqlChargeReference, book, channelAccount, channelID).Scan(&paymentID, &ordinal)
	if err == pgx.ErrNoRows {
		return "", fault.NotFound("charge")
	} else if err != nil {
		return "", failure(err)
	}
	return id.Reference(id.Key(paymentID, id.Step{Code: id.Charge, Ordinal: ordinal}))
}

const sqlDisputes = `SELECT` + disputeColumns + ` FROM disputes d`

// Dispute reads one dispute as it is now. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view.
func (s *Store) Dispute(ctx context.Context, book id.Book, merchantID, disputeID string) (dispute.Dispute, error) {
	db, err := s.db(book)
	if err != nil {
		return dispute.Dispute{}, err
	}
	d, err := scanDispute(db.pool.QueryRow(ctx, sqlDisputes+` WHERE d.book = $1 AND d.id = $2`, book, disputeID))
	if err == pgx.ErrNoRows || (err == nil && merchantID != "" && d.MerchantID != merchantID) {
		return dispute.Dispute{}, fault.NotFound("dispute")
	}
	return d, failure(err)
}

// Disputes lists disputes, the latest opened first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Disputes(ctx context.Context, f dispute.Filter) ([]dispute.Dispute, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"d.book = @book"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "d.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.PaymentID != "", "d.payment_id = @payment", "payment", f.PaymentID)
	add(f.Status != "", "d.status = @status", "status", f.Status)
	add(f.After != "", `(d.opened_at, d.id) < (SELECT a.opened_at, a.id FROM disputes a WHERE a.book = @book AND a.id = @after)`, "after", f.After)
	rows, err := db.pool.Query(ctx, sqlDisputes+` WHERE `+strings.Join(where, " AND ")+` ORDER BY d.opened_at DESC, d.id DESC LIMIT @limit`, args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, collectDispute)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}
