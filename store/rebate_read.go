package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/accrual"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// The walk is along the primary key of what is open, so a page costs the same at the end as at the beginning: the date is no reason to
// look at the other index, which a plan made for an empty table would sort whole for each page. Only what paying needs is read.
const sqlVestedPage = `
	SELECT r.book::text, r.id, r.campaign_id, r.beneficiary, r.currency, r.status, r.accrued, r.from_pending, r.sequence, r.recovered
	FROM (
		SELECT beneficiary, rebate_id FROM rebates_open
		WHERE book = @book AND campaign_id = @campaign AND vests_on + 0 <= @date AND (beneficiary, rebate_id) > (@user, @after)
		ORDER BY beneficiary, rebate_id LIMIT @limit) o
	CROSS JOIN LATERAL (SELECT * FROM rebates WHERE book = @book AND id = o.rebate_id OFFSET 0) r
	ORDER BY o.beneficiary, o.rebate_id`

func scanVested(row pgx.CollectableRow) (a accrual.Accrual, err error) {
	return a, row.Scan(&a.Book, &a.ID, &a.CampaignID, &a.Beneficiary, &a.Currency, &a.Status, &a.Accrued, &a.FromPending, &a.Sequence,
		&a.Ordinals.Recovered)
}

const sqlMerchantWithdraws = `
	SELECT m.policies ? 'auto_withdraw' FROM campaigns c JOIN merchants m ON m.book = c.book AND m.id = c.merchant_id WHERE c.book = $1 AND c.id = $2`

const sqlDebtsOf = `
	SELECT` + rebateColumns + `
	FROM unnest($2::text[]) AS n(beneficiary)
	CROSS JOIN LATERAL (SELECT rebate_id FROM rebate_debts WHERE book = $1 AND beneficiary = n.beneficiary ORDER BY rebate_id LIMIT 32) d
	CROSS JOIN LATERAL (SELECT * FROM rebates WHERE book = $1 AND id = d.rebate_id OFFSET 0) r
	ORDER BY r.beneficiary, r.id`

// VestedPage reads the next rebates of a campaign that have vested and aren't paid, and what their users owe, in the same currency.
func (s *Store) VestedPage(ctx context.Context, of accrual.PageOf) (accrual.Page, error) {
	p := accrual.Page{Debts: map[string][]accrual.Ref{}}
	db, err := s.db(of.Book)
	if err != nil {
		return p, err
	}
	b := &pgx.Batch{}
	b.Queue(sqlVestedPage, pgx.NamedArgs{"book": of.Book, "campaign": of.CampaignID, "date": of.Date, "user": of.After.User,
		"after": of.After.RebateID, "limit": of.Limit}).Query(func(rows pgx.Rows) (err error) {
		p.Rebates, err = pgx.CollectRows(rows, scanVested)
		return err
	})
	b.Queue(sqlMerchantWithdraws, of.Book, of.CampaignID).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&p.Withdraws}, func() error { return nil })
		return err
	})
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil || len(p.Rebates) == 0 {
		return p, failure(err)
	}
	var users []string
	for i, a := range p.Rebates {
		if i == 0 || users[len(users)-1] != a.Beneficiary {
			users = append(users, a.Beneficiary)
		}
	}
	rows, err := db.pool.Query(ctx, sqlDebtsOf, of.Book, users)
	if err != nil {
		return p, failure(err)
	}
	debts, err := pgx.CollectRows(rows, scanRebate)
	for _, d := range debts {
		if d.Currency == p.Rebates[0].Currency {
			p.Debts[d.Beneficiary] = append(p.Debts[d.Beneficiary], d.Ref())
		}
	}
	return p, failure(err)
}

const sqlVestedTotal = `
	SELECT count(*), coalesce(sum(r.accrued - r.from_pending), 0)::bigint
	FROM (SELECT rebate_id FROM rebates_open WHERE book = $1 AND campaign_id = $2 AND vests_on <= $3 OFFSET 0) o
	CROSS JOIN LATERAL (SELECT accrued, from_pending FROM rebates WHERE book = $1 AND id = o.rebate_id OFFSET 0) r`

// VestedTotal counts and sums what a settlement of this date would find.
func (s *Store) VestedTotal(ctx context.Context, of accrual.PageOf) (t accrual.Tally, err error) {
	db, err := s.db(of.Book)
	if err != nil {
		return t, err
	}
	err = db.pool.QueryRow(ctx, sqlVestedTotal, of.Book, of.CampaignID, of.Date).Scan(&t.Rebates, &t.Paid)
	return t, failure(err)
}

const sqlRebatesOfOrder = `SELECT` + rebateColumns + ` FROM rebates r WHERE r.book = $1 AND r.order_id = $2 ORDER BY r.id`

// A chargeback takes back what a refund would. What the merchant has again of an order's refunds: until somebody says that the channel's word was wrong, the customer hasn't got it.
const sqlOrderFile = `
	SELECT o.merchant_id, o.total, o.paid, o.refunded + o.disputed, w.rated_at IS NOT NULL, w.paid_at, (o.received_at AT TIME ZONE m.time_zone)::date,
		coalesce((SELECT sum(c.amount) FROM payments p CROSS JOIN LATERAL (
				SELECT amount FROM cases
				WHERE book = p.book AND payment_id = p.id AND kind = 'refund_returned' AND decision IS DISTINCT FROM 'dismiss' OFFSET 0) c
			WHERE p.book = o.book AND p.order_id = o.id), 0)::bigint
	FROM orders o JOIN rebate_orders w ON w.book = o.book AND w.order_id = o.id JOIN merchants m ON m.book = o.book AND m.id = o.merchant_id
	WHERE o.book = $1 AND o.id = $2`

// OrderFile reads what an order's rebates are judged by.
func (s *Store) OrderFile(ctx context.Context, book id.Book, orderID string) (accrual.OrderFile, error) {
	f := accrual.OrderFile{Book: book, OrderID: orderID}
	db, err := s.db(book)
	if err != nil {
		return f, err
	}
	var total, paid, refunded, returned int64
	var received *time.Time
	b := &pgx.Batch{}
	b.Queue(sqlOrderFile, book, orderID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.MerchantID, &total, &paid, &refunded, &f.Rated, &f.PaidAt, &received, &returned)
	})
	b.Queue(sqlRebatesOfOrder, book, orderID).Query(func(rows pgx.Rows) (err error) {
		f.Rebates, err = pgx.CollectRows(rows, scanRebate)
		return err
	})
	err = db.atOnce(ctx, b)
	if err == pgx.ErrNoRows {
		return f, fault.NotFound("order")
	}
	f.Received = value(received)
	f.Share = accrual.ShareOf(total, paid, refunded, returned)
	return f, failure(err)
}

const sqlRebate = `SELECT` + rebateColumns + ` FROM rebates r WHERE r.book = $1 AND r.id = $2 AND ($3 = '' OR r.merchant_id = $3)`

// Rebate reads a rebate. Another merchant's is NotFound (I-25); an empty merchantID is an operator's view of the whole book.
func (s *Store) Rebate(ctx context.Context, book id.Book, merchantID, rebateID string) (accrual.Accrual, error) {
	db, err := s.db(book)
	if err != nil {
		return accrual.Accrual{}, err
	}
	rows, err := db.pool.Query(ctx, sqlRebate, book, rebateID, merchantID)
	if err != nil {
		return accrual.Accrual{}, failure(err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanRebate)
	if err == pgx.ErrNoRows {
		return a, fault.NotFound("rebate")
	}
	return a, failure(err)
}

const (
	sqlListRebates = `SELECT` + rebateColumns + ` FROM rebates r WHERE r.book = @book AND (@merchant = '' OR r.merchant_id = @merchant)
		AND (@campaign = '' OR r.campaign_id = @campaign) AND (@status = '' OR r.status = @status) AND (@after = '' OR r.id < @after)`
	sqlListRebatesOfUser  = sqlListRebates + ` AND r.beneficiary = @user AND (@order = '' OR r.order_id = @order) ORDER BY r.id DESC LIMIT @limit`
	sqlListRebatesOfOrder = sqlListRebates + ` AND r.order_id = @order ORDER BY r.id DESC LIMIT @limit`
)

// Rebates lists rebates of a user or of an order, the newest first; more: there are others.
func (s *Store) Rebates(ctx context.Context, f accrual.Filter) (list []accrual.Accrual, more bool, err error) {
	db, err := s.db(f.Book)
	if err != nil {
		return nil, false, err
	}
	sql := sqlListRebatesOfOrder
	if f.User != "" {
		sql = sqlListRebatesOfUser
	}
	rows, err := db.pool.Query(ctx, sql, pgx.NamedArgs{"book": f.Book, "merchant": f.MerchantID, "campaign": f.CampaignID, "status": f.Status,
		"user": f.User, "order": f.OrderID, "after": f.After, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, failure(err)
	}
	if list, err = pgx.CollectRows(rows, scanRebate); err != nil {
		return nil, false, failure(err)
	}
	if more = len(list) > f.Limit; more {
		list = list[:f.Limit]
	}
	return list, more, nil
}
