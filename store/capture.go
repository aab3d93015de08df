package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// receiveCapture judges a capture under its payment's lock and commits its intent (I-09, I-13).
type receiveCapture struct{ payment.ReceiveCapture }

// captureDelay leaves the saga's Update time to arrive before the relay repeats it.
const captureDelay = 5 * time.Second

var insertCapture = inserting("captures", `id text, payment_id text, merchant_id text, attempt smallint, ordinal smallint, amount bigint,
	currency text, final boolean, channel text, channel_account text, request_hash bytea, request_sealed bytea, born_at timestamptz,
	sequence bigint, created_at timestamptz, updated_at timestamptz, due_at timestamptz`)

var setCapturing = updating("payments", `id text, capturing bigint, capture_count smallint, capture_final boolean`, `id = n.id`,
	`capturing = n.capturing, capture_count = n.capture_count, capture_final = n.capture_final`)

func (r receiveCapture) claim(l *locks) {
	l.claimKey(r.Idempotency, r.CaptureID)
	l.payments = append(l.payments, r.PaymentID)
	l.attempts = append(l.attempts, r.PaymentID)
}

func (r receiveCapture) judge(w *work) error {
	p := w.b.found.payments.get(r.PaymentID)
	if p == nil || (r.Idempotency.MerchantID != "" && p.merchantID != r.Idempotency.MerchantID) { // I-25
		return fault.NotFound("payment")
	}
	at := r.At
	if at.IsZero() {
		at = w.at
	}
	hold := payment.Hold{Status: p.status, Amount: p.amount, Captured: p.captured, Capturing: p.capturing, Captures: p.captures,
		FinalOpen: p.finalCapture, CancelRequested: p.cancel != nil, Can: r.Can, Several: r.Several, Now: at}
	a := held(*w.b.found.attempts.get(r.PaymentID))
	if a != nil {
		hold.LapsesAt = value(a.expires)
	}
	amount, final, err := hold.Take(r.Wish)
	if err != nil {
		return err
	}
	if a == nil {
		return fault.Internal("an authorized payment without an attempt that holds it", nil)
	}
	c := payment.Capture{Book: w.step.Book, ID: r.CaptureID, PaymentID: r.PaymentID, MerchantID: p.merchantID, Attempt: a.ordinal,
		Ordinal: p.captures + 1, Amount: amount, Final: final, Channel: a.channel, ChannelAccount: a.account, BornAt: at,
		Status: payment.CaptureProcessing, Fee: money.Zero(amount.Currency), Sequence: 1, CreatedAt: kept(at), UpdatedAt: kept(at)}
	if err := w.intendCapture(c, a); err != nil {
		return err
	}
	p.capturing, p.captures, p.finalCapture = p.capturing+amount.Minor, c.Ordinal, p.finalCapture || final
	w.write(setCapturing, r.PaymentID, r.PaymentID, p.capturing, int16(p.captures), p.finalCapture)
	if whole := w.b.found.wholes.get(r.PaymentID); whole != nil {
		whole.Capturing.Minor, whole.FinalCapture = p.capturing, p.finalCapture
	}
	w.emitCapture("capture.created", c)
	return nil
}

// held is the attempt that holds the authorization, or nil.
func held(attempts []lockedAttempt) *lockedAttempt {
	for i := range attempts {
		if attempts[i].verdict == payment.Authorized && !attempts[i].dead {
			return &attempts[i]
		}
	}
	return nil
}

// intendCapture freezes the capture's request.
func (w *work) intendCapture(c payment.Capture, a *lockedAttempt) error {
	request, hash, err := channels.Freeze(channels.CaptureRequest{ChargeKey: id.Key(c.PaymentID, id.Step{Code: id.Charge, Ordinal: a.ordinal}),
		ChannelID: a.channelID, AmountMinor: c.Amount.Minor, Currency: string(c.Amount.Currency), Final: c.Final})
	if err != nil {
		return err
	}
	sum, _ := hex.DecodeString(hash)
	sealed, err := w.s.Seal(request)
	if err != nil {
		return err
	}
	w.write(insertCapture, c.ID, c.ID, c.PaymentID, c.MerchantID, int16(c.Attempt), int16(c.Ordinal), c.Amount.Minor, c.Amount.Currency,
		c.Final, c.Channel, c.ChannelAccount, sum, sealed, c.BornAt, c.Sequence, c.CreatedAt, c.UpdatedAt, w.at.Add(captureDelay))
	w.b.found.captures.put(c.ID, lockedCapture{status: c.Status, sequence: c.Sequence})
	return nil
}

func (w *work) emitCapture(kind string, c payment.Capture) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: c.MerchantID, object: "capture", id: c.ID, sequence: c.Sequence, data: c.Public()})
}

type lockedCapture struct {
	status   payment.CaptureStatus
	sequence int64
}

const sqlLockCaptures = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, status, sequence FROM captures WHERE book = $1 AND id = n.id FOR UPDATE) c`

func (b *batch) queueCaptures(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.captures })
	if list == nil {
		return
	}
	m.Queue(sqlLockCaptures, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var c lockedCapture
			if err := rows.Scan(&key, &c.status, &c.sequence); err != nil {
				return err
			}
			b.found.captures.find(key, c)
		}
		return rows.Err()
	})
}

// updateCapture writes what became of a capture.
type updateCapture struct{ payment.CaptureUpdate }

var setCapture = updating("captures", `id text, status text, in_doubt boolean, channel_id text, failure_code text, strayed bigint, fee bigint,
	sequence bigint, updated_at timestamptz, effective_at timestamptz, matures_at timestamptz, ended boolean`, `id = n.id`, `
		status = n.status, in_doubt = n.in_doubt, channel_id = n.channel_id, failure_code = n.failure_code, strayed = n.strayed, fee = n.fee,
		sequence = n.sequence, updated_at = n.updated_at, effective_at = n.effective_at, matures_at = n.matures_at,
		due_at = CASE WHEN n.ended THEN NULL ELSE t.due_at END`)

func (u updateCapture) claim(l *locks) { l.captures = append(l.captures, u.Before.ID) }

func (u updateCapture) judge(w *work) error {
	row := w.b.found.captures.get(u.Before.ID)
	if row == nil {
		return fault.NotFound("capture")
	}
	grows := int64(0)
	if u.Event != "" {
		grows = 1
	}
	after := u.After
	after.UpdatedAt, after.EffectiveAt = kept(after.UpdatedAt), kept(after.EffectiveAt)
	switch {
	case row.status != u.Before.Status || row.sequence != u.Before.Sequence:
		return fault.Conflict("stale_state", "the capture has moved since it was read")
	case after.Sequence != u.Before.Sequence+grows:
		return fault.Internal("a move with an event counts one, a move without counts none (I-23)", nil)
	}
	w.write(setCapture, after.ID, after.ID, after.Status, after.InDoubt, orNull(after.ChannelID), orNull(after.FailureCode), after.Strayed,
		after.Fee.Minor, after.Sequence, after.UpdatedAt, optional(after.EffectiveAt), optional(after.MaturesAt),
		after.Status != payment.CaptureProcessing)
	row.status, row.sequence = after.Status, after.Sequence
	if u.Event != "" {
		w.emitCapture(u.Event, after)
	}
	return nil
}

const captureColumns = `
	c.book::text, c.id, c.payment_id, c.merchant_id, c.attempt, c.ordinal, c.amount, c.currency, c.final, c.channel, c.channel_account,
	c.request_hash, c.born_at, c.status, c.in_doubt, coalesce(c.channel_id, ''), coalesce(c.failure_code, ''), c.strayed, c.fee, c.sequence,
	c.created_at, c.updated_at, c.effective_at, c.matures_at`

func scanCapture(row pgx.CollectableRow) (payment.Capture, error) { return captureOf(row) }

// captureOf reads captureColumns and then more.
func captureOf(row pgx.Row, more ...any) (payment.Capture, error) {
	var c payment.Capture
	var hash []byte
	var effective, matures *time.Time
	err := row.Scan(append([]any{&c.Book, &c.ID, &c.PaymentID, &c.MerchantID, &c.Attempt, &c.Ordinal, &c.Amount.Minor, &c.Amount.Currency,
		&c.Final, &c.Channel, &c.ChannelAccount, &hash, &c.BornAt, &c.Status, &c.InDoubt, &c.ChannelID, &c.FailureCode, &c.Strayed,
		&c.Fee.Minor, &c.Sequence, &c.CreatedAt, &c.UpdatedAt, &effective, &matures}, more...)...)
	c.RequestHash, c.Key, c.Fee.Currency = hex.EncodeToString(hash), payment.CaptureKey(c.ID), c.Amount.Currency
	c.EffectiveAt, c.MaturesAt = value(effective), value(matures)
	return c, err
}

const sqlCaptures = `SELECT` + captureColumns + ` FROM captures c WHERE c.payment_id = $2 AND c.book = $1 ORDER BY c.ordinal`

// Captures lists a payment's captures in order of receipt. Another merchant's payment is NotFound (I-25).
func (s *Store) Captures(ctx context.Context, book id.Book, merchantID, paymentID string) ([]payment.Capture, error) {
	if _, err := s.Payment(ctx, book, merchantID, paymentID); err != nil {
		return nil, err
	}
	rows, err := s.books[book].pool.Query(ctx, sqlCaptures, book, paymentID)
	if err != nil {
		return nil, failure(err)
	}
	list, err := pgx.CollectRows(rows, scanCapture)
	return list, failure(err)
}

const sqlCaptureIntent = `SELECT` + captureColumns + `, c.request_sealed FROM captures c WHERE c.book = $1 AND c.id = $2`

// CaptureIntent reads a committed capture back for its call, with request and credentials opened. A key that was never
// committed is NotFound: nothing may be sent for it (I-13).
func (s *Store) CaptureIntent(ctx context.Context, book id.Book, key string) (channels.CaptureIntent, error) {
	var in channels.CaptureIntent
	db, err := s.db(book)
	if err != nil {
		return in, err
	}
	captureID, step, err := id.ParseKey(key)
	if err != nil {
		return in, err
	}
	if step != (id.Step{Code: id.CaptureOut, Ordinal: 1}) {
		return in, fault.NotFound("intent")
	}
	var sealed []byte
	in.Capture, err = captureOf(db.pool.QueryRow(ctx, sqlCaptureIntent, book, captureID), &sealed)
	if err == pgx.ErrNoRows {
		return in, fault.NotFound("intent")
	} else if err != nil {
		return in, failure(err)
	}
	a := in.Capture
	in.Key, in.Account, err = s.thaw(ctx, db, frozen{key, a.RequestHash, a.BornAt, a.ChannelAccount, sealed}, &in.Request)
	return in, err
}

const sqlClaimCaptures = `
	WITH due AS (
		SELECT book, id FROM captures
		WHERE due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE captures c SET tries = least(tries + 1, 1000),
		due_at = $1 + least(interval '60 seconds', interval '5 seconds' * (2 ^ least(tries, 4)))
	FROM due WHERE c.book = due.book AND c.id = due.id
	RETURNING` + captureColumns

// CapturesWaiting claims captures that were received 5 s ago or more and that no saga has settled (I-19).
func (s *Store) CapturesWaiting(ctx context.Context, limit int) ([]payment.Capture, error) {
	var all []payment.Capture
	for _, db := range s.dbs {
		rows, err := db.pool.Query(ctx, sqlClaimCaptures, s.clock(), limit, bookNames(db.books))
		if err != nil {
			return all, failure(err)
		}
		list, err := pgx.CollectRows(rows, scanCapture)
		if err != nil {
			return all, failure(err)
		}
		all = append(all, list...)
	}
	return all, nil
}
