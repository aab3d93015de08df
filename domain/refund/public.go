package refund

import "time"

// Public is a refund as the API and its events show it: schema Refund of
// openapi.yaml.
type Public struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Livemode      bool              `json:"livemode"`
	MerchantID    string            `json:"merchant_id"`
	PaymentID     string            `json:"payment_id"`
	OrderID       string            `json:"order_id,omitempty"`
	UserID        string            `json:"user_id,omitempty"`
	CaseID        string            `json:"case_id,omitempty"`
	Amount        string            `json:"amount"`
	Currency      string            `json:"currency"`
	ToWallet      string            `json:"amount_to_wallet,omitempty"`
	FeeReturned   string            `json:"fee_returned"`
	Reason        string            `json:"reason,omitempty"`
	Status        Status            `json:"status"`
	InDoubt       bool              `json:"in_doubt"`
	NeedsOperator bool              `json:"needs_operator"`
	FailureCode   string            `json:"failure_code,omitempty"`
	PaidElsewhere bool              `json:"paid_elsewhere"`
	Channel       string            `json:"channel"`
	Metadata      map[string]string `json:"metadata"`
	Sequence      int64             `json:"sequence"`
	CreatedAt     time.Time         `json:"created_at"`
	UpdatedAt     time.Time         `json:"updated_at"`
	EffectiveAt   *time.Time        `json:"effective_at,omitempty"`
}

// Public renders r. What our fee gives back is told only while it does.
func (r Refund) Public() Public {
	v := Public{ID: r.ID, Object: "refund", Livemode: r.Book.Livemode(), MerchantID: r.MerchantID, PaymentID: r.PaymentID, OrderID: r.OrderID,
		CaseID: r.CaseID, Amount: r.Amount.Decimal(), Currency: string(r.Amount.Currency), FeeReturned: r.Taken.Fee.Decimal(), Reason: r.Reason,
		Status: r.Status, InDoubt: r.InDoubt, NeedsOperator: r.Parked != "", FailureCode: r.FailureCode, PaidElsewhere: r.Elsewhere,
		Channel: r.Channel, Metadata: r.Metadata, Sequence: r.Sequence, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC()}
	if r.Status == Failed {
		zero := r.Taken.Fee
		zero.Minor = 0
		v.FeeReturned = zero.Decimal()
	}
	switch {
	case r.ToWallet:
		v.ToWallet = v.Amount
	case r.Wallet.Minor > 0:
		v.ToWallet = r.Wallet.Decimal()
	}
	if r.OfTopUp() {
		v.UserID = r.User
	}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if !r.EffectiveAt.IsZero() {
		at := r.EffectiveAt.UTC()
		v.EffectiveAt = &at
	}
	return v
}
