package payment

import (
	"time"

	"paysaga/domain/money"
)

// Public is a payment as the API and its events show it: schema Payment of
// openapi.yaml.
type Public struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Livemode         bool              `json:"livemode"`
	MerchantID       string            `json:"merchant_id"`
	OrderID          string            `json:"order_id"`
	OrderReference   string            `json:"order_reference"`
	CustomerID       string            `json:"customer_id,omitempty"`
	Amount           string            `json:"amount"`
	Currency         string            `json:"currency"`
	AmountCaptured   string            `json:"amount_captured"`
	AmountCapturable string            `json:"amount_capturable"`
	AmountRefunded   string            `json:"amount_refunded"`
	Refunding        string            `json:"amount_refunding"`
	Refundable       string            `json:"amount_refundable"`
	Disputed         string            `json:"amount_disputed"`
	Fee              string            `json:"fee"`
	Method           PublicMethod      `json:"method"`
	Parts            []PublicPart      `json:"parts,omitempty"`
	CaptureMethod    CaptureMethod     `json:"capture_method"`
	Channel          string            `json:"channel,omitempty"`
	Status           Status            `json:"status"`
	InDoubt          bool              `json:"in_doubt"`
	NeedsOperator    bool              `json:"needs_operator"`
	DeclineCode      string            `json:"decline_code,omitempty"`
	DeclineClass     string            `json:"decline_class,omitempty"`
	DeclineAdvice    string            `json:"decline_advice,omitempty"`
	ReviewDueAt      *time.Time        `json:"review_due_at,omitempty"`
	RiskFlag         string            `json:"risk_flag,omitempty"`
	NextAction       *PublicAction     `json:"next_action,omitempty"`
	BusinessDate     string            `json:"business_date,omitempty"`
	Metadata         map[string]string `json:"metadata"`
	Sequence         int64             `json:"sequence"`
	CreatedAt        time.Time         `json:"created_at"`
	UpdatedAt        time.Time         `json:"updated_at"`
	ExpiresAt        time.Time         `json:"expires_at"`
	EffectiveAt      *time.Time        `json:"effective_at,omitempty"`
}

// PublicMethod shows how is paid, without the token.
type PublicMethod struct {
	Type MethodType `json:"type"`
}

// PublicPart shows where a part of a payment's money comes from.
type PublicPart struct {
	Source   Source `json:"source"`
	Amount   string `json:"amount"`
	Captured string `json:"amount_captured"`
	Refunded string `json:"amount_refunded"`
}

// publicParts are the parts of a payment that has one from a wallet; of any
// other there is nothing to tell.
func (p Payment) publicParts() []PublicPart {
	if p.WalletPart() == nil {
		return nil
	}
	list := make([]PublicPart, len(p.Parts))
	for i, part := range p.Parts {
		list[i] = PublicPart{part.Source, part.Amount.Decimal(), part.Captured.Decimal(), part.Refunded.Decimal()}
	}
	return list
}

// PublicAction is what the customer has to do next.
type PublicAction struct {
	Type       ActionType        `json:"type"`
	URL        string            `json:"url"`
	Parameters map[string]string `json:"parameters,omitempty"`
	ExpiresAt  time.Time         `json:"expires_at"`
}

// refundable is what a refund could still be of.
func (p Payment) refundable() money.Amount {
	if p.Status != Paid {
		return money.Zero(p.Amount.Currency)
	}
	return money.New(p.Left().Minor, p.Amount.Currency)
}

// Public renders p. The next action is shown only while the customer can act.
func (p Payment) Public() Public {
	v := Public{
		ID: p.ID, Object: "payment", Livemode: p.Book.Livemode(), MerchantID: p.MerchantID,
		OrderID: p.OrderID, OrderReference: p.OrderRef, CustomerID: p.CustomerID,
		Amount: p.Amount.Decimal(), Currency: string(p.Amount.Currency),
		AmountCaptured: p.Captured.Decimal(), AmountCapturable: p.Capturable().Decimal(),
		AmountRefunded: p.Refunded.Decimal(), Fee: p.Fee.Decimal(),
		Method: PublicMethod{p.Method}, Parts: p.publicParts(), CaptureMethod: p.Capture, Channel: p.Channel,
		Status: p.Status, InDoubt: p.InDoubt, NeedsOperator: p.Parked != "", DeclineCode: p.DeclineCode,
		DeclineClass: p.DeclineClass, DeclineAdvice: Advice(p.DeclineCode, p.DeclineClass), RiskFlag: p.RiskFlag,
		BusinessDate: p.BusinessDate, Metadata: p.Metadata, Sequence: p.Sequence,
		CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
	}
	v.Refunding, v.Refundable = money.New(p.Refunding.Minor, p.Amount.Currency).Decimal(), p.refundable().Decimal()
	v.Disputed = money.New(p.Disputed.Minor, p.Amount.Currency).Decimal()
	if v.Metadata == nil {
		v.Metadata = map[string]string{}
	}
	if !p.EffectiveAt.IsZero() {
		at := p.EffectiveAt.UTC()
		v.EffectiveAt = &at
	}
	if !p.ReviewDue.IsZero() {
		at := p.ReviewDue.UTC()
		v.ReviewDueAt = &at
	}
	if p.NextAction != nil && p.Status == RequiresAction {
		v.NextAction = &PublicAction{Type: p.NextAction.Type, URL: p.NextAction.URL, Parameters: p.NextAction.Parameters, ExpiresAt: p.ExpiresAt.UTC()}
	}
	return v
}
