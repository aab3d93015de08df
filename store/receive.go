package store

import (
	"encoding/json"
	"strconv"

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
		if r.details, err = s.Seal(text); err != nil {
			return nil, err
		}
	}
	if p.WalletPart() != nil {
		return newReceiveHeld(r)
	}
	return r, nil
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

var insertPayment = inserting("payments", `id text, merchant_id text, order_id text, order_reference text, customer_id text,
	amount bigint, currency text, method text, capture_method text, channel text, metadata jsonb, created_at timestamptz,
	expires_at timestamptz, status text, sequence bigint, updated_at timestamptz, start_due_at timestamptz, wallet bigint`)

var insertPart = inserting("payment_parts", `payment_id text, part smallint, source text, amount bigint`)

var insertSecrets = inserting("payment_details", `payment_id text, secrets_sealed bytea`)

func (r *receive) judge(w *work) error {
	_, err := r.received(w)
	return err
}

// received writes the payment, as it begins.
func (r *receive) received(w *work) (payment.Payment, error) {
	order, err := r.order(w)
	if err != nil {
		return r.Payment, err
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
		return p, err
	}
	if r.Customer != nil {
		if p.CustomerID, err = r.customer(w); err != nil {
			return p, err
		}
	}
	if err := r.start(&p); err != nil {
		return p, err
	}
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	metadata, err := json.Marshal(p.Metadata)
	if err != nil {
		return p, fault.Internal("metadata that is no JSON", err)
	}
	w.write(insertPayment, p.ID, p.ID, p.MerchantID, p.OrderID, p.OrderRef, orNull(p.CustomerID), p.Amount.Minor, p.Amount.Currency,
		p.Method, p.Capture, orNull(p.Channel), string(metadata), p.CreatedAt, p.ExpiresAt, p.Status, int64(1), p.CreatedAt, p.CreatedAt,
		p.FromWallet().Minor)
	for i, part := range p.Parts {
		w.write(insertPart, p.ID+"/"+strconv.Itoa(i+1), p.ID, int16(i+1), part.Source, part.Amount.Minor)
	}
	w.write(insertSecrets, p.ID, p.ID, r.secrets)
	return p, w.emitPayment("payment.created", p)
}

// order is the one that the request brought or named. Another merchant's is not there (I-25).
func (r *receive) order(w *work) (*orderRow, error) {
	if r.Order != nil {
		return w.place()
	}
	o := w.b.found.orders.get(r.Payment.OrderID)
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
	p.Refunding, p.FeeReturned, p.Pending = zero, zero, zero
	if p.Capture == "" {
		p.Capture = payment.CaptureAutomatic
	}
	var err error
	p.Parts, err = payment.Split(p.Parts, p.Amount)
	return err
}
