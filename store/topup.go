package store

import (
	"encoding/json"

	"paysaga/domain/fault"
	"paysaga/domain/id"
	"paysaga/domain/money"
	"paysaga/domain/payment"
)

// receiveTopUp is POST /v1/topups: a payment without an order, for its customer's wallet.
type receiveTopUp struct {
	payment.ReceiveTopUp
	secrets []byte // sealed
}

func (w *work) newReceiveTopUp(c payment.ReceiveTopUp) (move, error) {
	p := &c.Payment
	p.Book = w.step.Book
	switch {
	case !p.TopUp() || p.OrderID != "" || !id.Is(id.User, p.CustomerID):
		return nil, fault.Internal("a top-up is received under an id of its own, for a user and without an order", nil)
	case p.Capture == payment.CaptureManual || p.Amount.Sign() <= 0:
		return nil, fault.Internal("a top-up is of an amount, and captured at once", nil)
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = w.at
	}
	zero := money.Zero(p.Amount.Currency)
	p.CreatedAt, p.ExpiresAt = kept(p.CreatedAt), kept(p.ExpiresAt)
	p.Status, p.Sequence, p.UpdatedAt, p.Capture = payment.Processing, 1, p.CreatedAt, payment.CaptureAutomatic
	p.Captured, p.Refunded, p.Fee, p.Refunding, p.FeeReturned, p.Pending = zero, zero, zero, zero, zero, zero
	text, err := json.Marshal(c.Secrets)
	if err != nil {
		return nil, fault.Internal("secrets that are no JSON", err)
	}
	sealed, err := w.s.Seal(text)
	return receiveTopUp{c, sealed}, err
}

func (r receiveTopUp) claim(l *locks) {
	l.claimKey(r.Idempotency, r.Payment.ID)
	l.holders = append(l.holders, r.Payment.CustomerID)
}

var insertTopUp = inserting("payments", `id text, merchant_id text, order_id text, order_reference text, customer_id text, amount bigint,
	currency text, method text, capture_method text, channel text, metadata jsonb, created_at timestamptz, expires_at timestamptz, status text,
	sequence bigint, updated_at timestamptz, start_due_at timestamptz`)

func (r receiveTopUp) judge(w *work) error {
	p := r.Payment
	if err := w.holds(p.MerchantID, p.CustomerID); err != nil {
		return fault.As(err).WithParam("user_id")
	}
	if p.Metadata == nil {
		p.Metadata = map[string]string{}
	}
	metadata, err := json.Marshal(p.Metadata)
	if err != nil {
		return fault.Internal("metadata that is no JSON", err)
	}
	w.write(insertTopUp, p.ID, p.ID, p.MerchantID, "", "", p.CustomerID, p.Amount.Minor, p.Amount.Currency, p.Method, p.Capture,
		orNull(p.Channel), string(metadata), p.CreatedAt, p.ExpiresAt, p.Status, p.Sequence, p.UpdatedAt, p.CreatedAt)
	w.write(insertPart, p.ID+"/1", p.ID, int16(1), payment.FromChannel, p.Amount.Minor)
	w.write(insertSecrets, p.ID, p.ID, r.secrets)
	return w.emitPayment("payment.created", p)
}

// emitTopUp is emitPayment of a top-up.
func (w *work) emitTopUp(kind string, p payment.Payment) error {
	v := p.PublicTopUp()
	e := event{kind: p.Event(kind), merchant: p.MerchantID, object: "topup", id: p.ID, sequence: p.Sequence}
	if v.NextAction != nil {
		text, err := json.Marshal(v.NextAction)
		if err != nil {
			return fault.Internal("an action that is no JSON", err)
		}
		if e.secret, err = w.s.Seal(text); err != nil {
			return err
		}
		v.NextAction = nil
	}
	e.data = v
	w.out.events = append(w.out.events, e)
	return nil
}
