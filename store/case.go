package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// openCase records an exception.
type openCase struct{ payment.OpenCase }

var insertCase = inserting("cases", `id text, merchant_id text, payment_id text, channel_account text, kind text, amount bigint,
	currency text, reason text, opened_at timestamptz, attempt smallint, channel_id text, effective_at timestamptz, booked boolean,
	policy text, default_decision text, deadline timestamptz, start_due_at timestamptz`)

func (c openCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c openCase) judge(w *work) error {
	if w.b.found.cases.get(c.ID) != nil {
		return fault.Conflict("case_exists", "this case stands already")
	}
	k := exception.Case{Book: w.step.Book, ID: c.ID, MerchantID: c.MerchantID, PaymentID: c.PaymentID, ChannelAccount: c.ChannelAccount,
		Kind: c.Kind, Amount: c.Amount, Reason: c.Reason, OpenedAt: kept(w.at), Attempt: c.Attempt, ChannelID: c.ChannelID,
		EffectiveAt: kept(c.EffectiveAt), Booked: c.Booked, Policy: c.Policy, Sequence: 1}
	if k.Policy.Do == "" {
		k.Policy = exception.Default(k.Kind)
	}
	if k.Policy.After > 0 {
		k.Deadline = kept(w.at.Add(k.Policy.After))
	}
	w.b.found.cases.put(c.ID, k)
	var attempt *int16
	if n := int16(c.Attempt); n > 0 {
		attempt = &n
	}
	w.write(insertCase, c.ID, c.ID, orNull(c.MerchantID), orNull(c.PaymentID), orNull(c.ChannelAccount), c.Kind, c.Amount.Minor,
		orNull(c.Amount.Currency), c.Reason, w.at, attempt, orNull(c.ChannelID), optional(k.EffectiveAt), c.Booked, k.Policy.Do,
		orNull(k.Policy.Then), optional(k.Deadline), w.at)
	w.emitCase("case.opened", k)
	w.rebatesOfCase(k)
	return nil
}

func (w *work) emitCase(kind string, c exception.Case) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: c.MerchantID, object: "case", id: c.ID, sequence: c.Sequence, data: c.Public()})
}

const caseColumns = `
	c.book::text, c.id, coalesce(c.merchant_id, ''), coalesce(c.payment_id, ''), coalesce(c.channel_account, ''), c.kind, c.amount,
	coalesce(c.currency, ''), c.reason, c.opened_at, coalesce(c.attempt, 0), coalesce(c.channel_id, ''), c.effective_at, c.booked,
	coalesce(c.policy, ''), coalesce(c.default_decision, ''), c.deadline, coalesce(c.decision, ''), coalesce(c.actor, ''), c.verified,
	coalesce(c.decision_reason, ''), c.decided_at, coalesce(c.refund_id, ''), coalesce(c.parked, ''), c.closed_at, c.sequence,
	c.taken_at IS NOT NULL`

func scanCase(row pgx.CollectableRow) (exception.Case, error) {
	var c exception.Case
	var amount int64
	var currency money.Currency
	var effective, deadline, decided, closed *time.Time
	err := row.Scan(&c.Book, &c.ID, &c.MerchantID, &c.PaymentID, &c.ChannelAccount, &c.Kind, &amount, &currency, &c.Reason, &c.OpenedAt,
		&c.Attempt, &c.ChannelID, &effective, &c.Booked, &c.Policy.Do, &c.Policy.Then, &deadline, &c.Decision, &c.Actor, &c.Verified,
		&c.DecisionReason, &decided, &c.RefundID, &c.Parked, &closed, &c.Sequence, &c.Taken)
	c.Amount = money.New(amount, currency)
	c.EffectiveAt, c.Deadline, c.DecidedAt, c.ClosedAt = value(effective), value(deadline), value(decided), value(closed)
	switch {
	case c.Policy.Do == "": // opened by the binary that knew no policies
		c.Policy = exception.Default(c.Kind)
	case !c.Deadline.IsZero():
		c.Policy.After = c.Deadline.Sub(c.OpenedAt)
	}
	return c, err
}

const sqlLockCases = `
	SELECT` + caseColumns + `
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM cases WHERE book = $1 AND id = n.id FOR UPDATE) c`

func (b *batch) queueCases(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.cases })
	if list == nil {
		return
	}
	m.Queue(sqlLockCases, b.book(), list).Query(func(rows pgx.Rows) error {
		cases, err := pgx.CollectRows(rows, scanCase)
		for _, c := range cases {
			b.found.cases.find(c.ID, c)
		}
		return err
	})
}

// moveCase is a case's move.
type moveCase struct{ exception.Move }

var setCase = updating("cases", `id text, decision text, actor text, reason text, verified boolean, decided_at timestamptz,
	closed_at timestamptz, refund_id text, parked text, policy text, default_decision text, deadline timestamptz, sequence bigint`, `id = n.id`,
	`decision = n.decision, actor = n.actor, decision_reason = n.reason, verified = n.verified, decided_at = n.decided_at,
	closed_at = n.closed_at, refund_id = n.refund_id, parked = n.parked, policy = n.policy, default_decision = n.default_decision,
	deadline = n.deadline, sequence = n.sequence`)

func (c moveCase) claim(l *locks) {
	l.claimKey(c.Idempotency, c.After.ID)
	l.cases = append(l.cases, c.After.ID)
}

func (c moveCase) judge(w *work) error {
	stands := w.b.found.cases.get(c.After.ID)
	switch {
	case stands == nil:
		return fault.NotFound("case")
	case stands.State() == exception.Closed:
		return fault.Conflict("case_closed", "this case is settled already")
	case stands.Sequence != c.Before.Sequence || c.After.Sequence != c.Before.Sequence+1:
		return fault.Conflict("stale_state", "the case has moved since it was read")
	}
	k := c.After
	k.DecidedAt, k.ClosedAt, k.Deadline = kept(k.DecidedAt), kept(k.ClosedAt), kept(k.Deadline)
	*stands = k
	w.write(setCase, k.ID, k.ID, orNull(k.Decision), orNull(k.Actor), orNull(k.DecisionReason), k.Verified, optional(k.DecidedAt),
		optional(k.ClosedAt), orNull(k.RefundID), orNull(k.Parked), k.Policy.Do, orNull(k.Policy.Then), optional(k.Deadline), k.Sequence)
	w.emitCase(c.Event(), k)
	w.rebatesOfCase(k)
	return nil
}

// takeCase notes that a case's saga has it.
type takeCase struct{ exception.Take }

var setTaken = updating("cases", `id text, at timestamptz`, `id = n.id`, `taken_at = coalesce(t.taken_at, n.at), start_due_at = NULL`)

func (c takeCase) claim(l *locks) { l.cases = append(l.cases, c.ID) }

func (c takeCase) judge(w *work) error {
	stands := w.b.found.cases.get(c.ID)
	if stands == nil {
		return fault.NotFound("case")
	}
	stands.Taken = true
	w.write(setTaken, c.ID, c.ID, w.at)
	return nil
}

// payOrder adds a payment to its order's sums, and opens the case of what is too much. Nobody else opens that case, since its id has
// the step of this Step's cause in it: no lock is asked for, which each payment would pay for.
type payOrder struct{ payment.PayOrder }

func (p payOrder) claim(l *locks) { moveOrder{p.Move}.claim(l) }

func (p payOrder) judge(w *work) error {
	if err := (moveOrder{p.Move}).judge(w); err != nil {
		return err
	}
	excess := p.Excess
	excess.Amount.Minor = w.b.found.orders.get(p.OrderID).Excess(p.Change)
	if excess.ID == "" || excess.Amount.Minor == 0 {
		return nil
	}
	return openCase{excess}.judge(w)
}

// act records what an operator did.
type act struct{ payment.Act }

var insertAct = inserting("acts", `payment_id text, act text, decision text, actor text, verified boolean, reason text, cause text,
	at timestamptz`)

func (a act) claim(*locks) {}

func (a act) judge(w *work) error {
	w.write(insertAct, w.step.Cause, a.PaymentID, a.Act.Act, orNull(a.Decision), a.Actor, a.Verified, a.Reason, w.step.Cause, w.at)
	return nil
}

// seeCallback marks a callback as dealt with. Seen twice it stays as it was first.
type seeCallback struct{ payment.SeeCallback }

const sqlLockCallbacks = `
	SELECT c.*
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (
		SELECT id, disposition IS NOT NULL FROM callbacks WHERE book = $1 AND id = n.id FOR UPDATE) c`

var setDisposed = updating("callbacks", `id text, disposition text, at timestamptz`, `id = n.id`,
	`disposition = n.disposition, disposed_at = n.at, due_at = NULL`)

func (c seeCallback) claim(l *locks) { l.callbacks = append(l.callbacks, c.ID) }

func (c seeCallback) judge(w *work) error {
	disposed := w.b.found.callbacks.get(c.ID)
	if disposed == nil {
		return fault.NotFound("callback")
	}
	if !*disposed {
		*disposed = true
		w.write(setDisposed, c.ID, c.ID, c.Disposition, w.at)
	}
	return nil
}

func (b *batch) queueCallbacks(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.callbacks })
	if list == nil {
		return
	}
	m.Queue(sqlLockCallbacks, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var disposed bool
			if err := rows.Scan(&key, &disposed); err != nil {
				return err
			}
			b.found.callbacks.find(key, disposed)
		}
		return rows.Err()
	})
}
