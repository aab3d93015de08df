package store

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/access"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// locks is what a Step needs held, or read, before it is judged.
type locks struct {
	idempotency *access.Idempotency
	object      string
	customer    *customerClaim
	newOrder    *trade.Order
	orders      []string
	payments    []string
	wholes      []string // payments that are read whole, too
	attempts    []string // payment ids: all attempts of each
	refunds     []string
	payouts     []string
	captures    []string
	transfers   []string
	disputes    []string
	rebates     []string
	runs        []string // settlements
	runsOf      []string // campaigns: the open settlement of each
	reratings   []string
	reratingsOf []string // campaigns: the open re-rating of each
	cases       []string
	callbacks   []string
	counters    []string
	caps        []string // counters of rebates
	rules       []string // kind/merchant
	campaigns   []string
	holders     []string // users whose wallets move
	changed     []string // users who are changed themselves
}

// noLocks is what a Step of journals alone needs: accounts are locked by number.
var noLocks locks

// lockBatch is the first message. What is locked comes first, in the one lock order; keys, and causes that aren't believed to be new,
// are read when nobody who holds the same rows can be about to insert them.
func (b *batch) lockBatch() *pgx.Batch {
	m := &pgx.Batch{}
	m.Queue("begin isolation level read committed")
	if b.hurried {
		m.Queue("set local lock_timeout = '100ms'")
	}
	b.queueClock(m)
	b.queueOrders(m)
	b.queuePayments(m)
	b.queueWholes(m)
	b.queueAttempts(m)
	b.queueCaptures(m)
	b.queueRefunds(m)
	b.queuePayouts(m)
	b.queueTransfers(m)
	b.queueDisputes(m)
	b.queueRebates(m)
	b.queueCases(m)
	b.queueCallbacks(m)
	b.queueCounters(m)
	b.queueCaps(m)
	b.queueRules(m)
	b.queueCampaigns(m)
	b.queueRuns(m)
	b.queueReratings(m)
	b.queueHolders(m)
	b.queueAccounts(m)
	b.queueUsers(m)
	b.queueReversed(m)
	b.queueCauses(m)
	b.queueKeys(m)
	return m
}

func (b *batch) book() id.Book { return b.l.c.book }

// claimed gathers what the batch's Steps claim, each once, in the order of the keys.
func (b *batch) claimed(of func(*locks) []string) []string {
	var list []string
	for _, w := range b.works {
		list = append(list, of(w.lock)...)
	}
	return unique(list)
}

// Each key is looked up by itself, in the order of the keys: = ANY, or a plain join, would let a plan that is made while the
// table is empty read the whole book and filter.
const sqlReadCauses = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(cause) CROSS JOIN LATERAL (
		SELECT cause, hash, step IS NULL, at FROM causes WHERE book = $1 AND cause = n.cause OFFSET 0) c`

// queueCauses looks for the causes, unless they are believed to be new. Nearly always they are: a cause comes again when an answer was
// lost, or somebody asks twice.
func (b *batch) queueCauses(m *pgx.Batch) {
	if !b.asked {
		return
	}
	var list []string
	for _, w := range b.works {
		list = append(list, w.causes...)
	}
	m.Queue(sqlReadCauses, b.book(), unique(list)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var cause string
			c := &causeRow{}
			if err := rows.Scan(&cause, &c.hash, &c.own, &c.at); err != nil {
				return err
			}
			b.found.causes[cause] = c
		}
		return rows.Err()
	})
}

const sqlReadKeys = `
	SELECT i.*
	FROM unnest($2::text[], $3::text[], $4::text[]) AS n(merchant_id, operation, key) CROSS JOIN LATERAL (
		SELECT merchant_id, operation, key, request_hash, object, created_at
		FROM idempotency
		WHERE book = $1 AND merchant_id = n.merchant_id AND operation = n.operation AND key = n.key OFFSET 0) i`

func (b *batch) queueKeys(m *pgx.Batch) {
	var merchants, operations, keys []string
	for _, w := range b.works {
		if k := w.lock.idempotency; k != nil {
			merchants, operations, keys = append(merchants, k.MerchantID), append(operations, k.Operation), append(keys, k.Key)
		}
	}
	if keys == nil {
		return
	}
	m.Queue(sqlReadKeys, b.book(), merchants, operations, keys).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var k access.Idempotency
			var hash []byte
			r := &keyRow{}
			if err := rows.Scan(&k.MerchantID, &k.Operation, &k.Key, &hash, &r.object, &r.at); err != nil {
				return err
			}
			r.hash = hex.EncodeToString(hash)
			b.found.keys[k] = r
		}
		return rows.Err()
	})
}

// lockedPayment is what judging a payment's move needs.
type lockedPayment struct {
	merchantID string
	status     payment.Status
	sequence   int64
	cancel     *time.Time
	amount     money.Amount // over a channel
	captured   int64
	capturing  int64
	captures   int
	// finalCapture: a final one is under way.
	finalCapture bool
}

const sqlLockPayments = `
	SELECT p.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, merchant_id, status, sequence, cancel_requested_at, amount - wallet, currency, captured, capturing,
			capture_count, capture_final
		FROM payments WHERE book = $1 AND id = n.id FOR UPDATE) p`

func (b *batch) queuePayments(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.payments })
	if list == nil {
		return
	}
	m.Queue(sqlLockPayments, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var p lockedPayment
			if err := rows.Scan(&key, &p.merchantID, &p.status, &p.sequence, &p.cancel, &p.amount.Minor, &p.amount.Currency, &p.captured,
				&p.capturing, &p.captures, &p.finalCapture); err != nil {
				return err
			}
			b.found.payments.find(key, p)
		}
		return rows.Err()
	})
}

type lockedAttempt struct {
	ordinal, part int
	verdict       payment.Verdict
	dead          bool
	channel       string
	account       string
	channelID     string
	expires       *time.Time
}

const sqlLockAttempts = `
	SELECT a.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT payment_id, ordinal, part, coalesce(verdict, ''), dead, channel, channel_account, coalesce(channel_id, ''), expires_at
		FROM attempts WHERE book = $1 AND payment_id = n.id ORDER BY ordinal FOR UPDATE) a`

func (b *batch) queueAttempts(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.attempts })
	if list == nil {
		return
	}
	for _, key := range list {
		b.found.attempts.find(key, nil)
	}
	m.Queue(sqlLockAttempts, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var a lockedAttempt
			if err := rows.Scan(&key, &a.ordinal, &a.part, &a.verdict, &a.dead, &a.channel, &a.account, &a.channelID, &a.expires); err != nil {
				return err
			}
			of := b.found.attempts.base[key]
			*of = append(*of, a)
		}
		return rows.Err()
	})
}

// unique sorts and drops repeats; nil stays nil.
func unique[T interface{ ~string | ~int64 }](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}
