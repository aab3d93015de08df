package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/rebate"
)

// The walk is along the key of the orders that a rebate may depend on, so many of them a page whosever they are.
const sqlReratingPage = `
	SELECT w.order_id, o.merchant_id = $3 AND o.currency = $4 AND w.rated_at IS NOT NULL
	FROM (SELECT order_id, rated_at FROM rebate_orders WHERE book = $1 AND order_id > $2 ORDER BY order_id LIMIT $5) w
	CROSS JOIN LATERAL (SELECT merchant_id, currency FROM orders WHERE book = $1 AND id = w.order_id OFFSET 0) o
	ORDER BY w.order_id`

// ReratingPage reads the next orders that a run may be about; next is how far that was, and over that there are no more.
func (s *Store) ReratingPage(ctx context.Context, r accrual.Rerating, limit int) (orders []string, next string, over bool, err error) {
	db, err := s.db(r.Book)
	if err != nil {
		return nil, "", false, err
	}
	rows, err := db.pool.Query(ctx, sqlReratingPage, r.Book, r.After, r.MerchantID, r.Currency, limit)
	if err != nil {
		return nil, "", false, failure(err)
	}
	var order string
	var ours bool
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&order, &ours}, func() error {
		n++
		if next = order; ours {
			orders = append(orders, order)
		}
		return nil
	})
	return orders, next, n < limit, failure(err)
}

const sqlReratingOf = `
	SELECT w.rated, coalesce(w.past, '{}'), w.paid_at FROM rebate_orders w WHERE w.book = $1 AND w.order_id = $2`

// Correction reads what rating an order again by a run's version is judged by. in: the order went by the campaign, and by the version that
// is corrected; left says why it is left alone all the same.
func (s *Store) Correction(ctx context.Context, r accrual.Rerating, orderID string) (c accrual.Correct, in bool, left string, err error) {
	db, err := s.db(r.Book)
	if err != nil {
		return c, false, "", err
	}
	var rated int
	var past []byte
	var paidAt time.Time
	if err = db.pool.QueryRow(ctx, sqlReratingOf, r.Book, orderID).Scan(&rated, &past, &paidAt); err == pgx.ErrNoRows {
		return c, false, "", fault.NotFound("order")
	} else if err != nil {
		return c, false, "", failure(err)
	}
	versions, err := s.RebateRules(ctx, r.Book, r.MerchantID, r.Currency, paidAt)
	if err != nil {
		return c, false, "", err
	}
	i := slices.IndexFunc(versions, func(v *rebate.Rules) bool { return v.Campaign.ID == r.CampaignID })
	if i < 0 || r.Corrects > 0 && versions[i].Version != r.Corrects {
		return c, false, "", nil
	}
	went := versions[i]
	if c, err = s.correction(ctx, r, went, orderID); err != nil || c.Order.Buyer.UserID == "" {
		return c, false, "", err
	}
	c.Ordinal = rated + 1
	kept := map[string]rebate.Past{}
	if err := json.Unmarshal(past, &kept); err != nil {
		return c, false, "", fault.Internal("what was counted before can't be read", err)
	}
	was, known := kept[r.CampaignID]
	if known {
		c.Past = &was
	}
	for _, v := range versions {
		if v.Campaign.Exclusive {
			c.Closed[v.Campaign.ID] = true
		}
	}
	return c, true, c.Left(!known && went.Counts()), nil
}

// correction reads the order, its rebates, and the rules that they go by.
func (s *Store) correction(ctx context.Context, r accrual.Rerating, went *rebate.Rules, orderID string) (accrual.Correct, error) {
	c := accrual.Correct{RunID: r.ID, Closed: map[string]bool{}}
	e, err := s.paidOrder(ctx, r.Book, orderID)
	if err != nil {
		return c, err
	}
	c.Order = e.Order
	if c.Rules, err = s.RebateVersion(ctx, went.Campaign, r.Version); err != nil {
		return c, err
	}
	f, err := s.OrderFile(ctx, r.Book, orderID)
	if err != nil {
		return c, err
	}
	c.Share = f.Share
	for _, a := range f.Rebates {
		if a.CampaignID != r.CampaignID {
			c.Others = append(c.Others, a)
			continue
		}
		c.Mine = append(c.Mine, a)
		if !slices.ContainsFunc(c.Pinned, func(p *rebate.Rules) bool { return p.Version == a.Version }) {
			p, err := s.RebateVersion(ctx, went.Campaign, a.Version)
			if err != nil {
				return c, err
			}
			c.Pinned = append(c.Pinned, p)
		}
	}
	return c, nil
}
