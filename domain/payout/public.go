package payout

import (
	"time"

	"paysaga/domain/payment"
)

// Public is a payout as the API and its events show it: schema Payout of
// openapi.yaml.
type Public struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Livemode      bool              `json:"livemode"`
	MerchantID    string            `json:"merchant_id"`
	UserID        string            `json:"user_id,omitempty"`
	Amount        string            `json:"amount"`
	Currency      string            `json:"currency"`
	Destination   PublicDestination `json:"destination"`
	Note          string            `json:"note,omitempty"`
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
	NextAction    *PublicAction     `json:"next_action,omitempty"`
}

// PublicAction is what whoever is paid has to do before the channel pays.
type PublicAction struct {
	Type       payment.ActionType `json:"type"`
	URL        string             `json:"url"` // empty for an SDK
	Parameters map[string]string  `json:"parameters,omitempty"`
}

// PublicDestination is what is shown of a destination.
type PublicDestination struct {
	Type Type   `json:"type"`
	Last string `json:"last"`
}

// Public renders p.
func (p Payout) Public() Public {
	v := Public{ID: p.ID, Object: "payout", Livemode: p.Book.Livemode(), MerchantID: p.MerchantID, UserID: p.UserID, Amount: p.Amount.Decimal(),
		Currency: string(p.Amount.Currency), Destination: PublicDestination(p.To), Note: p.Note, Status: p.Status, InDoubt: p.InDoubt,
		NeedsOperator: p.Parked != "", FailureCode: p.FailureCode, PaidElsewhere: p.Elsewhere, Channel: p.Channel, Metadata: p.Metadata,
		Sequence: p.Sequence, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC()}
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if p.NextAction != nil && p.Status == Processing {
		v.NextAction = &PublicAction{Type: p.NextAction.Type, URL: p.NextAction.URL, Parameters: p.NextAction.Parameters}
	}
	if !p.EffectiveAt.IsZero() {
		at := p.EffectiveAt.UTC()
		v.EffectiveAt = &at
	}
	return v
}
