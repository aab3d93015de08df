package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/rebate"
)

// earn accrues an order's rebates, rated under the locks of its counters.
type earn struct {
	accrual.Earn
	book id.Book
}

func (e earn) chart() ledger.Chart { return ledger.Chart{Book: e.book, Currency: e.Order.Currency} }

func (e earn) claim(l *locks) { l.caps = append(l.caps, e.Counters()...) }

func (e earn) posts() posts {
	var list posts
	for _, v := range e.Versions {
		list.accounts = append(list.accounts, e.chart().Budget(v.Campaign.ID))
	}
	for _, a := range e.Likely {
		list.accounts = append(list.accounts, e.chart().RebatePending(a.Beneficiary))
		list.causes = append(list.causes, a.Cause(id.Accrue, 1))
	}
	return list
}

var rateOrder = updating("rebate_orders", `order_id text, at timestamptz, past jsonb`, `order_id = n.order_id`, `rated_at = n.at, past = n.past`)

func (e earn) judge(w *work) error {
	used := rebate.Used{Counters: w.counted(e.Counters()), Budget: map[string]int64{}}
	for _, v := range e.Versions {
		left, err := w.balance(e.chart().Budget(v.Campaign.ID))
		if err != nil {
			return err
		}
		used.Budget[v.Campaign.ID] = max(0, left)
	}
	list, takes, err := e.Rate(used)
	if err != nil {
		return err
	}
	for _, a := range list {
		if !slices.ContainsFunc(e.Likely, func(l accrual.Accrual) bool { return l.ID == a.ID }) {
			return fault.Conflict("stale_state", "the order earns something else than when it was read")
		}
		if err := w.promise(a); err != nil {
			return err
		}
		used.Budget[a.CampaignID] -= a.Accrued
	}
	for _, left := range used.Budget {
		w.short = w.short || left <= 0 // with another balance it might have been more
	}
	past, err := pastText(rebate.PastOf(e.Versions, e.Order, used.Counters))
	if err != nil {
		return err
	}
	w.write(rateOrder, e.Order.ID, e.Order.ID, w.at, past)
	return w.count(takes)
}

// What a buyer did before counts orders that were paid in full, by when their payments succeeded.
const sqlEarning = `
	SELECT o.merchant_id, o.reference, o.type, o.currency, m.time_zone, coalesce(p.metadata, '{}'), coalesce(p.customer_id, ''),
		u.created_at, coalesce(u.referrer_id, ''), coalesce(v.referrer_id, ''), d.details_sealed, h.orders, h.spent, w.paid_at
	FROM orders o
	JOIN rebate_orders w ON w.book = o.book AND w.order_id = o.id
	JOIN merchants m ON m.book = o.book AND m.id = o.merchant_id
	LEFT JOIN LATERAL (SELECT metadata, customer_id FROM payments WHERE book = o.book AND order_id = o.id AND captured > 0
		ORDER BY customer_id IS NULL, id LIMIT 1) p ON true
	LEFT JOIN users u ON u.book = o.book AND u.id = p.customer_id
	LEFT JOIN users v ON v.book = o.book AND v.id = u.referrer_id
	LEFT JOIN user_details d ON d.book = o.book AND d.user_id = u.id
	CROSS JOIN LATERAL (
		SELECT count(*) AS orders, coalesce(sum(b.paid - b.refunded - b.disputed) FILTER (WHERE b.currency = o.currency), 0)::bigint AS spent
		FROM (SELECT DISTINCT order_id FROM payments
			WHERE book = o.book AND customer_id = u.id AND captured > 0 AND order_id <> o.id AND effective_at <= w.paid_at) e
		JOIN orders b ON b.book = o.book AND b.id = e.order_id WHERE b.paid >= b.total) h
	WHERE o.book = $1 AND o.id = $2`

// Earning reads what an order is rated by: its facts, and the versions that were active when it was paid. Likely is what it would earn
// as its counters and budgets stand now. An order without a buyer earns nothing, and has no versions.
func (s *Store) Earning(ctx context.Context, book id.Book, orderID string) (accrual.Earn, error) {
	e, err := s.paidOrder(ctx, book, orderID)
	if err != nil || e.Order.Buyer.UserID == "" {
		return e, err
	}
	return e, s.likely(ctx, &e)
}

// paidOrder reads an order as rules see it.
func (s *Store) paidOrder(ctx context.Context, book id.Book, orderID string) (accrual.Earn, error) {
	e := accrual.Earn{Order: rebate.Order{Book: book, ID: orderID}}
	db, err := s.db(book)
	if err != nil {
		return e, err
	}
	o, b := &e.Order, &e.Order.Buyer
	var zone string
	var sealed, metadata []byte
	var since *time.Time
	err = db.pool.QueryRow(ctx, sqlEarning, book, orderID).Scan(&o.MerchantID, &o.Reference, &o.Type, &o.Currency, &zone, &metadata,
		&b.UserID, &since, &b.Referrer, &b.ReferrerTwo, &sealed, &b.OrdersPaid, &b.SpentMinor, &o.PaidAt)
	if err == pgx.ErrNoRows {
		return e, fault.NotFound("order")
	} else if err != nil {
		return e, failure(err)
	}
	b.Since = value(since)
	if b.UserID == "" {
		return e, nil
	}
	if o.Zone, err = time.LoadLocation(zone); err != nil {
		return e, fault.Internal("a merchant's time zone can't be read", err)
	}
	if err := json.Unmarshal(metadata, &o.Metadata); err != nil {
		return e, fault.Internal("metadata can't be read", err)
	}
	if o.Country, err = s.countryOf(sealed); err != nil {
		return e, err
	}
	rows, err := db.pool.Query(ctx, sqlOrder, book, orderID, "")
	if err != nil {
		return e, failure(err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanOrder)
	if err != nil {
		return e, failure(err)
	}
	o.Lines, err = rebate.Lines(t.Order)
	return e, err
}

// pastText is what was counted before, as it is kept; nil where nothing was.
func pastText(past map[string]rebate.Past) (*string, error) {
	if len(past) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(past)
	text := string(raw)
	return &text, err
}

func (s *Store) countryOf(sealed []byte) (string, error) {
	if sealed == nil {
		return "", nil
	}
	text, err := s.OpenSealed(sealed)
	if err != nil {
		return "", err
	}
	var details map[string]string
	if err := json.Unmarshal(text, &details); err != nil {
		return "", fault.Internal("a customer's details can't be read", err)
	}
	return details["country"], nil
}

const sqlBudgets = `
	SELECT a.owner, -a.balance FROM unnest($2::text[]) AS n(code)
	CROSS JOIN LATERAL (SELECT owner, balance FROM accounts WHERE code = n.code AND currency = $3 AND book = $1 OFFSET 0) a`

// likely rates the order without locks.
func (s *Store) likely(ctx context.Context, e *accrual.Earn) error {
	o := e.Order
	var err error
	if e.Versions, err = s.RebateRules(ctx, o.Book, o.MerchantID, o.Currency, o.PaidAt); err != nil || len(e.Versions) == 0 {
		return err
	}
	used := rebate.Used{Budget: map[string]int64{}}
	if used.Counters, err = s.RebateCounters(ctx, o.Book, e.Counters()); err != nil {
		return err
	}
	db, err := s.db(o.Book)
	if err != nil {
		return err
	}
	var codes []string
	for _, v := range e.Versions {
		codes = append(codes, v.Campaign.Chart().Budget(v.Campaign.ID).Code)
	}
	rows, err := db.pool.Query(ctx, sqlBudgets, o.Book, codes, o.Currency)
	if err != nil {
		return failure(err)
	}
	var campaign string
	var left int64
	if _, err := pgx.ForEachRow(rows, []any{&campaign, &left}, func() error { used.Budget[campaign] = left; return nil }); err != nil {
		return failure(err)
	}
	e.Likely, _, err = e.Rate(used)
	return err
}

// receiveGoods brings forward when a rebate vests.
type receiveGoods struct{ accrual.Receipt }

func (r receiveGoods) claim(l *locks) { l.rebates = append(l.rebates, r.Rebate.ID) }

var (
	setVesting = updating("rebates", `id text, vests_on date, sequence bigint, updated_at timestamptz`, `id = n.id`,
		`vests_on = n.vests_on, sequence = n.sequence, updated_at = n.updated_at`)
	setOpenVesting = updating("rebates_open", `campaign_id text, beneficiary text, rebate_id text, vests_on date`,
		`campaign_id = n.campaign_id AND beneficiary = n.beneficiary AND rebate_id = n.rebate_id`, `vests_on = n.vests_on`)
)

func (r receiveGoods) judge(w *work) error {
	a, err := w.rebateOf(r.Rebate.Ref())
	if err != nil {
		return err
	}
	after, moved := a.Received(r.Day, kept(w.at))
	if !moved {
		return fault.Conflict("stale_state", "the receipt changes nothing about this rebate")
	}
	w.write(setVesting, a.ID, a.ID, after.VestsOn, after.Sequence, after.UpdatedAt)
	if a.Open() > 0 {
		w.write(setOpenVesting, a.ID+"/vests", a.CampaignID, a.Beneficiary, a.ID, after.VestsOn)
	}
	*a = after
	w.emitRebate("rebate.vesting", after)
	return nil
}
