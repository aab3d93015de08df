package store

import (
	"encoding/json"
	"maps"

	"github.com/jackc/pgx/v5"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// receive is POST /v1/payments: everything that came in the request, in one commit (I-19).
type receive struct {
	payment.Receive
	secrets, details []byte // sealed
}

func (w *work) newReceive(c payment.Receive) (move, error) {
	s, book := w.s, w.step.Book
	r := &receive{Receive: c}
	p := &r.Payment
	p.Book, p.MerchantID = book, c.Idempotency.MerchantID
	if !id.Is(id.Payment, p.ID) {
		return nil, fault.Internal("a payment is received under an id of its own", nil)
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = w.at
	}
	p.CreatedAt, p.ExpiresAt = kept(p.CreatedAt), kept(p.ExpiresAt)
	if c.Order != nil {
		o, err := w.newOrder(p.MerchantID, *c.Order, p.Amount)
		if err != nil {
			return nil, err
		}
		r.Order = &o
	}
	text, err := json.Marshal(c.Secrets)
	if err != nil {
		return nil, fault.Internal("secrets that are no JSON", err)
	}
	if r.secrets, err = s.Seal(text); err != nil {
		return nil, err
	}
	if c.Customer != nil && len(c.Customer.Details) > 0 {
		if text, err = json.Marshal(c.Customer.Details); err != nil {
			return nil, fault.Internal("details that are no JSON", err)
		}
		r.details, err = s.Seal(text)
	}
	return r, err
}

// customerClaim is the customer a receiving Step names.
type customerClaim struct {
	payment.Customer
	merchantID string
}

func (r *receive) claim(l *locks) {
	l.claimKey(r.Idempotency, r.Payment.ID)
	if r.Customer != nil {
		l.customer = &customerClaim{*r.Customer, r.Payment.MerchantID}
	}
	if r.Order != nil {
		l.newOrder = r.Order
	} else {
		l.orders = append(l.orders, r.Payment.OrderID)
	}
}

const sqlFindCustomer = `
	SELECT u.id, d.details_sealed FROM users u LEFT JOIN user_details d ON d.book = u.book AND d.user_id = u.id
	WHERE u.book = $1 AND u.merchant_id = $2 AND u.id = $3`

const sqlInsertCustomer = `
	INSERT INTO users (book, id, merchant_id, reference, created_at) VALUES ($1, $2, $3, nullif($4, ''), $5)
	ON CONFLICT (merchant_id, reference, book) DO NOTHING`

const sqlFindCustomerByReference = `
	SELECT u.id, d.details_sealed FROM users u LEFT JOIN user_details d ON d.book = u.book AND d.user_id = u.id
	WHERE u.merchant_id = $2 AND u.reference = $3 AND u.book = $1`

// queueCustomer upserts by the merchant's reference; a customer without one is new each time.
func (w *work) queueCustomer(b *pgx.Batch) {
	c := w.lock.customer
	if c == nil {
		return
	}
	scan := func(row pgx.Row) error { return noRows(row.Scan(&w.found.customer, &w.found.details)) }
	if c.Existing {
		b.Queue(sqlFindCustomer, w.step.Book, c.merchantID, c.ID).QueryRow(scan)
		return
	}
	mine := c.ID
	if mine == "" {
		mine = mint(id.User, w.at)
	}
	b.Queue(sqlInsertCustomer, w.step.Book, mine, c.merchantID, c.Reference, w.at)
	if c.Reference == "" {
		w.found.customer = mine
		return
	}
	b.Queue(sqlFindCustomerByReference, w.step.Book, c.merchantID, c.Reference).QueryRow(scan)
}

const sqlUpsertDetails = `
	INSERT INTO user_details (book, user_id, details_sealed, updated_at) VALUES ($1, $2, $3, $4)
	ON CONFLICT (book, user_id) DO UPDATE SET details_sealed = excluded.details_sealed, updated_at = excluded.updated_at`

const sqlInsertPayment = `
	INSERT INTO payments (book, id, merchant_id, order_id, order_reference, customer_id, amount, currency, method, capture_method,
		channel, metadata, created_at, expires_at, status, sequence, updated_at, start_due_at)
	VALUES (@book, @id, @merchant_id, @order_id, @order_reference, nullif(@customer_id, ''), @amount, @currency, @method, @capture,
		nullif(@channel, ''), @metadata, @created_at, @expires_at, @status, 1, @created_at, @created_at)`

const sqlInsertParts = `
	INSERT INTO payment_parts (book, payment_id, part, source, amount)
	SELECT $1, $2, p.part, p.source, p.amount FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS p(source, amount, part)`

const sqlInsertSecrets = `INSERT INTO payment_details (book, payment_id, secrets_sealed) VALUES ($1, $2, $3)`

func (r *receive) judge(w *work) error {
	order, err := r.order(w)
	if err != nil {
		return err
	}
	p := r.Payment
	p.OrderID, p.OrderRef = order.ID, order.Reference
	if p.Amount.Minor == 0 {
		p.Amount.Minor = order.Unpaid().Minor
	}
	if p.Amount.Currency == "" {
		p.Amount.Currency = order.Currency
	}
	if err := order.Admit(p.Amount, r.AllowPartial); err != nil {
		return err
	}
	if r.Customer != nil {
		if p.CustomerID = w.found.customer; p.CustomerID == "" {
			return fault.Invalid("customer_unknown", "customer.id", "no such customer")
		}
	}
	if err := r.start(&p); err != nil {
		return err
	}
	if r.details != nil && !r.known(w) {
		w.out.queue(sqlUpsertDetails, w.step.Book, p.CustomerID, r.details, w.at)
	}
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	w.out.queue(sqlInsertPayment, pgx.NamedArgs{
		"book": p.Book, "id": p.ID, "merchant_id": p.MerchantID, "order_id": p.OrderID, "order_reference": p.OrderRef,
		"customer_id": p.CustomerID, "amount": p.Amount.Minor, "currency": p.Amount.Currency, "method": p.Method,
		"capture": p.Capture, "channel": p.Channel, "metadata": p.Metadata, "created_at": p.CreatedAt,
		"expires_at": p.ExpiresAt, "status": p.Status,
	})
	source, amount := make([]string, len(p.Parts)), make([]int64, len(p.Parts))
	for i, part := range p.Parts {
		source[i], amount[i] = string(part.Source), part.Amount.Minor
	}
	w.out.queue(sqlInsertParts, w.step.Book, p.ID, source, amount)
	w.out.queue(sqlInsertSecrets, w.step.Book, p.ID, r.secrets)
	return w.emitPayment("payment.created", p)
}

// known reports whether the customer's details stand already as they came. Writing them again with each payment would make
// one customer's payments wait for each other.
func (r *receive) known(w *work) bool {
	if w.found.details == nil {
		return false
	}
	text, err := w.s.OpenSealed(w.found.details)
	var stands map[string]string
	return err == nil && json.Unmarshal(text, &stands) == nil && maps.Equal(stands, r.Customer.Details)
}

// order is the one that the request brought or named. Another merchant's is not there (I-25).
func (r *receive) order(w *work) (*orderRow, error) {
	if r.Order != nil {
		return w.place()
	}
	o := w.found.orders[r.Payment.OrderID]
	if o == nil || o.MerchantID != r.Payment.MerchantID {
		return nil, fault.NotFound("order").WithParam("order_id")
	}
	return o, nil
}

// start sets what every payment begins with, and one part from a channel unless the request splits it (I-08).
func (r *receive) start(p *payment.Payment) error {
	zero := money.Zero(p.Amount.Currency)
	p.Status, p.Sequence, p.UpdatedAt = payment.Processing, 1, p.CreatedAt
	p.Captured, p.Refunded, p.Fee = zero, zero, zero
	if p.Capture == "" {
		p.Capture = payment.CaptureAutomatic
	}
	if len(p.Parts) == 0 {
		p.Parts = []payment.Part{{Ordinal: 1, Source: payment.FromChannel, Amount: p.Amount}}
	}
	sum := zero
	for _, part := range p.Parts {
		var err error
		if sum, err = sum.Add(part.Amount); err != nil {
			return err
		}
	}
	if sum != p.Amount {
		return fault.Invalid("parts_differ", "parts", "the parts sum to the amount")
	}
	return nil
}
