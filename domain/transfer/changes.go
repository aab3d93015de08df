package transfer

import (
	"time"

	"paysaga/domain/access"
	"paysaga/domain/id"
)

// The changes a Step can make to transfers. Each is plain data, and is judged under the locks of the transfer, of both users and of
// the sender's wallet.

// Receive brings a transfer into being, or refuses it as Admit does. Nothing moves yet: what is there then may be less when it is
// settled, and the transfer fails.
type Receive struct {
	Idempotency access.Idempotency
	Transfer    Transfer
}

// Content implements ledger.Change.
func (r Receive) Content() any { return []any{"receive_transfer", r.Transfer.ID, r.Idempotency} }

// Move settles a transfer. Transfer is as it was read: only what never changes of it counts.
type Move struct {
	Transfer Transfer
	Now      time.Time
}

// Content implements ledger.Change.
func (m Move) Content() any { return []any{"move_transfer", m.Transfer.ID} }

// Filter selects transfers of one book for a list, newest first.
type Filter struct {
	Book          id.Book
	MerchantID    string // empty: every merchant of the book (operators)
	UserID        string // who sends or receives; empty: anybody
	Status        Status
	CreatedFrom   time.Time // inclusive
	CreatedBefore time.Time // exclusive
	After         string    // the id after which the page starts
	Limit         int       // 1–100
}

// Public is a transfer as the API and its events show it: schema Transfer of openapi.yaml.
type Public struct {
	ID          string            `json:"id"`
	Object      string            `json:"object"`
	Livemode    bool              `json:"livemode"`
	MerchantID  string            `json:"merchant_id"`
	From        string            `json:"from"`
	To          string            `json:"to"`
	Amount      string            `json:"amount"`
	Currency    string            `json:"currency"`
	Description string            `json:"description,omitempty"`
	Status      Status            `json:"status"`
	FailureCode string            `json:"failure_code,omitempty"`
	Metadata    map[string]string `json:"metadata"`
	Sequence    int64             `json:"sequence"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
}

// Public renders t.
func (t Transfer) Public() Public {
	v := Public{ID: t.ID, Object: "transfer", Livemode: t.Book.Livemode(), MerchantID: t.MerchantID, From: t.From, To: t.To,
		Amount: t.Amount.Decimal(), Currency: string(t.Amount.Currency), Description: t.Description, Status: t.Status,
		FailureCode: t.FailureCode, Metadata: t.Metadata, Sequence: t.Sequence, CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC()}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	return v
}
