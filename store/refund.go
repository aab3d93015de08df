package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/payment"
	"paysaga/domain/refund"
	"paysaga/domain/remit"
)

// wholePayment is a payment under lock with all that a refund is judged by.
type wholePayment struct {
	payment.Payment
	matured bool
	terms   payment.Terms // only FeeOnRefund, DebtLimit and RefundParts
	charges []charge
}

// charge is an attempt that took money, the one that succeeded first.
type charge struct {
	Ordinal   int    `json:"ordinal"`
	Part      int    `json:"part"`
	Channel   string `json:"channel"`
	Account   string `json:"account"`
	ChannelID string `json:"channel_id"`
	Own       bool   `json:"own"`
}

// The rows are locked by queuePayments, in the one order.
const sqlReadWholes = `
	SELECT` + paymentColumns + `, p.mature_due_at IS NULL, m.fee_on_refund, m.debt_limit, m.refund_parts,
		(SELECT json_agg(json_build_object('ordinal', a.ordinal, 'part', a.part, 'channel', a.channel, 'account', a.channel_account,
				'channel_id', coalesce(a.channel_id, ''), 'own', coalesce((SELECT x.own_funds FROM channel_accounts x WHERE x.book = a.book AND x.id = a.channel_account), false)) ORDER BY a.verdict = 'succeeded' DESC, a.ordinal)
			FROM attempts a WHERE a.book = p.book AND a.payment_id = p.id AND a.verdict IN ('succeeded', 'authorized'))
	FROM unnest($2::text[]) AS n(id)
	CROSS JOIN LATERAL (SELECT * FROM payments WHERE book = $1 AND id = n.id OFFSET 0) p
	CROSS JOIN LATERAL (SELECT fee_on_refund, debt_limit, coalesce(policies->>'refund_parts', '') AS refund_parts FROM merchants WHERE book = $1 AND id = p.merchant_id OFFSET 0) m`

func (b *batch) queueWholes(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.wholes })
	if list == nil {
		return
	}
	m.Queue(sqlReadWholes, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var r scanned
			var p wholePayment
			var charges []byte
			if err := rows.Scan(append(r.targets(), &p.matured, &p.terms.FeeOnRefund, &p.terms.DebtLimit, &p.terms.RefundParts, &charges)...); err != nil {
				return err
			}
			var err error
			if p.Payment, err = b.l.c.s.finish(&r); err != nil {
				return err
			}
			if charges != nil {
				if err := json.Unmarshal(charges, &p.charges); err != nil {
					return err
				}
			}
			b.found.wholes.find(p.ID, p)
		}
		return rows.Err()
	})
}

// lockedRefund is a refund under lock, with its tries.
type lockedRefund struct {
	refund.Refund
	attempts []remit.Tried
}

const sqlLockRefunds = `
	SELECT` + refundColumns + `,
		(SELECT json_agg(json_build_object('ordinal', a.ordinal, 'verdict', coalesce(a.verdict, ''), 'dead', a.dead,
			'amount', coalesce(a.amount, 0), 'currency', coalesce(a.amount_currency, '')) ORDER BY a.ordinal)
			FROM refund_attempts a WHERE a.book = r.book AND a.refund_id = r.id)
	FROM unnest($2::text[]) AS n(id) CROSS JOIN LATERAL (SELECT * FROM refunds WHERE book = $1 AND id = n.id FOR UPDATE) r`

func (b *batch) queueRefunds(m *pgx.Batch) {
	list := b.claimed(func(l *locks) []string { return l.refunds })
	if list == nil {
		return
	}
	m.Queue(sqlLockRefunds, b.book(), list).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var attempts []byte
			r, err := scanRefund(rows, &attempts)
			if err != nil {
				return err
			}
			locked := lockedRefund{Refund: r}
			if locked.attempts, err = tried(attempts); err != nil {
				return err
			}
			b.found.refunds.find(r.ID, locked)
		}
		return rows.Err()
	})
}

// receiveRefund is POST /v1/payments/{id}/refunds, and a case's return: judged under the payment's lock (I-12).
type receiveRefund struct {
	refund.Receive
	causes []string // of its journals beside the Step's own
	own    []string // the accounts of own funds of its merchant: of which it is, the lock will tell
}

func (w *work) newReceiveRefund(c refund.Receive) (move, error) {
	r := &c.Refund
	r.Book = w.step.Book
	if !id.Is(id.Refund, r.ID) || !id.Is(id.Payment, r.PaymentID) && !r.OfTopUp() {
		return nil, fault.Internal("a refund is received under an id of its own, and of a payment", nil)
	}
	if r.OfTopUp() && r.Source != refund.FromSuspense && r.User == "" { // it names what it will post before anything is locked
		return nil, fault.Internal("a refund of a top-up names whose wallet it is", nil)
	}
	if r.CreatedAt.IsZero() {
		r.CreatedAt = w.at
	}
	r.CreatedAt = kept(r.CreatedAt)
	mine := receiveRefund{Receive: c}
	if cause := id.Key(r.ID, id.Step{Code: id.Receive, Ordinal: 1}); r.Source != refund.FromSuspense && cause != w.step.Cause {
		mine.causes = []string{cause}
	}
	if r.Source == refund.FromSuspense || r.OfTopUp() {
		return mine, nil
	}
	var err error
	if mine.own, err = w.s.ownFunds(w.db, w.step.Book, r.MerchantID); err != nil {
		return nil, err
	}
	if mine.own != nil {
		returned, _ := refund.FeeCauses(r.ID)
		mine.causes = append(mine.causes, returned)
	}
	return mine, nil
}

func (r receiveRefund) claim(l *locks) {
	l.claimKey(r.Idempotency, r.Refund.ID)
	l.payments = append(l.payments, r.Refund.PaymentID)
	l.wholes = append(l.wholes, r.Refund.PaymentID)
	if r.Refund.CaseID != "" {
		l.cases = append(l.cases, r.Refund.CaseID)
	}
	if r.Refund.User != "" {
		l.holders = append(l.holders, r.Refund.User)
	}
}

func (r receiveRefund) posts() posts {
	if r.Refund.Source == refund.FromSuspense {
		return posts{}
	}
	c, m := r.Refund.Chart(), r.Refund.MerchantID
	if r.Refund.OfTopUp() {
		return posts{accounts: []ledger.Account{c.Wallet(r.Refund.User), c.Refunding(m)}, causes: r.causes}
	}
	list := posts{accounts: []ledger.Account{c.Pending(m), c.Available(m), c.Debt(m), c.Fees(), c.Refunding(m)}, causes: r.causes}
	for _, account := range r.own {
		c.Own = ledger.Own{ChannelAccount: account, Merchant: m}
		list.accounts = append(list.accounts, c.Available(m), c.Refunding(m))
	}
	if r.own != nil {
		list.accounts = append(list.accounts, c.FeesDue(m))
	}
	return list
}

var insertRefund = inserting("refunds", `id text, payment_id text, order_id text, merchant_id text, part smallint, charge smallint, channel text,
	channel_account text, charge_id text, amount bigint, currency text, reason text, metadata jsonb, source text, case_id text,
	created_at timestamptz, taken_fee bigint, taken_pending bigint, taken_available bigint, taken_debt bigint, status text, sequence bigint,
	updated_at timestamptz, start_due_at timestamptz, wallet bigint, user_id text, combined boolean, taken_wallet bigint`)

func (r receiveRefund) judge(w *work) error {
	p := w.b.found.wholes.get(r.Refund.PaymentID)
	if p == nil || p.MerchantID != r.Refund.MerchantID { // I-25
		return fault.NotFound("payment")
	}
	if r.Refund.CaseID != "" {
		if c := w.b.found.cases.get(r.Refund.CaseID); c == nil || c.MerchantID != p.MerchantID {
			return fault.NotFound("case")
		}
	}
	mine, err := r.open(w, p)
	if err != nil {
		return err
	}
	if mine.Metadata == nil {
		mine.Metadata = map[string]string{}
	}
	metadata, err := json.Marshal(mine.Metadata)
	if err != nil {
		return fault.Internal("metadata that is no JSON", err)
	}
	t := mine.Taken
	w.write(insertRefund, mine.ID, mine.ID, mine.PaymentID, mine.OrderID, mine.MerchantID, int16(mine.Part), int16(mine.Charge), mine.Channel,
		mine.ChannelAccount, orNull(mine.ChargeID), mine.Amount.Minor, mine.Amount.Currency, orNull(mine.Reason), string(metadata), mine.Source,
		orNull(mine.CaseID), mine.CreatedAt, t.Fee.Minor, t.Pending.Minor, t.Available.Minor, t.Debt.Minor, mine.Status, mine.Sequence,
		mine.UpdatedAt, mine.CreatedAt, mine.Wallet.Minor, orNull(mine.User), mine.Combined, t.Wallet.Minor)
	w.b.found.refunds.put(mine.ID, lockedRefund{Refund: mine})
	w.emitRefund("refund.created", mine)
	return nil
}

// open rules about the refund, and moves the payment's sums.
func (r receiveRefund) open(w *work, p *wholePayment) (refund.Refund, error) {
	mine := r.Refund
	if mine.Source == refund.FromSuspense {
		mine, err := refund.Return(mine, p.Payment)
		if mine.Channel == "" {
			i := slices.IndexFunc(p.charges, func(c charge) bool { return c.Ordinal == mine.Charge })
			if i < 0 {
				return mine, fault.Internal("a case returns money of a charge that isn't there", err)
			}
			mine.Channel = p.charges[i].Channel
		}
		return mine, err
	}
	if r.All {
		mine.Amount.Minor = p.Left().Minor
	}
	if len(p.charges) > 0 {
		of := p.charges[0]
		mine.Part, mine.Charge, mine.Channel, mine.ChannelAccount, mine.ChargeID = of.Part, of.Ordinal, of.Channel, of.Account, of.ChannelID
		if mine.OwnFunds = of.Own; of.Own && !slices.Contains(r.own, of.Account) {
			w.s.cache.own.forget()
			return mine, fault.Unavailable("account_new", "the account was opened a moment ago; try again", nil)
		}
	}
	opening, err := r.opening(w, mine, p)
	if err != nil {
		return mine, err
	}
	o, err := refund.Open(opening)
	w.short = w.short || fault.Is(err, fault.KindConflict, "insufficient_balance") || o.Refund.Taken.Debt.Minor > 0
	if err != nil {
		return mine, err
	}
	if mine = o.Refund; mine.Charge == 0 && mine.OverChannel() > 0 {
		return mine, fault.Internal("a paid payment without a charge", nil)
	}
	if mine.Wallet.Minor > 0 || mine.Taken.Wallet.Minor > 0 {
		if err := w.holds(mine.MerchantID, mine.User); err != nil {
			return mine, err
		}
	}
	w.late = append(w.late, o.Journal)
	if o.Fee != nil {
		w.late = append(w.late, *o.Fee)
	}
	return mine, w.movePayment(p, o.Payment, "payment.updated")
}

// opening is what the refund is judged by: the balances of those who would bear it.
func (r receiveRefund) opening(w *work, mine refund.Refund, p *wholePayment) (o refund.Opening, err error) {
	o = refund.Opening{Refund: mine, Payment: p.Payment, Terms: p.terms}
	if mine.OfTopUp() {
		if mine.User != p.CustomerID {
			return o, fault.Internal("a refund of a top-up names another wallet", nil)
		}
		o.Wallet, err = w.balance(mine.Chart().Wallet(mine.User))
		return o, err
	}
	available, debt, err := w.purse(mine.Chart().Ours(), mine.MerchantID)
	o.Available, o.DebtRoom = available, p.terms.DebtLimit-debt
	return o, err
}

// purse is what a merchant has and what it owes.
func (w *work) purse(c ledger.Chart, merchant string) (available, debt int64, err error) {
	if available, err = w.balance(c.Available(merchant)); err != nil {
		return 0, 0, err
	}
	debt, err = w.balance(c.Debt(merchant))
	return available, debt, err
}

var moveRefunds = updating("payments", `id text, refunded bigint, refunding bigint, fee_returned bigint, pending bigint, sequence bigint,
	updated_at timestamptz`, `id = n.id`, `refunded = n.refunded, refunding = n.refunding, fee_returned = n.fee_returned,
		pending = CASE WHEN t.mature_due_at IS NULL THEN NULL ELSE n.pending END, sequence = n.sequence, updated_at = n.updated_at,
		parts_seen = CASE WHEN t.wallet > 0 THEN n.sequence END`)

var movePart = updating("payment_parts", `payment_id text, part smallint, refunded bigint, refunding bigint`,
	`payment_id = n.payment_id AND part = n.part`, `refunded = n.refunded, refunding = n.refunding`)

// movePayment writes what a refund makes of its payment, and tells it.
func (w *work) movePayment(p *wholePayment, after payment.Payment, event string) error {
	if after.UpdatedAt.Before(p.UpdatedAt) {
		after.UpdatedAt = p.UpdatedAt
	}
	after.UpdatedAt = kept(after.UpdatedAt)
	w.write(moveRefunds, after.ID, after.ID, after.Refunded.Minor, after.Refunding.Minor, after.FeeReturned.Minor, after.Pending.Minor,
		after.Sequence, after.UpdatedAt)
	for i, part := range after.Parts {
		if i < len(p.Parts) && p.Parts[i] != part {
			w.write(movePart, after.ID+"/"+strconv.Itoa(part.Ordinal), after.ID, int16(part.Ordinal), part.Refunded.Minor, part.Refunding.Minor)
		}
	}
	p.Payment = after
	if row := w.b.found.payments.get(after.ID); row != nil {
		row.sequence = after.Sequence
	}
	return w.emitPayment(event, after)
}

func (w *work) emitRefund(kind string, r refund.Refund) {
	w.out.events = append(w.out.events, event{kind: kind, merchant: r.MerchantID, object: "refund", id: r.ID, sequence: r.Sequence, data: r.Public()})
}

// intendRefund commits the intent of a try (I-13).
type intendRefund struct {
	refund.Intend
	hash, sealed []byte
}

func (s *Store) newIntendRefund(book id.Book, c refund.Intend) (move, error) {
	a := &c.Attempt
	a.Book = book
	if a.Key != id.Key(a.Of, id.Step{Code: id.RefundOut, Ordinal: a.Ordinal}) {
		return nil, fault.Internal("a try's key is its refund's id and its ordinal", nil)
	}
	if a.BornAt.IsZero() {
		a.BornAt = s.clock()
	}
	hash, sealed, err := s.freeze(a.RequestHash, c.Request)
	return intendRefund{c, hash, sealed}, err
}

func (i intendRefund) claim(l *locks) { l.refunds = append(l.refunds, i.Attempt.Of) }

var insertRefundAttempt = inserting("refund_attempts", `refund_id text, ordinal smallint, channel text, channel_account text, request_hash bytea,
	request_sealed bytea, born_at timestamptz`)

var openRefund = updating("refunds", `id text, at timestamptz`, `id = n.id`, `opened_at = coalesce(t.opened_at, n.at), start_due_at = NULL`)

func (i intendRefund) judge(w *work) error {
	a := i.Attempt
	r := w.b.found.refunds.get(a.Of)
	if r == nil {
		return fault.NotFound("refund")
	}
	if err := mayIntend("refund", a, r.Status, r.Parked, r.attempts); err != nil {
		return err
	}
	w.write(insertRefundAttempt, attemptKey(a.Of, a.Ordinal), a.Of, int16(a.Ordinal), a.Channel, a.ChannelAccount, i.hash, i.sealed, a.BornAt)
	w.write(openRefund, a.Of, a.Of, w.at)
	r.attempts = append(slices.Clone(r.attempts), remit.Tried{Ordinal: a.Ordinal})
	return nil
}

// dated is when a move happened, if its maker didn't say.
func dated(at, now time.Time) time.Time {
	if at.IsZero() {
		return kept(now)
	}
	return kept(at)
}
