package store

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
)

// intend commits the intent of an attempt (I-13).
type intend struct {
	payment.Intend
	hash, sealed []byte
}

func (s *Store) newIntend(book id.Book, c payment.Intend) (move, error) {
	a := &c.Attempt
	a.Book = book
	if a.Key != id.Key(a.PaymentID, id.Step{Code: id.Charge, Ordinal: a.Ordinal}) {
		return nil, fault.Internal("an attempt's key is its payment's id and its ordinal", nil)
	}
	if a.BornAt.IsZero() {
		a.BornAt = s.clock()
	}
	hash, err := hex.DecodeString(a.RequestHash)
	if err != nil || len(hash) != 32 || len(c.Request) == 0 {
		return nil, fault.Internal("an intent holds its frozen request and that one's hash", err)
	}
	sealed, err := s.Seal(c.Request)
	return intend{c, hash, sealed}, err
}

func (i intend) claim(l *locks) {
	l.payments = append(l.payments, i.Attempt.PaymentID)
	l.attempts = append(l.attempts, i.Attempt.PaymentID)
}

const sqlInsertAttempt = `
	INSERT INTO attempts (book, payment_id, ordinal, part, channel, channel_account, lane, request_hash, request_sealed, born_at)
	VALUES (@book, @payment_id, @ordinal, @part, @channel, @account, @lane, @hash, @sealed, @born_at)`

func (i intend) judge(w *work) error {
	a := i.Attempt
	p := w.found.payments[a.PaymentID]
	if p == nil {
		return fault.NotFound("payment")
	}
	if p.status.Terminal() {
		return fault.Conflict("payment_ended", "the payment is "+string(p.status)+": nothing more is sent for it")
	}
	for _, before := range w.found.attempts[a.PaymentID] {
		if before.ordinal == a.Ordinal {
			return fault.Conflict("intent_exists", "this attempt stands already")
		}
		if before.part == a.Part && !before.dead { // I-09
			return fault.Conflict("attempt_alive", "an attempt before this one may still succeed")
		}
	}
	w.out.queue(sqlInsertAttempt, pgx.NamedArgs{"book": w.step.Book, "payment_id": a.PaymentID, "ordinal": a.Ordinal, "part": a.Part,
		"channel": a.Channel, "account": a.ChannelAccount, "lane": a.Lane, "hash": i.hash, "sealed": i.sealed, "born_at": a.BornAt})
	w.found.attempts[a.PaymentID] = append(w.found.attempts[a.PaymentID], lockedAttempt{ordinal: a.Ordinal, part: a.Part})
	return nil
}

// update is a payment's move.
type update struct {
	payment.Update
	setAction bool
	action    []byte // sealed
}

func (s *Store) newUpdate(book id.Book, c payment.Update) (move, error) {
	if c.Before.Book != book || c.After.ID != c.Before.ID {
		return nil, fault.Internal("an update is about one payment of the Step's book", nil)
	}
	// The event shows the payment as it will be read back.
	c.After.UpdatedAt, c.After.EffectiveAt = kept(c.After.UpdatedAt), kept(c.After.EffectiveAt)
	grows := int64(0)
	if c.Event != "" {
		grows = 1
	}
	if c.After.Sequence != c.Before.Sequence+grows {
		return nil, fault.Internal("a move with an event counts one, a move without counts none (I-23)", nil)
	}
	u := update{Update: c}
	if c.After.NextAction == nil || c.After.Status != payment.RequiresAction {
		u.setAction = c.After.Status != payment.RequiresAction
		return u, nil
	}
	if c.Before.NextAction != nil && *c.Before.NextAction == *c.After.NextAction {
		return u, nil
	}
	text, err := json.Marshal(c.After.NextAction)
	if err != nil {
		return nil, fault.Internal("an action that is no JSON", err)
	}
	u.setAction = true
	u.action, err = s.Seal(text)
	return u, err
}

func (u update) claim(l *locks) { l.payments = append(l.payments, u.Before.ID) }

const sqlUpdatePayment = `
	UPDATE payments SET channel = nullif(@channel, ''), status = @status, in_doubt = @in_doubt, parked = nullif(@parked, ''),
		sequence = @sequence, captured = @captured, refunded = @refunded, fee = @fee, decline_code = nullif(@decline_code, ''),
		business_date = nullif(@business_date, '')::date, effective_at = @effective_at, updated_at = @updated_at,
		next_action_sealed = CASE WHEN @set_action::boolean THEN @action::bytea ELSE next_action_sealed END,
		opened_at = CASE WHEN @opened::boolean THEN coalesce(opened_at, @at) ELSE opened_at END,
		plan = coalesce(@plan::jsonb, plan), risk = coalesce(@risk::jsonb, risk),
		start_due_at = CASE WHEN @opened OR @ended::boolean THEN NULL ELSE start_due_at END,
		cancel_due_at = CASE WHEN @ended THEN NULL ELSE cancel_due_at END
	WHERE book = @book AND id = @id`

const sqlUpdateParts = `
	UPDATE payment_parts p SET authorized = n.authorized, captured = n.captured, refunded = n.refunded
	FROM unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS n(part, authorized, captured, refunded)
	WHERE p.book = $1 AND p.payment_id = $2 AND p.part = n.part`

func (u update) judge(w *work) error {
	row := w.found.payments[u.Before.ID]
	if row == nil {
		return fault.NotFound("payment")
	}
	before, after := u.Before, u.After
	if row.status != before.Status || row.sequence != before.Sequence {
		return fault.Conflict("stale_state", "the payment has moved since it was read")
	}
	if !before.Status.CanBecome(after.Status) { // I-15
		return fault.Conflict("edge_refused", "a payment that is "+string(before.Status)+" can't become "+string(after.Status))
	}
	if after.UpdatedAt.IsZero() {
		after.UpdatedAt = w.at
	}
	w.out.queue(sqlUpdatePayment, pgx.NamedArgs{
		"book": w.step.Book, "id": after.ID, "channel": after.Channel, "status": after.Status, "in_doubt": after.InDoubt,
		"parked": after.Parked, "sequence": after.Sequence, "captured": after.Captured.Minor, "refunded": after.Refunded.Minor,
		"fee": after.Fee.Minor, "decline_code": after.DeclineCode, "business_date": after.BusinessDate,
		"effective_at": optional(after.EffectiveAt), "updated_at": after.UpdatedAt, "set_action": u.setAction, "action": u.action,
		"opened": u.Opened, "ended": after.Status.Terminal(), "plan": optionalJSON(u.Plan), "risk": optionalJSON(u.Risk), "at": w.at,
	})
	if !slices.Equal(before.Parts, after.Parts) {
		var part []int16
		var authorized, captured, refunded []int64
		for _, p := range after.Parts {
			part, authorized = append(part, int16(p.Ordinal)), append(authorized, p.Authorized.Minor)
			captured, refunded = append(captured, p.Captured.Minor), append(refunded, p.Refunded.Minor)
		}
		w.out.queue(sqlUpdateParts, w.step.Book, after.ID, part, authorized, captured, refunded)
	}
	row.status, row.sequence = after.Status, after.Sequence
	if u.Event == "" {
		return nil
	}
	return w.emitPayment(u.Event, after)
}

// updateAttempt writes what is known of an attempt.
type updateAttempt struct{ payment.AttemptUpdate }

const sqlUpdateAttempt = `
	UPDATE attempts SET verdict = nullif(@verdict, ''), dead = @dead, channel_id = nullif(@channel_id, ''),
		decline_code = nullif(@decline_code, ''), hard_decline = @hard, amount = nullif(@amount, 0),
		amount_currency = nullif(@currency, ''), expires_at = @expires_at, effective_at = @effective_at
	WHERE book = @book AND payment_id = @payment_id AND ordinal = @ordinal`

func (u updateAttempt) claim(l *locks) { l.attempts = append(l.attempts, u.After.PaymentID) }

func (u updateAttempt) judge(w *work) error {
	a := u.After
	list := w.found.attempts[a.PaymentID]
	i := slices.IndexFunc(list, func(l lockedAttempt) bool { return l.ordinal == a.Ordinal })
	if i < 0 {
		return fault.NotFound("attempt")
	}
	if list[i].verdict != u.Before {
		return fault.Conflict("stale_state", "the attempt has moved since it was read")
	}
	list[i].verdict, list[i].dead = a.Verdict, a.Dead
	w.out.queue(sqlUpdateAttempt, pgx.NamedArgs{"book": w.step.Book, "payment_id": a.PaymentID, "ordinal": a.Ordinal,
		"verdict": a.Verdict, "dead": a.Dead, "channel_id": a.ChannelID, "decline_code": a.DeclineCode, "hard": a.HardDecline,
		"amount": a.AmountMinor, "currency": a.Currency, "expires_at": optional(a.ExpiresAt), "effective_at": optional(a.EffectiveAt)})
	return nil
}

// requestCancel notes a wish; the saga, or the relay after cancelDelay, does something about it.
type requestCancel struct{ payment.RequestCancel }

// cancelDelay leaves the saga's Update time to arrive before the relay repeats it.
const cancelDelay = 5 * time.Second

const sqlRequestCancel = `UPDATE payments SET cancel_requested_at = $3, cancel_due_at = $4 WHERE book = $1 AND id = $2`

func (r requestCancel) claim(l *locks) {
	l.claimKey(r.Idempotency, r.PaymentID)
	l.payments = append(l.payments, r.PaymentID)
}

func (r requestCancel) judge(w *work) error {
	p := w.found.payments[r.PaymentID]
	switch {
	case p == nil, r.Idempotency.MerchantID != "" && p.merchantID != r.Idempotency.MerchantID: // I-25
		return fault.NotFound("payment")
	case p.status.Terminal():
		return fault.Conflict("payment_not_cancelable", "the payment is "+string(p.status))
	case p.cancel != nil:
		return nil
	}
	at := r.At
	if at.IsZero() {
		at = w.at
	}
	w.out.queue(sqlRequestCancel, w.step.Book, r.PaymentID, at, w.at.Add(cancelDelay))
	return nil
}

// kept is a time as PostgreSQL keeps it.
func kept(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Microsecond)
}

// optional is NULL for the zero time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// optionalJSON is NULL for nothing. The driver would send bytes as a JSON string of base64.
func optionalJSON(b []byte) *string {
	if len(b) == 0 {
		return nil
	}
	text := string(b)
	return &text
}
