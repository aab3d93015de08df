package store

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/payment"
	"paysaga/domain/user"
)

// What is erased once it has come to its end; what hasn't keeps what its saga needs.
const (
	sqlForgetSecrets = `
	DELETE FROM payment_details d USING payments p
	WHERE p.customer_id = $2 AND p.book = $1 AND p.status IN ('succeeded', 'failed', 'canceled', 'expired') AND d.book = p.book AND d.payment_id = p.id`
	sqlForgetPayees = `
	DELETE FROM payout_details d USING payouts p
	WHERE p.user_id = $2 AND p.book = $1 AND p.status IN ('succeeded', 'failed') AND d.book = p.book AND d.payout_id = p.id`
	sqlRequestsToForget = `
	SELECT a.payment_id, a.ordinal, a.request_sealed
	FROM payments p JOIN attempts a ON a.book = p.book AND a.payment_id = p.id
	WHERE p.customer_id = $2 AND p.book = $1 AND p.status IN ('succeeded', 'failed', 'canceled', 'expired') AND a.request_erased_at IS NULL
	ORDER BY a.payment_id, a.ordinal LIMIT 200`
	sqlForgetRequest   = `SELECT erase_request($1, $2, $3, $4)`
	sqlForgetCallbacks = `SELECT erase_callbacks($1, $2, $3)`
)

// forget erases, page by page, what a user's payments and payouts hold that is personal (I-26): tokens, addresses, the descriptions and
// pages that a payment came with, where payouts went, and what channels told of the payer. The user is erased already, so nothing comes
// after it; it is no part of that transaction, so that whoever settles a payment never waits for it, nor it for them. Repeated, it goes on.
func (s *Store) forget(ctx context.Context, ref user.Ref) error {
	db, err := s.db(ref.Book)
	if err != nil {
		return err
	}
	for _, query := range []string{sqlForgetSecrets, sqlForgetPayees} {
		if _, err := db.pool.Exec(ctx, query, ref.Book, ref.ID); err != nil {
			return failure(err)
		}
	}
	for more := true; more; {
		if more, err = s.forgetRequests(ctx, db, ref); err != nil {
			return failure(err)
		}
	}
	text, err := json.Marshal(bodyAndAction{})
	if err != nil {
		return fault.Internal("a callback that is no JSON", err)
	}
	nothing, err := s.Seal(text)
	if err != nil {
		return err
	}
	_, err = db.pool.Exec(ctx, sqlForgetCallbacks, ref.Book, ref.ID, nothing)
	return failure(err)
}

// forgetRequests takes what is personal out of a page of frozen requests. What an Ask may still want stays: amount, method, dates.
func (s *Store) forgetRequests(ctx context.Context, db *database, ref user.Ref) (more bool, err error) {
	rows, err := db.pool.Query(ctx, sqlRequestsToForget, ref.Book, ref.ID)
	if err != nil {
		return false, err
	}
	var paymentID string
	var ordinal int16
	var sealed []byte
	b := &pgx.Batch{}
	_, err = pgx.ForEachRow(rows, []any{&paymentID, &ordinal, &sealed}, func() error {
		rest, err := s.impersonal(sealed)
		b.Queue(sqlForgetRequest, ref.Book, paymentID, ordinal, rest)
		return err
	})
	if err != nil || b.Len() == 0 {
		return false, err
	}
	return true, db.pool.SendBatch(ctx, b).Close()
}

// impersonal is a sealed request of a charge without what is personal in it.
func (s *Store) impersonal(sealed []byte) ([]byte, error) {
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return nil, err
	}
	var r channels.ChargeRequest
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fault.Internal("a frozen request can't be read", nil) // the decoder would quote it
	}
	r.Method, r.Description, r.ReturnURL = payment.Method{Type: r.Method.Type, Device: r.Method.Device}, "", ""
	if text, err = json.Marshal(r); err != nil {
		return nil, fault.Internal("a request that is no JSON", err)
	}
	return s.Seal(text)
}
