// Package trade is the trading core: orders, what they cost, and how payments and refunds add up on them. It knows
// nothing of channels; the payment core knows nothing of lines.
package trade

import (
	"slices"
	"time"

	"paysaga/domain/id"
	"paysaga/domain/money"
)

// Line is one thing of an order. Its total is quantity × unit price − discount + tax, and never negative.
type Line struct {
	SKU         string       `json:"sku"`
	Description string       `json:"description,omitempty"`
	Category    string       `json:"category,omitempty"` // the merchant's own, for rules
	Quantity    int64        `json:"quantity"`
	UnitPrice   money.Amount `json:"unit_price"`
	Discount    money.Amount `json:"discount"` // of the whole line, not per unit
	Tax         money.Amount `json:"tax"`      // of the whole line, not per unit
}

// Adjustment changes the total of a whole order. Its amount is never negative: the type gives the sign.
type Adjustment struct {
	Type   string       `json:"type"`
	Amount money.Amount `json:"amount"`
}

// The types of adjustment. A discount subtracts, the others add.
const (
	Shipping = "shipping"
	Discount = "discount"
	Tax      = "tax"
	Fee      = "fee"
	Tip      = "tip"
)

// AdjustmentTypes returns the closed list of adjustment types.
func AdjustmentTypes() []string { return []string{Shipping, Discount, Tax, Fee, Tip} }

// The types of order, for reports, routing and risk; no rule of this package depends on them.
const (
	Purchase     = "purchase"     // goods
	Service      = "service"      // work or a stay, delivered later
	Deposit      = "deposit"      // money held against something to come
	Subscription = "subscription" // one period of a standing agreement
	Donation     = "donation"     // nothing is delivered
)

// Types returns the closed list of order types.
func Types() []string { return []string{Purchase, Service, Deposit, Subscription, Donation} }

// Order is what is bought from a merchant. Content is fixed when it is made; only sums, status and sequence move.
type Order struct {
	ID         string
	Book       id.Book
	MerchantID string
	Reference  string // the merchant's own name for it, unique per book and merchant
	Type       string
	Currency   money.Currency

	Lines       []Line
	Adjustments []Adjustment

	Sums
	Status    Status
	Sequence  int64 // counts the order's changes from 1; events carry it (I-23)
	CreatedAt time.Time
	// ReceivedAt is when its goods were received, as somebody confirmed; zero: nobody has.
	ReceivedAt time.Time
}

// Sums are the figures of an order, all in its currency and none negative.
type Sums struct {
	// Total is what the order costs, computed by us.
	Total money.Amount
	// Authorized is held at channels and neither captured nor voided yet. It reserves.
	Authorized money.Amount
	// Paid is what was captured, refunds not subtracted. It exceeds Total after a duplicate payment, until that case ends.
	Paid money.Amount
	// Refunded is what went back of it, refunds that succeeded only.
	Refunded money.Amount
	// Disputed is what channels have taken back of it in disputes that aren't won.
	Disputed money.Amount
}

// Net is what is left of what was paid: without what went back, and what channels have taken back.
func (s Sums) Net() money.Amount {
	return money.New(s.Paid.Minor-s.Refunded.Minor-s.Disputed.Minor, s.Paid.Currency)
}

// Same reports whether two orders have the same content: type, currency, lines, adjustments and total. A reference that
// is used again must stand for the same order; whether it does is this question.
func (o Order) Same(other Order) bool {
	return o.Reference == other.Reference && o.Type == other.Type && o.Currency == other.Currency && o.Total == other.Total &&
		slices.Equal(o.Lines, other.Lines) && slices.Equal(o.Adjustments, other.Adjustments)
}
