package payment

import (
	"strings"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/ledger"
	"paysaga/domain/trade"
)

// A top-up is a payment whose money is no merchant's sale: it goes to the wallet of its customer. It has the payment's whole life, attempts,
// doubts, actions and cases; it has no order, no fee, nothing to mature, and is captured at once.

// ReceiveTopUp brings a top-up into being, as Receive does a payment. Payment.CustomerID is whose wallet it is.
type ReceiveTopUp struct {
	Idempotency Idempotency
	Payment     Payment
	Secrets     Secrets
}

// Content implements ledger.Change.
func (r ReceiveTopUp) Content() any { return []any{"receive_top_up", r.Payment.ID, r.Idempotency} }

// TopUp says whether p goes to its customer's wallet.
func (p Payment) TopUp() bool { return id.Is(id.TopUp, p.ID) }

// terms are the merchant's, as far as they apply: of what isn't its sale it pays no fee, and waits for nothing.
func (p Payment) terms(t Terms) Terms {
	if p.TopUp() {
		t.FeeBasisPoints, t.FeeFixed, t.SettlementDays = 0, nil, 0
	}
	return t
}

// booked is the journal of what a channel took: the merchant's sale, or the user's money. With a reason it stands on suspense until now.
func (s *settling) booked(cause string, sale ledger.Capture, reason string) (ledger.Journal, error) {
	switch user := s.Payment.CustomerID; {
	case s.Payment.TopUp() && reason != "":
		return ledger.ToppedUpLate(cause, s.chart(), sale.ChannelAccount, user, reason, sale.Gross, sale.At)
	case s.Payment.TopUp():
		return ledger.ToppedUp(cause, s.chart(), sale.ChannelAccount, user, sale.Gross, sale.At)
	case reason != "":
		return ledger.Explained(cause, sale, reason)
	}
	return ledger.Captured(cause, sale)
}

// orderless takes back what a ruling would do to the order that a top-up hasn't.
func (r Ruling) orderless() Ruling {
	r.Order, r.Knowing = trade.Change{}, true
	return r
}

// Event is the type of the event about p that is called kind of a payment: "topup.succeeded" for "payment.succeeded" of a top-up.
func (p Payment) Event(kind string) string {
	if move, found := strings.CutPrefix(kind, "payment."); found && p.TopUp() {
		return "topup." + move
	}
	return kind
}

// PublicTopUp is a top-up as the API and its events show it: schema TopUp of openapi.yaml.
type PublicTopUp struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	Livemode         bool              `json:"livemode"`
	MerchantID       string            `json:"merchant_id"`
	UserID           string            `json:"user_id"`
	Amount           string            `json:"amount"`
	Currency         string            `json:"currency"`
	AmountCredited   string            `json:"amount_credited"`
	AmountRefunded   string            `json:"amount_refunded"`
	AmountRefunding  string            `json:"amount_refunding"`
	AmountRefundable string            `json:"amount_refundable"`
	AmountDisputed   string            `json:"amount_disputed"`
	Method           PublicMethod      `json:"method"`
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

// PublicTopUp renders a top-up, as Public does a payment.
func (p Payment) PublicTopUp() PublicTopUp {
	v := p.Public()
	return PublicTopUp{ID: v.ID, Object: "topup", Livemode: v.Livemode, MerchantID: v.MerchantID, UserID: p.CustomerID, Amount: v.Amount,
		Currency: v.Currency, AmountCredited: v.AmountCaptured, AmountRefunded: v.AmountRefunded, AmountRefunding: v.Refunding,
		AmountRefundable: v.Refundable, AmountDisputed: v.Disputed, Method: v.Method, Channel: v.Channel, Status: v.Status, InDoubt: v.InDoubt,
		NeedsOperator: v.NeedsOperator, DeclineCode: v.DeclineCode, DeclineClass: v.DeclineClass, DeclineAdvice: v.DeclineAdvice,
		ReviewDueAt: v.ReviewDueAt, RiskFlag: v.RiskFlag, NextAction: v.NextAction, BusinessDate: v.BusinessDate, Metadata: v.Metadata,
		Sequence: v.Sequence, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt, ExpiresAt: v.ExpiresAt, EffectiveAt: v.EffectiveAt}
}

// Shown is p as the API shows it: a PublicTopUp, or a Public.
func (p Payment) Shown() any {
	if p.TopUp() {
		return p.PublicTopUp()
	}
	return p.Public()
}
