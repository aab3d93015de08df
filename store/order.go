package store

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

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
	o.book::text, o.id, o.merchant_id, o.reference, o.type, o.currency, o.total, o.authorized, o.paid, o.refunded, o.disputed, o.status, o.sequence,
	o.created_at, o.received_at,
	(SELECT json_agg(json_build_array(l.sku, l.description, l.quantity, l.unit_price, l.discount, l.tax, l.category) ORDER BY l.line)
		FROM order_lines l WHERE l.book = o.book AND l.order_id = o.id),
	(SELECT json_agg(json_build_array(a.type, a.amount) ORDER BY a.line)
		FROM order_adjustments a WHERE a.book = o.book AND a.order_id = o.id)`

func scanOrder(row pgx.CollectableRow) (*orderRow, error) {
	o := &orderRow{}
	var lines, adjustments []byte
	var received *time.Time
	err := row.Scan(&o.Book, &o.ID, &o.MerchantID, &o.Reference, &o.Type, &o.Currency, &o.Total.Minor, &o.Authorized.Minor,
		&o.Paid.Minor, &o.Refunded.Minor, &o.Disputed.Minor, &o.Status, &o.Sequence, &o.CreatedAt, &received, &lines, &adjustments)
	if err != nil {
		return nil, err
	}
	o.ReceivedAt = value(received)
	for _, a := range []*money.Amount{&o.Total, &o.Authorized, &o.Paid, &o.Refunded, &o.Disputed} {
		a.Currency = o.Currency
	}
	return o, o.readContent(lines, adjustments)
}

func (o *orderRow) readContent(lines, adjustments []byte) error {
	var rows [][7]json.RawMessage
	if lines != nil {
		if err := json.Unmarshal(lines, &rows); err != nil {
			return err
		}
	}
	for _, r := range rows {
		l := trade.Line{UnitPrice: money.Zero(o.Currency), Discount: money.Zero(o.Currency), Tax: money.Zero(o.Currency)}
		for i, to := range []any{&l.SKU, &l.Description, &l.Quantity, &l.UnitPrice.Minor, &l.Discount.Minor, &l.Tax.Minor, &l.Category} {
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

var insertOrder = newWriter("orders", `id text, merchant_id text, reference text, type text, currency text, total bigint,
	status text, sequence bigint, created_at timestamptz`, `
	INSERT INTO orders (book, id, merchant_id, reference, type, currency, total, status, sequence, created_at)
	SELECT $1, id, merchant_id, reference, type, currency, total, status, sequence, created_at FROM n ORDER BY merchant_id, reference`).
	ranked(3)

const sqlLockOrders = `SELECT` + orderColumns + `
	FROM (
		SELECT unnest($2::text[]) AS id UNION
		SELECT p.id FROM unnest($3::text[], $4::text[]) AS k(merchant_id, reference) CROSS JOIN LATERAL (
			SELECT id FROM orders WHERE book = $1 AND merchant_id = k.merchant_id AND reference = k.reference OFFSET 0) p
		ORDER BY id) n
	CROSS JOIN LATERAL (SELECT * FROM orders WHERE book = $1 AND id = n.id FOR UPDATE) o`

func placeOf(merchantID, reference string) string { return merchantID + "\x00" + reference }

func (b *batch) queueOrders(m *pgx.Batch) {
	ids := b.claimed(func(l *locks) []string { return l.orders })
	var merchants, references []string
	for _, w := range b.works {
		if o := w.lock.newOrder; o != nil {
			merchants, references = append(merchants, o.MerchantID), append(references, o.Reference)
		}
	}
	if ids == nil && references == nil {
		return
	}
	m.Queue(sqlLockOrders, b.book(), ids, merchants, references).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanOrder)
		for _, o := range list {
			b.found.orders.find(o.ID, *o)
			b.found.placed.find(placeOf(o.MerchantID, o.Reference), o.ID)
		}
		return err
	})
}

var insertLine = inserting("order_lines", `order_id text, line smallint, sku text, description text, quantity bigint, unit_price bigint,
	discount bigint, tax bigint, category text`)

var insertAdjustment = inserting("order_adjustments", `order_id text, line smallint, type text, amount bigint`)

// place settles which order a receiving Step is about: the one it brought, or the one that stood under its reference with
// the same content.
func (w *work) place() (*orderRow, error) {
	mine := *w.lock.newOrder
	place := placeOf(mine.MerchantID, mine.Reference)
	if stands := w.b.found.placed.get(place); stands != nil {
		o := w.b.found.orders.get(*stands)
		if !o.Same(mine) {
			return nil, fault.Conflict("order_reference_exists", "an order with this reference stands already, with other content").
				WithParam("order.reference")
		}
		return o, nil
	}
	w.write(insertOrder, mine.ID, mine.ID, mine.MerchantID, mine.Reference, mine.Type, mine.Currency, mine.Total.Minor, mine.Status,
		mine.Sequence, mine.CreatedAt)
	for i, l := range mine.Lines {
		w.write(insertLine, mine.ID+"/"+strconv.Itoa(i+1), mine.ID, int16(i+1), l.SKU, l.Description, l.Quantity, l.UnitPrice.Minor,
			l.Discount.Minor, l.Tax.Minor, l.Category)
	}
	for i, a := range mine.Adjustments {
		w.write(insertAdjustment, mine.ID+"/"+strconv.Itoa(i+1), mine.ID, int16(i+1), a.Type, a.Amount.Minor)
	}
	w.emitOrder("order.created", mine)
	w.b.found.placed.put(place, mine.ID)
	w.b.found.orders.put(mine.ID, orderRow{mine})
	return w.b.found.orders.get(mine.ID), nil
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
	w.lock.object = o.ID // what the idempotency key stands for
	return nil
}

// moveOrder adds a payment's move to its order's sums.
type moveOrder struct{ trade.Move }

var updateOrder = updating("orders", `id text, authorized bigint, paid bigint, refunded bigint, status text, sequence bigint`, `id = n.id`,
	`authorized = n.authorized, paid = n.paid, refunded = n.refunded, status = n.status, sequence = n.sequence`)

func (m moveOrder) claim(l *locks) { l.orders = append(l.orders, m.OrderID) }

func (m moveOrder) judge(w *work) error {
	o := w.b.found.orders.get(m.OrderID)
	if o == nil {
		return fault.NotFound("order")
	}
	return w.changeOrder(o, m.Change)
}

// changeOrder writes what a Step does to an order's sums, and tells it. Disputed follows from the payment's row, by a trigger.
func (w *work) changeOrder(o *orderRow, by trade.Change) error {
	before := o.Order
	after, err := before.Apply(by)
	if err != nil {
		return err
	}
	o.Order = after
	w.write(updateOrder, after.ID, after.ID, after.Authorized.Minor, after.Paid.Minor, after.Refunded.Minor,
		after.Status, after.Sequence)
	w.emitOrder(trade.EventOf(before, after), after)
	w.rebateLater(before, after)
	return nil
}

// arrive notes that an order's goods were received, and has a relay look what that means for its rebates.
type arrive struct{ trade.Arrival }

var setReceived = updating("orders", `id text, at timestamptz, sequence bigint`, `id = n.id`, `received_at = n.at, sequence = n.sequence`)

func (a arrive) claim(l *locks) { l.orders = append(l.orders, a.OrderID) }

func (a arrive) judge(w *work) error {
	o := w.b.found.orders.get(a.OrderID)
	if o == nil || a.MerchantID != "" && o.MerchantID != a.MerchantID { // I-25
		return fault.NotFound("order")
	}
	at := a.At
	if at.IsZero() {
		at = w.at
	}
	after, moved, err := o.Arrived(kept(at), kept(w.at).Add(time.Microsecond))
	if err != nil || !moved {
		return err
	}
	o.Order = after
	w.write(setReceived, after.ID, after.ID, after.ReceivedAt, after.Sequence)
	w.emitOrder("order.received", after)
	w.write(touchRebateOrder, after.ID, after.ID, w.at)
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
	if err := db.atOnce(ctx, b); err != nil {
		return trade.Order{}, nil, failure(err)
	}
	if len(found) == 0 {
		return trade.Order{}, nil, fault.NotFound("order")
	}
	return found[0].Order, payments, nil
}
