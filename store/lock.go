package store

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// locks is what a Step needs held before it is judged.
type locks struct {
	idempotency *access.Idempotency
	object      string
	customer    *customerClaim
	newOrder    *trade.Order
	orders      []string
	payments    []string
	attempts    []string // payment ids: all attempts of each
	cases       []string
	callbacks   []string
}

// found is what stood there, under lock.
type found struct {
	causes    map[string]*int64 // inserted by us → its journal
	keyed     bool              // the idempotency row is ours
	customer  string
	details   []byte // the customer's, sealed
	orderMade bool
	ordered   *orderRow // the order with newOrder's reference, ours or not
	orders    map[string]*orderRow
	payments  map[string]*lockedPayment
	attempts  map[string][]lockedAttempt
	cases     map[string]*lockedCase
	callbacks map[string]bool // → disposed
	reversed  map[string]reversedJournal
}

func newFound() found {
	return found{
		causes: map[string]*int64{}, orders: map[string]*orderRow{}, payments: map[string]*lockedPayment{},
		attempts: map[string][]lockedAttempt{}, cases: map[string]*lockedCase{}, callbacks: map[string]bool{},
		reversed: map[string]reversedJournal{},
	}
}

// fresh reports whether every cause and the idempotency key were new.
func (f *found) fresh(w *work) bool {
	return len(f.causes) == len(w.causes()) && (w.lock.idempotency == nil || f.keyed)
}

// The journals' numbers are drawn with their causes. A cause that is being inserted by somebody else makes this wait until
// they have ended, which is what resolves a COMMIT whose answer was lost.
const sqlInsertCauses = `
	INSERT INTO causes (book, cause, step, hash, journal, at, by_kind, by_id, request_id, reason)
	SELECT @book, c.cause, nullif(@step, c.cause), @hash, CASE WHEN c.posts THEN nextval('journals_no') END,
		@at, @by_kind, @by_id, nullif(@request_id, ''), nullif(@reason, '')
	FROM unnest(@causes::text[], @posts::boolean[]) AS c(cause, posts)
	ORDER BY c.cause
	ON CONFLICT DO NOTHING
	RETURNING cause, journal`

const sqlInsertIdempotency = `
	INSERT INTO idempotency (book, merchant_id, operation, key, request_hash, object, created_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7)
	ON CONFLICT DO NOTHING
	RETURNING true`

// causes are the Step's own and its journals', each once, in lock order.
func (w *work) causes() []string {
	list := []string{w.step.Cause}
	for _, j := range w.step.Journals {
		list = append(list, j.Cause())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// lockBatch is the first round trip: the one lock order. The accounts follow at the end of the second.
func (w *work) lockBatch() *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue("begin isolation level read committed")
	w.queueCauses(b)
	w.queueIdempotency(b)
	w.queueCustomer(b)
	w.queueOrders(b)
	w.queuePayments(b)
	w.queueAttempts(b)
	w.queueCases(b)
	w.queueCallbacks(b)
	w.queueReversed(b)
	return b
}

func (w *work) queueCauses(b *pgx.Batch) {
	causes := w.causes()
	posts := make([]bool, len(causes))
	for i, c := range causes {
		posts[i] = slices.ContainsFunc(w.step.Journals, func(j ledger.Journal) bool { return j.Cause() == c })
	}
	by := w.step.By
	b.Queue(sqlInsertCauses, pgx.NamedArgs{
		"book": w.step.Book, "step": w.step.Cause, "hash": w.hash, "at": w.at, "causes": causes, "posts": posts,
		"by_kind": by.Kind, "by_id": by.ID, "request_id": by.RequestID, "reason": by.Reason,
	}).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var cause string
			var journal *int64
			if err := rows.Scan(&cause, &journal); err != nil {
				return err
			}
			w.found.causes[cause] = journal
		}
		return rows.Err()
	})
}

func (w *work) queueIdempotency(b *pgx.Batch) {
	k := w.lock.idempotency
	if k == nil {
		return
	}
	hash, _ := hex.DecodeString(k.RequestHash) // a hash that isn't one fails the table's check
	b.Queue(sqlInsertIdempotency, w.step.Book, k.MerchantID, k.Operation, k.Key, hash, w.lock.object, w.at).
		QueryRow(func(row pgx.Row) error { return noRows(row.Scan(&w.found.keyed)) })
}

// lockedPayment is what judging a payment's move needs.
type lockedPayment struct {
	merchantID string
	status     payment.Status
	sequence   int64
	cancel     *time.Time
}

// One statement per row, in the order of the keys: that is the lock order, and each is planned as one look-up.
const sqlLockPayment = `
	SELECT merchant_id, status, sequence, cancel_requested_at
	FROM payments WHERE book = $1 AND id = $2 FOR UPDATE`

func (w *work) queuePayments(b *pgx.Batch) {
	for _, key := range unique(w.lock.payments) {
		b.Queue(sqlLockPayment, w.step.Book, key).QueryRow(func(row pgx.Row) error {
			p := &lockedPayment{}
			err := row.Scan(&p.merchantID, &p.status, &p.sequence, &p.cancel)
			if err == nil {
				w.found.payments[key] = p
			}
			return noRows(err)
		})
	}
}

type lockedAttempt struct {
	ordinal, part int
	verdict       payment.Verdict
	dead          bool
}

const sqlLockAttempts = `
	SELECT ordinal, part, coalesce(verdict, ''), dead
	FROM attempts WHERE book = $1 AND payment_id = $2 ORDER BY ordinal FOR UPDATE`

func (w *work) queueAttempts(b *pgx.Batch) {
	for _, key := range unique(w.lock.attempts) {
		b.Queue(sqlLockAttempts, w.step.Book, key).Query(func(rows pgx.Rows) error {
			var a lockedAttempt
			_, err := pgx.ForEachRow(rows, []any{&a.ordinal, &a.part, &a.verdict, &a.dead}, func() error {
				w.found.attempts[key] = append(w.found.attempts[key], a)
				return nil
			})
			return err
		})
	}
}

// unique sorts and drops repeats; the argument is left alone.
func unique[T interface{ ~string | ~int64 }](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
