package dispute

import (
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Public is a dispute as the API and its events show it: schema Dispute of
// openapi.yaml.
type Public struct {
	ID         string    `json:"id"`
	Object     string    `json:"object"`
	Livemode   bool      `json:"livemode"`
	MerchantID string    `json:"merchant_id"`
	PaymentID  string    `json:"payment_id"`
	OrderID    string    `json:"order_id,omitempty"`
	UserID     string    `json:"user_id,omitempty"`
	Amount     string    `json:"amount"`
	Currency   string    `json:"currency"`
	Taken      string    `json:"amount_taken"`
	Suspense   string    `json:"amount_on_suspense"`
	Fee        string    `json:"fee"`
	Status     Status    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Channel    string    `json:"channel"`
	ChannelID  string    `json:"channel_dispute_id"`
	Sequence   int64     `json:"sequence"`
	OpenedAt   time.Time `json:"opened_at"`
	SaidAt     time.Time `json:"said_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Public renders d.
func (d Dispute) Public() Public {
	amount := func(minor int64) string { return money.New(minor, d.Amount.Currency).Decimal() }
	return Public{ID: d.ID, Object: "dispute", Livemode: d.Book.Livemode(), MerchantID: d.MerchantID, PaymentID: d.PaymentID, OrderID: d.OrderID,
		UserID: d.UserID, Amount: d.Amount.Decimal(), Currency: string(d.Amount.Currency), Taken: amount(d.Taken.Counted()),
		Suspense: amount(d.Taken.Suspense), Fee: amount(d.Taken.Fee), Status: d.Status, Reason: d.Reason, Channel: d.Channel, ChannelID: d.ChannelID, Sequence: d.Sequence,
		OpenedAt: d.OpenedAt.UTC(), SaidAt: d.SaidAt.UTC(), UpdatedAt: d.UpdatedAt.UTC()}
}

// Filter selects disputes of one book for a list, the latest opened first.
type Filter struct {
	Book       id.Book
	MerchantID string // empty: every merchant of the book (operators)
	PaymentID  string
	Status     Status
	After      string // the id after which the page starts
	Limit      int    // 1–100
}
