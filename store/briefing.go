package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/payment"
	"paysaga/domain/risk"
	"paysaga/domain/rule"
)

// The merchant's own rules hold, else the platform's. All of it are look-ups by key.
const sqlBriefing = `
	SELECT coalesce(o.type, 'top_up'), coalesce(u.reference, ''), u.created_at, d.details_sealed, p.risk,
		(SELECT version FROM active_rules WHERE book = p.book AND merchant_id = p.merchant_id AND kind = 'routing'),
		(SELECT version FROM active_rules WHERE book = p.book AND merchant_id = '' AND kind = 'routing'),
		(SELECT version FROM active_rules WHERE book = p.book AND merchant_id = p.merchant_id AND kind = 'risk'),
		(SELECT version FROM active_rules WHERE book = p.book AND merchant_id = '' AND kind = 'risk'),
		EXISTS (SELECT FROM risk_lists WHERE merchant_id IN ('', p.merchant_id) AND book = p.book AND removed_at IS NULL)
	FROM payments p
	LEFT JOIN orders o ON o.book = p.book AND o.id = p.order_id
	LEFT JOIN users u ON u.book = p.book AND u.id = p.customer_id
	LEFT JOIN user_details d ON d.book = p.book AND d.user_id = p.customer_id
	WHERE p.book = $1 AND p.id = $2`

// briefed is a row of sqlBriefing on its way.
type briefed struct {
	orderType, reference                               string
	since                                              *time.Time
	details, record                                    []byte
	ownRouting, platformRouting, ownRisk, platformRisk *int
	listed                                             bool
}

// Opening reads all that a payment is opened with: its dossier, the facts that rules ask for, and which rules hold, in one round
// trip.
func (s *Store) Opening(ctx context.Context, book id.Book, paymentID string) (payment.Dossier, risk.Briefing, error) {
	db, err := s.db(book)
	if err != nil {
		return payment.Dossier{}, risk.Briefing{}, err
	}
	var d payment.Dossier
	var r briefed
	m := &pgx.Batch{}
	s.queueDossier(m, &d, book, paymentID)
	m.Queue(sqlBriefing, book, paymentID).QueryRow(func(row pgx.Row) error {
		return noRows(row.Scan(&r.orderType, &r.reference, &r.since, &r.details, &r.record,
			&r.ownRouting, &r.platformRouting, &r.ownRisk, &r.platformRisk, &r.listed))
	})
	if err := db.atOnce(ctx, m); err != nil {
		return payment.Dossier{}, risk.Briefing{}, failure(err)
	}
	if d.Payment.ID == "" {
		return payment.Dossier{}, risk.Briefing{}, fault.NotFound("payment")
	}
	b, err := s.briefing(ctx, d, r)
	return d, b, err
}

func (s *Store) briefing(ctx context.Context, d payment.Dossier, r briefed) (risk.Briefing, error) {
	p := d.Payment
	b := risk.Briefing{Listed: r.listed, Routing: inForce(p.MerchantID, r.ownRouting, r.platformRouting),
		Risk: inForce(p.MerchantID, r.ownRisk, r.platformRisk)}
	if r.record != nil {
		b.Record = &risk.Record{}
		if err := json.Unmarshal(r.record, b.Record); err != nil {
			return b, fault.Internal("a stored verdict can't be read", err)
		}
	}
	var details map[string]string
	if r.details != nil {
		text, err := s.OpenSealed(r.details)
		if err != nil {
			return b, err
		}
		if err := json.Unmarshal(text, &details); err != nil {
			return b, fault.Internal("a customer's details can't be read", err)
		}
	}
	b.Facts.Facts = rule.Facts{PaymentID: p.ID, MerchantID: p.MerchantID, Channel: p.Channel, Method: p.Method, Capture: p.Capture,
		Currency: p.Amount.Currency, AmountMinor: p.Amount.Minor, OrderType: r.orderType, OrderRef: p.OrderRef, CustomerID: p.CustomerID,
		CustomerRef: r.reference, CustomerSince: value(r.since), Country: details["country"], Metadata: p.Metadata, CreatedAt: p.CreatedAt,
		Zone: d.Terms.Zone}
	return b, s.digests(ctx, &b.Facts, d, details)
}

// digests fills in what names a person or a card. Most payments have none of it, and need no secret.
func (s *Store) digests(ctx context.Context, f *risk.Facts, d payment.Dossier, details map[string]string) error {
	card := d.Secrets.Fingerprint
	if card == "" {
		card = d.Secrets.Token
	}
	for _, v := range []struct {
		kind  risk.Kind
		value string
		to    *string
	}{{risk.KindCard, card, &f.Card}, {risk.KindEmail, details["email"], &f.Email}, {risk.KindPhone, details["phone"], &f.Phone}, {risk.KindIP, d.Secrets.CustomerIP, &f.IP}} {
		if v.value == "" {
			continue
		}
		digest, err := s.Digest(ctx, d.Payment.Book, v.kind, v.value)
		if err != nil {
			return err
		}
		*v.to = digest
	}
	return nil
}

func inForce(merchantID string, own, platform *int) rule.InForce {
	switch {
	case own != nil:
		return rule.InForce{MerchantID: merchantID, Version: *own}
	case platform != nil:
		return rule.InForce{Version: *platform}
	}
	return rule.InForce{}
}

// recheckAt notes when a payment that was judged blind is to be judged again.
type recheckAt struct{ payment.RecheckAt }

var setRecheck = updating("payments", `id text, at timestamptz`, `id = n.id`, `recheck_due_at = n.at`)

func (r recheckAt) claim(l *locks) { l.payments = append(l.payments, r.PaymentID) }

func (r recheckAt) judge(w *work) error {
	if w.b.found.payments.get(r.PaymentID) == nil {
		return fault.NotFound("payment")
	}
	w.write(setRecheck, r.PaymentID, r.PaymentID, optional(r.At))
	return nil
}

const sqlClaimRechecks = `
	WITH due AS (
		SELECT book, id FROM payments
		WHERE recheck_due_at <= $1 AND book = ANY($3::text[]::book[]) ORDER BY recheck_due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE payments p SET recheck_due_at = $1 + interval '30 seconds'
	FROM due WHERE p.book = due.book AND p.id = due.id
	RETURNING p.id`

// Rechecks claims payments that were let through while the risk data couldn't be read. One that still can't be judged comes
// again after half a minute.
func (s *Store) Rechecks(ctx context.Context, limit int) ([]payment.Payment, error) {
	return s.claimPayments(ctx, sqlClaimRechecks, s.clock(), limit)
}

const sqlInForce = `
	SELECT merchant_id, version FROM active_rules WHERE book = $1 AND merchant_id IN ('', $2) AND kind = $3
	ORDER BY merchant_id DESC LIMIT 1`

// InForce is the version that payments of a merchant go by; an empty merchant asks for the platform's.
func (s *Store) InForce(ctx context.Context, book id.Book, merchantID string, kind rule.Kind) (rule.InForce, error) {
	var f rule.InForce
	db, err := s.db(book)
	if err != nil {
		return f, err
	}
	err = noRows(db.pool.QueryRow(ctx, sqlInForce, book, merchantID, kind).Scan(&f.MerchantID, &f.Version))
	return f, failure(err)
}
