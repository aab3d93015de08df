package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

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
	hash, sealed, err := s.freeze(a.RequestHash, c.Request)
	return intend{c, hash, sealed}, err
}

func (i intend) claim(l *locks) {
	l.payments = append(l.payments, i.Attempt.PaymentID)
	l.attempts = append(l.attempts, i.Attempt.PaymentID)
}

var insertAttempt = inserting("attempts", `payment_id text, ordinal smallint, part smallint, channel text, channel_account text,
	lane text, request_hash bytea, request_sealed bytea, born_at timestamptz`)

func attemptKey(paymentID string, ordinal int) string { return paymentID + "/" + strconv.Itoa(ordinal) }

func (i intend) judge(w *work) error {
	a := i.Attempt
	p := w.b.found.payments.get(a.PaymentID)
	if p == nil {
		return fault.NotFound("payment")
	}
	if p.status.Terminal() {
		return fault.Conflict("payment_ended", "the payment is "+string(p.status)+": nothing more is sent for it")
	}
	attempts := *w.b.found.attempts.get(a.PaymentID)
	for _, before := range attempts {
		if before.ordinal == a.Ordinal {
			return fault.Conflict("intent_exists", "this attempt stands already")
		}
		if before.part == a.Part && !before.dead { // I-09
			return fault.Conflict("attempt_alive", "an attempt before this one may still succeed")
		}
	}
	w.write(insertAttempt, attemptKey(a.PaymentID, a.Ordinal), a.PaymentID, int16(a.Ordinal), int16(a.Part), a.Channel, a.ChannelAccount,
		a.Lane, i.hash, i.sealed, a.BornAt)
	w.b.found.attempts.put(a.PaymentID, append(slices.Clone(attempts), lockedAttempt{ordinal: a.Ordinal, part: a.Part, channel: a.Channel,
		account: a.ChannelAccount}))
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
	if c.Before.NextAction != nil && c.Before.NextAction.Equal(*c.After.NextAction) {
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

var updatePayment = updating("payments", `id text, channel text, status text, in_doubt boolean, parked text, sequence bigint,
	captured bigint, capturing bigint, capture_final boolean, refunded bigint, fee bigint, decline_code text, business_date date,
	effective_at timestamptz, updated_at timestamptz, set_action boolean, action bytea, opened_at timestamptz, plan jsonb, risk jsonb, started boolean, ended boolean,
	decline_class text, review_due_at timestamptz, risk_flag text`, `id = n.id`, `
		channel = n.channel, status = n.status, in_doubt = n.in_doubt, parked = n.parked, sequence = n.sequence,
		captured = n.captured, capturing = n.capturing, capture_final = n.capture_final, refunded = n.refunded,
		fee = n.fee, decline_code = n.decline_code, business_date = n.business_date, effective_at = n.effective_at, updated_at = n.updated_at,
		topup_known = t.order_id = '', parts_seen = CASE WHEN t.wallet > 0 THEN n.sequence END, decline_class = n.decline_class, review_due_at = n.review_due_at, risk_flag = n.risk_flag,
		next_action_sealed = CASE WHEN n.set_action THEN n.action ELSE t.next_action_sealed END,
		opened_at = coalesce(t.opened_at, n.opened_at), plan = coalesce(n.plan, t.plan), risk = coalesce(n.risk, t.risk),
		start_due_at = CASE WHEN n.started OR n.ended THEN NULL ELSE t.start_due_at END,
		cancel_due_at = CASE WHEN n.ended THEN NULL ELSE t.cancel_due_at END`)

var updatePart = updating("payment_parts", `payment_id text, part smallint, authorized bigint, captured bigint, refunded bigint, matures_at timestamptz`,
	`payment_id = n.payment_id AND part = n.part`,
	`authorized = n.authorized, captured = n.captured, refunded = n.refunded, matures_at = n.matures_at`)

func (u update) judge(w *work) error {
	row := w.b.found.payments.get(u.Before.ID)
	if row == nil {
		return fault.NotFound("payment")
	}
	before, after := u.Before, u.After
	if row.status != before.Status || row.sequence != before.Sequence || row.capturing != before.Capturing.Minor {
		return fault.Conflict("stale_state", "the payment has moved since it was read")
	}
	if !before.Status.CanBecome(after.Status) && (u.Case == "" || !before.Status.CanBecomeByCase(after.Status)) { // I-15
		return fault.Conflict("edge_refused", "a payment that is "+string(before.Status)+" can't become "+string(after.Status))
	}
	if after.UpdatedAt.IsZero() {
		after.UpdatedAt = w.at
	}
	var opened *time.Time
	if u.Opened {
		opened = &w.at
	}
	w.write(updatePayment, after.ID, after.ID, orNull(after.Channel), after.Status, after.InDoubt, orNull(after.Parked), after.Sequence,
		after.Captured.Minor, after.Capturing.Minor, after.FinalCapture, after.Refunded.Minor, after.Fee.Minor, orNull(after.DeclineCode),
		orNull(after.BusinessDate), optional(after.EffectiveAt), after.UpdatedAt, u.setAction, u.action, opened, optionalJSON(u.Plan), optionalJSON(u.Risk),
		u.Opened, after.Status.Terminal(), orNull(after.DeclineClass), optional(after.ReviewDue), orNull(after.RiskFlag))
	if !slices.Equal(before.Parts, after.Parts) {
		for _, p := range after.Parts {
			w.write(updatePart, after.ID+"/"+strconv.Itoa(p.Ordinal), after.ID, int16(p.Ordinal), p.Authorized.Minor, p.Captured.Minor, p.Refunded.Minor,
				optional(p.MaturesAt))
		}
	}
	row.status, row.sequence = after.Status, after.Sequence
	if whole := w.b.found.wholes.get(after.ID); whole != nil {
		after.Pending = whole.Pending // that moves by matureAt and matureRest
		whole.Payment = after
	}
	row.captured, row.capturing, row.finalCapture = after.Captured.Minor, after.Capturing.Minor, after.FinalCapture
	if u.Event == "" {
		return nil
	}
	return w.emitPayment(u.Event, after)
}

// updateAttempt writes what is known of an attempt.
type updateAttempt struct{ payment.AttemptUpdate }

var setAttempt = updating("attempts", `payment_id text, ordinal smallint, verdict text, dead boolean, channel_id text,
	decline_code text, hard_decline boolean, amount bigint, amount_currency text, expires_at timestamptz, effective_at timestamptz`,
	`payment_id = n.payment_id AND ordinal = n.ordinal`, `
		verdict = nullif(n.verdict, ''), dead = n.dead, channel_id = n.channel_id, decline_code = n.decline_code,
		hard_decline = n.hard_decline, amount = nullif(n.amount, 0), amount_currency = n.amount_currency, expires_at = n.expires_at,
		effective_at = n.effective_at`)

func (u updateAttempt) claim(l *locks) { l.attempts = append(l.attempts, u.After.PaymentID) }

func (u updateAttempt) judge(w *work) error {
	a := u.After
	list := slices.Clone(*w.b.found.attempts.get(a.PaymentID))
	i := slices.IndexFunc(list, func(l lockedAttempt) bool { return l.ordinal == a.Ordinal })
	if i < 0 {
		return fault.NotFound("attempt")
	}
	if list[i].verdict != u.Before {
		return fault.Conflict("stale_state", "the attempt has moved since it was read")
	}
	list[i].verdict, list[i].dead, list[i].channelID, list[i].expires = a.Verdict, a.Dead, a.ChannelID, optional(a.ExpiresAt)
	w.b.found.attempts.put(a.PaymentID, list)
	w.write(setAttempt, attemptKey(a.PaymentID, a.Ordinal), a.PaymentID, int16(a.Ordinal), a.Verdict, a.Dead, orNull(a.ChannelID),
		orNull(a.DeclineCode), a.HardDecline, a.AmountMinor, orNull(string(a.Currency)), optional(a.ExpiresAt), optional(a.EffectiveAt))
	return nil
}

// requestCancel notes a wish; the saga, or the relay after cancelDelay, does something about it.
type requestCancel struct{ payment.RequestCancel }

// cancelDelay leaves the saga's Update time to arrive before the relay repeats it.
const cancelDelay = 5 * time.Second

var setCancel = updating("payments", `id text, at timestamptz, due timestamptz`, `id = n.id`,
	`cancel_requested_at = n.at, cancel_due_at = n.due`)

func (r requestCancel) claim(l *locks) {
	l.claimKey(r.Idempotency, r.PaymentID)
	l.payments = append(l.payments, r.PaymentID)
}

func (r requestCancel) judge(w *work) error {
	p := w.b.found.payments.get(r.PaymentID)
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
	p.cancel = &at
	w.write(setCancel, r.PaymentID, r.PaymentID, at, w.at.Add(cancelDelay))
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

// orNull is NULL for the empty text.
func orNull[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return s
}
