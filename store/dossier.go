package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/channels"
	"paysaga/domain/exception"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// sqlPayments reads whole payments; callers add their WHERE.
const sqlPayments = `SELECT` + paymentColumns + ` FROM payments p`

// paymentColumns are those of a payment p. Parts come along as rows of numbers.
const paymentColumns = `
	p.book::text, p.id, p.merchant_id, p.order_id, p.order_reference, coalesce(p.customer_id, ''), p.amount, p.currency,
		p.method, p.capture_method, coalesce(p.channel, ''), p.metadata, p.created_at, p.expires_at, p.status, p.in_doubt,
		coalesce(p.parked, ''), p.sequence, p.captured, p.capturing, p.capture_final, p.refunded, p.refunding, p.disputed, p.fee, p.fee_returned,
		coalesce(p.pending, CASE WHEN p.mature_due_at IS NULL THEN 0 ELSE p.captured - p.fee END), coalesce(p.decline_code, ''),
		coalesce(to_char(p.business_date, 'YYYY-MM-DD'), ''), p.effective_at, p.updated_at, p.next_action_sealed,
		p.cancel_requested_at, coalesce(p.decline_class, ''), p.review_due_at, coalesce(p.risk_flag, ''),
		(SELECT json_agg(json_build_array(t.part, t.source, t.amount, t.authorized, t.captured, t.refunded, t.refunding, t.matures_at) ORDER BY t.part)
			FROM payment_parts t WHERE t.book = p.book AND t.payment_id = p.id)`

// scanned is a payment row on its way.
type scanned struct {
	p                 payment.Payment
	effective, cancel *time.Time
	review            *time.Time
	action, parts     []byte
}

func (r *scanned) targets() []any {
	p := &r.p
	return []any{&p.Book, &p.ID, &p.MerchantID, &p.OrderID, &p.OrderRef, &p.CustomerID, &p.Amount.Minor, &p.Amount.Currency,
		&p.Method, &p.Capture, &p.Channel, &p.Metadata, &p.CreatedAt, &p.ExpiresAt, &p.Status, &p.InDoubt,
		&p.Parked, &p.Sequence, &p.Captured.Minor, &p.Capturing.Minor, &p.FinalCapture, &p.Refunded.Minor, &p.Refunding.Minor, &p.Disputed.Minor, &p.Fee.Minor, &p.FeeReturned.Minor, &p.Pending.Minor, &p.DeclineCode,
		&p.BusinessDate, &r.effective, &p.UpdatedAt, &r.action, &r.cancel,
		&p.DeclineClass, &r.review, &p.RiskFlag, &r.parts}
}

func (s *Store) scanPayment(row pgx.CollectableRow) (payment.Payment, error) {
	var r scanned
	if err := row.Scan(r.targets()...); err != nil {
		return r.p, err
	}
	return s.finish(&r)
}

func (s *Store) finish(r *scanned) (payment.Payment, error) {
	p := &r.p
	cur := p.Amount.Currency
	for _, a := range []*money.Amount{&p.Captured, &p.Capturing, &p.Refunded, &p.Refunding, &p.Disputed, &p.Fee, &p.FeeReturned, &p.Pending} {
		a.Currency = cur
	}
	p.EffectiveAt, p.CancelRequested, p.ReviewDue = value(r.effective), value(r.cancel), value(r.review)
	var rows [][8]json.RawMessage
	if r.parts != nil {
		if err := json.Unmarshal(r.parts, &rows); err != nil {
			return *p, err
		}
	}
	for _, row := range rows {
		zero := money.Zero(cur)
		part := payment.Part{Amount: zero, Authorized: zero, Captured: zero, Refunded: zero, Refunding: zero}
		for i, to := range []any{&part.Ordinal, &part.Source, &part.Amount.Minor, &part.Authorized.Minor, &part.Captured.Minor, &part.Refunded.Minor,
			&part.Refunding.Minor, &part.MaturesAt} {
			if err := json.Unmarshal(row[i], to); err != nil {
				return *p, err
			}
		}
		p.Parts = append(p.Parts, part)
	}
	if r.action != nil {
		text, err := s.OpenSealed(r.action)
		if err != nil {
			return *p, err
		}
		if err := json.Unmarshal(text, &p.NextAction); err != nil {
			return *p, err
		}
	}
	return *p, nil
}

func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

const attemptColumns = `
	a.book::text, a.payment_id, a.ordinal, a.part, a.channel, a.channel_account, a.lane, a.request_hash, a.born_at,
	coalesce(a.verdict, ''), a.dead, coalesce(a.channel_id, ''), coalesce(a.decline_code, ''), a.hard_decline, coalesce(a.amount, 0),
	coalesce(a.amount_currency, ''), a.expires_at, a.effective_at, coalesce((SELECT x.own_funds FROM channel_accounts x WHERE x.book = a.book AND x.id = a.channel_account), false)`

func scanAttempt(row pgx.CollectableRow) (payment.Attempt, error) { return attemptOf(row) }

// attemptOf reads attemptColumns and then more.
func attemptOf(row pgx.Row, more ...any) (payment.Attempt, error) {
	var a payment.Attempt
	var hash []byte
	var expires, effective *time.Time
	err := row.Scan(append([]any{&a.Book, &a.PaymentID, &a.Ordinal, &a.Part, &a.Channel, &a.ChannelAccount, &a.Lane, &hash, &a.BornAt,
		&a.Verdict, &a.Dead, &a.ChannelID, &a.DeclineCode, &a.HardDecline, &a.AmountMinor, &a.Currency, &expires, &effective, &a.OwnFunds}, more...)...)
	if err != nil {
		return a, err
	}
	a.RequestHash, a.ExpiresAt, a.EffectiveAt = hex.EncodeToString(hash), value(expires), value(effective)
	a.Key = id.Key(a.PaymentID, id.Step{Code: id.Charge, Ordinal: a.Ordinal})
	a.Reference, err = id.Reference(a.Key)
	return a, err
}

const sqlDossierRest = `
	SELECT (SELECT through FROM closings WHERE book = p.book ORDER BY through DESC LIMIT 1), p.opened_at IS NOT NULL, p.plan, d.secrets_sealed,
		m.debt_limit > 0 OR EXISTS (SELECT FROM accounts WHERE book = p.book AND code IN ('merchant/' || m.id || '/debt', 'merchant/' || m.id || '/fees_due') AND currency = p.currency AND balance <> 0),
		m.id, m.fee_basis_points, m.fee_fixed, m.fee_on_refund,
		m.settlement_days, m.debt_limit, m.time_zone, m.day_cut_seconds, m.policies
	FROM payments p
	JOIN merchants m ON m.book = p.book AND m.id = p.merchant_id
	LEFT JOIN payment_details d ON d.book = p.book AND d.payment_id = p.id
	WHERE p.book = $1 AND p.id = $2`

const sqlAttempts = `SELECT` + attemptColumns + ` FROM attempts a WHERE a.book = $1 AND a.payment_id = $2 ORDER BY a.ordinal`

// Dossier reads all that a step of the saga needs of a payment, in one round trip.
func (s *Store) Dossier(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, error) {
	var d payment.Dossier
	db, err := s.db(book)
	if err != nil {
		return d, err
	}
	b := &pgx.Batch{}
	s.queueDossier(b, &d, book, paymentID)
	if err := db.atOnce(ctx, b); err != nil {
		return payment.Dossier{}, failure(err)
	}
	if d.Payment.ID == "" {
		return payment.Dossier{}, fault.NotFound("payment")
	}
	return d, nil
}

// queueDossier reads a payment into d; its id stays empty if there is none.
func (s *Store) queueDossier(b *pgx.Batch, d *payment.Dossier, book id.Book, paymentID string) {
	b.Queue(sqlPayments+` WHERE p.book = $1 AND p.id = $2`, book, paymentID).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, s.scanPayment)
		if len(list) > 0 {
			d.Payment = list[0]
		}
		return err
	})
	b.Queue(sqlDossierRest, book, paymentID).QueryRow(func(row pgx.Row) error {
		var sealed []byte
		var through *time.Time
		terms, err := scanTerms(row, &through, &d.Opened, &d.Plan, &sealed, &d.MayOwe)
		if err != nil {
			return noRows(err)
		}
		d.Terms, d.Calendar.Through = terms, value(through)
		if sealed == nil {
			return nil // erased
		}
		text, err := s.OpenSealed(sealed)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &d.Secrets)
	})
	b.Queue(sqlAttempts, book, paymentID).Query(func(rows pgx.Rows) (err error) {
		d.Attempts, err = pgx.CollectRows(rows, scanAttempt)
		return err
	})
	b.Queue(sqlCaptures, book, paymentID).Query(func(rows pgx.Rows) (err error) {
		d.Captures, err = pgx.CollectRows(rows, scanCapture)
		return err
	})
}

// scanTerms reads a merchant's terms, after whatever stands before them in the row.
func scanTerms(row pgx.Row, before ...any) (payment.Terms, error) {
	var t payment.Terms
	var zone string
	var cut int64
	var policies struct {
		Cases       exception.Policies `json:"cases"`
		RefundParts string             `json:"refund_parts"`
	}
	err := row.Scan(append(before, &t.MerchantID, &t.FeeBasisPoints, &t.FeeFixed, &t.FeeOnRefund, &t.SettlementDays,
		&t.DebtLimit, &zone, &cut, &policies)...)
	if err != nil {
		return t, err
	}
	t.Policies, t.RefundParts = policies.Cases, policies.RefundParts
	t.DayCut = time.Duration(cut) * time.Second
	t.Zone, err = time.LoadLocation(zone)
	return t, err
}

const sqlIntent = `SELECT` + attemptColumns + `, a.request_sealed FROM attempts a WHERE a.book = $1 AND a.payment_id = $2 AND a.ordinal = $3`

// Intent reads a committed intent back for its call, with request and credentials opened. A key that was never committed is
// NotFound: nothing may be sent for it (I-13).
func (s *Store) Intent(ctx context.Context, book id.Book, key string) (channels.Intent, error) {
	var in channels.Intent
	db, err := s.db(book)
	if err != nil {
		return in, err
	}
	paymentID, step, err := id.ParseKey(key)
	if err != nil {
		return in, err
	}
	if step.Code != id.Charge {
		return in, fault.NotFound("intent")
	}
	var sealed []byte
	in.Attempt, err = attemptOf(db.pool.QueryRow(ctx, sqlIntent, book, paymentID, step.Ordinal), &sealed)
	if err == pgx.ErrNoRows {
		return in, fault.NotFound("intent")
	} else if err != nil {
		return in, failure(err)
	}
	a := in.Attempt
	in.Key, in.Account, err = s.thaw(ctx, db, frozen{key, a.RequestHash, a.BornAt, a.ChannelAccount, sealed}, &in.Request)
	return in, err
}
