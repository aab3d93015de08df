package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/payout"
	"paysaga/domain/remit"
)

const payoutColumns = `
	p.book::text, p.id, p.merchant_id, coalesce(p.user_id, ''), p.channel, p.channel_account, p.lane, p.amount, p.currency,
	p.destination_type, p.destination_last, coalesce(p.note, ''), p.metadata, p.created_at,
	p.status, p.in_doubt, coalesce(p.parked, ''), coalesce(p.failure_code, ''), p.paid_elsewhere, p.sequence, coalesce(p.channel_id, ''),
	p.effective_at, p.updated_at, p.next_action_sealed`

// scanPayout reads payoutColumns and then more. What the payee has to do comes sealed.
func scanPayout(row pgx.Row, more ...any) (p payout.Payout, action []byte, err error) {
	var effective *time.Time
	err = row.Scan(append([]any{&p.Book, &p.ID, &p.MerchantID, &p.UserID, &p.Channel, &p.ChannelAccount, &p.Lane, &p.Amount.Minor, &p.Amount.Currency,
		&p.To.Type, &p.To.Last, &p.Note, &p.Metadata, &p.CreatedAt,
		&p.Status, &p.InDoubt, &p.Parked, &p.FailureCode, &p.Elsewhere, &p.Sequence, &p.ChannelID, &effective, &p.UpdatedAt, &action}, more...)...)
	p.EffectiveAt = value(effective)
	return p, action, err
}

// openPayout reads payoutColumns, with what is sealed opened.
func (s *Store) openPayout(row pgx.Row) (payout.Payout, error) {
	p, action, err := scanPayout(row)
	if err == nil {
		err = s.openAction(&p, action)
	}
	return p, err
}

// openAction opens what the payee has to do; nil: nothing.
func (s *Store) openAction(p *payout.Payout, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return err
	}
	p.NextAction = new(payment.Action)
	if json.Unmarshal(text, p.NextAction) != nil {
		return fault.Internal("a payout's action can't be read", nil)
	}
	return nil
}

func (s *Store) collectPayout(row pgx.CollectableRow) (payout.Payout, error) {
	return s.openPayout(row)
}

const sqlPayouts = `SELECT` + payoutColumns + ` FROM payouts p`

// Payout reads one payout as it is now. Another merchant's, or another user's where one is named, is NotFound (I-25); an empty
// merchantID is an operator's view.
func (s *Store) Payout(ctx context.Context, book id.Book, merchantID, userID, payoutID string) (payout.Payout, error) {
	db, err := s.db(book)
	if err != nil {
		return payout.Payout{}, err
	}
	p, err := s.openPayout(db.pool.QueryRow(ctx, sqlPayouts+` WHERE p.book = $1 AND p.id = $2`, book, payoutID))
	if err == pgx.ErrNoRows || (err == nil && ((merchantID != "" && p.MerchantID != merchantID) || (userID != "" && p.UserID != userID))) {
		return payout.Payout{}, fault.NotFound("payout")
	}
	return p, failure(err)
}

// Payouts lists payouts, newest first, and says whether more follow. Limits beyond 1–100 are taken as the nearest.
func (s *Store) Payouts(ctx context.Context, f payout.Filter) ([]payout.Payout, bool, error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 100)
	where := []string{"p.book = @book"}
	args := pgx.NamedArgs{"book": f.Book, "limit": limit + 1}
	add := func(given bool, clause, name string, value any) {
		if given {
			where = append(where, clause)
			args[name] = value
		}
	}
	add(f.MerchantID != "", "p.merchant_id = @merchant", "merchant", f.MerchantID)
	add(f.UserID != "", "p.user_id = @user", "user", f.UserID)
	add(f.Status != "", "p.status = @status", "status", f.Status)
	add(!f.CreatedFrom.IsZero(), "p.created_at >= @from", "from", f.CreatedFrom)
	add(!f.CreatedBefore.IsZero(), "p.created_at < @before", "before", f.CreatedBefore)
	add(f.After != "", "p.id < @after", "after", f.After)
	rows, err := db.pool.Query(ctx, fmt.Sprintf(`%s WHERE %s ORDER BY p.id DESC LIMIT @limit`, sqlPayouts, strings.Join(where, " AND ")), args)
	if err != nil {
		return nil, false, failure(err)
	}
	list, err := pgx.CollectRows(rows, s.collectPayout)
	if err != nil {
		return nil, false, failure(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

const payoutAttemptColumns = `
	a.book::text, a.payout_id, a.ordinal, a.channel, a.channel_account, a.request_hash, a.born_at, coalesce(a.verdict, ''), a.dead,
	coalesce(a.channel_id, ''), coalesce(a.decline_code, ''), coalesce(a.amount, 0), coalesce(a.amount_currency, ''), a.effective_at`

// scanTry reads the columns of a try of a refund or a payout, whose keys are of code, and then more.
func scanTry(row pgx.Row, code id.Code, more ...any) (remit.Attempt, error) {
	var a remit.Attempt
	var hash []byte
	var effective *time.Time
	err := row.Scan(append([]any{&a.Book, &a.Of, &a.Ordinal, &a.Channel, &a.ChannelAccount, &hash, &a.BornAt, &a.Verdict, &a.Dead,
		&a.ChannelID, &a.DeclineCode, &a.AmountMinor, &a.Currency, &effective}, more...)...)
	if err != nil {
		return a, err
	}
	a.RequestHash, a.EffectiveAt = hex.EncodeToString(hash), value(effective)
	a.Key = id.Key(a.Of, id.Step{Code: code, Ordinal: a.Ordinal})
	a.Reference, err = id.Reference(a.Key)
	return a, err
}

const sqlPayoutAttempts = `SELECT` + payoutAttemptColumns + ` FROM payout_attempts a WHERE a.book = $1 AND a.payout_id = $2 ORDER BY a.ordinal`

// PayoutDossier reads all that a step of the saga needs of a payout, in one round trip.
func (s *Store) PayoutDossier(ctx context.Context, book id.Book, payoutID string) (payout.Dossier, error) {
	var d payout.Dossier
	db, err := s.db(book)
	if err != nil {
		return d, err
	}
	b := &pgx.Batch{}
	b.Queue(sqlPayouts+` WHERE p.book = $1 AND p.id = $2`, book, payoutID).QueryRow(func(row pgx.Row) (err error) {
		d.Payout, err = s.openPayout(row)
		return noRows(err)
	})
	b.Queue(sqlPayoutAttempts, book, payoutID).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			a, err := scanTry(rows, id.PayoutOut)
			if err != nil {
				return err
			}
			d.Attempts = append(d.Attempts, a)
		}
		return rows.Err()
	})
	if err := db.atOnce(ctx, b); err != nil {
		return payout.Dossier{}, failure(err)
	}
	if d.Payout.ID == "" {
		return payout.Dossier{}, fault.NotFound("payout")
	}
	return d, nil
}

const sqlPayoutIntent = `
	SELECT` + payoutAttemptColumns + `, a.request_sealed, d.destination_sealed
	FROM payout_attempts a LEFT JOIN payout_details d ON d.book = a.book AND d.payout_id = a.payout_id
	WHERE a.book = $1 AND a.payout_id = $2 AND a.ordinal = $3`

// PayoutIntent reads a committed intent back for its call, with request, destination and credentials opened. A key that was never
// committed is NotFound: nothing may be sent for it (I-13).
func (s *Store) PayoutIntent(ctx context.Context, book id.Book, key string) (channels.PayoutIntent, error) {
	var in channels.PayoutIntent
	db, err := s.db(book)
	if err != nil {
		return in, err
	}
	payoutID, step, err := id.ParseKey(key)
	if err != nil {
		return in, err
	}
	if step.Code != id.PayoutOut {
		return in, fault.NotFound("intent")
	}
	var sealed, destination []byte
	in.Attempt, err = scanTry(db.pool.QueryRow(ctx, sqlPayoutIntent, book, payoutID, step.Ordinal), id.PayoutOut, &sealed, &destination)
	if err == pgx.ErrNoRows {
		return in, fault.NotFound("intent")
	} else if err != nil {
		return in, failure(err)
	}
	a := in.Attempt
	if in.Key, in.Account, err = s.thaw(ctx, db, frozen{key, a.RequestHash, a.BornAt, a.ChannelAccount, sealed}, &in.Request); err != nil {
		return in, err
	}
	if in.Request.Destination = ""; destination == nil {
		return in, nil // erased, once the payout had ended: it can be asked about, and nothing is sent any more
	}
	text, err := s.OpenSealed(destination)
	if err != nil {
		return in, err
	}
	var to payout.Destination
	if err := json.Unmarshal(text, &to); err != nil {
		return in, fault.Internal("a destination can't be read", err)
	}
	in.Request.Destination, in.Request.Name = to.Token(), to.Name
	return in, nil
}

const sqlClaimUnstartedPayouts = `
	WITH due AS (
		SELECT book, id FROM payouts
		WHERE start_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY start_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE payouts p SET start_tries = least(start_tries + 1, 1000),
		start_due_at = $1 + least(interval '60 seconds', interval '2 seconds' * (2 ^ least(start_tries, 5)))
	FROM due WHERE p.book = due.book AND p.id = due.id
	RETURNING` + payoutColumns

// UnstartedPayouts claims payouts that were received olderThan ago and that no saga has opened, as Unstarted does payments.
func (s *Store) UnstartedPayouts(ctx context.Context, olderThan time.Duration, limit int) ([]payout.Payout, error) {
	return claimRows(ctx, s, sqlClaimUnstartedPayouts, olderThan, limit, s.collectPayout)
}

// claimRows claims rows that are due since olderThan, of all books.
func claimRows[T any](ctx context.Context, s *Store, claim string, olderThan time.Duration, limit int, collect pgx.RowToFunc[T]) ([]T, error) {
	var all []T
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, claim, s.clock().Add(-olderThan), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, collect)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}
