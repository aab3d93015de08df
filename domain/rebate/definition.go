package rebate

import (
	"paysaga/domain/money"
)

// Stacking says what happens where several rules of a version give the same beneficiary something on one line.
type Stacking string

// The policies.
const (
	StackBest     Stacking = "best"     // the largest alone; of equals the first
	StackAll      Stacking = "all"      // each
	StackPriority Stacking = "priority" // the first by priority (higher first, then as written) alone
)

// Definition is a version's rules as they are written and stored. Amounts are minor units of the campaign's currency, rates basis
// points: 150 is 1.5 %.
type Definition struct {
	Stacking Stacking       `json:"stacking,omitempty"` // best is the default
	Rounding money.Rounding `json:"rounding,omitempty"` // down is the default
	Vest     *Vest          `json:"vest,omitempty"`     // of rules without their own; the default is at once
	Caps     Caps           `json:"caps,omitzero"`      // of all rules together
	Rules    []Rule         `json:"rules"`
}

// Rule is one promise: on which lines, to whom, how much.
type Rule struct {
	Name     string   `json:"name"`
	When     string   `json:"when,omitempty"` // CEL over the facts; empty: each line
	Priority int      `json:"priority,omitempty"`
	Strategy Strategy `json:"strategy"`
	Caps     Caps     `json:"caps,omitzero"`
	Vest     *Vest    `json:"vest,omitempty"`
}

// Caps bound what is given. 0 is no bound. User caps are the beneficiary's; a day is one in the merchant's zone. A cap counts from
// the first version that has it on.
type Caps struct {
	LineMinor       int64 `json:"line_minor,omitempty"`
	OrderMinor      int64 `json:"order_minor,omitempty"`
	UserDayMinor    int64 `json:"user_day_minor,omitempty"`
	UserPeriodMinor int64 `json:"user_period_minor,omitempty"`
	TotalMinor      int64 `json:"total_minor,omitempty"` // the whole campaign
}

// Vest says when a promise may be paid: Days after the payment, or after the buyer has confirmed the receipt of the goods; without
// that confirmation AtLatestDays after the payment.
type Vest struct {
	After        string `json:"after,omitempty"` // payment (the default) or receipt
	Days         int    `json:"days,omitempty"`
	AtLatestDays int    `json:"at_latest_days,omitempty"` // needed with receipt
}

// What a Vest counts from.
const (
	FromPayment = "payment"
	FromReceipt = "receipt"
)

// Kind is a strategy.
type Kind string

// The strategies.
const (
	Percentage Kind = "percentage" // rate_bps of each line
	Fixed      Kind = "fixed"      // amount_minor per order (split over its lines), line or unit
	Tiered     Kind = "tiered"     // by the amount of the order: the highest tier it reaches
	Stepped    Kind = "stepped"    // by the buyer's total in the campaign: each part at the rate of its step
	PerGroup   Kind = "category"   // a rate for each category of goods
	NewUser    Kind = "new_user"   // rate_bps or amount_minor, on the buyer's first paid order with the merchant
	Referral   Kind = "referral"   // rates for the buyer, their referrer, and that one's
)

// Strategy says how much. Which fields it has depends on its type; a field that its type doesn't know is refused.
type Strategy struct {
	Type        Kind             `json:"type"`
	RateBps     int64            `json:"rate_bps,omitempty"`
	AmountMinor int64            `json:"amount_minor,omitempty"`
	Per         string           `json:"per,omitempty"` // order (the default), line or unit
	Tiers       []Tier           `json:"tiers,omitempty"`
	Rates       map[string]int64 `json:"rates_bps,omitempty"`   // by category
	WithinDays  int              `json:"within_days,omitempty"` // new_user: since the merchant first named them; 0: ever
	Levels      []int64          `json:"levels_bps,omitempty"`  // buyer, referrer, referrer's referrer
}

// Tier begins at an amount: of the order for tiered, of the buyer's total in the campaign for stepped.
type Tier struct {
	FromMinor   int64 `json:"from_minor"`
	RateBps     int64 `json:"rate_bps,omitempty"`
	AmountMinor int64 `json:"amount_minor,omitempty"` // tiered only, instead of a rate: once per order
}

// What a fixed amount is given for.
const (
	PerOrder = "order"
	PerLine  = "line"
	PerUnit  = "unit"
)
