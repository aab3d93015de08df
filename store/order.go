package store

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
	"paysaga/domain/trade"
)

// orderRow is an order as read, its lines with it: they never change, so no lock is needed on them.
type orderRow struct{ trade.Order }

const orderColumns = `
	o.book::text, o.id, o.merchant_id, o.reference, o.type, o.currency, o.total, o.authorized, o.paid, o.refunded, o.status, o.sequence,
	o.created_at,
	(SELECT json_agg(json_build_array(l.sku, l.description, l.quantity, l.unit_price, l.discount, l.tax) ORDER BY l.line)
		FROM order_lines l WHERE l.book = o.book AND l.order_id = o.id),
	(SELECT json_agg(json_build_array(a.type, a.amount) ORDER BY a.line)
		FROM order_adjustments a WHERE a.book = o.book AND a.order_id = o.id)`

func scanOrder(row pgx.CollectableRow) (*orderRow, error) {
	o := &orderRow{}
	var lines, adjustments []byte
	err := row.Scan(&o.Book, &o.ID, &o.MerchantID, &o.Reference, &o.Type, &o.Currency, &o.Total.Minor, &o.Authorized.Minor,
		&o.Paid.Minor, &o.Refunded.Minor, &o.Status, &o.Sequence, &o.CreatedAt, &lines, &adjustments)
	if err != nil {
		return nil, err
	}
	for _, a := range []*money.Amount{&o.Total, &o.Authorized, &o.Paid, &o.Refunded} {
		a.Currency = o.Currency
	}
	return o, o.readContent(lines, adjustments)
}

func (o *orderRow) readContent(lines, adjustments []byte) error {
	var rows [][6]json.RawMessage
	if lines != nil {
		if err := json.Unmarshal(lines, &rows); err != nil {
			return err
		}
	}
	for _, r := range rows {
		l := trade.Line{UnitPrice: money.Zero(o.Currency), Discount: money.Zero(o.Currency), Tax: money.Zero(o.Currency)}
		for i, to := range []any{&l.SKU, &l.Description, &l.Quantity, &l.UnitPrice.Minor, &l.Discount.Minor, &l.Tax.Minor} {
			if err := json.Unmarshal(r[i], to); err != nil {
				return err
			}
		}
		o.Lines = append(o.Lines, l)
	}
	var pairs [][2]json.RawMessage
	if adjustments != nil {
		if err := json.Unmarshal(adjustments, &pairs); err != nil {
			return err
		}
	}
	for _, r := range pairs {
		a := trade.Adjustment{Amount: money.Zero(o.Currency)}
		for i, to := range []any{&a.Type, &a.Amount.Minor} {
			if err := json.Unmarshal(r[i], to); err != nil {
				return err
			}
		}
		o.Adjustments = append(o.Adjustments, a)
	}
	return nil
}

const sqlInsertOrder = `
	INSERT INTO orders (book, id, merchant_id, reference, type, currency, total, status, sequence, created_at)
	VALUES (@book, @id, @merchant_id, @reference, @type, @currency, @total, @status, @sequence, @created_at)
	ON CONFLICT ON CONSTRAINT orders_reference DO NOTHING
	RETURNING true`

const sqlLockReference = `SELECT` + orderColumns + `
	FROM orders o WHERE o.book = $1 AND o.merchant_id = $2 AND o.reference = $3 FOR UPDATE OF o`

const sqlLockOrder = `SELECT` + orderColumns + `
	FROM orders o WHERE o.book = $1 AND o.id = $2 FOR UPDATE OF o`

func (w *work) queueOrders(b *pgx.Batch) {
	if o := w.lock.newOrder; o != nil {
		b.Queue(sqlInsertOrder, pgx.NamedArgs{"book": w.step.Book, "id": o.ID, "merchant_id": o.MerchantID, "reference": o.Reference,
			"type": o.Type, "currency": o.Currency, "total": o.Total.Minor, "status": o.Status, "sequence": o.Sequence,
			"created_at": o.CreatedAt}).
			QueryRow(func(row pgx.Row) error { return noRows(row.Scan(&w.found.orderMade)) })
		b.Queue(sqlLockReference, w.step.Book, o.MerchantID, o.Reference).Query(func(rows pgx.Rows) error {
			list, err := pgx.CollectRows(rows, scanOrder)
			for _, o := range list {
				w.found.ordered, w.found.orders[o.ID] = o, o
			}
			return err
		})
	}
	for _, key := range unique(w.lock.orders) {
		b.Queue(sqlLockOrder, w.step.Book, key).Query(func(rows pgx.Rows) error {
			list, err := pgx.CollectRows(rows, scanOrder)
			for _, o := range list {
				w.found.orders[o.ID] = o
			}
			return err
		})
	}
}

const sqlInsertLines = `
	INSERT INTO order_lines (book, order_id, line, sku, description, quantity, unit_price, discount, tax)
	SELECT $1, $2, l.line, l.sku, l.description, l.quantity, l.unit_price, l.discount, l.tax
	FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) WITH ORDINALITY
		AS l(sku, description, quantity, unit_price, discount, tax, line)`

const sqlInsertAdjustments = `
	INSERT INTO order_adjustments (book, order_id, line, type, amount)
	SELECT $1, $2, a.line, a.type, a.amount
	FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS a(type, amount, line)`

// place settles which order a receiving Step is about: the one it brought, or the one that stood under its reference with
// the same content.
func (w *work) place() (*orderRow, error) {
	mine, stands := w.lock.newOrder, w.found.ordered
	if stands == nil {
		return nil, errAgain // inserted beside us, and rolled back since
	}
	if !w.found.orderMade {
		if !stands.Same(*mine) {
			return nil, fault.Conflict("order_reference_exists", "an order with this reference stands already, with other content").
				WithParam("order.reference")
		}
		return stands, nil
	}
	stands.Order = *mine
	if n := len(mine.Lines); n > 0 {
		sku, text := make([]string, n), make([]string, n)
		quantity, price, discount, tax := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
		for i, l := range mine.Lines {
			sku[i], text[i], quantity[i] = l.SKU, l.Description, l.Quantity
			price[i], discount[i], tax[i] = l.UnitPrice.Minor, l.Discount.Minor, l.Tax.Minor
		}
		w.out.queue(sqlInsertLines, w.step.Book, mine.ID, sku, text, quantity, price, discount, tax)
	}
	if n := len(mine.Adjustments); n > 0 {
		kind, amount := make([]string, n), make([]int64, n)
		for i, a := range mine.Adjustments {
			kind[i], amount[i] = a.Type, a.Amount.Minor
		}
		w.out.queue(sqlInsertAdjustments, w.step.Book, mine.ID, kind, amount)
	}
	w.emitOrder("order.created", stands.Order)
	return stands, nil
}

// newOrder fills in what the store knows, and has the content checked if nobody has yet.
func (w *work) newOrder(merchant string, o trade.Order, amount money.Amount) (trade.Order, error) {
	o.Book, o.MerchantID = w.step.Book, merchant
	if o.ID == "" {
		o.ID = mint(id.Order, w.at)
	}
	if o.CreatedAt.IsZero() {
		o.CreatedAt = w.at
	}
	o.CreatedAt = kept(o.CreatedAt)
	if o.Sequence != 0 {
		return o, nil
	}
	made, err := trade.New(o, amount)
	return made, fault.Under("order", err)
}

// receiveOrder is POST /v1/orders.
type receiveOrder struct{ trade.Receive }

func (w *work) newReceiveOrder(c trade.Receive) (move, error) {
	o, err := w.newOrder(c.Idempotency.MerchantID, c.Order, money.Amount{})
	c.Order = o
	return &receiveOrder{c}, err
}

func (r *receiveOrder) claim(l *locks) {
	l.newOrder = &r.Order
	l.claimKey(r.Idempotency, r.Order.ID)
}

func (r *receiveOrder) judge(w *work) error {
	o, err := w.place()
	if err != nil {
		return err
	}
	if o.ID != r.Order.ID {
		// The idempotency row has to name the order that stands, and it is written already: the next try names that one.
		r.Order.ID = o.ID
		return errAgain
	}
	return nil
}

// moveOrder adds a payment's move to its order's sums.
type moveOrder struct{ trade.Move }

const sqlUpdateOrder = `
	UPDATE orders SET authorized = $3, paid = $4, refunded = $5, status = $6, sequence = $7 WHERE book = $1 AND id = $2`

func (m moveOrder) claim(l *locks) { l.orders = append(l.orders, m.OrderID) }

func (m moveOrder) judge(w *work) error {
	o := w.found.orders[m.OrderID]
	if o == nil {
		return fault.NotFound("order")
	}
	before := o.Order
	after, err := before.Apply(m.Change)
	if err != nil {
		return err
	}
	o.Order = after
	w.out.queue(sqlUpdateOrder, w.step.Book, after.ID, after.Authorized.Minor, after.Paid.Minor, after.Refunded.Minor,
		after.Status, after.Sequence)
	w.emitOrder(trade.EventOf(before, after), after)
	return nil
}

const sqlOrder = `SELECT` + orderColumns + ` FROM orders o WHERE o.book = $1 AND o.id = $2 AND ($3 = '' OR o.merchant_id = $3)`

// Order reads an order with its payments, oldest first. Another merchant's is NotFound (I-25); an empty merchantID is an
// operator's view of the whole book.
func (s *Store) Order(ctx context.Context, book id.Book, merchantID, orderID string) (trade.Order, []payment.Payment, error) {
	db, err := s.db(book)
	if err != nil {
		return trade.Order{}, nil, err
	}
	var found []*orderRow
	var payments []payment.Payment
	b := &pgx.Batch{}
	b.Queue(sqlOrder, book, orderID, merchantID).Query(func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, scanOrder)
		return err
	})
	b.Queue(sqlPayments+` WHERE p.book = $1 AND p.order_id = $2 ORDER BY p.id`, book, orderID).Query(func(rows pgx.Rows) (err error) {
		payments, err = pgx.CollectRows(rows, s.scanPayment)
		return err
	})
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil {
		return trade.Order{}, nil, failure(err)
	}
	if len(found) == 0 {
		return trade.Order{}, nil, fault.NotFound("order")
	}
	return found[0].Order, payments, nil
}
